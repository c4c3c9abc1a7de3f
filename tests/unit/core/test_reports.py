"""Every message there is, as a report: a first line that fits, a next step, lines for the rest, no secret."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_runway.core.facts import CoreError, ErrorFacts, ErrorKind
from airflow_runway.core.models import CancelOutcome, RunwayTask, TaskStatus
from airflow_runway.core.polling.decisions import GaveUp, Wait, after_look, timed_out
from airflow_runway.core.protocol import errors, exchanges, read_errors, upload_errors
from airflow_runway.core.protocol.endings import Cancelled, Failed, ending_of
from airflow_runway.core.protocol.gateways import GATEWAYS, no_task_id
from airflow_runway.core.protocol.responses import Response, complaint_of, parse
from airflow_runway.core.protocol.verdicts import Delivery
from airflow_runway.core.redaction import redact
from airflow_runway.core.reports import FIRST_LINE, MEANINGS, PAGE, headline, report, summary
from airflow_runway.core.stopping import left_running, nothing_runs, nothing_sent
from airflow_runway.exceptions import error_of

UUID = "4683998c-1add-4a53-8c48-86a9c787d9ce"
SECRET = "key_" + "5ec2e7" * 8
GATEWAY = pytest.mark.parametrize("gateway", GATEWAYS.values(), ids=GATEWAYS)
STATUSES = (200, *range(300, 310), *range(400, 600))
ANCHORS = {
    line[3:].lower()
    for line in (Path(__file__).parents[3] / PAGE).read_text().splitlines()
    if line.startswith("## ")
}
#: A next step begins by saying what to do.
VERBS = "Ask|Buy|Change|Check|Clear|Correct|End|Give|Install|Look|Make|Note|Put|Raise|See|Send|Set|Settle|Use|Wait"
STEP = re.compile(rf"[.…] ({VERBS})\b[^.]{{4,60}}\.$")


def checked(facts):
    """A report of these facts is one that a person on call can use."""
    text = str(error_of(facts))
    happened, step, *rest = text.splitlines()
    first = f"{happened} {step}"
    assert first == headline(facts)
    assert len(first) <= FIRST_LINE
    assert STEP.search(first), first
    assert first.isprintable()
    names = [line.partition(": ")[0] for line in rest]
    assert [name for name in names if name != "Runway task"] == ["What", "Cost", "Retry", "See"]
    assert all(line.partition(": ")[2] for line in rest)
    anchor = rest[-1].removeprefix(f"See: {PAGE}#")
    assert anchor in ANCHORS
    assert SECRET not in text
    # What is stored stays one line.
    assert "\n" not in facts.message
    return first


BODIES = {
    "empty": b"",
    "page": f"<html><p>{SECRET}</p>".encode(),
    "json": f'{{"error": "Bearer {SECRET} is not. Good; at all", "issues": [{{"path": ["x"]}}]}}'.encode(),
    "long": b'{"error": "' + b"promptImage is not what it should be, " * 40 + b'"}',
    "credits": b'{"error": "You do not have enough credits"}',
    "no channel": b'{"error": {"message": "no channel", "code": "model_not_found"}}',
}


@GATEWAY
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_every_answer(gateway, body):
    route = max(gateway.creates, key=len)
    for status in STATUSES:
        response = Response(status, {"Retry-After": "9"}, body)
        complaint = complaint_of(parse(body))
        checked(errors.create_without_id(gateway, route, response, complaint))
        assert UUID in str(
            error_of(errors.create_with_doubtful_id(gateway, route, response, complaint, UUID))
        )
        checked(errors.create_with_doubtful_id(gateway, route, response, complaint, UUID))
        checked(read_errors.read_without_state(gateway, UUID, response, complaint))
        checked(read_errors.read_without_state(gateway, None, response, complaint))
        checked(upload_errors.upload_refused(gateway, f"{'a' * 200}.png", response, complaint))


@GATEWAY
def test_every_silence(gateway):
    reason = redact(f"ReadTimeout: no answer to {SECRET} in 60 s", secret=SECRET)
    for delivery in Delivery:
        checked(errors.create_without_answer(gateway, "image_to_video", delivery, reason))
    checked(read_errors.read_without_answer(gateway, UUID, reason))
    checked(read_errors.read_without_answer(gateway, None, reason))
    checked(upload_errors.upload_without_answer(gateway, "a.png", reason))


CODES = [
    None, "SAFETY.INPUT.TEXT", "SAFETY.OUTPUT.VIDEO", "ASSET.INVALID", "INTERNAL.BAD_OUTPUT.CODE01", "INTERNAL",
    "INPUT_PREPROCESSING.SAFETY.TEXT", "INPUT_PREPROCESSING.INTERNAL", "THIRD_PARTY.UNAVAILABLE", "X" * 200,
]  # fmt: skip


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("runway_task_id", ["7", UUID, "x" * 200])
@pytest.mark.parametrize("failure", [None, "Because. It was; so (see there)", "w" * 400])
def test_every_failure(code, runway_task_id, failure):
    task = RunwayTask(runway_task_id, TaskStatus.FAILED, failure=failure, failure_code=code, cost_credits=25)
    ending = ending_of(task)
    assert isinstance(ending, Failed)
    checked(ending.error)
    checked(ending.error.of_kind(ErrorKind.TRANSIENT_FAILURE))
    assert f"Runway task: {runway_task_id}" in str(error_of(ending.error)).splitlines()
    assert "Cost: 25 credits" in str(error_of(ending.error)).splitlines()


def test_what_is_moderated_says_so_first():
    task = RunwayTask(UUID, TaskStatus.FAILED, failure="Flagged.", failure_code="SAFETY.INPUT.TEXT")
    assert headline(ending_of(task).error) == (
        "Runway task 4683998c… failed: moderated. Change the input, clear the submitting task."
    )


def test_a_cancellation():
    ending = ending_of(RunwayTask(UUID, TaskStatus.CANCELLED))
    assert isinstance(ending, Cancelled)
    checked(ending.error)


@pytest.mark.parametrize("outcome", [None, *CancelOutcome])
@pytest.mark.parametrize("trouble", [None, ErrorFacts(ErrorKind.READ, "The last read. Failed.")])
def test_every_deadline_names_its_next_step(outcome, trouble):
    error = timed_out(Wait(UUID, deadline=1_900_000_000.0), trouble=trouble, cancelled=outcome)
    assert checked(error).startswith("Runway task 4683998c… missed its deadline. ")
    assert f"Runway task: {UUID}" in str(error_of(error))
    # Of the two ways on, that which pays says so.
    assert ("pays again" in headline(error)) == (outcome is CancelOutcome.CANCELLED)


@pytest.mark.parametrize("seen", [True, False])
def test_what_is_lost_or_empty_or_never_read(seen):
    def given_up(found, wait):
        decision = after_look(wait, found, now=2000.0, chance=random.Random(1))
        assert isinstance(decision, GaveUp)
        return decision.error

    wait = Wait(UUID, deadline=9e9, seen=seen, unseen_since=1.0, unseen_looks=9, looks_without_output=9)
    checked(given_up(RunwayTask(UUID, TaskStatus.GONE), wait))
    checked(given_up(RunwayTask(UUID, TaskStatus.OUTPUT_MISSING), wait))
    trouble = ErrorFacts(ErrorKind.READ, "It could not be asked.")
    checked(given_up(trouble, Wait(UUID, deadline=9e9, troubles=50)))


def test_being_stopped():
    ids = ", ".join([UUID] * 20)
    for generations in (f"Runway task {UUID}", f"A batch with 20 unfinished Runway tasks ({ids})"):
        for state in (None, "up_for_retry"):
            first = checked(left_running(generations, state))
            assert first.startswith("Told to stop; ")
    checked(nothing_runs())
    checked(nothing_sent())


def raised(call):
    with pytest.raises(CoreError) as caught:
        call()
    return caught.value.facts


@GATEWAY
def test_what_is_found_before_anything_is_sent(gateway):
    checked(raised(lambda: exchanges.known_route(gateway, "nowhere")))
    checked(raised(lambda: exchanges.known_route(gateway, "n" * 500)))
    checked(no_task_id({"id": SECRET}).facts)
    for route, row in gateway.creates.items():
        if row.needs:
            checked(raised(lambda route=route: exchanges.create_call(gateway, route, {"prompt": "x"})))
            checked(
                raised(lambda route=route: exchanges.create_call(gateway, route, {"callback_url": "ftp://x"}))
            )


@pytest.mark.parametrize("kind", ErrorKind)
class TestEachKind:
    def test_it_has_a_meaning_that_fits(self, kind):
        meaning = MEANINGS[kind]
        assert len(f"{meaning.happened}. {meaning.next_step}.") <= FIRST_LINE
        assert STEP.search(f". {meaning.next_step}.")
        assert all((meaning.cost, meaning.retry))
        assert meaning.retry.startswith("none") != kind.a_retry_may_help

    def test_without_a_message_the_kind_speaks(self, kind):
        meaning = MEANINGS[kind]
        assert headline(ErrorFacts(kind, "")) == f"{meaning.happened}. {meaning.next_step}."
        assert "\nWhat:" not in report(ErrorFacts(kind, ""), "x")

    @given(st.text(), st.text(max_size=200), st.text(max_size=200))
    def test_any_text_fits(self, kind, message, short, step):
        facts = ErrorFacts(kind, message, summary=short, next_step=step)
        assert len(headline(facts)) <= FIRST_LINE
        assert "\n" not in headline(facts)
        assert len(summary(facts)) <= FIRST_LINE
        assert " ".join(report(facts, "here").split("\n")[:2]) == headline(facts)


@pytest.mark.parametrize(
    ("message", "first"),
    [
        ("One thing. Another.", "One thing. Give another file, then clear this task."),
        (
            f"Runway task {UUID} is gone.",
            "Runway task 4683998c… is gone. Give another file, then clear this task.",
        ),
        (
            "promptImage (s3://somewhere/far/away.png) is a page of HTML. Nothing was sent.",
            "promptImage is a page of HTML. Give another file, then clear this task.",
        ),
        (
            "Connection 'runway_default' is one: it names what nobody knows here. Nothing was sent.",
            "Connection 'runway_default' is one. Give another file, then clear this task.",
        ),
        ("w" * 100, "w" * 47 + "… Give another file, then clear this task."),
    ],
)
def test_how_a_sentence_is_made_to_fit(message, first):
    assert headline(ErrorFacts(ErrorKind.MEDIA_REFUSED, message)) == first
