"""The rule for input files that were tidied away.

A file that is no longer there must not keep a paid generation from being picked up: the request is then taken for a
recorded one that is written in the same words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from airflow_runway.core.reports import summary
from airflow_runway.exceptions import RunwayMediaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from airflow_runway.hooks._ports import PreparedRequest, SubmittingHook
    from airflow_runway.telemetry import Log


class WrittenDown(Protocol):
    """A record of a request."""

    @property
    def as_written(self) -> str:
        """Fingerprint of the request as its author wrote it."""


R = TypeVar("R", bound=WrittenDown)


def prepare_or_match(
    hook: SubmittingHook,
    payload: Mapping[str, object],
    *,
    as_written: str,
    recorded: Iterable[R],
    log: Log,
    accept: Callable[[R], bool] = lambda _: True,
) -> PreparedRequest | R:
    """A request with its media looked at; where they cannot be, the record of a request in the same words.

    :param hook: the connection.
    :param payload: the JSON body as its author wrote it.
    :param as_written: its fingerprint.
    :param recorded: what is recorded.
    :param log: the task's log.
    :param accept: whether a record may be taken; several requests may be written alike.
    :raises RunwayMediaError: a file cannot be had, and nothing is recorded in these words.
    """
    try:
        return hook.prepare(payload)
    except RunwayMediaError as error:
        for record in recorded:
            if record.as_written == as_written and accept(record):
                log.warning("%s. Taking the request for the recorded one, though.", summary(error.facts))
                return record
        raise
