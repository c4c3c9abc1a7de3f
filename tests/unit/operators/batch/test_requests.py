"""The list of a batch: in which forms it may come, and that one bad entry spoils no other."""

from __future__ import annotations

import json
import math

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_runway.exceptions import RunwayConfigurationError, RunwayMediaError
from airflow_runway.hooks._media_from import MediaFrom
from airflow_runway.operators._batch import requests as module

BODY = {"model": "gen4.5", "promptText": "x"}


def read_requests(given, prefixes=None):
    return module.read_requests(given, MediaFrom(prefixes))


@pytest.mark.parametrize(
    "given", [[BODY, BODY], (BODY, BODY), iter([BODY, BODY])], ids=["list", "tuple", "iterator"]
)
def test_a_list_keeps_its_order(given):
    assert [(one.index, one.payload, one.error) for one in read_requests(given)] == [
        (0, BODY, ""),
        (1, BODY, ""),
    ]


@pytest.mark.parametrize("as_path", [False, True])
def test_a_file_has_an_entry_per_line_that_is_not_empty(tmp_path, as_path):
    file = tmp_path / "list.jsonl"
    file.write_bytes(b"\n" + json.dumps(BODY).encode() + b"\n\n" + json.dumps({"a": "\u00e4"}).encode())
    given = ObjectStoragePath(f"file://{file}") if as_path else f"file://{file}"
    assert [one.payload for one in read_requests(given)] == [BODY, {"a": "\u00e4"}]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("text", "It is str, not a JSON object"),
        (None, "NoneType"),
        ([1], "list"),
        ({"duration": math.nan}, "JSON has no form for"),
    ],
)
def test_a_bad_entry_is_named_and_spoils_no_other(entry, words):
    bad, good = read_requests([entry, BODY])
    assert bad.payload is None
    assert words in bad.error
    assert (good.payload, good.index) == (BODY, 1)


def test_an_entry_that_holds_itself_is_no_json():
    endless: dict[str, object] = {}
    endless["again"] = endless
    (one,) = read_requests([endless])
    assert "nested more than 100 levels" in one.error


@pytest.mark.parametrize("line", [b"{broken", b"\xff\xfe", b"[" * 100_000])
def test_a_bad_line_is_named(tmp_path, line):
    file = tmp_path / "list.jsonl"
    file.write_bytes(line + b"\n" + json.dumps(BODY).encode())
    bad, good = read_requests(f"file://{file}")
    assert bad.payload is None
    assert bad.error
    assert good.payload == BODY


def test_a_line_is_read_in_bounded_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_LONGEST_LINE", 16)
    file = tmp_path / "list.jsonl"
    file.write_bytes(b'{"a": "' + b"x" * 100 + b'"}\n')
    assert all(one.payload is None for one in read_requests(f"file://{file}"))


@pytest.mark.parametrize("given", [None, 7, {}, b"bytes", [], iter([])])
def test_what_is_no_list_or_empty_costs_nothing(given):
    with pytest.raises(RunwayConfigurationError, match="Nothing was sent"):
        read_requests(given)


def test_a_file_that_cannot_be_read_now_may_be_read_later():
    with pytest.raises(
        RunwayMediaError, match=r"(?m)^What: The list of requests .*cannot be had.*a retry looks again"
    ):
        read_requests("file:///nowhere/list.jsonl")


def test_a_file_elsewhere_is_not_read(tmp_path):
    (tmp_path / "list.jsonl").write_bytes(json.dumps(BODY).encode())
    assert len(read_requests(f"file://{tmp_path}/list.jsonl", [str(tmp_path)])) == 1
    with pytest.raises(RunwayMediaError, match=r"cannot be had.*Nothing was sent"):
        read_requests(f"file://{tmp_path}/list.jsonl", [str(tmp_path / "elsewhere")])


def test_a_signed_address_does_not_stand_in_the_error():
    with pytest.raises(RunwayMediaError) as caught:
        read_requests("file:///nowhere/list.jsonl?X-Amz-Signature=secret")
    assert "secret" not in str(caught.value)
