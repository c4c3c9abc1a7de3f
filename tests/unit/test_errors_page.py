"""``docs/errors.md`` and the classes of errors are one list."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from airflow_runway import exceptions
from airflow_runway.core.reports import PAGE, report

ROOT = Path(__file__).parents[2]
SECTIONS = re.split(r"^## ", (ROOT / PAGE).read_text(), flags=re.MULTILINE)[1:]
BY_NAME = {name.strip(): text for name, _, text in (section.partition("\n") for section in SECTIONS)}
QUESTIONS = ("What happened.", "What it cost.", "What a retry does.", "What to do now.")
CLASSES = [getattr(exceptions, name) for name in exceptions.__all__]
#: Of these nobody hears: they collect others.
COLLECTING = {"RunwaySubmissionError", "RunwayTaskError", "RunwayTaskFailureError", "RunwayLostAnswerError"}


def test_each_class_has_one_section_and_each_section_a_class():
    assert len(SECTIONS) == len(BY_NAME)
    assert set(BY_NAME) == set(exceptions.__all__)


@pytest.mark.parametrize("name", exceptions.__all__)
def test_a_section_answers_the_four_questions(name):
    answers = re.findall(r"\*\*([^*]+\.)\*\* (\S)", BY_NAME[name])
    assert tuple(question for question, _ in answers) == QUESTIONS


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_an_error_leads_to_its_section(error):
    anchor = str(error("What happened.")).splitlines()[-1]
    assert anchor == f"See: {PAGE}#{error.__name__.lower()}"
    assert report(error("x").facts, "y").endswith(f"{PAGE}#y")


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_page_and_airflow_agree_on_whether_there_is_a_retry(error):
    if error.__name__ in COLLECTING | {"RunwayError"}:
        return
    answer = BY_NAME[error.__name__].partition("**What a retry does.** ")[2]
    retried = not issubclass(error, exceptions.AirflowFailException)
    assert answer.startswith("None;") != retried


def test_the_readme_leads_to_the_page():
    assert f"]({PAGE})" in (ROOT / "README.md").read_text()
