"""The tables of contracts §10, contracts §11 and contracts §12, row by row."""

from __future__ import annotations

import pytest

from airflow_runway.core.protocol.gateways import GATEWAYS
from airflow_runway.core.protocol.responses import Complaint
from airflow_runway.core.protocol.verdicts import (
    Acceptance,
    Actor,
    Cause,
    Delivery,
    Retry,
    judge_create,
    judge_failure,
    judge_read,
    judge_silence,
)

NOTHING = Complaint()
NO, MAYBE = Acceptance.NOT_ACCEPTED, Acceptance.AMBIGUOUS


@pytest.mark.parametrize(
    ("status", "complaint", "acceptance", "retry", "actor", "cause"),
    [
        (301, NOTHING, NO, Retry.NEVER, Actor.OWNER, Cause.ADDRESS),
        (302, NOTHING, NO, Retry.NEVER, Actor.OWNER, Cause.ADDRESS),
        (307, NOTHING, NO, Retry.NEVER, Actor.OWNER, Cause.ADDRESS),
        (308, NOTHING, NO, Retry.NEVER, Actor.OWNER, Cause.ADDRESS),
        (303, NOTHING, MAYBE, Retry.NEVER, Actor.INVESTIGATOR, Cause.TROUBLE),
        (400, Complaint("Validation of body failed"), NO, Retry.NEVER, Actor.AUTHOR, Cause.REQUEST),
        (400, Complaint("You do not have enough credits to run this task."), NO, Retry.NEVER, Actor.OWNER,
         Cause.CREDITS),
        (401, NOTHING, NO, Retry.NEVER, Actor.OWNER, Cause.KEY),
        (402, NOTHING, NO, Retry.NEVER, Actor.OWNER, Cause.CREDITS),
        (403, NOTHING, NO, Retry.NEVER, Actor.OWNER, Cause.KEY),
        (403, Complaint("Insufficient account balance"), NO, Retry.NEVER, Actor.OWNER, Cause.CREDITS),
        (403, Complaint("", "insufficient_user_quota"), NO, Retry.NEVER, Actor.OWNER, Cause.CREDITS),
        (404, NOTHING, NO, Retry.NEVER, Actor.AUTHOR, Cause.REQUEST),
        (405, NOTHING, NO, Retry.NEVER, Actor.AUTHOR, Cause.REQUEST),
        (413, NOTHING, NO, Retry.NEVER, Actor.AUTHOR, Cause.REQUEST),
        (415, NOTHING, NO, Retry.NEVER, Actor.AUTHOR, Cause.REQUEST),
        (422, NOTHING, NO, Retry.NEVER, Actor.AUTHOR, Cause.REQUEST),
        (408, NOTHING, MAYBE, Retry.NEVER, Actor.INVESTIGATOR, Cause.TROUBLE),
        (409, NOTHING, MAYBE, Retry.NEVER, Actor.INVESTIGATOR, Cause.TROUBLE),
        (425, NOTHING, MAYBE, Retry.NEVER, Actor.INVESTIGATOR, Cause.TROUBLE),
        (429, NOTHING, NO, Retry.LATER, Actor.GATEWAY, Cause.LIMIT),
        (500, Complaint("...", "invalid_request"), NO, Retry.NEVER, Actor.AUTHOR, Cause.REQUEST),
        (500, NOTHING, MAYBE, Retry.NEVER, Actor.INVESTIGATOR, Cause.TROUBLE),
        (502, NOTHING, MAYBE, Retry.NEVER, Actor.INVESTIGATOR, Cause.TROUBLE),
        (503, Complaint("no channel", "model_not_found"), NO, Retry.LATER, Actor.GATEWAY, Cause.LIMIT),
        (503, NOTHING, MAYBE, Retry.NEVER, Actor.INVESTIGATOR, Cause.TROUBLE),
        (504, NOTHING, MAYBE, Retry.NEVER, Actor.INVESTIGATOR, Cause.TROUBLE),
        (524, NOTHING, MAYBE, Retry.NEVER, Actor.INVESTIGATOR, Cause.TROUBLE),
        (200, NOTHING, MAYBE, Retry.NEVER, Actor.INVESTIGATOR, Cause.TROUBLE),
    ],
)  # fmt: skip
def test_creates(status, complaint, acceptance, retry, actor, cause):
    verdict = judge_create(status, complaint)
    assert (verdict.acceptance, verdict.retry, verdict.actor, verdict.cause) == (
        acceptance,
        retry,
        actor,
        cause,
    )


@pytest.mark.parametrize("status", range(100, 600))
def test_only_what_is_listed_counts_as_a_refusal(status):
    listed = {301, 302, 307, 308, 400, 401, 402, 403, 404, 405, 413, 415, 422, 429}
    assert (judge_create(status, NOTHING).acceptance is NO) == (status in listed)


@pytest.mark.parametrize("status", range(100, 600))
def test_a_create_is_sent_again_only_after_a_refusal(status):
    verdict = judge_create(status, NOTHING)
    assert verdict.retry is Retry.NEVER or verdict.acceptance is NO


def test_the_servers_own_pause_is_kept():
    assert judge_create(429, NOTHING, after=90).after == 90


def test_silence():
    assert judge_silence(Delivery.NOT_SENT).acceptance is NO
    assert judge_silence(Delivery.NOT_SENT).retry is Retry.SOON
    assert judge_silence(Delivery.UNKNOWN).acceptance is MAYBE
    assert judge_silence(Delivery.UNKNOWN).retry is Retry.NEVER


@pytest.mark.parametrize(
    ("status", "gateway", "retry", "cause"),
    [
        (200, "runway", Retry.SOON, Cause.TROUBLE),
        (301, "runway", Retry.NEVER, Cause.ADDRESS),
        (400, "runway", Retry.NEVER, Cause.ADDRESS),
        (401, "runway", Retry.NEVER, Cause.KEY),
        (403, "runway", Retry.NEVER, Cause.KEY),
        (404, "runway", Retry.SOON, Cause.TROUBLE),
        (404, "cometapi", Retry.NEVER, Cause.ADDRESS),
        (408, "runway", Retry.SOON, Cause.TROUBLE),
        (429, "runway", Retry.SOON, Cause.TROUBLE),
        (500, "runway", Retry.SOON, Cause.TROUBLE),
        (503, "cometapi", Retry.SOON, Cause.TROUBLE),
    ],
)
def test_reads(status, gateway, retry, cause):
    verdict = judge_read(status, NOTHING, GATEWAYS[gateway])
    assert (verdict.retry, verdict.cause) == (retry, cause)
    # A read that fails says nothing about the money: the task exists.
    assert verdict.acceptance is Acceptance.ACCEPTED


@pytest.mark.parametrize(
    ("code", "retry", "actor", "cause"),
    [
        ("SAFETY.INPUT.TEXT", Retry.NEVER, Actor.AUTHOR, Cause.MODERATION),
        ("SAFETY.OUTPUT.VIDEO", Retry.NEVER, Actor.AUTHOR, Cause.MODERATION),
        ("INPUT_PREPROCESSING.SAFETY.TEXT", Retry.NEVER, Actor.AUTHOR, Cause.MODERATION),
        ("THIRD_PARTY.SAFETY", Retry.NEVER, Actor.AUTHOR, Cause.MODERATION),
        ("safety.input.text", Retry.NEVER, Actor.AUTHOR, Cause.MODERATION),
        ("ASSET.INVALID", Retry.NEVER, Actor.AUTHOR, Cause.REQUEST),
        ("INTERNAL.BAD_OUTPUT.01", Retry.SOON, Actor.GATEWAY, Cause.GENERATION),
        ("INTERNAL.BAD_OUTPUT.CODE01", Retry.SOON, Actor.GATEWAY, Cause.GENERATION),
        ("INPUT_PREPROCESSING.INTERNAL", Retry.SOON, Actor.GATEWAY, Cause.GENERATION),
        ("THIRD_PARTY.UNAVAILABLE", Retry.LATER, Actor.GATEWAY, Cause.GENERATION),
        ("INTERNAL", Retry.SOON, Actor.GATEWAY, Cause.GENERATION),
        ("INTERNALISH", Retry.NEVER, Actor.INVESTIGATOR, Cause.GENERATION),
        ("SAFETYNET.X", Retry.NEVER, Actor.INVESTIGATOR, Cause.GENERATION),
        ("SOMETHING.NEW", Retry.NEVER, Actor.INVESTIGATOR, Cause.GENERATION),
        (None, Retry.NEVER, Actor.INVESTIGATOR, Cause.GENERATION),
        ("", Retry.NEVER, Actor.INVESTIGATOR, Cause.GENERATION),
    ],
)
def test_failed_generations(code, retry, actor, cause):
    verdict = judge_failure(code)
    assert (verdict.retry, verdict.actor, verdict.cause) == (retry, actor, cause)
    assert verdict.acceptance is Acceptance.ACCEPTED
