"""What the parts of a hook, and those who work with one, need of it: each asks for no more than it uses.

``RunwayHook`` has all of it; tests put something smaller in its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    from tenacity import RetryCallState

    from airflow_runway.core.journal.accounts import AccountInUse
    from airflow_runway.core.models import CancelOutcome, RunwayTask, Submission
    from airflow_runway.core.protocol.calls import Exchange
    from airflow_runway.core.protocol.connection import ConnectionSettings
    from airflow_runway.core.protocol.routers import RoutedRequest
    from airflow_runway.hooks._shared_session import SharedSession
    from airflow_runway.telemetry import Log

T = TypeVar("T")


class HasSettings(Protocol):
    """Knows the checked connection."""

    @property
    def settings(self) -> ConnectionSettings:
        """The checked connection."""


class PausesBetweenTries(Protocol):
    """Waits between tries, and says so."""

    #: Seconds between two tries.
    pause_between_tries: Callable[[RetryCallState], float]

    @property
    def log(self) -> Log:
        """Where a further try is announced."""


class RunsExchanges(HasSettings, PausesBetweenTries, Protocol):
    """Runs exchanges with the gateway in a worker."""

    def run_exchange(self, exchange: Exchange[T]) -> T:
        """Run one."""


class ReadsTasks(HasSettings, Protocol):
    """Reads generations."""

    def get_task(self, runway_task_id: str, *, attempts: int = 1) -> RunwayTask:
        """Read one."""


class CancelsTasks(Protocol):
    """Cancels generations."""

    def cancel_task(self, runway_task_id: str) -> CancelOutcome:
        """Cancel one, unless it has ended."""


class MediaHook(RunsExchanges, ReadsTasks, Protocol):
    """Uploads files and finds links: what the media of a request need."""


class PreparedRequest(Protocol):
    """A request whose media have been looked at and found fit."""

    #: The body with names by content in place of its media; what a fingerprint is taken over.
    identity: Mapping[str, object]

    def body(self) -> dict[str, object]:
        """The body as it can be sent."""


class SubmittingHook(ReadsTasks, CancelsTasks, Protocol):
    """Looks at requests and sends them."""

    runway_conn_id: str

    def fingerprint(self, route: str, payload: Mapping[str, object]) -> str:
        """What makes two requests the same."""

    def prepare(self, payload: Mapping[str, object]) -> PreparedRequest:
        """Look at the media that a request names."""

    def prepare_create(self, route: str, body: Mapping[str, object]) -> None:
        """Find out what would keep a create from being sent."""

    def longest_create(self, route: str, body: Mapping[str, object]) -> float:
        """The most seconds that a create can take."""

    def send(self, route: str, body: Mapping[str, object]) -> Submission:
        """Create a generation."""

    def router_requests(self, slug: str, since: float) -> tuple[RoutedRequest, ...]:
        """What a router has passed on to a model."""

    @property
    def account(self) -> AccountInUse:
        """Origin and key of the connection, to be compared with what a record keeps."""

    def account_figures(self, model: object = None) -> dict[str, float]:
        """Balance and today's count, as far as the gateway tells."""

    def detached(self, timeout: float) -> CancelsTasks:
        """The same connection over a session of its own, with less patience."""


class PollingHook(Protocol):
    """Opens the event loop's shared session of a connection."""

    runway_conn_id: str

    def kept_open(self) -> AbstractAsyncContextManager[SharedSession]:
        """Keep it open over several calls."""
