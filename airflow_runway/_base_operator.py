"""What every operator and sensor of this provider shares: its hook, expired deferrals, checks of arguments."""

from __future__ import annotations

import math
from datetime import timedelta
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from airflow.providers.common.compat.sdk import conf
from airflow.sdk import BaseOperator

from airflow_runway._compat import TaskDeferralTimeout
from airflow_runway.core.limits import SHORTEST_INTERVAL
from airflow_runway.core.media.places import read_prefixes
from airflow_runway.exceptions import RunwayError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow.sdk import Context

    from airflow_runway.core.saving.lineage import Lineage
    from airflow_runway.hooks.runway import RunwayHook


_Operator = TypeVar("_Operator", bound=BaseOperator)
_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


def reported(
    method: Callable[Concatenate[_Operator, _Given], _Result],
) -> Callable[Concatenate[_Operator, _Given], _Result]:
    """A method that Airflow calls, whose errors are seen whole on the screen.

    Airflow's log view shows an error's text, below it a line per frame, and of all that the end. Our errors say where
    they come from; so their frames go into the DEBUG log, and the text stays on the screen.

    :param method: of an operator or sensor.
    """

    @wraps(method)
    def run(self: _Operator, /, *args: _Given.args, **kwargs: _Given.kwargs) -> _Result:
        try:
            return method(self, *args, **kwargs)
        except RunwayError as error:
            self.log.debug("Where the error came from", exc_info=True)
            raise error.with_traceback(None) from None

    return run


class TellsLineage(BaseOperator):
    """An operator that tells OpenLineage what it read and made."""

    def lineage(self) -> Lineage:
        """What it read and made, once it is done."""
        raise NotImplementedError

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """The same in OpenLineage's classes; asked for by OpenLineage's provider alone, also of a task that failed.

        :param task_instance: as that provider gives it.
        """
        from airflow_runway._lineage import operator_lineage

        try:
            return operator_lineage(self.lineage())
        except Exception as error:
            # Whatever is wrong with it was told by the task itself.
            self.log.debug("Nothing is told of lineage: %s", type(error).__name__)
            return None


class RunwayOperatorBase(TellsLineage):
    """An operator that works over one connection of type ``runway``."""

    runway_conn_id: str
    #: Below which prefixes media must lie; ``None`` where the author says nothing of it.
    media_from: Sequence[str] | str | None = None

    @cached_property
    def hook(self) -> RunwayHook:
        """The hook of this task's connection."""
        # Imported when work starts: Dag files are parsed all the time, and HTTP libraries are heavy.
        from airflow_runway.hooks.runway import RunwayHook

        return RunwayHook(self.runway_conn_id, self.media_from)

    @reported
    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Airflow's way back into a deferred task; a deferral that expired is our own deadline.

        :param next_method: the method that was deferred to.
        :param next_kwargs: its arguments, the trigger's event among them.
        """
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TaskDeferralTimeout:
            return self.deferral_expired(context)

    @property
    def gateway_name(self) -> str:
        """Whom its connection leads to."""
        return self.hook.settings.gateway.name

    def deferral_expired(self, context: Context) -> Any:
        """What Airflow's own time-out of a deferral comes to: the trigger did not report in time."""
        raise NotImplementedError


def tells_prompts() -> bool:
    """Whether prompts are told to OpenLineage: ``[runway] lineage_prompts``."""
    return bool(conf.getboolean("runway", "lineage_prompts", fallback=False))


def seconds(name: str, value: object, *, least: float = SHORTEST_INTERVAL) -> float:
    """An argument that is a time, in seconds; checked when the Dag is parsed.

    :param name: the argument's name.
    :param value: a number of seconds, or a ``timedelta``.
    :param least: the smallest that makes sense, in seconds.
    :raises ValueError: if it is no such time.
    """
    number = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(number, bool) or not isinstance(number, int | float) or not number >= least:
        raise ValueError(
            f"{name} must be at least {least:g} seconds (a number or a timedelta), not {value!r}"
        )
    return float(number)


def checked_prefixes(value: Sequence[str] | str | None) -> tuple[str, ...] | None:
    """An argument ``media_from``; checked when the Dag is parsed.

    :param value: prefixes, or ``None``.
    :raises ValueError: one of them is none.
    """
    return None if value is None else tuple(map(str, read_prefixes("media_from", value)))


def whole_number(name: str, value: int, *, least: int, most: float = math.inf) -> int:
    """An argument that is a whole number; checked when the Dag is parsed.

    :param name: the argument's name.
    :param value: what was given.
    :param least: the smallest that makes sense.
    :param most: the largest.
    :raises ValueError: if it is no such number.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        upto = "" if most == math.inf else f" to {most:g}"
        raise ValueError(f"{name} must be a whole number from {least}{upto}, not {value!r}")
    return value


def one_of(name: str, value: str, *words: str) -> str:
    """An argument that must be one of a few words; checked when the Dag is parsed.

    :param name: the argument's name.
    :param value: what was given.
    :param words: what it may be.
    :raises ValueError: if it is none of them.
    """
    if value not in words:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, words))}, not {value!r}")
    return value
