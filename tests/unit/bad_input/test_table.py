"""Whatever a template, a CSV or a person gives: one clear sentence of ours, before any money moves.

Each row gives one argument of one operator, or of the hook, every odd value. It is either taken, or refused by an
error of ours, and then the gateway has had no request.
"""

from __future__ import annotations

import datetime
import math
from functools import partial

import pytest
from airflow.providers.common.compat.sdk import AirflowNotFoundException, AirflowSkipException, TaskDeferred
from unit.operators.memory import CrashPoint, Log, MemoryGateway, MemoryStore, MemoryTaskInstance

from airflow_runway.exceptions import RunwayError
from airflow_runway.hooks import _transport
from airflow_runway.hooks.runway import RunwayHook
from airflow_runway.operators.runway import (
    RunwayBatchOperator,
    RunwayCharacterPerformanceOperator,
    RunwayImageToVideoOperator,
    RunwaySubmitOperator,
)
from airflow_runway.sensors.runway import RunwayTaskSensor
from airflow_runway.transfers.runway_to_object_storage import RunwayToObjectStorageOperator

PAYLOAD = {"model": "gen4.5", "promptText": "a secret idea"}


class WithoutText:
    def __repr__(self):
        raise RuntimeError("no text")


def nested(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


IN_ITSELF = []
IN_ITSELF.append(IN_ITSELF)
MEMBER_OF_ITSELF = {}
MEMBER_OF_ITSELF["a"] = MEMBER_OF_ITSELF

VALUES = [
    None, 0, -1, 1.5, True, math.nan, math.inf, 10**5_000, "", " ", b"x", [], {}, [1], [None], object(),
    WithoutText(), {"id": "t1", "status": "RUNNING"}, {"id": None}, IN_ITSELF, MEMBER_OF_ITSELF, nested(3_000),
    {1: 2}, {(1,): 2}, {1},
    {"a": math.nan}, {"a": b"x"}, {"a": {"b": [datetime.date(2026, 1, 1)]}}, {"\ud800": "\ud800"}, "\ud800",
    "\x00", "a\nb", "x" * 100_000, datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), iter([1]), int,
    range(3), "../../x",
    "{{ x }}", "http://[", "s3://", "https://\x00/", "runway-task://", "data:,",
    "http://169.254.169.254\\@example.com/",
]  # fmt: skip


class Rig:
    """A gateway that accepts everything, and a task around one call."""

    def __init__(self, monkeypatch, folder):
        self._monkeypatch, self.folder = monkeypatch, folder

    def outcome(self, make):
        crash_point = CrashPoint()
        gateway = MemoryGateway(crash_point)
        self._monkeypatch.setattr(_transport, "send", gateway.send)
        context = {
            "ti": MemoryTaskInstance(crash_point),
            "task_state_store": MemoryStore(crash_point),
            "outlet_events": {},
        }
        try:
            make(context)
        except (TaskDeferred, AirflowSkipException):
            return ""
        except AirflowNotFoundException:
            return ""  # Airflow's own sentence for a connection that is not there
        except RunwayError as error:
            return self._trouble_with(str(error), gateway)
        except BaseException as error:
            return f"{type(error).__name__} left our tree"
        return ""

    @staticmethod
    def _trouble_with(said, gateway):
        if gateway.posts:
            return f"paid for: {said[:100]}"
        if not all(line.isprintable() for line in said.split("\n")):
            return f"not printable: {said[:100]!r}"
        if len("\n".join(said.split("\n")[:2])) > 90:
            return f"its first lines are cut off: {said[:100]}"
        if len(said) > 2_000:
            return f"{len(said)} characters long"
        return "the key is in it" if "key_0123" in said else ""


@pytest.fixture
def rig(monkeypatch, set_connection, tmp_path):
    set_connection()
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    for kind in (RunwaySubmitOperator, RunwayBatchOperator, RunwayTaskSensor, RunwayToObjectStorageOperator):
        monkeypatch.setattr(kind, "log", Log())
    return Rig(monkeypatch, f"file://{tmp_path}/clips")


def run(kind, fields, name, value, context):
    operator = kind(task_id="task", **fields)
    # As templates are rendered, without Airflow's look for XComs, which cannot take what is in itself.
    vars(operator)[name] = value
    operator.execute(context)


def call(name, args, value, context):
    hook = RunwayHook("runway_default")
    hook.pause_between_tries = lambda state: 0
    hook.sleep_between_tries = lambda seconds: None
    getattr(hook, name)(*(value if argument is VALUES else argument for argument in args))


SUBMIT = {"route": "text_to_video", "payload": PAYLOAD}
IMAGE = {"model": "gen4_turbo", "prompt_image": "https://e/a.jpg", "ratio": "1280:720"}
ACT = {
    "model": "act_two",
    "character": {"type": "image", "uri": "https://e/a.jpg"},
    "reference": {"type": "video", "uri": "https://e/a.mp4"},
}
SAVE = {"runway_task_id": "t1", "destination": "(folder)"}
BATCH = {"requests": [PAYLOAD], "route": "text_to_video", "destination": "(folder)"}

ARGUMENTS = [
    *((RunwaySubmitOperator, SUBMIT, name) for name in RunwaySubmitOperator.template_fields),
    *((RunwayImageToVideoOperator, IMAGE, name) for name in RunwayImageToVideoOperator.fields),
    *((RunwayCharacterPerformanceOperator, ACT, name) for name in RunwayCharacterPerformanceOperator.fields),
    *((RunwayTaskSensor, {"runway_task_id": "t1"}, name) for name in RunwayTaskSensor.template_fields),
    *((RunwayToObjectStorageOperator, SAVE, name) for name in RunwayToObjectStorageOperator.template_fields),
    *((RunwayBatchOperator, BATCH, name) for name in RunwayBatchOperator.template_fields),
]


@pytest.mark.parametrize(
    ("kind", "fields", "name"), ARGUMENTS, ids=[f"{kind.__name__}.{name}" for kind, _, name in ARGUMENTS]
)
def test_a_templated_argument(rig, kind, fields, name):
    fields = {key: rig.folder if value == "(folder)" else value for key, value in fields.items()}
    check(rig, partial(run, kind, fields, name))


@pytest.mark.parametrize("member", ["promptText", "promptImage", "model", "references"])
def test_a_member_of_a_body(rig, member):
    check(
        rig,
        lambda value, context: run(
            RunwaySubmitOperator, SUBMIT, "payload", {**PAYLOAD, member: value}, context
        ),
    )


@pytest.mark.parametrize("member", ["promptText", "promptImage", "model", "references"])
def test_a_member_of_an_item(rig, member):
    fields = {**BATCH, "destination": None}
    check(
        rig,
        lambda value, context: run(
            RunwayBatchOperator, fields, "requests", [{**PAYLOAD, member: value}], context
        ),
    )


HOOK = [
    ("submit", (VALUES, PAYLOAD)), ("submit", ("text_to_video", VALUES)), ("send", ("text_to_video", VALUES)),
    ("prepare", (VALUES,)), ("prepare_create", (VALUES, PAYLOAD)), ("prepare_create", ("text_to_video", VALUES)),
    ("longest_create", (VALUES, PAYLOAD)), ("get_task", (VALUES,)), ("cancel_task", (VALUES,)), ("upload", (VALUES,)),
    ("check_route", (VALUES,)), ("fingerprint", (VALUES, PAYLOAD)), ("fingerprint", ("text_to_video", VALUES)),
    ("account_figures", (VALUES,)), ("task_url", (VALUES,)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args"), HOOK, ids=[f"{n}-{a.index(VALUES)}" for n, a in HOOK])
def test_a_call_of_the_hook(rig, name, args):
    check(rig, partial(call, name, args))


def test_the_id_of_a_connection(rig):
    check(rig, lambda value, context: RunwayHook(value).get_task("t1"))


def check(rig, make):
    found = [(type(value).__name__, rig.outcome(partial(make, value))) for value in VALUES]
    assert [one for one in found if one[1]] == []


RESULT = {"id": "t1", "status": "SUCCEEDED", "output": []}


class TestWhatASensorReturned:
    """``sensor.output`` is a dict: its ``id`` is meant."""

    def test_a_sensor_waits_for_it(self, rig, monkeypatch):
        asked = []
        monkeypatch.setattr(RunwayHook, "get_task", lambda self, one, **_: asked.append(one) or 1 / 0)
        for given in (RESULT, "t1"):
            with pytest.raises(ZeroDivisionError):
                run(RunwayTaskSensor, {"runway_task_id": "x"}, "runway_task_id", given, {"ti": None})
        assert asked == ["t1", "t1"]

    @pytest.mark.parametrize("given", [RESULT, [RESULT], [RESULT, "t2"]])
    def test_its_files_are_saved_and_not_its_members(self, given):
        save = RunwayToObjectStorageOperator(task_id="save", runway_task_id="x", destination="file:///clips")
        save.runway_task_id = given
        assert save._ids() == ["t1", "t2"][: len(given) if isinstance(given, list) else 1]


NUMBERS = (
    "poll_interval",
    "timeout",
    "max_credits",
    "max_credits_per_task",
    "max_credits_per_run",
    "evidence_timeout",
)


class TestWhatTheParserSees:
    """An argument that is no template is judged when the Dag is parsed."""

    @pytest.mark.parametrize("value", ["5", -1, math.nan, [], {}, b"5", object()])
    @pytest.mark.parametrize("name", NUMBERS)
    def test_numbers(self, name, value):
        with pytest.raises(ValueError, match=name):
            RunwaySubmitOperator(task_id="t", **SUBMIT, **{name: value})

    @pytest.mark.parametrize("value", ["5", -1, 1.5, math.nan, [], {}, b"5", object(), True])
    @pytest.mark.parametrize(
        "name", ["max_in_flight", "max_lost_answers", "submissions_at_once", "max_moderated", "max_credits"]
    )
    def test_numbers_of_a_batch(self, name, value):
        if name == "max_credits" and value == 1.5:
            return
        with pytest.raises(ValueError, match=name):
            RunwayBatchOperator(task_id="t", **BATCH, **{name: value})

    @pytest.mark.parametrize("value", ["5", -1, 0, 1.5, math.nan, [], b"5", True, None])
    @pytest.mark.parametrize("name", ["max_bytes", "max_concurrency"])
    def test_numbers_of_a_transfer(self, name, value):
        with pytest.raises(ValueError, match=name):
            RunwayToObjectStorageOperator(task_id="t", **SAVE, **{name: value})

    @pytest.mark.parametrize(
        "value",
        [
            "keyframes",
            "{{ x }}",
            5,
            True,
            {"a": 1},
            b"/x",
            object(),
            WithoutText(),
            [None],
            nested(3_000),
            IN_ITSELF,
        ],
    )
    def test_prefixes_of_media(self, value):
        for kind, fields in ((RunwaySubmitOperator, SUBMIT), (RunwayBatchOperator, BATCH)):
            with pytest.raises(ValueError, match=r"^media_from must be prefixes"):
                kind(task_id="t", **fields, media_from=value)

    @pytest.mark.parametrize("value", ["maybe", 5, None, [], {}, b"fail"])
    @pytest.mark.parametrize("name", ["on_ambiguous_submit", "on_clear"])
    def test_words(self, name, value):
        for kind, fields in ((RunwaySubmitOperator, SUBMIT), (RunwayBatchOperator, BATCH)):
            with pytest.raises(ValueError, match=name):
                kind(task_id="t", **fields, **{name: value})
