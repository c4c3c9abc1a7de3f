from __future__ import annotations

import json

import pytest
from unit.samples import response

from airflow_runway.core.facts import ErrorKind
from airflow_runway.core.models import Submission, TaskStatus
from airflow_runway.core.protocol.decoding import decode_submission, decode_task
from airflow_runway.core.protocol.gateways import GATEWAYS
from airflow_runway.core.protocol.responses import Response

RUNWAY, COMET = GATEWAYS["runway"], GATEWAYS["cometapi"]


def answered(body, status=200, **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, headers, raw)


class TestSubmission:
    @pytest.mark.parametrize(
        ("name", "gateway", "estimate"),
        [
            ("runway.image_to_video.response.accepted", RUNWAY, 25),
            ("runway.image_to_video.response.id_only", RUNWAY, None),
            ("runway.generate_video.response.routed", RUNWAY, 60),
            ("cometapi.image_to_video.response.accepted", COMET, None),
            ("cometapi.character_performance.response.id_not_uuid4", COMET, None),
        ],
    )
    def test_an_id_is_an_acceptance(self, name, gateway, estimate):
        outcome = decode_submission(response(name), gateway, "image_to_video")
        body = json.loads(response(name).body)
        assert outcome == Submission(body["id"], "image_to_video", estimate)

    @pytest.mark.parametrize(
        ("name", "gateway", "kind", "words"),
        [
            (
                "runway.image_to_video.error.validation_400",
                RUNWAY,
                ErrorKind.REQUEST_REFUSED,
                "promptText: Too big: expected string to have <=1000 characters",
            ),
            (
                "runway.image_to_video.error.out_of_credits_400",
                RUNWAY,
                ErrorKind.OUT_OF_CREDITS,
                "Buy credits",
            ),
            ("runway.image_to_video.error.asset_aspect_400", RUNWAY, ErrorKind.REQUEST_REFUSED, "Got 0.462"),
            (
                "runway.image_to_video.error.daily_limit_429",
                RUNWAY,
                ErrorKind.NOT_ACCEPTED,
                "daily generation",
            ),
            ("runway.any.error.unauthorized_401", RUNWAY, ErrorKind.AUTHENTICATION, "valid API key"),
            ("cometapi.any.error.unauthorized_401", COMET, ErrorKind.AUTHENTICATION, "valid API key"),
            ("cometapi.any.error.invalid_request_500", COMET, ErrorKind.REQUEST_REFUSED, "invalid_request"),
            ("cometapi.any.error.rate_limited_429", COMET, ErrorKind.NOT_ACCEPTED, "too many requests"),
        ],
    )
    def test_a_refusal_says_why_and_that_nothing_was_charged(self, name, gateway, kind, words):
        outcome = decode_submission(response(name), gateway, "image_to_video")
        assert outcome.kind is kind
        assert words in str(outcome)
        assert "nothing was charged" in str(outcome)

    @pytest.mark.parametrize(
        "got",
        [
            answered({}),
            answered({"id": ""}),
            answered({"id": None}),
            answered({"id": "a/b"}),
            answered({"status": "SUCCEEDED"}),
            answered(b"<html>hello</html>", **{"Content-Type": "text/html"}),
            answered(b""),
            answered([], 200),
            answered({"error": "boom"}, 500),
            answered(b"bad gateway", 502),
            answered({"error": "slow down"}, 503),
            answered({"error": "?"}, 409),
            answered({}, 303),
            answered({}, 418),
        ],
    )
    def test_without_id_and_without_refusal_it_may_exist(self, got):
        outcome = decode_submission(got, RUNWAY, "image_to_video")
        assert outcome.kind is ErrorKind.AMBIGUOUS_SUBMISSION
        assert "may exist and may be charged" in str(outcome)
        assert RUNWAY.portal in str(outcome)

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_a_redirect_means_a_wrong_base_url(self, status):
        outcome = decode_submission(answered({}, status), RUNWAY, "image_to_video")
        assert outcome.kind is ErrorKind.REQUEST_REFUSED
        assert "Base URL" in str(outcome)

    def test_retry_after_is_kept(self):
        outcome = decode_submission(answered({"error": "x"}, 429, **{"Retry-After": "12"}), RUNWAY, "r")
        assert outcome.retry_after == 12

    def test_retry_after_as_a_date_is_read_by_the_servers_clock(self):
        headers = {"Date": "Wed, 21 Oct 2026 07:28:00 GMT", "Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT"}
        assert decode_submission(answered({}, 429, **headers), RUNWAY, "r").retry_after == 30

    def test_the_id_in_an_answer_that_broke_off_is_found(self):
        broken = Response(200, {}, b'{"id": "t1", "estimatedCost": {"cre', truncated=True)
        assert decode_submission(broken, RUNWAY, "image_to_video").runway_task_id == "t1"

    @pytest.mark.parametrize(
        ("status", "refused"),
        [(400, True), (401, True), (402, True), (404, True), (429, True), (302, True),
         (303, False), (409, False), (418, False), (500, False), (502, False), (503, False)],
    )  # fmt: skip
    @pytest.mark.parametrize(
        "body", [{"id": "t1"}, {"error": "boom", "task_id": "t1"}, {"code": "x", "data": {"task_id": "t1"}}]
    )
    def test_an_id_in_any_other_answer_is_named(self, status, refused, body):
        outcome = decode_submission(answered(body, status), RUNWAY, "image_to_video")
        assert outcome.kind is ErrorKind.AMBIGUOUS_SUBMISSION
        assert (outcome.runway_task_id, outcome.refused, outcome.status) == ("t1", refused, status)
        assert f"HTTP {status}" in str(outcome)
        assert "names Runway task t1: it may exist and may be charged" in str(outcome)

    def test_so_is_one_in_an_error_that_broke_off(self):
        broken = Response(502, {}, b'{"task_id": "t1", "error": "bo', truncated=True)
        assert decode_submission(broken, RUNWAY, "image_to_video").runway_task_id == "t1"

    def test_without_an_id_none_is_named(self):
        outcome = decode_submission(answered({"error": "boom"}, 500), RUNWAY, "image_to_video")
        assert (outcome.runway_task_id, outcome.refused) == ("", False)

    @pytest.mark.parametrize(
        ("body", "found"),
        [
            (b'{"user": {"id": "u-9"}, "id": "t1", "es', "t1"),
            (b'{"data": {"meta": {"id": "m"}, "task_id": "t1", "st', "t1"),
            (b'{"items": [{"id": "x"}], "id": "t1"', "t1"),
            (b'{"note": "say \\"id\\": \\"x\\"", "id": "t1", ', "t1"),
            (b'{"user": {"id": "u-9"}, "id": "t', ""),
            (b'{"data": [{"id": "x"}, ', ""),
            (b'{"id": ["x", "y"], ', ""),
        ],
    )
    def test_of_an_answer_that_broke_off_only_the_ids_place_counts(self, body, found):
        outcome = decode_submission(Response(200, {}, body, truncated=True), RUNWAY, "r")
        assert outcome.runway_task_id == found

    def test_half_an_id_is_no_id(self):
        broken = Response(200, {}, b'{"id": "17f20503-6c', truncated=True)
        outcome = decode_submission(broken, RUNWAY, "r")
        assert outcome.kind is ErrorKind.AMBIGUOUS_SUBMISSION
        assert "17f20503-6c" in str(outcome)

    def test_an_error_inside_a_200_with_a_4xx_code_is_a_refusal(self):
        outcome = decode_submission(answered({"code": 400, "msg": "bad image", "data": None}), COMET, "r")
        assert outcome.kind is ErrorKind.REQUEST_REFUSED
        assert "bad image" in str(outcome)


class TestRead:
    def test_the_whole_of_a_success(self):
        task = decode_task(response("runway.tasks.read.succeeded"), RUNWAY, "t1")
        assert task.as_result() == {
            "id": "t1",
            "status": "SUCCEEDED",
            "output": ["https://example.com/output1.jpg", "https://example.com/output2.jpg"],
            "cost_credits": 25,
            "created_at": "2024-06-27T19:49:32.335Z",
            "failure": None,
            "failure_code": None,
        }

    def test_the_whole_of_a_failure(self):
        task = decode_task(response("cometapi.tasks.read.wrapper_failure"), COMET, "t1")
        assert task.failure == "The provided image was flagged by content moderation."
        assert task.failure_code == "SAFETY.INPUT.IMAGE"

    def test_an_absent_code_is_internal_on_the_official_api_and_unknown_elsewhere(self):
        assert (
            decode_task(response("runway.tasks.read.failed_without_code"), RUNWAY, "t").failure_code
            == "INTERNAL"
        )
        gave_up = decode_task(response("cometapi.tasks.read.wrapper_gateway_gave_up"), COMET, "t")
        assert gave_up.failure_code is None

    @pytest.mark.parametrize(
        ("value", "progress"),
        [
            (0.2, 0.2),
            ("30%", 0.3),
            (95, 0.95),
            ("1%", 0.01),
            (1, 1.0),
            (True, None),
            ("soon", None),
            (-1, None),
        ],
    )
    def test_progress_comes_as_fraction_or_percent(self, value, progress):
        task = decode_task(answered({"id": "t1", "status": "RUNNING", "progress": value}), RUNWAY, "t1")
        assert task.progress == progress

    def test_an_unknown_word_is_not_final(self):
        task = decode_task(answered({"id": "t1", "status": "EXPLODED"}), RUNWAY, "t1")
        assert task.status is TaskStatus.UNKNOWN
        assert task.raw_status == "EXPLODED"

    @pytest.mark.parametrize("output", [None, [], "", {}, [None], ["clip.mp4"], ["javascript:x"], 7])
    def test_success_without_an_output_is_no_success(self, output):
        task = decode_task(answered({"id": "t1", "status": "SUCCEEDED", "output": output}), RUNWAY, "t1")
        assert task.status is TaskStatus.OUTPUT_MISSING

    def test_output_of_a_running_task_is_not_believed(self):
        running = {"id": "t1", "status": "RUNNING", "output": ["https://example.com/a.mp4"]}
        assert decode_task(answered(running), RUNWAY, "t1").output == ()

    @pytest.mark.parametrize(
        "got",
        [
            answered(b"<!doctype html>", **{"Content-Type": "text/html"}),
            answered(b""),
            answered(b'{"id": "t1", "sta'),
            answered({}),
            answered([1]),
            answered({"id": "t1"}),
            answered({"error": "overloaded"}, 503),
            answered({"error": "slow down"}, 429),
            answered(b"x", 502),
            answered({"id": "t1", "status": "SUCCEEDED", "output": ["https://e/x"]}, 500),
            answered({"error": "boom", "status": "error"}),
            answered(b"[" * 100_000),
        ],
    )
    def test_trouble_is_a_read_error_that_another_look_may_mend(self, got):
        outcome = decode_task(got, RUNWAY, "t1")
        assert outcome.kind is ErrorKind.READ
        assert "t1" in str(outcome)
        assert "untouched" in str(outcome)

    @pytest.mark.parametrize("status", [301, 307, 400, 401, 402, 403, 405, 413, 422])
    def test_refusals_are_told_apart(self, status):
        outcome = decode_task(answered({"error": "no"}, status), RUNWAY, "t1")
        assert outcome.kind is ErrorKind.READ_REFUSED
        assert "resumes" in str(outcome)

    def test_a_gateways_404(self):
        assert decode_task(answered({"error": "x"}, 404), COMET, "t1").status is TaskStatus.NOT_VISIBLE
        invalid = {"error": {"message": "Invalid URL (GET /x)", "type": "invalid_request_error"}}
        assert decode_task(answered(invalid, 404), COMET, "t1").kind is ErrorKind.READ_REFUSED
        assert decode_task(answered(b"<html>", 404), COMET, "t1").kind is ErrorKind.READ_REFUSED

    def test_a_web_page_with_404_is_not_the_official_apis_word(self):
        assert decode_task(answered(b"<html>", 404), RUNWAY, "t1").kind is ErrorKind.READ


@pytest.mark.parametrize(
    ("finish_time", "finished_at"),
    [
        (1773366766, "2026-03-13T01:52:46+00:00"),
        (0, None),
        (None, None),
        (True, None),
        ("soon", None),
        (10**15, None),
    ],
)
def test_when_it_ended(finish_time, finished_at):
    inner = {"id": "t1", "status": "SUCCEEDED", "output": ["https://e/x.mp4"]}
    record = {"task_id": "t1", "status": "SUCCESS", "finish_time": finish_time, "data": inner}
    task = decode_task(answered({"code": "success", "message": "", "data": record}), COMET, "t1")
    assert (task.status, task.finished_at) == (TaskStatus.SUCCEEDED, finished_at)
