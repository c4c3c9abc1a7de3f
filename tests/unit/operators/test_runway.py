from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred
from unit.scripted import KEY, Scripted

from airflow_runway import telemetry
from airflow_runway.exceptions import (
    RunwayAmbiguousSubmissionError,
    RunwayConfigurationError,
    RunwayNotAcceptedError,
    RunwayRequestRefusedError,
    RunwayTaskFailedError,
    RunwayTaskTimeoutError,
)
from airflow_runway.operators.runway import RunwayImageToVideoOperator, RunwaySubmitOperator
from airflow_runway.triggers.runway import RunwayTaskTrigger

ACCEPTED = Scripted(200, {"id": "t1", "estimatedCost": {"credits": 25}})
RUNNING = Scripted(200, {"id": "t1", "status": "RUNNING"})
DONE = Scripted(
    200, {"id": "t1", "status": "SUCCEEDED", "output": ["https://e/x.mp4"], "cost": {"credits": 25}}
)
FAILED = Scripted(200, {"id": "t1", "status": "FAILED", "failure": "Oh.", "failureCode": "SAFETY.X"})


def operator(**fields):
    return RunwaySubmitOperator(
        **{"task_id": "task", "route": "image_to_video", "payload": {"model": "gen4_turbo"}, **fields}
    )


def image_to_video(**fields):
    return RunwayImageToVideoOperator(
        **{"task_id": "task", "model": "gen4_turbo", "prompt_image": "https://e/a.jpg", **fields}
    )


class TestSubmit:
    def test_the_id_is_the_return_value_and_in_xcom(self, connected, context):
        connected.answers(ACCEPTED)
        assert operator().execute(context) == "t1"
        cost = {"estimated": 25, "charged": None}
        assert context["ti"].xcoms == {"runway_task_id": "t1", "runway_credits": cost}
        assert connected.arrived[0].body == {"model": "gen4_turbo"}

    def test_the_estimate_is_logged_and_the_key_is_not(self, connected, context, capsys):
        connected.answers(ACCEPTED)
        operator().execute(context)
        logged = capsys.readouterr().out
        assert "Runway task t1 accepted on image_to_video, at most 25 credits." in logged
        assert KEY not in logged

    def test_the_submission_is_a_span_without_the_prompt(self, connected, context, monkeypatch):
        spans = []

        @contextmanager
        def span(name, **attributes):
            spans.append((name, attributes))
            yield None

        monkeypatch.setattr(telemetry, "span", span)
        connected.answers(ACCEPTED)
        operator(payload={"model": "gen4_turbo", "promptText": "a secret plot"}).execute(context)
        assert spans == [("runway.submit", {"route": "image_to_video", "gateway": "runway"})]

    @pytest.mark.parametrize("body", [{}, {"id": ""}, {"id": None}, b"<html>", {"status": "SUCCEEDED"}])
    def test_without_an_id_it_fails_and_says_that_the_generation_may_exist(self, connected, context, body):
        connected.answers(Scripted(200, body))
        with pytest.raises(RunwayAmbiguousSubmissionError, match="may exist and may be charged") as caught:
            operator().execute(context)
        assert isinstance(caught.value, AirflowFailException)
        assert context["ti"].xcoms == {}

    def test_a_refusal_is_not_retried_and_a_limit_is(self, connected, context):
        connected.answers(Scripted(400, {"error": "no"}))
        with pytest.raises(RunwayRequestRefusedError) as refused:
            operator().execute(context)
        assert isinstance(refused.value, AirflowFailException)
        connected.answers(Scripted(429, {"error": "limit"}))
        with pytest.raises(RunwayNotAcceptedError) as limited:
            operator().execute(context)
        assert not isinstance(limited.value, AirflowFailException)

    @pytest.mark.parametrize("payload", ["text", None, [1]])
    def test_a_payload_that_is_no_object_is_refused_here(self, connected, context, payload):
        with pytest.raises(RunwayConfigurationError, match="not a JSON object"):
            operator(payload=payload).execute(context)
        assert not connected.arrived

    def test_the_link_leads_to_the_task(self, connected, context):
        connected.answers(ACCEPTED)
        task = operator()
        task.execute(context)
        (link,) = task.operator_extra_links
        assert link.get_link(task, ti_key=None) == f"{connected.url}/v1/tasks/t1"

    @pytest.mark.parametrize("bad", [0, 4.9, "10", None, True, timedelta(seconds=1), float("nan")])
    def test_times_are_checked_when_the_dag_is_parsed(self, bad):
        with pytest.raises(ValueError, match="at least 5 seconds"):
            operator(poll_interval=bad)


class TestImageToVideo:
    def test_only_what_was_given_is_sent(self, connected, context):
        connected.answers(ACCEPTED)
        image_to_video().execute(context)
        assert connected.arrived[0].path == "/v1/image_to_video"
        assert connected.arrived[0].body == {"model": "gen4_turbo", "promptImage": "https://e/a.jpg"}

    def test_every_field_has_its_name_on_the_wire(self, connected, context):
        connected.answers(ACCEPTED)
        frames = [{"uri": "https://e/a.jpg", "position": "first"}]
        image_to_video(
            prompt_image=frames,
            prompt_text="A slow push in",
            ratio="1280:720",
            duration=5,
            seed=7,
            extra_body={"contentModeration": {"publicFigureThreshold": "low"}},
        ).execute(context)
        assert connected.arrived[0].body == {
            "model": "gen4_turbo",
            "promptImage": frames,
            "promptText": "A slow push in",
            "ratio": "1280:720",
            "duration": 5,
            "seed": 7,
            "contentModeration": {"publicFigureThreshold": "low"},
        }

    def test_a_number_from_a_template_is_a_number_on_the_wire(self):
        assert image_to_video(duration="5").body()["duration"] == 5

    @pytest.mark.parametrize("bad", ["five", "", "5.5"])
    def test_what_is_no_number_is_refused_here(self, connected, context, bad):
        with pytest.raises(RunwayConfigurationError, match=r"duration is .* not a whole number"):
            image_to_video(duration=bad).execute(context)
        assert not connected.arrived

    def test_a_field_given_twice_is_refused_here(self):
        with pytest.raises(RunwayConfigurationError, match="extra_body repeats duration"):
            image_to_video(duration=5, extra_body={"duration": 10}).body()

    def test_all_fields_are_templates(self):
        from airflow.sdk import DAG

        with DAG("d"):
            task = image_to_video(
                prompt_image="{{ image }}", prompt_text="{{ prompt }}", extra_body={"a": "{{ prompt }}"}
            )
        task.render_template_fields({"image": "https://e/b.jpg", "prompt": "rain"})
        assert task.body() == {
            "model": "gen4_turbo",
            "promptImage": "https://e/b.jpg",
            "promptText": "rain",
            "a": "rain",
        }

    @pytest.mark.parametrize(("fields", "shown"), [({}, False), ({"extra_body": {"seed": 7}}, True)])
    def test_only_a_payload_that_was_given_is_shown(self, fields, shown):
        task = image_to_video(**fields)
        assert ("payload" in task.template_fields) is shown
        assert "prompt_image" in task.template_fields


class TestWaiting:
    def test_it_defers_to_the_same_trigger(self, connected, context, clock):
        connected.answers(ACCEPTED)
        with pytest.raises(TaskDeferred) as deferred:
            operator(wait_for_completion=True, timeout=600).execute(context)
        trigger = deferred.value.trigger
        assert isinstance(trigger, RunwayTaskTrigger)
        assert trigger.runway_task_id == "t1"
        assert trigger.deadline == clock.now + 600
        assert deferred.value.timeout > timedelta(seconds=600)
        assert context["ti"].xcoms["runway_task_id"] == "t1"
        assert trigger.cancel_on_kill
        assert len(connected.arrived) == 1

    def test_the_finished_task_is_the_return_value(self, connected, context, clock):
        connected.answers(DONE)
        event = {"runway_task_id": "t1", "deadline": clock.now, "error": None}
        result = operator(wait_for_completion=True).resume_execution(
            "execute_complete", {"event": event}, context
        )
        assert result == {
            "id": "t1",
            "status": "SUCCEEDED",
            "output": ["https://e/x.mp4"],
            "cost_credits": 25,
            "created_at": None,
            "failure": None,
            "failure_code": None,
        }

    def test_a_failure_is_an_error(self, connected, context, clock):
        connected.answers(FAILED)
        event = {"runway_task_id": "t1", "deadline": clock.now, "error": None}
        with pytest.raises(RunwayTaskFailedError, match=r"\(SAFETY.X\): Oh\."):
            operator().execute_complete(context, event)

    def test_it_can_wait_in_the_worker(self, connected, context, clock):
        connected.answers(ACCEPTED, RUNNING, RUNNING, DONE)
        result = operator(wait_for_completion=True, deferrable=False).execute(context)
        assert result["status"] == "SUCCEEDED"
        assert len(clock.naps) == 3
        assert min(clock.naps) >= 5

    def test_the_deadline_in_the_worker(self, connected, context, clock):
        connected.answers(ACCEPTED, RUNNING)
        with pytest.raises(RunwayTaskTimeoutError, match="t1 had not finished by"):
            operator(wait_for_completion=True, deferrable=False, timeout=60).execute(context)

    def test_an_expired_deferral_names_the_generation(self, connected, context, clock):
        context["ti"].xcom_push("runway_task_id", "t1")
        with pytest.raises(RunwayTaskTimeoutError, match="t1 had not finished"):
            operator().resume_execution("__fail__", {"error": "Trigger timeout"}, context)


class TestTelling:
    def test_a_wait_in_the_worker_tells_of_changes_only_and_counts_itself(
        self, connected, context, clock, capsys, monkeypatch
    ):
        told = []
        monkeypatch.setattr(
            telemetry,
            "_emit",
            lambda places, how, name, value, tags: told.append((places, name, value, tags)),
        )
        connected.answers(ACCEPTED, *[RUNNING] * 10, *[Scripted(503, {})] * 5, RUNNING, DONE)
        operator(wait_for_completion=True, deferrable=False).execute(context)
        logged = capsys.readouterr().out
        assert logged.count("Runway task t1: RUNNING") == 1
        assert logged.count("503") == 1
        assert logged.count("Runway task t1: SUCCEEDED, after 17 read(s)") == 1
        assert {places for places, *_ in told} == {telemetry.IN_WORKER}
        results = [tags["result"] for _, name, _, tags in told if name == "runway.polls"]
        assert results == ["RUNNING"] * 10 + ["unreadable"] * 5 + ["RUNNING", "SUCCEEDED"]
        ends = [(name, value, tags) for _, name, value, tags in told if name != "runway.polls"]
        assert ends == [
            ("runway.finished", 1, {"status": "SUCCEEDED"}),
            ("runway.credits", 25.0, {"status": "SUCCEEDED"}),
        ]
