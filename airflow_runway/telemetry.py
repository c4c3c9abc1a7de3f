"""What people and their dashboards get to see of a wait: log lines, metrics, spans. Never a prompt, URL or key.

Metrics go through Airflow's own statistics, and so to StatsD or OpenTelemetry as Airflow is configured:

- ``runway.polls`` (counter, ``result``): reads while waiting, by status, or ``unreadable``;
- ``runway.waiting`` (gauge, ``conn_id``): tasks that this triggerer waits for;
- ``runway.finished`` (counter, ``status``): ended waits, by status, ``TIMED_OUT``, ``LOST`` or ``GAVE_UP``;
- ``runway.credits`` (counter, ``status``): what the ended generations cost, where the gateway says.

The last two are counted where a worker ends its wait: two sensors on one generation count it twice.

Counters, and the span, have owners besides: ``dag_id``, ``task_id`` and, on Airflow 3.3 with teams, ``team_name``
(:mod:`airflow_runway.core.owner`). The gauge has none: it is one level of a connection that all Dags share, and a
StatsD without tags would keep that of the last owner alone.

Nothing in here can make a task fail.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from airflow_runway.core.facts import ErrorFacts, ErrorKind
from airflow_runway.core.owner import owner_of
from airflow_runway.core.polling.decisions import Finished
from airflow_runway.core.reports import summary

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_runway.core.polling.decisions import GaveUp, Reading

#: Where Airflow's statistics are set up, by the process that we are in; the first that exists. In a triggerer
#: of 3.3 those of the Task SDK exist as well, but nobody has told them where to send anything.
IN_TRIGGERER = ("airflow.observability.stats", "airflow.stats")
IN_WORKER = ("airflow.sdk.observability.stats", *IN_TRIGGERER)

UNREADABLE = "unreadable"


class Log(Protocol):
    """A logger, Airflow's or Python's own."""

    def debug(self, message: str, /, *args: object) -> object:
        """For whoever looks for a fault."""

    def info(self, message: str, /, *args: object) -> object:
        """What happens."""

    def warning(self, message: str, /, *args: object) -> object:
        """What may need somebody."""

    def error(self, message: str, /, *args: object) -> object:
        """What needs somebody."""


def owner_tags() -> dict[str, str]:
    """Tags of the task that this worker runs; none outside of a task.

    A triggerer runs for many at once: there :attr:`airflow_runway.core.owner.Owner.tags` come with the trigger.
    """
    try:
        from airflow.sdk import get_current_context

        owner = owner_of(get_current_context()["ti"])
    except Exception:
        return {}
    return owner.tags if owner else {}


def count(places: tuple[str, ...], name: str, amount: float = 1, **tags: str) -> None:
    """Raise a counter of Airflow's. In a worker it gets the tags of the task that runs.

    :param places: :data:`IN_TRIGGERER` or :data:`IN_WORKER`.
    :param name: e.g. ``runway.polls``.
    :param amount: by how much.
    :param tags: few and of few values.
    """
    _emit(places, "incr", name, amount, {**owner_tags(), **tags} if places is IN_WORKER else tags)


def show(places: tuple[str, ...], name: str, value: float, **tags: str) -> None:
    """Set a gauge of Airflow's.

    :param places: see :func:`count`.
    :param name: e.g. ``runway.waiting``.
    :param value: the level.
    :param tags: few and of few values.
    """
    _emit(places, "gauge", name, value, tags)


def _emit(places: tuple[str, ...], how: str, name: str, value: float, tags: Mapping[str, str]) -> None:
    try:
        stats = _stats(places)
        if stats is not None:
            getattr(stats, how)(name, value, tags=dict(tags))
    except Exception:  # noqa: S110 - a dashboard is no reason to lose a clip
        pass


def note_polls(
    conn_id: str, waiting: int, polls: Mapping[tuple[str, tuple[tuple[str, str], ...]], int]
) -> None:
    """What a triggerer reads over a connection, since the last note.

    :param conn_id: the connection.
    :param waiting: for how many tasks.
    :param polls: how many reads, by what they brought and the tags of whom they were for.
    """
    show(IN_TRIGGERER, "runway.waiting", waiting, conn_id=conn_id)
    for (result, owner), times in polls.items():
        count(IN_TRIGGERER, "runway.polls", times, result=result, **dict(owner))


@cache
def _stats(places: tuple[str, ...]) -> Any:
    """A module or object with ``incr`` and ``gauge``."""
    for place in places:
        try:
            module = import_module(place)
        except ImportError:
            continue
        return module if hasattr(module, "incr") else module.Stats
    return None


@contextmanager
def span(name: str, **attributes: str) -> Iterator[Any]:
    """A span below Airflow's own for this task, with its tags; nothing where tracing is off or missing.

    :param name: e.g. ``runway.submit``.
    :param attributes: what is known beforehand.
    """
    try:
        from opentelemetry import trace
    except ImportError:  # pragma: no cover - a core dependency of Airflow
        yield None
        return
    # An exception's text may quote the gateway, and span events are not masked: only its class is kept.
    with trace.get_tracer("airflow_runway").start_as_current_span(
        name,
        attributes={**owner_tags(), **attributes},
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield current
        except BaseException as error:
            current.set_attribute("error.type", type(error).__name__)
            current.set_status(trace.StatusCode.ERROR)
            raise


def add_span_event(name: str, **attributes: str | int | float) -> None:
    """Add an event to the span that we are in, e.g. the one that Airflow keeps for a trigger.

    :param name: e.g. ``runway.status``.
    :param attributes: its details.
    """
    try:
        from opentelemetry import trace

        trace.get_current_span().add_event(name, attributes)
    except Exception:  # noqa: S110 - see _emit
        pass


class WaitLog:
    """Logs one wait: a line when the status changes, one when it ends.

    Repeated trouble goes to DEBUG, an unchanged status nowhere: a line costs a triggerer more than the read.

    :param log: where to.
    :param runway_task_id: whose.
    """

    def __init__(self, log: Log, runway_task_id: str) -> None:
        self.runway_task_id = runway_task_id
        self._log = log
        self._began = time.monotonic()
        self._looks = 0
        self._status = ""
        self._failed = 0

    def looked(self, found: Reading) -> str:
        """Log what a look brought, if it is new.

        :param found: the reading, or how it failed.
        :returns: a word for it, for metrics.
        """
        self._looks += 1
        if isinstance(found, ErrorFacts):
            # In short, and once: what ends a wait is told at length by the error that the worker raises.
            passes = found.kind is ErrorKind.READ
            write = self._log.warning if passes else self._log.info
            if self._failed:
                write = self._log.debug
            self._failed += 1
            rest = "Waiting goes on for" if passes else "That was on reading"
            write("%s. %s Runway task %s.", summary(found), rest, self.runway_task_id)
            return UNREADABLE
        if self._failed:
            self._log.info(
                "Runway task %s can be read again, after %d failed reads.", self.runway_task_id, self._failed
            )
            self._failed = 0
        status = found.status.value
        if status != self._status:
            self._log.info("Runway task %s: %s", self.runway_task_id, status)
            add_span_event("runway.status", status=status)
            self._status = status
        return status

    def ended(self, decision: Finished | GaveUp) -> None:
        """Log that the wait is over, here.

        :param decision: how.
        """
        word = ending_word(decision)
        seconds = time.monotonic() - self._began
        self._log.info(
            "Runway task %s: %s, after %d read(s) in %.0f s of waiting here.",
            self.runway_task_id,
            word,
            self._looks,
            seconds,
        )
        add_span_event("runway.ended", status=word, reads=self._looks)


#: How a wait ended without the server's last word.
_GIVEN_UP = {ErrorKind.TASK_TIMEOUT: "TIMED_OUT", ErrorKind.TASK_LOST: "LOST"}


def ending_word(decision: Finished | GaveUp) -> str:
    """How a wait ended, in one word.

    :param decision: the last one.
    """
    if isinstance(decision, Finished):
        return decision.task.status.value
    return _GIVEN_UP.get(decision.error.kind, "GAVE_UP")


def count_ending(decision: Finished | GaveUp) -> None:
    """Count a wait that ended in this worker, and what its generation cost.

    :param decision: how it ended.
    """
    word = ending_word(decision)
    count(IN_WORKER, "runway.finished", status=word)
    if isinstance(decision, Finished) and decision.task.cost_credits:
        count(IN_WORKER, "runway.credits", decision.task.cost_credits, status=word)
