"""``dry_run=True``: everything that a submission does before it spends money, and then a report instead of money.

A dry run walks the very code of a real run: route and connection are checked, media are read, the journal is read
and decided upon, a recorded generation is looked at. It does so over a hook that can only read
(:mod:`airflow_runway.hooks._read_only`) and a journal whose writes stay in this process (:class:`Unwritten`). So
there is no POST that creates, no upload, no cancellation, and no record, not even of the dry run itself.

**It ends as skipped** (``AirflowSkipException``), with its findings in the log and in XCom ``runway_dry_run``. It
could return them instead, but what comes after it, a sensor or a transfer, takes the return value for a Runway task
id. A made-up id would be asked for at the gateway until a time-out; ``None`` would fail tasks that have nothing
wrong with them, retries and alarms included. Skipping is Airflow's own word for "this did not happen, and so the
rest does not either": downstream tasks are skipped by their trigger rules, at no cost, and ``runway_task_id`` and
``return_value`` stay empty. A downstream task that runs all the same (``trigger_rule="all_done"``) finds no id and
fails with ``RunwayConfigurationError`` before it asks anybody. The price of that: in a chain of generations only the
first is looked at, since the others need an output that does not exist.

**It answers for a clear.** A task that was skipped runs for real only after somebody has cleared it, and that is
what it reports on: with ``on_clear="reuse"`` a finished generation would be given back, with ``"regenerate"`` paid
for anew.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NoReturn, cast

from airflow_runway.core.redaction import redact
from airflow_runway.exceptions import RunwayConfigurationError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_runway._base_operator import RunwayOperatorBase
    from airflow_runway.core.journal.forecast import BatchForecast, SubmissionForecast
    from airflow_runway.hooks._read_only import ReadOnlyHook

XCOM_RUNWAY_DRY_RUN = "runway_dry_run"


def checked_flag(value: object) -> bool | str:
    """``dry_run`` as an author gave it; checked when the Dag is parsed.

    :param value: a flag, or a template that becomes one.
    :raises ValueError: if it is neither.
    """
    if not isinstance(value, bool | str):
        raise ValueError(f"dry_run must be True, False or a template of one of them, not {value!r}")
    return value


def is_asked_for(value: object) -> bool:
    """``dry_run`` after rendering. In doubt nothing is spent.

    :param value: a flag, or the text that a template was rendered to.
    :raises RunwayConfigurationError: it is neither yes nor no; nothing was sent.
    """
    words = {"true": True, "false": False}
    told = redact(value, limit=40)
    flag = words.get(told.lower())
    if flag is None:
        raise RunwayConfigurationError(
            f"dry_run is {told!r}, neither True nor False. Nothing was sent. Is the name in its template "
            "right?"
        )
    return flag


class Unwritten:
    """A journal that is read from Airflow's task state store and written nowhere.

    :param store: ``task_state_store`` of the task's context.
    """

    def __init__(self, store: Any) -> None:
        self._store = store
        self._changes: dict[str, Any] = {}

    def get(self, key: str, default: Any = None) -> Any:
        """What is stored, or what a real run would have stored by now.

        :param key: its name.
        :param default: what is given where there is nothing.
        """
        if key in self._changes:
            value = self._changes[key]
            return default if value is None else copy.deepcopy(value)
        return self._store.get(key, default)

    def set(self, key: str, value: Any, **_: Any) -> None:
        """Remember a value for this process.

        :param key: its name.
        :param value: plain JSON.
        """
        self._changes[key] = copy.deepcopy(value)

    def delete(self, key: str) -> None:
        """Forget a value for this process.

        :param key: its name.
        """
        self._changes[key] = None


class _AfterAClear:
    """A task instance as the try after the next clear will see it."""

    def __init__(self, ti: Any) -> None:
        self._ti = ti
        most = getattr(ti, "max_tries", None)
        self.max_tries = None if most is None else most + 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ti, name)


def read_only(operator: RunwayOperatorBase, context: Context) -> tuple[ReadOnlyHook, Context]:
    """Take everything out of an operator's hands that spends, changes or writes.

    :param operator: whose hook is replaced.
    :param context: of the task that runs.
    :returns: the new hook, and a context with a journal that is not written.
    """
    from airflow_runway.hooks._read_only import ReadOnlyHook

    hook = ReadOnlyHook(operator.runway_conn_id, operator.media_from)
    operator.hook = hook
    safe = dict(context)
    safe["ti"] = safe["task_instance"] = _AfterAClear(context["ti"])
    store = safe.get("task_state_store")
    if store is not None:
        safe["task_state_store"] = Unwritten(store)
    return hook, cast("Context", safe)


def end(context: Context, found: SubmissionForecast | BatchForecast, headline: str) -> NoReturn:
    """Hand over the findings, and end the task as skipped.

    :param context: of the task that runs.
    :param found: for XCom.
    :param headline: the findings in one line.
    :raises AirflowSkipException: always.
    """
    from airflow.providers.common.compat.sdk import AirflowSkipException

    context["ti"].xcom_push(key=XCOM_RUNWAY_DRY_RUN, value=found)
    raise AirflowSkipException(
        f"{headline} Nothing was sent, uploaded or written down, and nothing was charged. Details: XCom "
        f"{XCOM_RUNWAY_DRY_RUN!r}. To run for real, set dry_run=False and clear this task."
    )


def credits_in_words(number: float | None) -> str:
    """An estimate in words.

    :param number: credits; ``None`` = nobody knows.
    """
    return "at a price that is not known yet" if number is None else f"for an estimated {number:g} credits"
