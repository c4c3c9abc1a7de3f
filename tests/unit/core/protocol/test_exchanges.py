from __future__ import annotations

import json
import uuid

import pytest
from unit.samples import sample

from airflow_runway.core.protocol.exchanges import (
    Call,
    NoAnswerError,
    cancelling,
    introducing,
    reading,
    submitting,
)
from airflow_runway.core.protocol.gateways import GATEWAYS
from airflow_runway.core.protocol.responses import Answer
from airflow_runway.core.protocol.verdicts import Delivery
from airflow_runway.exceptions import (
    RunwayAmbiguousSubmissionError,
    RunwayConfigurationError,
    RunwayNotAcceptedError,
    RunwayReadError,
    RunwayReadRefusedError,
)
from airflow_runway.models import CancelOutcome, TaskStatus

RUNWAY, COMET = GATEWAYS["runway"], GATEWAYS["cometapi"]
SILENCE = NoAnswerError(Delivery.UNKNOWN, "reset")


def says(body, status=200):
    return Answer(status, {}, json.dumps(body).encode() if body is not None else b"")


def state(status, **more):
    return says({"id": "t1", "status": status, **more})


NOT_YET = says({"code": "task_not_exist", "message": "task_not_exist", "data": None}, 400)
GONE = says({"error": "Task not found."}, 404)
DONE = state("SUCCEEDED", output=["https://e/x.mp4"])


def hold(conversation, *answers):
    """Play a conversation against prepared answers; returns the calls made and the outcome."""
    calls, script = [], list(answers)
    try:
        call = next(conversation)
        while True:
            calls.append(call)
            answer = script.pop(0)
            call = conversation.throw(answer) if isinstance(answer, Exception) else conversation.send(answer)
    except StopIteration as end:
        assert not script
        return calls, end.value


class TestSubmitting:
    def test_one_post_with_the_payload_as_it_is(self):
        payload = {"model": "gen4_turbo", "promptImage": "https://e/x.jpg"}
        calls, submission = hold(submitting(RUNWAY, "image_to_video", payload), says({"id": "t1"}))
        assert calls == [Call("POST", "/v1/image_to_video", payload)]
        assert submission.runway_task_id == "t1"

    def test_an_unknown_route_is_refused_here(self):
        with pytest.raises(RunwayConfigurationError, match=r"no route 'sound_effect'.*image_to_video"):
            hold(submitting(COMET, "sound_effect", {}))

    @pytest.mark.parametrize("bad", [{1, 2}, float("nan"), object()])
    def test_what_is_not_json_is_refused_here(self, bad):
        with pytest.raises(RunwayConfigurationError, match="is not JSON"):
            hold(submitting(RUNWAY, "image_to_video", {"x": bad}))

    def test_the_reverse_format_needs_a_callback_url(self):
        with pytest.raises(RunwayConfigurationError, match="needs callback_url on pro/generate"):
            hold(submitting(COMET, "pro/generate", {"prompt": "x"}))

    @pytest.mark.parametrize(
        ("payload", "fallback", "sent"),
        [
            ({"callback_url": "https://mine.example/a"}, None, "https://mine.example/a"),
            ({}, "https://mine.example/b", "https://mine.example/b"),
            ({"callback_url": "https://mine.example/a"}, "https://mine.example/b", "https://mine.example/a"),
            ({"callback_url": None}, "https://mine.example/b", "https://mine.example/b"),
        ],
    )
    def test_which_comes_from_the_task_or_else_from_the_connection(self, payload, fallback, sent):
        conversation = submitting(COMET, "pro/generate", payload, {"callback_url": fallback})
        calls, _ = hold(conversation, says({"code": 200, "msg": "成功", "data": {"task_id": "t1"}}))
        assert calls == [Call("POST", "/runway/pro/generate", {"callback_url": sent})]

    def test_and_must_be_an_address(self):
        with pytest.raises(RunwayConfigurationError, match=r"no http\(s\) address"):
            hold(submitting(COMET, "pro/generate", {"callback_url": "mine.example"}))

    def test_the_official_format_gets_no_callback_url(self):
        conversation = submitting(
            COMET, "image_to_video", {"model": "m"}, {"callback_url": "https://mine.example"}
        )
        calls, _ = hold(conversation, says({"id": "t1"}))
        assert calls[0].json == {"model": "m"}

    def test_silence_is_ambiguous(self):
        with pytest.raises(RunwayAmbiguousSubmissionError, match="reset"):
            hold(submitting(RUNWAY, "image_to_video", {}), SILENCE)

    def test_no_connection_is_a_refusal(self):
        with pytest.raises(RunwayNotAcceptedError, match="nothing was charged"):
            hold(submitting(RUNWAY, "image_to_video", {}), NoAnswerError(Delivery.NOT_SENT, "refused"))


class TestReading:
    def test_one_get(self):
        calls, task = hold(reading(COMET, "t1"), state("RUNNING"))
        assert calls == [Call("GET", "/runwayml/v1/tasks/t1")]
        assert task.status is TaskStatus.RUNNING

    def test_an_id_unknown_on_one_route_is_asked_for_on_the_next(self):
        known_at = {}
        calls, task = hold(reading(COMET, "t1", known_at), NOT_YET, state("RUNNING"))
        assert calls == [
            Call("GET", "/runwayml/v1/tasks/t1"),
            Call("POST", "/runway/feed", {"task_id": "t1"}),
        ]
        assert task.status is TaskStatus.RUNNING
        calls, task = hold(reading(COMET, "t1", known_at), state("RUNNING"))
        assert calls == [Call("POST", "/runway/feed", {"task_id": "t1"})]

    def test_unknown_on_every_route_is_what_the_usual_one_says(self):
        assert hold(reading(COMET, "t1"), NOT_YET, NOT_YET)[1].status is TaskStatus.NOT_VISIBLE
        assert hold(reading(RUNWAY, "t1"), GONE, GONE)[1].status is TaskStatus.GONE

    def test_trouble_is_no_reason_to_ask_elsewhere(self):
        with pytest.raises(RunwayReadError):
            hold(reading(COMET, "t1"), says({}, 503))

    def test_silence_is_a_read_error(self):
        with pytest.raises(RunwayReadError, match="reset"):
            hold(reading(RUNWAY, "t1"), SILENCE)

    @pytest.mark.parametrize("bad", [None, "", "a/b", ["t1"]])
    def test_what_is_no_id_is_refused_here(self, bad):
        with pytest.raises(RunwayConfigurationError, match="not a Runway task id"):
            hold(reading(RUNWAY, bad))


READ, DELETE = Call("GET", "/v1/tasks/t1"), Call("DELETE", "/v1/tasks/t1")
INVOCATION = Call("GET", "/v1/workflow_invocations/t1")


class TestCancelling:
    @pytest.mark.parametrize(
        ("answers", "calls", "outcome"),
        [
            ([DONE], [READ], CancelOutcome.ALREADY_FINISHED),
            ([state("FAILED")], [READ], CancelOutcome.ALREADY_FINISHED),
            ([GONE, GONE], [READ, INVOCATION], CancelOutcome.NOT_FOUND),
            ([GONE, state("RUNNING")], [READ, INVOCATION], CancelOutcome.NOT_SUPPORTED),
            ([SILENCE], [READ], CancelOutcome.UNKNOWN),
            ([says({}, 503)], [READ], CancelOutcome.UNKNOWN),
            ([state("RUNNING"), says(None, 204)], [READ, DELETE], CancelOutcome.CANCELLED),
            ([state("PENDING"), GONE], [READ, DELETE], CancelOutcome.CANCELLED),
            (
                [state("RUNNING"), SILENCE, GONE, GONE],
                [READ, DELETE, READ, INVOCATION],
                CancelOutcome.CANCELLED,
            ),
            ([state("RUNNING"), SILENCE, DONE], [READ, DELETE, READ], CancelOutcome.ALREADY_FINISHED),
            ([state("RUNNING"), SILENCE, state("CANCELLED")], [READ, DELETE, READ], CancelOutcome.CANCELLED),
            (
                [state("RUNNING"), says({}, 500), state("RUNNING")],
                [READ, DELETE, READ],
                CancelOutcome.UNKNOWN,
            ),
            ([state("RUNNING"), SILENCE, SILENCE], [READ, DELETE, READ], CancelOutcome.UNKNOWN),
        ],
    )
    def test_reads_first_and_deletes_only_what_is_unfinished(self, answers, calls, outcome):
        assert hold(cancelling(RUNWAY, "t1"), *answers) == (calls, outcome)

    def test_a_gateway_without_such_a_route_says_so(self):
        _, outcome = hold(cancelling(COMET, "t1"), state("RUNNING"))
        assert outcome is CancelOutcome.NOT_SUPPORTED


class TestIntroducing:
    def test_the_official_api_tells_balance_and_limits(self):
        calls, said = hold(introducing(RUNWAY), says(sample("runway.organization.read.sample")))
        assert calls == [Call("GET", "/v1/organization")]
        assert said == (
            "Runway accepts the key. Balance: 5000 credits. Most per month: 10000 credits. "
            "gen4.5: 2 at once, 12 of 200 today."
        )

    @pytest.mark.parametrize("account", [{}, {"tier": None}, {"tier": {"models": {"m": None}}, "usage": []}])
    def test_an_account_in_another_shape_is_no_trouble(self, account):
        assert hold(introducing(RUNWAY), says(account))[1].startswith("Runway accepts the key.")

    def test_elsewhere_nobodys_task_is_asked_for(self):
        calls, said = hold(introducing(COMET), says({"code": "task_not_exist", "data": None}, 400))
        assert calls[0].method == "GET"
        assert uuid.UUID(calls[0].path.rpartition("/")[2])
        assert said.startswith("CometAPI accepts the key.")

    @pytest.mark.parametrize("gateway", [RUNWAY, COMET])
    def test_a_bad_key_is_named(self, gateway):
        with pytest.raises(RunwayReadRefusedError, match="valid API key"):
            hold(introducing(gateway), says({"error": "Unauthorized"}, 401))
