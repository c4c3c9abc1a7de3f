"""The decorators between a function and its operator; whole runs are in ``integration/test_taskflow``."""

from __future__ import annotations

import pytest
from airflow.sdk import task
from unit.operators.batch_tries import begin_batch, prompts
from unit.scripted import Scripted

from airflow_runway.decorators.runway import RunwayBatchDecoratedOperator
from airflow_runway.exceptions import RunwayConfigurationError, RunwayRequestRefusedError

ACCEPTED = Scripted(200, {"id": "t1", "estimatedCost": {"credits": 25}})


def film(function, **fields):
    """The operator of a decorated function that is called with a word."""
    return task.runway(route="image_to_video", **fields)(function)("a fox").operator


class TestSubmit:
    def test_what_a_function_returns_is_the_body(self, connected, context):
        connected.answers(ACCEPTED)

        def shot(word, ti) -> dict[str, str]:
            """Gets arguments and the context, as any TaskFlow function."""
            assert ti is context["ti"]
            return {"model": "gen4_turbo", "promptText": word}

        operator = film(shot)
        assert operator.execute(context) == "t1"
        assert connected.arrived[0].body == {"model": "gen4_turbo", "promptText": "a fox"}
        assert operator.task_id == "shot"
        # Airflow would take the annotation for several values of the task.
        assert operator.multiple_outputs is False

    def test_it_is_not_rendered(self, connected, context):
        connected.answers(ACCEPTED)
        film(lambda word: {"promptText": word + " {{ var.value.secret }}"}, task_id="shot").execute(context)
        assert connected.arrived[0].body == {"promptText": "a fox {{ var.value.secret }}"}

    @pytest.mark.parametrize("given", [None, "text", ["a"], 7])
    def test_what_is_no_object_is_told_before_anything_is_sent(self, given, connected, context):
        with pytest.raises(RunwayConfigurationError, match=r"payload is .*, not a JSON object"):
            film(lambda word: given, task_id="shot").execute(context)
        assert connected.arrived == []

    def test_an_error_of_the_function_is_its_own(self, connected, context):
        def shot(word):
            raise KeyError(word)

        with pytest.raises(KeyError):
            film(shot).execute(context)
        assert connected.arrived == []

    def test_a_refusal_is_the_operator_s(self, connected, context):
        connected.answers(Scripted(400, {"error": "Validation of body failed"}))
        with pytest.raises(RunwayRequestRefusedError):
            film(lambda word: {"promptText": word}, task_id="shot").execute(context)

    @pytest.mark.parametrize(("kind", "name"), [("runway", "payload"), ("runway_batch", "requests")])
    def test_what_the_function_returns_is_no_argument(self, kind, name):
        with pytest.raises(TypeError, match=f"{name} is what the function returns"):
            getattr(task, kind)(route="image_to_video", **{name: {}})(lambda: None)()


class TestBatch:
    @pytest.fixture
    def decorated(self, monkeypatch, set_connection):
        """A batch whose operator is a function's; ``lists`` are what its calls give, the last one from then on."""
        one = begin_batch(monkeypatch, set_connection)
        monkeypatch.setattr(RunwayBatchDecoratedOperator, "log", one.log)
        one.lists, one.calls = [prompts("a", "b", "c")], 0

        def reel():
            given = one.lists[min(one.calls, len(one.lists) - 1)]
            one.calls += 1
            if isinstance(given, Exception):
                raise given
            return given

        def operator(**fields):
            made = task.runway_batch(
                route="text_to_video",
                task_id="batch",
                on_partial_failure="succeed",
                max_in_flight=2,
                **fields,
            )(reel)().operator
            made.hook.pause_between_tries = lambda state: 0
            return made

        one.operator = operator
        return one

    def test_it_goes_through_its_phases(self, decorated):
        summary = decorated.to_the_end()
        assert (summary["succeeded"], summary["total"]) == (3, 3)
        assert sorted(decorated.gateway.prompts.values()) == ["a", "b", "c"]
        assert decorated.calls > 1

    def test_where_the_function_fails_later_what_is_paid_for_is_kept(self, decorated):
        decorated.lists.append(OSError("the table is away"))
        summary = decorated.to_the_end()
        assert (summary["succeeded"], summary["total"]) == (2, 3)
        assert sorted(decorated.gateway.prompts.values()) == ["a", "b"]
        assert "the table is away" in decorated.log.text

    def test_where_it_fails_at_first_nothing_is_sent_and_a_retry_may_help(self, decorated):
        decorated.lists = [OSError("the table is away"), prompts("a")]
        with pytest.raises(OSError, match="the table is away"):
            decorated.begin()
        assert decorated.gateway.posts == 0
        assert decorated.to_the_end()["succeeded"] == 1
