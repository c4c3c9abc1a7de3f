from __future__ import annotations

import json
import uuid

import pytest
from unit.core.raising import raises
from unit.samples import response, sample

from airflow_runway.core.facts import ErrorKind
from airflow_runway.core.models import CancelOutcome, TaskStatus
from airflow_runway.core.protocol.exchanges import (
    Call,
    NoAnswerError,
    cancel_task,
    check_connection,
    get_organization,
    known_route,
    read_task,
    reserve_upload,
    submit,
)
from airflow_runway.core.protocol.gateways import GATEWAYS
from airflow_runway.core.protocol.responses import Response
from airflow_runway.core.protocol.verdicts import Delivery

RUNWAY, COMET = GATEWAYS["runway"], GATEWAYS["cometapi"]
SILENCE = NoAnswerError(Delivery.UNKNOWN, "reset")


def says(body, status=200):
    return Response(status, {}, json.dumps(body).encode() if body is not None else b"")


def state(status, **more):
    return says({"id": "t1", "status": status, **more})


NOT_YET = says({"code": "task_not_exist", "message": "task_not_exist", "data": None}, 400)
GONE = says({"error": "Task not found."}, 404)
DONE = state("SUCCEEDED", output=["https://e/x.mp4"])


def run(exchange, *answers):
    """Run an exchange against prepared responses; returns the calls made and the outcome."""
    calls, script = [], list(answers)
    try:
        call = next(exchange)
        while True:
            calls.append(call)
            answer = script.pop(0)
            call = exchange.throw(answer) if isinstance(answer, Exception) else exchange.send(answer)
    except StopIteration as end:
        assert not script
        return calls, end.value


class TestSubmit:
    def test_one_post_with_the_payload_as_it_is(self):
        payload = {"model": "gen4_turbo", "promptImage": "https://e/x.jpg"}
        calls, submission = run(submit(RUNWAY, "image_to_video", payload), says({"id": "t1"}))
        assert calls == [Call("POST", "/v1/image_to_video", payload, creates=True)]
        assert submission.runway_task_id == "t1"

    def test_an_unknown_route_is_refused_here(self):
        with raises(ErrorKind.CONFIGURATION, r"no route 'sound_effect'.*image_to_video"):
            run(submit(COMET, "sound_effect", {}))

    @pytest.mark.parametrize("bad", [{1, 2}, float("nan"), object()])
    def test_what_is_not_json_is_refused_here(self, bad):
        with raises(ErrorKind.CONFIGURATION, "JSON has no form for"):
            run(submit(RUNWAY, "image_to_video", {"x": bad}))

    def test_the_reverse_format_needs_a_callback_url(self):
        with raises(ErrorKind.CONFIGURATION, "needs callback_url on pro/generate"):
            run(submit(COMET, "pro/generate", {"prompt": "x"}))

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
        exchange = submit(COMET, "pro/generate", payload, {"callback_url": fallback})
        calls, _ = run(exchange, says({"code": 200, "msg": "成功", "data": {"task_id": "t1"}}))
        assert calls == [Call("POST", "/runway/pro/generate", {"callback_url": sent}, creates=True)]

    def test_and_must_be_an_address(self):
        with raises(ErrorKind.CONFIGURATION, r"no http\(s\) address"):
            run(submit(COMET, "pro/generate", {"callback_url": "mine.example"}))

    def test_the_official_format_gets_no_callback_url(self):
        exchange = submit(COMET, "image_to_video", {"model": "m"}, {"callback_url": "https://mine.example"})
        calls, _ = run(exchange, says({"id": "t1"}))
        assert calls[0].json == {"model": "m"}

    def test_silence_is_ambiguous(self):
        with raises(ErrorKind.AMBIGUOUS_SUBMISSION, "reset"):
            run(submit(RUNWAY, "image_to_video", {}), SILENCE)

    def test_no_connection_is_a_refusal(self):
        with raises(ErrorKind.NOT_ACCEPTED, "nothing was charged"):
            run(submit(RUNWAY, "image_to_video", {}), NoAnswerError(Delivery.NOT_SENT, "refused"))


class TestReadTask:
    def test_one_get(self):
        calls, task = run(read_task(COMET, "t1"), state("RUNNING"))
        assert calls == [Call("GET", "/runwayml/v1/tasks/t1")]
        assert task.status is TaskStatus.RUNNING

    def test_an_id_unknown_on_one_route_is_asked_for_on_the_next(self):
        known_at = {}
        calls, task = run(read_task(COMET, "t1", known_at), NOT_YET, state("RUNNING"))
        assert calls == [
            Call("GET", "/runwayml/v1/tasks/t1"),
            Call("POST", "/runway/feed", {"task_id": "t1"}),
        ]
        assert task.status is TaskStatus.RUNNING
        calls, task = run(read_task(COMET, "t1", known_at), state("RUNNING"))
        assert calls == [Call("POST", "/runway/feed", {"task_id": "t1"})]

    def test_unknown_on_every_route_is_what_the_usual_one_says(self):
        assert run(read_task(COMET, "t1"), NOT_YET, NOT_YET)[1].status is TaskStatus.NOT_VISIBLE
        assert run(read_task(RUNWAY, "t1"), GONE, GONE)[1].status is TaskStatus.GONE

    def test_trouble_is_no_reason_to_ask_elsewhere(self):
        with raises(ErrorKind.READ):
            run(read_task(COMET, "t1"), says({}, 503))

    def test_silence_is_a_read_error(self):
        with raises(ErrorKind.READ, "reset"):
            run(read_task(RUNWAY, "t1"), SILENCE)

    @pytest.mark.parametrize("bad", [None, "", "a/b", ["t1"]])
    def test_what_is_no_id_is_refused_here(self, bad):
        with raises(ErrorKind.CONFIGURATION, "not a Runway task id"):
            run(read_task(RUNWAY, bad))


READ, DELETE = Call("GET", "/v1/tasks/t1"), Call("DELETE", "/v1/tasks/t1")
INVOCATION = Call("GET", "/v1/workflow_invocations/t1")


class TestCancelTask:
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
            (
                [state("PENDING"), GONE, GONE, GONE],
                [READ, DELETE, READ, INVOCATION],
                CancelOutcome.CANCELLED,
            ),
            # A relay that has no such route.
            ([state("RUNNING"), GONE, state("RUNNING")], [READ, DELETE, READ], CancelOutcome.UNKNOWN),
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
        assert run(cancel_task(RUNWAY, "t1"), *answers) == (calls, outcome)

    def test_a_key_that_is_refused_leaves_it_open(self):
        calls, outcome = run(cancel_task(RUNWAY, "t1"), says({"error": "Unauthorized"}, 401))
        assert (calls, outcome) == ([READ], CancelOutcome.UNKNOWN)

    def test_what_is_no_id_is_refused_here(self):
        with raises(ErrorKind.CONFIGURATION, "not a Runway task id"):
            run(cancel_task(RUNWAY, "a/b"))

    def test_a_gateway_without_such_a_route_says_so(self):
        _, outcome = run(cancel_task(COMET, "t1"), state("RUNNING"))
        assert outcome is CancelOutcome.NOT_SUPPORTED


class TestCheckConnection:
    def test_the_official_api_tells_balance_and_limits(self):
        calls, said = run(check_connection(RUNWAY), says(sample("runway.organization.read.sample")))
        assert calls == [Call("GET", "/v1/organization")]
        assert said == (
            "Runway accepts the key. Balance: 5000 credits. Most per month: 10000 credits. "
            "gen4.5: 2 at once, 12 of 200 made today."
        )

    @pytest.mark.parametrize("account", [{}, {"tier": None}, {"tier": {"models": {"m": None}}, "usage": []}])
    def test_an_account_in_another_shape_is_no_trouble(self, account):
        assert run(check_connection(RUNWAY), says(account))[1].startswith("Runway accepts the key.")

    def test_elsewhere_nobodys_task_is_asked_for(self):
        calls, said = run(check_connection(COMET), says({"code": "task_not_exist", "data": None}, 400))
        assert calls[0].method == "GET"
        assert uuid.UUID(calls[0].path.rpartition("/")[2])
        assert said.startswith("CometAPI accepts the key.")

    @pytest.mark.parametrize("gateway", [RUNWAY, COMET])
    def test_a_bad_key_is_named(self, gateway):
        with raises(ErrorKind.READ_REFUSED, "valid API key"):
            run(check_connection(gateway), says({"error": "Unauthorized"}, 401))


class TestGetOrganization:
    def test_the_account_as_it_comes(self):
        account = sample("runway.organization.read.sample")
        calls, found = run(get_organization(RUNWAY), says(account))
        assert (calls, found) == ([Call("GET", "/v1/organization")], account)

    def test_a_gateway_without_such_a_route_says_so(self):
        with raises(ErrorKind.CONFIGURATION, "no way to read the account. Nothing was sent"):
            run(get_organization(COMET))

    @pytest.mark.parametrize("answer", [SILENCE, says({}, 503), says([1]), says({"error": "boom"})])
    def test_trouble_is_a_read_error_about_the_account(self, answer):
        with raises(ErrorKind.READ, "the account"):
            run(get_organization(RUNWAY), answer)


class TestReserveUpload:
    def test_one_post_for_one_slot(self):
        slot = sample("runway.uploads.response.slot")
        calls, found = run(reserve_upload(RUNWAY, "a.png"), says(slot))
        assert calls == [Call("POST", "/v1/uploads", {"filename": "a.png", "type": "ephemeral"})]
        assert (found.url, found.uri) == (slot["uploadUrl"], slot["runwayUri"])
        assert found.fields == slot["fields"]
        assert slot["runwayUri"] not in repr(found)

    def test_a_gateway_without_such_a_route_says_so(self):
        with raises(ErrorKind.CONFIGURATION, "documents no uploads. Nothing was sent"):
            run(reserve_upload(COMET, "a.png"))

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (SILENCE, ErrorKind.MEDIA),
            (response("runway.uploads.error.rate_limited_429"), ErrorKind.MEDIA),
            (says({}, 503), ErrorKind.MEDIA),
            (says({"uploadUrl": "", "runwayUri": "runway://x"}), ErrorKind.MEDIA),
            (says({"uploadUrl": "https://e/x", "runwayUri": None}), ErrorKind.MEDIA),
            (says({"error": "no"}, 400), ErrorKind.MEDIA_REFUSED),
            (says({"error": "Unauthorized"}, 401), ErrorKind.MEDIA_REFUSED),
        ],
    )
    def test_without_a_slot_nothing_was_charged(self, answer, kind):
        with raises(kind, r"a\.png.*nothing was charged"):
            run(reserve_upload(RUNWAY, "a.png"), answer)


def test_a_known_route_is_found_and_an_unknown_one_is_told_the_others():
    assert known_route(RUNWAY, "workflows/w1").path == "/v1/workflows/w1"
    with raises(ErrorKind.CONFIGURATION, r"gptplus5 has no route 'nothing'; it has: image_to_video"):
        known_route(GATEWAYS["gptplus5"], "nothing")
