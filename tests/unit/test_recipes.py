"""The blocks of docs/recipes.md are run, one after another, and do what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow import __version__ as airflow_version
from unit.scripted import Scripted

from airflow_runway.exceptions import RunwayAmbiguousSubmissionError, RunwayOutOfCreditsError, RunwayReadError

PAGE = Path(__file__).parents[2] / "docs" / "recipes.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def page():
    """What the page's blocks have defined."""
    names = {}
    for block in BLOCKS:
        if "DeadlineAlert" in block and airflow_version < "3.2":
            continue
        exec(compile(block, str(PAGE), "exec"), names)
    return SimpleNamespace(**names)


def test_every_block_makes_what_it_shows(page):
    assert len(BLOCKS) >= 8
    made = {"tell", "on_call", "lost_answers", "stopped_batches", "account", "enough_credits", "CLIP"}
    assert made <= set(vars(page))


@pytest.mark.parametrize(
    ("error", "callback", "is_told"),
    [
        (RunwayAmbiguousSubmissionError("lost"), "lost_answers", True),
        (RunwayReadError("network"), "lost_answers", False),
        (RunwayOutOfCreditsError("no credits"), "account", True),
        (RunwayOutOfCreditsError("no credits"), "stopped_batches", False),
        (ValueError("theirs"), "account", False),
        (None, "account", False),
    ],
)
def test_who_is_told_of_what(page, error, callback, is_told, monkeypatch):
    told = []
    monkeypatch.setattr(type(page.on_call), "__call__", lambda self, context: told.append(context))
    getattr(page, callback)({"exception": error})
    assert bool(told) is is_told


def test_the_mail_says_what_happened(page):
    assert "exception.headline" in page.on_call.subject
    assert RunwayReadError("network").headline


@pytest.mark.parametrize(("balance", "fails"), [(1999, True), (2000, False)])
def test_low_credits_fail_in_time(page, connected, balance, fails):
    connected.answers(Scripted(200, {"creditBalance": balance, "tier": {}, "usage": {}}))
    if fails:
        with pytest.raises(Exception, match="1999 credits are left"):
            page.enough_credits.function()
    else:
        assert page.enough_credits.function() == balance
