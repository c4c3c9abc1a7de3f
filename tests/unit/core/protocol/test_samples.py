"""Every documented answer, of every gateway, route and state, means what the contract says it means."""

from __future__ import annotations

import json

import pytest
from unit.samples import FOLDER, response, sample

from airflow_runway.core.facts import ErrorKind
from airflow_runway.core.models import RunwayTask, Submission, TaskStatus
from airflow_runway.core.protocol.decoding import decode_submission, decode_task
from airflow_runway.core.protocol.gateways import GATEWAYS

S = TaskStatus

#: Reads → status, and what else matters.
READS = {
    "runway.tasks.read.pending": (S.PENDING, {"estimated_credits": 25}),
    "runway.tasks.read.throttled": (S.THROTTLED, {}),
    "runway.tasks.read.running": (S.RUNNING, {"progress": 0.2}),
    "runway.tasks.read.succeeded": (S.SUCCEEDED, {"cost_credits": 25}),
    "runway.tasks.read.succeeded_without_cost": (S.SUCCEEDED, {"cost_credits": None}),
    "runway.tasks.read.failed_moderation": (
        S.FAILED,
        {"failure_code": "SAFETY.INPUT.IMAGE", "cost_credits": 0},
    ),
    "runway.tasks.read.failed_bad_output": (S.FAILED, {"failure_code": "INTERNAL.BAD_OUTPUT.CODE01"}),
    "runway.tasks.read.failed_without_code": (S.FAILED, {"failure_code": "INTERNAL"}),
    "runway.tasks.read.cancelled": (S.CANCELLED, {"cost_credits": 0}),
    "runway.tasks.error.not_found_404": (S.GONE, {}),
    "runway.workflow_invocations.read.running_partial": (S.RUNNING, {"output": ()}),
    "runway.workflow_invocations.read.succeeded": (
        S.SUCCEEDED,
        {"output": ("https://example.com/output1.jpg", "https://example.com/output2.mp4"), "failure": None},
    ),
    "runway.workflow_invocations.read.succeeded_with_node_errors": (
        S.SUCCEEDED,
        {"failure": "node Upscale: The node failed. (INTERNAL)", "failure_code": None, "cost_credits": 25},
    ),
    "cometapi.tasks.read.flat_pending": (S.PENDING, {}),
    "cometapi.tasks.read.flat_running": (S.RUNNING, {"progress": 0.42}),
    "cometapi.tasks.read.flat_succeeded": (S.SUCCEEDED, {"created_at": "2026-05-01T12:47:47.351Z"}),
    "cometapi.tasks.read.flat_failed": (S.FAILED, {"failure_code": "INTERNAL"}),
    "cometapi.tasks.read.blog_lower_case_succeeded": (S.SUCCEEDED, {}),
    "cometapi.tasks.read.wrapper_queued": (S.PENDING, {"progress": 0.0}),
    "cometapi.tasks.read.wrapper_throttled_inside": (S.THROTTLED, {}),
    "cometapi.tasks.read.wrapper_in_progress": (S.RUNNING, {"progress": 0.3}),
    "cometapi.tasks.read.wrapper_outer_stale": (S.SUCCEEDED, {}),
    "cometapi.tasks.read.wrapper_success": (S.SUCCEEDED, {}),
    "cometapi.tasks.read.wrapper_success_without_url": (S.OUTPUT_MISSING, {}),
    "cometapi.tasks.read.wrapper_failure": (S.FAILED, {"failure_code": "SAFETY.INPUT.IMAGE"}),
    "cometapi.tasks.read.wrapper_gateway_gave_up": (
        S.FAILED,
        {"failure": "任务超时（60分钟）", "failure_code": None},  # noqa: RUF001 - as published
    ),
    "cometapi.tasks.read.task_not_exist_200": (S.NOT_VISIBLE, {}),
    "cometapi.tasks.error.task_not_exist_400": (S.NOT_VISIBLE, {}),
    "cometapi.tasks.error.task_not_exist_error_object": (S.NOT_VISIBLE, {}),
    "cometapi.feed.error.task_not_exist_400": (S.NOT_VISIBLE, {}),
    "cometapi.feed.read.wrapper_queued": (S.PENDING, {}),
    "cometapi.feed.read.flat_in_progress": (S.RUNNING, {"progress": 0.4}),
    "cometapi.feed.read.flat_success": (S.SUCCEEDED, {"output": ("https://example.com/output.mp4",)}),
    "cometapi.feed.read.flat_failure": (S.FAILED, {"failure_code": "INTERNAL.BAD_OUTPUT.01"}),
    "cometapi.feed.read.numeric_succeeded": (S.SUCCEEDED, {}),
    "rixapi.feed.read.accepted_empty_record": (S.NOT_VISIBLE, {"is_empty_record": True}),
    "rixapi.feed.read.in_progress": (S.RUNNING, {}),
    "rixapi.feed.read.succeeded": (S.SUCCEEDED, {}),
    "rixapi.feed.read.succeeded_no_state": (S.SUCCEEDED, {}),
    "rixapi.feed.read.succeeded_short_record": (S.SUCCEEDED, {}),
    "rixapi.feed.read.failed_refunded": (S.FAILED, {"failure": "content moderation"}),
    "rixapi.feed.read.two_with_url": (S.UNKNOWN, {}),
    "gptplus5.tasks.read.raw_succeeded": (S.SUCCEEDED, {}),
    "gptplus5.tasks.read.sample_pending": (S.PENDING, {}),
    "gptplus5.tasks.read.luma_completed": (S.SUCCEEDED, {"output": ("https://example.com/output.mp4",)}),
    "gptplus5.tasks.read.luma_failed": (S.FAILED, {"failure": None}),
    "gptplus5.tasks.read.table": (S.RUNNING, {}),
    "newapi.tasks.read.not_start": (S.PENDING, {}),
    "newapi.tasks.read.submitted": (S.PENDING, {}),
    "newapi.tasks.read.unknown": (S.UNKNOWN, {}),
    "newapi.tasks.read.success_null_data": (S.NOT_VISIBLE, {"is_empty_record": False}),
    "newapi.tasks.read.full_record_success": (S.SUCCEEDED, {"output": ("https://example.com/output.mp4",)}),
    "newapi.tasks.read.success_url_in_fail_reason": (
        S.SUCCEEDED,
        {"output": ("https://example.com/output.mp4",), "failure": None},
    ),
    "newapi.tasks.error.task_not_exist_400": (S.NOT_VISIBLE, {}),
    "newapi.tasks.error.get_task_failed_500": (ErrorKind.READ, {}),
    "oneapi.tasks.read.unknown_while_running": (S.UNKNOWN, {}),
    "gptge.tasks.read.succeeded": (S.SUCCEEDED, {}),
    "yutoai.tasks.read.running": (S.RUNNING, {"progress": 0.275}),
    "crazyrouter.tasks.read.succeeded": (S.SUCCEEDED, {}),
}

#: Creates → the id, or the error and words of its sentence.
CREATES = {
    "runway.image_to_video.response.accepted": "17f20503-6c24-4c16-946b-35dbbce2af2f",
    "runway.image_to_video.response.id_only": "17f20503-6c24-4c16-946b-35dbbce2af2f",
    "runway.generate_video.response.routed": "17f20503-6c24-4c16-946b-35dbbce2af2f",
    "cometapi.image_to_video.response.accepted": "3d957031-9a2a-45e2-9dc7-bc8513059c50",
    "cometapi.image_to_video.response.accepted_newer": "d0658ae1-bbdd-4adc-aaba-fd8070e14d79",
    "cometapi.video_to_video.response.accepted": "12a01a5e-ab55-4aa7-b002-7b873546cf76",
    "cometapi.character_performance.response.id_not_uuid4": None,  # any id will do
    "cometapi.pro_generate.response.accepted_live": "4156043d-9ea5-47c5-9e38-3f8446a0b20d",
    "cometapi.pro_generate.response.accepted_newer": "196642a0-05e1-441a-981e-eb0c1f5d983b",
    "cometapi.pro_generate.response.schema": "<string>",
    "cometapi.pro_video2video.response.accepted_newer": "196642a0-05e1-441a-981e-eb0c1f5d983b",
    "cometapi.pro_video2video.response.schema": "<string>",
    "cometapi.pro_act_one.response.accepted_newer": "196642a0-05e1-441a-981e-eb0c1f5d983b",
    "rixapi.pro_generate.response.accepted_empty_record": "221c136d-7888-43c3-acd3-1fcc90d51cfd",
    "gptplus5.image_to_video.response.raw": "be35be77-4dae-4f42-84b9-51002b248a9b",
    "gptplus5.image_to_video.response.sample": "4665a07c-7641-4809-a133-10786201bb56",
    "gptplus5.image_to_video.response.table": "4665a07c-7641-4809-a133-10786201bb56",
    "oneapi.image_to_video.response.succeed_means_accepted": "be35be77-4dae-4f42-84b9-51002b248a9b",
    "crazyrouter.image_to_video.response.accepted": "runway_task_abc123",
    "cometapi.video_to_video.response.empty_object": (ErrorKind.AMBIGUOUS_SUBMISSION, "without a task id"),
    "rixapi.pro_generate.response.refused_in_body": (ErrorKind.REQUEST_REFUSED, "ratio invalid"),
    "runway.any.error.unauthorized_401": (ErrorKind.AUTHENTICATION, "Unauthorized"),
    "runway.image_to_video.error.asset_aspect_400": (ErrorKind.REQUEST_REFUSED, "Got 0.462"),
    "runway.image_to_video.error.asset_ip_host_400": (ErrorKind.REQUEST_REFUSED, "hosted on a domain"),
    "runway.image_to_video.error.asset_not_https_400": (ErrorKind.REQUEST_REFUSED, "Only HTTPS"),
    "runway.image_to_video.error.daily_limit_429": (ErrorKind.NOT_ACCEPTED, "daily generation limit"),
    "runway.image_to_video.error.out_of_credits_400": (ErrorKind.OUT_OF_CREDITS, "not have enough credits"),
    "runway.image_to_video.error.validation_400": (ErrorKind.REQUEST_REFUSED, "promptText: Too big"),
    "runway.generate_video.error.no_eligible_model_400": (ErrorKind.REQUEST_REFUSED, "no_eligible_model"),
    "runway.generate_video.error.router_not_found_404": (
        ErrorKind.REQUEST_REFUSED,
        "router_config_not_found",
    ),
    "cometapi.any.error.unauthorized_401": (ErrorKind.AUTHENTICATION, "invalid token"),
    "cometapi.any.error.invalid_request_500": (ErrorKind.REQUEST_REFUSED, "invalid_request"),
    "cometapi.any.error.model_missing_older": (ErrorKind.REQUEST_REFUSED, "model name is required"),
    "cometapi.any.error.rate_limited_429": (ErrorKind.NOT_ACCEPTED, "too many requests"),
    "cometapi.pro_generate.error.callback_url_empty": (ErrorKind.REQUEST_REFUSED, "callback_url_empty"),
    "cometapi.text_to_image.error.reference_images_empty": (
        ErrorKind.REQUEST_REFUSED,
        "reference_images_empty",
    ),
    "newapi.any.error.invalid_url_404": (ErrorKind.REQUEST_REFUSED, "Invalid URL"),
    "newapi.create.error.insufficient_balance_403": (
        ErrorKind.OUT_OF_CREDITS,
        "Insufficient account balance",
    ),
    "newapi.create.error.no_channel_503": (ErrorKind.NOT_ACCEPTED, "no available channel"),
    "newapi.create.error.upstream_refused_400": (ErrorKind.REQUEST_REFUSED, "ratio is not supported"),
    "newapi.create.error.upstream_refused_runway_400": (
        ErrorKind.REQUEST_REFUSED,
        "promptText: String must contain at most 1000 character(s)",
    ),
    "newapi.create.error.upstream_saturated_429": (ErrorKind.NOT_ACCEPTED, "当前分组上游负载已饱和"),
    "newapi.create.error.upstream_unreachable_500": (ErrorKind.AMBIGUOUS_SUBMISSION, "请求上游地址失败"),
}

#: Answers of other routes, tested with these.
ELSEWHERE = {
    "runway.organization.read.sample",
    "runway.organization_usage.response.sample",
    "runway.tasks_delete.error.already_gone_404",
    "runway.tasks_delete.response.no_content",
    "runway.uploads.error.rate_limited_429",
    "runway.uploads.response.slot",
    "cometapi.balance.read.quota",
}


def gateway_of(name):
    """The look-alikes speak CometAPI's dialect."""
    return GATEWAYS.get(name.partition(".")[0], GATEWAYS["cometapi"])


def test_no_sample_is_left_out():
    answers = {path.stem for path in FOLDER.glob("*.json") if ".request." not in path.name}
    assert answers == set(READS) | set(CREATES) | ELSEWHERE


@pytest.mark.parametrize("name", READS)
def test_reads(name):
    status, more = READS[name]
    task = decode_task(response(name), gateway_of(name), "t1")
    if not isinstance(status, TaskStatus):
        assert task.kind is status
        return
    assert isinstance(task, RunwayTask)
    assert task.status is status
    assert bool(task.output) == (status is S.SUCCEEDED)
    assert {field: getattr(task, field) for field in more} == more


@pytest.mark.parametrize("name", [name for name in READS if isinstance(READS[name][0], TaskStatus)])
@pytest.mark.parametrize("gateway", GATEWAYS.values(), ids=list(GATEWAYS))
def test_the_shape_is_judged_by_the_answer_and_not_by_the_gateway(name, gateway):
    """Whatever software leaks through, all gateways read it alike; only a bare 404 is theirs to explain."""
    if name == "runway.tasks.error.not_found_404":
        return
    assert decode_task(response(name), gateway, "t1").status is READS[name][0]


@pytest.mark.parametrize("name", CREATES)
def test_creates(name):
    wanted = CREATES[name]
    outcome = decode_submission(response(name), gateway_of(name), "image_to_video")
    if isinstance(wanted, tuple):
        kind, words = wanted
        assert outcome.kind is kind
        assert words in str(outcome)
    else:
        assert isinstance(outcome, Submission)
        assert outcome.runway_task_id == (wanted or sample(name)["id"])


@pytest.mark.parametrize("name", READS)
def test_no_read_is_mistaken_for_a_create_without_an_id(name):
    """The other way round: a create that is answered with a task's record is accepted under its id."""
    body = sample(name)
    outcome = decode_submission(response(name), gateway_of(name), "image_to_video")
    if isinstance(outcome, Submission):
        assert outcome.runway_task_id in json.dumps(body)
