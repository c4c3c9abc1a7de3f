from __future__ import annotations

import logging
import sys
from inspect import signature
from types import ModuleType, SimpleNamespace

import pytest
from airflow.sdk.execution_time.context import set_current_context
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from airflow_runway import telemetry
from airflow_runway.core.facts import ErrorFacts, ErrorKind
from airflow_runway.core.polling.decisions import Finished, GaveUp
from airflow_runway.exceptions import RunwayReadError
from airflow_runway.models import RunwayTask, TaskStatus
from airflow_runway.telemetry import WaitLog


def reading(status="RUNNING", **fields):
    return RunwayTask("t1", TaskStatus(status), **fields)


@pytest.fixture
def wait_log(caplog):
    log = logging.getLogger("waits")
    log.propagate = True
    caplog.set_level(logging.DEBUG, "waits")
    return WaitLog(log, "t1")


def lines(caplog, level=logging.INFO):
    return [record.getMessage() for record in caplog.records if record.levelno >= level]


class TestWaitLog:
    def test_one_line_per_change_of_status(self, wait_log, caplog):
        for status in ("PENDING", "PENDING", "RUNNING", "RUNNING", "RUNNING", "SUCCEEDED"):
            wait_log.looked(reading(status))
        assert lines(caplog) == [
            "Runway task t1: PENDING", "Runway task t1: RUNNING", "Runway task t1: SUCCEEDED",
        ]  # fmt: skip

    def test_a_run_of_failed_reads_is_told_once_and_so_is_its_end(self, wait_log, caplog):
        wait_log.looked(reading())
        for number in range(50):
            assert (
                wait_log.looked(ErrorFacts(ErrorKind.READ, f"503, request {number}.")) == telemetry.UNREADABLE
            )
        assert wait_log.looked(reading()) == "RUNNING"
        assert lines(caplog) == [
            "Runway task t1: RUNNING",
            "503, request 0. Waiting goes on for Runway task t1.",
            "Runway task t1 can be read again, after 50 failed reads.",
        ]
        assert len(lines(caplog, logging.DEBUG)) == 52

    def test_a_summary_at_the_end(self, caplog, monkeypatch):
        now = iter([1000.0, 1012.4])
        monkeypatch.setattr(telemetry, "time", SimpleNamespace(monotonic=lambda: next(now)))
        caplog.set_level(logging.INFO, "waits")
        wait_log = WaitLog(logging.getLogger("waits"), "t1")
        wait_log.looked(reading())
        wait_log.looked(reading("SUCCEEDED"))
        wait_log.ended(Finished(reading("SUCCEEDED")))
        assert lines(caplog)[-1] == "Runway task t1: SUCCEEDED, after 2 read(s) in 12 s of waiting here."


class Recorder:
    def __init__(self):
        self.told = []

    def incr(self, name, count=1, *, tags=None):
        self.told.append(("incr", name, count, tags))

    def gauge(self, name, value, *, tags=None):
        self.told.append(("gauge", name, value, tags))


@pytest.fixture
def stats(monkeypatch):
    recorder = Recorder()
    monkeypatch.setattr(telemetry, "_stats", lambda places: recorder)
    return recorder


@pytest.fixture
def running():
    """A task of this worker."""

    def context(**fields):
        ti = {"dag_id": "campaign", "run_id": "manual__1", "task_id": "submit", "map_index": 3}
        return set_current_context({"ti": SimpleNamespace(**ti | fields)})

    return context


class TestMetrics:
    @pytest.mark.parametrize(
        ("decision", "word"),
        [
            (Finished(reading("SUCCEEDED")), "SUCCEEDED"),
            (Finished(reading("FAILED")), "FAILED"),
            (Finished(reading("CANCELLED")), "CANCELLED"),
            (GaveUp(ErrorFacts(ErrorKind.TASK_TIMEOUT, "late")), "TIMED_OUT"),
            (GaveUp(ErrorFacts(ErrorKind.TASK_LOST, "lost")), "LOST"),
            (GaveUp(ErrorFacts(ErrorKind.CONFIGURATION, "no key")), "GAVE_UP"),
        ],
    )
    def test_an_ended_wait_is_counted_by_how_it_ended(self, stats, decision, word):
        assert telemetry.ending_word(decision) == word
        telemetry.count_ending(decision)
        assert stats.told == [("incr", "runway.finished", 1, {"status": word})]

    def test_what_it_cost_is_counted_too(self, stats):
        telemetry.count_ending(Finished(reading("SUCCEEDED", cost_credits=25.0)))
        assert ("incr", "runway.credits", 25.0, {"status": "SUCCEEDED"}) in stats.told

    def test_statistics_that_fail_hurt_nobody(self, monkeypatch):
        class Broken:
            def incr(self, *args, **kwargs):
                raise OSError("no route to host")

        monkeypatch.setattr(telemetry, "_stats", lambda places: Broken())
        telemetry.count(telemetry.IN_WORKER, "runway.polls")

    def test_the_statistics_of_this_airflow_are_found(self):
        for places in (telemetry.IN_TRIGGERER, telemetry.IN_WORKER):
            found = telemetry._stats.__wrapped__(places)
            assert callable(found.incr)
            assert callable(found.gauge)

    @pytest.mark.parametrize("how", ["incr", "gauge"])
    def test_the_statistics_of_this_airflow_take_tags(self, how):
        for places in (telemetry.IN_TRIGGERER, telemetry.IN_WORKER):
            assert "tags" in signature(getattr(telemetry._stats.__wrapped__(places), how)).parameters

    def test_what_a_worker_counts_has_the_tags_of_its_task(self, stats, running):
        with running(stats_tags={"dag_id": "campaign", "task_id": "submit", "team_name": "film"}):
            telemetry.count_ending(Finished(reading("SUCCEEDED", cost_credits=25.0)))
        owned = {"dag_id": "campaign", "task_id": "submit", "team_name": "film", "status": "SUCCEEDED"}
        assert stats.told == [
            ("incr", "runway.finished", 1, owned),
            ("incr", "runway.credits", 25.0, owned),
        ]

    def test_before_3_3_there_is_no_team(self, stats, running):
        with running():
            telemetry.count(telemetry.IN_WORKER, "runway.polls", result="RUNNING")
        assert stats.told == [
            ("incr", "runway.polls", 1, {"dag_id": "campaign", "task_id": "submit", "result": "RUNNING"})
        ]

    def test_what_a_triggerer_counts_has_only_the_tags_that_it_is_given(self, stats, running):
        with running():
            telemetry.count(telemetry.IN_TRIGGERER, "runway.polls", result="RUNNING", dag_id="other")
        assert stats.told == [("incr", "runway.polls", 1, {"result": "RUNNING", "dag_id": "other"})]

    def test_a_task_instance_that_cannot_be_read_costs_the_tags_alone(self, stats, monkeypatch):
        class Broken:
            def __getattr__(self, name):
                raise RuntimeError("gone")

        with set_current_context({"ti": Broken()}):
            telemetry.count(telemetry.IN_WORKER, "runway.polls")
        assert stats.told == [("incr", "runway.polls", 1, {})]

    def test_older_airflows_keep_them_in_a_class(self, monkeypatch):
        module = ModuleType("old_stats")
        module.Stats = Recorder()
        monkeypatch.setitem(sys.modules, "old_stats", module)
        assert telemetry._stats.__wrapped__(("no.such.module", "old_stats")) is module.Stats

    def test_where_there_are_none_nothing_is_told(self):
        assert telemetry._stats.__wrapped__(("no.such.module",)) is None


@pytest.fixture
def spans(monkeypatch):
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    return exporter


class TestSpans:
    def test_a_span_has_its_attributes(self, spans):
        with telemetry.span("runway.submit", route="image_to_video"):
            pass
        (span,) = spans.get_finished_spans()
        assert span.name == "runway.submit"
        assert dict(span.attributes) == {"route": "image_to_video"}

    def test_it_has_the_tags_of_its_task_and_never_the_run(self, spans, running):
        with running(), telemetry.span("runway.submit", route="image_to_video"):
            pass
        (span,) = spans.get_finished_spans()
        assert dict(span.attributes) == {
            "dag_id": "campaign", "task_id": "submit", "route": "image_to_video",
        }  # fmt: skip

    def test_of_an_error_only_the_class_is_kept(self, spans):
        with pytest.raises(RunwayReadError), telemetry.span("runway.submit"):
            raise RunwayReadError("https://e/x?token=secret")
        (span,) = spans.get_finished_spans()
        assert dict(span.attributes) == {"error.type": "RunwayReadError"}
        assert not span.events
        assert span.status.status_code is trace.StatusCode.ERROR
        assert not span.status.description

    def test_a_change_of_status_is_an_event_of_the_span_around_it(self, spans, wait_log):
        with trace.get_tracer("airflow").start_as_current_span("trigger.wait"):
            for status in ("RUNNING", "RUNNING", "SUCCEEDED"):
                wait_log.looked(reading(status, output=("https://e/x.mp4?_jwt=secret",)))
            wait_log.ended(Finished(reading("SUCCEEDED")))
        (span,) = spans.get_finished_spans()
        assert [(event.name, dict(event.attributes)) for event in span.events] == [
            ("runway.status", {"status": "RUNNING"}),
            ("runway.status", {"status": "SUCCEEDED"}),
            ("runway.ended", {"status": "SUCCEEDED", "reads": 3}),
        ]
