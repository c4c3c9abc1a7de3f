"""The download of one output, between a fetcher and a sink that do as they are told."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import heads
import pytest
from unit.transfers.saving.fakes import FakeFetcher, FakeResponse, FakeSink, OneByteAtATime

from airflow_runway.core.media.types import HEAD
from airflow_runway.core.saving.promises import Promise, Step
from airflow_runway.exceptions import RunwayTransferError, RunwayTransferRefusedError
from airflow_runway.transfers._saving import download as download_module
from airflow_runway.transfers._saving.download import (
    ATTEMPTS,
    AlreadyThereError,
    Download,
    media_type_of,
)
from airflow_runway.transfers._saving.fetching import BrokenOffError

CONTENT = b"0123456789"
DIGEST = hashlib.sha256(CONTENT)
WHOLE = Promise(len(CONTENT), '"one"', has_end=True)
REFUSED = BrokenOffError("the host could not be asked")


@dataclass
class Run:
    """A download, and what it has asked for."""

    fetcher: FakeFetcher
    max_bytes: int = 1000
    open_error: Exception | None = None
    wait_error: Exception | None = None
    sinks: list[FakeSink] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    links_asked_for: list[bool] = field(default_factory=list)
    waits: list[int] = field(default_factory=list)

    def __call__(self):
        return Download(
            "Output 0 of Runway task t1",
            self.fetcher,
            self.link,
            self.open_sink,
            max_bytes=self.max_bytes,
            wait=self.wait,
        ).run()

    def link(self, dead):
        self.links_asked_for.append(dead)
        return f"https://host.example/{sum(self.links_asked_for)}"

    def open_sink(self, head, promise):
        self.heads.append(head)
        if self.open_error is not None:
            raise self.open_error
        self.sinks.append(FakeSink())
        return self.sinks[-1]

    def wait(self, tries):
        self.waits.append(tries)
        if self.wait_error is not None:
            raise self.wait_error


def run_of(*responses, **options):
    return Run(FakeFetcher(*responses), **options)


def check_saved(run, content=CONTENT):
    assert run() == (len(content), hashlib.sha256(content).hexdigest())
    sink = run.sinks[-1]
    assert (sink.content, sink.committed_size, sink.discarded) == (content, len(content), False)
    # Of what was begun before, nothing stays.
    assert all(sink.discarded for sink in run.sinks[:-1])


def test_it_saves_what_comes():
    run = run_of(FakeResponse(WHOLE, (b"01234", b"56789")))
    check_saved(run)
    assert run.fetcher.requests == [("https://host.example/0", {}, 0)]
    assert run.waits == []


def test_a_sink_is_opened_with_enough_to_judge_it_by():
    content = bytes(HEAD) + b"rest"
    pieces = (content[:100], content[100:HEAD], b"rest")
    run = run_of(FakeResponse(Promise(len(content), has_end=True), pieces), max_bytes=len(content))
    check_saved(run, content)
    assert run.heads == [content[:HEAD]]


class TestAfterABreak:
    def test_it_resumes_with_the_same_link(self):
        run = run_of(
            FakeResponse(WHOLE, (b"01234",), breaks_off=True), FakeResponse(WHOLE, (b"56789",), Step.APPEND)
        )
        check_saved(run)
        assert run.fetcher.requests[1] == (
            "https://host.example/0",
            {"Range": "bytes=5-", "If-Range": '"one"'},
            5,
        )
        # Something had come.
        assert run.waits == [0]

    def test_a_body_that_is_short_without_a_word_is_resumed(self):
        run = run_of(FakeResponse(WHOLE, (b"01234",)), FakeResponse(WHOLE, (b"56789",), Step.APPEND))
        check_saved(run)
        assert run.fetcher.requests[1][2] == 5

    def test_a_host_that_begins_again_costs_no_byte_twice(self):
        run = run_of(FakeResponse(WHOLE, (b"01234",), breaks_off=True), FakeResponse(WHOLE, (CONTENT,)))
        check_saved(run)
        assert len(run.heads) == 1

    def test_a_dead_link_is_replaced_at_once(self):
        run = run_of(BrokenOffError("HTTP 403", link_is_dead=True), FakeResponse(WHOLE, (CONTENT,)))
        check_saved(run)
        assert run.links_asked_for == [False, True]


class TestWhatIsNotTheSameFileAnyMore:
    def test_another_entity_tag(self):
        changed = FakeResponse(Promise(10, '"two"', has_end=True), (b"56789",), Step.APPEND)
        run = run_of(
            FakeResponse(WHOLE, (b"01234",), breaks_off=True), changed, FakeResponse(WHOLE, (CONTENT,))
        )
        check_saved(run)
        assert run.fetcher.requests[2] == ("https://host.example/1", {}, 0)

    def test_another_beginning(self):
        other = b"abcdefghij"
        run = run_of(FakeResponse(WHOLE, (b"01234",), breaks_off=True), FakeResponse(WHOLE, (other,)))
        check_saved(run, other)
        assert [request[2] for request in run.fetcher.requests] == [0, 5, 0]

    def test_a_host_that_does_not_go_on(self):
        run = run_of(
            FakeResponse(WHOLE, (b"01234",), breaks_off=True),
            FakeResponse(Promise(), (), Step.RESTART),
            FakeResponse(WHOLE, (CONTENT,)),
        )
        check_saved(run)

    def test_a_sink_that_was_open_is_discarded(self):
        content = bytes(HEAD) + b"rest"
        promise = Promise(len(content), '"one"', has_end=True)
        run = run_of(
            FakeResponse(promise, (content[:HEAD],), breaks_off=True),
            FakeResponse(Promise(etag='"two"'), (), Step.APPEND),
            FakeResponse(promise, (content,)),
            max_bytes=len(content),
        )
        check_saved(run, content)
        assert len(run.sinks) == 2


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (FakeResponse(WHOLE, (CONTENT + b"more",)), "14 bytes came, 10 were promised"),
        (FakeResponse(WHOLE, (CONTENT[:-1],)), "ended before its time"),
        (FakeResponse(Promise(sha256=b"x" * 32), (CONTENT,)), "not what the host's SHA-256 promised"),
        (FakeResponse(Promise(0, has_end=True), ()), "the host sent an empty file"),
        (FakeResponse(Promise(), (CONTENT,)), "neither length nor digest"),
        (REFUSED, "could not be asked"),
    ],
    ids=["too long", "too short", "other digest", "empty", "no promise", "no answer"],
)
class TestWhatIsWrong:
    def test_it_is_overcome_if_it_passes(self, response, reason):
        check_saved(run_of(response, FakeResponse(WHOLE, (CONTENT,))))

    def test_it_is_given_up_if_it_does_not(self, response, reason):
        run = run_of(response)
        with pytest.raises(RunwayTransferError, match=reason) as caught:
            run()
        assert "Output 0 of Runway task t1 could not be fetched" in str(caught.value)
        assert not isinstance(caught.value, RunwayTransferRefusedError)
        assert all(sink.discarded for sink in run.sinks)
        assert len(run.fetcher.requests) <= ATTEMPTS + 1
        # A fresh link was tried.
        assert True in run.links_asked_for


def test_it_gives_up_after_some_tries_without_progress():
    run = run_of(REFUSED)
    with pytest.raises(RunwayTransferError, match="bytes that came at most: 0"):
        run()
    assert run.waits == [1, 2, 3, 4]
    # From the second failure on, a fresh link may lead around the trouble.
    assert run.links_asked_for == [False, False, True, True, True]


def test_progress_counts_however_small():
    content = bytes(range(50))
    run = Run(OneByteAtATime(content))
    assert run()[0] == 50
    assert set(run.waits) == {0}
    assert run.links_asked_for == [False] * 50


def test_progress_does_not_count_for_ever(monkeypatch):
    monkeypatch.setattr(download_module, "MOST_ATTEMPTS", 7)
    run = Run(OneByteAtATime(bytes(50)))
    with pytest.raises(RunwayTransferError, match="bytes that came at most: 7"):
        run()


@pytest.mark.parametrize(
    "response",
    [
        FakeResponse(Promise(11, has_end=True), ()),
        FakeResponse(Promise(has_end=True), (CONTENT, b"x")),
        FakeResponse(WHOLE, (CONTENT, b"x")),
    ],
    ids=["promised", "not promised", "more than promised"],
)
def test_what_is_too_large_is_refused_at_once(response):
    run = run_of(response, max_bytes=10)
    with pytest.raises(RunwayTransferRefusedError, match=r"11 bytes or more, above max_bytes \(10\)"):
        run()
    assert len(run.fetcher.requests) == 1
    assert all(sink.discarded for sink in run.sinks)


def test_what_is_there_already_is_not_downloaded():
    run = run_of(FakeResponse(WHOLE, (CONTENT,)), open_error=AlreadyThereError(10, "ab"))
    assert run() == (10, "ab")
    assert run.sinks == []


def test_what_the_opener_refuses_is_refused_at_once():
    error = RunwayTransferRefusedError("no media")
    run = run_of(FakeResponse(WHOLE, (CONTENT,)), open_error=error)
    with pytest.raises(RunwayTransferRefusedError, match="no media"):
        run()
    assert len(run.fetcher.requests) == 1


def test_being_stopped_leaves_nothing():
    content = bytes(HEAD) + b"rest"
    response = FakeResponse(Promise(len(content), has_end=True), (content[:HEAD],), breaks_off=True)
    run = run_of(response, max_bytes=len(content), wait_error=RunwayTransferError("stopped"))
    with pytest.raises(RunwayTransferError, match="stopped"):
        run()
    assert [sink.discarded for sink in run.sinks] == [True]


def test_the_kind_of_a_file_is_judged_by_its_beginning():
    assert media_type_of(heads.PNG, "it") == "image/png"
    for page in (b"<html>", b"\xef\xbb\xbf\n {", b"[1]"):
        with pytest.raises(BrokenOffError, match="page of text") as caught:
            media_type_of(page, "it")
        assert caught.value.link_is_dead
    with pytest.raises(RunwayTransferRefusedError, match="it begins like no media file"):
        media_type_of(b"MZ\x90\x00", "it")
