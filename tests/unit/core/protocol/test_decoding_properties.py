"""Whatever comes back, it is never mistaken for something else.

``--hypothesis-profile=thorough`` tries twenty times as many inputs.
"""

from __future__ import annotations

import copy
import json
import string

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from unit.samples import FOLDER
from unit.scripted import KEY

from airflow_runway.core.facts import ErrorFacts, ErrorKind
from airflow_runway.core.models import RunwayTask, Submission, TaskStatus
from airflow_runway.core.protocol.decoding import STATUS_WORDS, decode_submission, decode_task
from airflow_runway.core.protocol.gateways import GATEWAYS, is_task_id
from airflow_runway.core.protocol.responses import Response

pytestmark = pytest.mark.slow

EXAMPLES = settings.default.max_examples * 10
lax = settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow], deadline=None)

BODIES = [
    whole["body"]
    for path in sorted(FOLDER.glob("*.json"))
    if (whole := json.loads(path.read_text()))["body"] is not None
]
#: Words that mean something somewhere in an response, beside arbitrary ones.
NAMES = sorted({
    "code", "message", "msg", "data", "status", "state", "task_status", "task_id", "id", "output", "error",
    "issues", "path", "fail_reason", "failure", "failureCode", "video_url", "result_url", "video", "url",
    "progress", "cost", "credits", "estimatedCost", "routing", "createdAt", "create_time", "nodeErrors",
})  # fmt: skip
WORDS = [*STATUS_WORDS, *(word.upper() for word in STATUS_WORDS), "task_not_exist", "success", "unknown", ""]
URL = "https://cdn.example/clip.mp4?_jwt=SIGNATURE"

READ_ERRORS = {ErrorKind.READ, ErrorKind.READ_REFUSED}
CREATE_ERRORS = {
    ErrorKind.REQUEST_REFUSED, ErrorKind.AUTHENTICATION, ErrorKind.OUT_OF_CREDITS, ErrorKind.NOT_ACCEPTED,
    ErrorKind.AMBIGUOUS_SUBMISSION,
}  # fmt: skip

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from([*WORDS, URL, "100%", "{", '{"error": "x"}', f"Bearer {KEY}", 0, 1, 2, 3, 200, 400]),
)
values = st.recursive(
    scalars,
    lambda inside: st.one_of(
        st.lists(inside, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(NAMES), st.text(max_size=8)), inside, max_size=6),
    ),
    max_leaves=25,
)
gateways = st.sampled_from(list(GATEWAYS.values()))
statuses = st.one_of(
    st.sampled_from([200, 200, 200, 201, 204, 301, 307, 400, 401, 403, 404, 409, 429, 500, 502, 503, 524]),
    st.integers(100, 599),
)
headers = st.dictionaries(
    st.sampled_from(["Content-Type", "Retry-After", "Date", "X-Other"]),
    st.one_of(
        st.sampled_from(["application/json", "text/html", "12", "soon", "-5", "1e400"]), st.text(max_size=30)
    ),
    max_size=3,
)


@st.composite
def mutated(draw):
    """A documented body in which up to four places hold something else, or nothing."""
    body = copy.deepcopy(draw(st.sampled_from(BODIES)))
    for _ in range(draw(st.integers(0, 4))):
        place = body
        while isinstance(place, (dict, list)) and place:
            key = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
            inside = place[key]
            if isinstance(inside, (dict, list)) and inside and draw(st.booleans()):
                place = inside
                continue
            if draw(st.booleans()):
                place[key] = draw(values)
            else:
                del place[key]
            break
    return body


bodies = st.one_of(
    st.binary(max_size=60),
    st.one_of(values, mutated()).map(lambda value: json.dumps(value).encode()),
    mutated().flatmap(
        lambda value: st.integers(0, 400).map(lambda length: json.dumps(value).encode()[:length])
    ),
)
responses = st.builds(Response, statuses, headers, bodies, st.booleans())


@lax
@given(responses, gateways)
@example(Response(200, {}, b'{"progress": 1' + b"0" * 5000 + b', "status": "RUNNING"}'), GATEWAYS["runway"])
@example(Response(200, {}, b"[" * 100_000), GATEWAYS["runway"])
@example(Response(429, {"Retry-After": "Thu, 99 Foo 2026"}, b"{}"), GATEWAYS["runway"])
def test_a_read_is_a_task_or_one_of_our_read_errors(response, gateway):
    outcome = decode_task(response, gateway, "t1")
    assert isinstance(outcome, RunwayTask) or outcome.kind in READ_ERRORS
    if isinstance(outcome, RunwayTask):
        assert outcome.id == "t1"
        assert (outcome.status is TaskStatus.SUCCEEDED) == bool(outcome.output)
        assert all(url.lower().startswith(("http://", "https://")) for url in outcome.output)
        assert outcome.progress is None or 0 <= outcome.progress <= 1
        assert outcome.cost_credits is None or outcome.cost_credits >= 0
        json.dumps(outcome.as_result(), allow_nan=False)
        assert not outcome.status.is_final or 200 <= response.status < 300


@lax
@given(responses, gateways)
def test_a_create_is_an_id_or_one_of_our_errors(response, gateway):
    outcome = decode_submission(response, gateway, "image_to_video")
    assert isinstance(outcome, Submission) or outcome.kind in CREATE_ERRORS
    if isinstance(outcome, Submission):
        assert is_task_id(outcome.runway_task_id)
        assert 200 <= response.status < 300


@lax
@given(responses, gateways)
def test_no_message_repeats_a_key_or_a_signature(response, gateway):
    for outcome in (decode_task(response, gateway, "t1"), decode_submission(response, gateway, "r")):
        said = str(outcome) if isinstance(outcome, ErrorFacts) else ""
        if isinstance(outcome, RunwayTask):
            said = f"{outcome.failure} {outcome.failure_code} {outcome.raw_status} {outcome.created_at}"
        assert KEY not in said
        assert "SIGNATURE" not in said


unknown_words = st.text(string.ascii_letters + string.digits + "_- ", max_size=20).filter(
    lambda word: word.strip().lower() not in STATUS_WORDS
)


@lax
@given(unknown_words, st.sampled_from(["status", "state", "task_status"]), mutated(), gateways)
def test_an_unknown_word_is_never_final(word, place, body, gateway):
    assume(isinstance(body, dict))
    record = {
        name: value for name, value in body.items() if name not in {"status", "state", "task_status", "data"}
    }
    record[place] = word
    for shape in (record, {"code": "success", "data": record}, {"code": 200, "data": record}):
        outcome = decode_task(Response(200, {}, json.dumps(shape).encode()), gateway, "t1")
        assert not (isinstance(outcome, RunwayTask) and outcome.status.is_final)


#: Runway's word → the word of new-api's record around it.
OUTER_WORDS = {
    "PENDING": "QUEUED",
    "THROTTLED": "QUEUED",
    "RUNNING": "IN_PROGRESS",
    "SUCCEEDED": "SUCCESS",
    "FAILED": "FAILURE",
}


@st.composite
def flat_tasks(draw):
    """A task as Runway itself shows it."""
    word = draw(st.sampled_from(sorted(OUTER_WORDS)))
    task = {"id": "t1", "status": word, "createdAt": "2026-05-01T12:47:47.351Z"}
    if word == "SUCCEEDED":
        task["output"] = draw(st.lists(st.sampled_from([URL, "https://e/2.mp4"]), max_size=3))
    if word == "FAILED":
        task["failure"] = draw(st.text(string.ascii_letters + " ", max_size=20))
        task["failureCode"] = draw(st.sampled_from(["INTERNAL", "SAFETY.INPUT.TEXT", "NEW.CODE"]))
    if word == "RUNNING":
        task["progress"] = draw(st.floats(0, 1))
    if draw(st.booleans()):
        task["cost"] = {"credits": draw(st.integers(0, 1000))}
    return task


@lax
@given(flat_tasks(), gateways)
def test_wrapping_does_not_change_the_meaning(task, gateway):
    outer = OUTER_WORDS[task["status"]]
    record = {"task_id": "t1", "status": outer, "fail_reason": "", "submit_time": 1773366766, "data": task}
    shapes = [
        task,
        {**task, "status": task["status"].lower()},
        {"code": "success", "message": "", "data": record},
        {"code": "success", "message": "", "data": task},
        {"code": 200, "msg": "成功", "data": task, "exec_time": 0},
        record,
    ]
    plain, *wrapped = [
        decode_task(Response(200, {}, json.dumps(shape).encode()), gateway, "t1") for shape in shapes
    ]
    assert isinstance(plain, RunwayTask)
    for outcome in wrapped:
        assert (outcome.status, outcome.output, outcome.failure_code, outcome.cost_credits) == (
            plain.status,
            plain.output,
            plain.failure_code,
            plain.cost_credits,
        )
