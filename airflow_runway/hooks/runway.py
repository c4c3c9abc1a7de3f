"""The hook: credential, Base URL and routes of one connection of type ``runway``."""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING, Any

import tenacity

from airflow_runway.core.journal import submission as journal
from airflow_runway.core.journal.accounts import AccountInUse
from airflow_runway.core.limits import EVIDENCE_TIMEOUT, READ_ATTEMPTS
from airflow_runway.core.protocol import exchanges
from airflow_runway.core.protocol.bodies import checked_body
from airflow_runway.core.protocol.connection import doubt_about_key
from airflow_runway.core.protocol.routers import read_router_requests
from airflow_runway.exceptions import RunwayError, RunwayReadRefusedError, runway_errors
from airflow_runway.hooks import _create
from airflow_runway.hooks._lookups import LooksUp
from airflow_runway.hooks._media_from import MediaFrom
from airflow_runway.hooks._request_media import RequestMedia, is_path
from airflow_runway.hooks._retries import LONGEST_PAUSE_IN_WORKER, SUBMIT_ATTEMPTS, reread, resend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_runway.core.models import CancelOutcome, RunwayTask, Submission
    from airflow_runway.core.protocol.calls import Call, Exchange
    from airflow_runway.core.protocol.connection import ConnectionSettings
    from airflow_runway.core.protocol.gateways import Endpoint
    from airflow_runway.core.protocol.routers import RoutedRequest
    from airflow_runway.hooks._request_media import RequestWithMedia


class RunwayHook(LooksUp):
    """Talks to Runway, or to a gateway that resells it, over one Airflow connection.

    :param runway_conn_id: id of a connection of type ``runway``.
    :param media_from: prefixes below which files of a request must lie, e.g. ``["s3://aws_default@briefs/",
        "file:///srv/keyframes/"]``; within ``[runway] media_from``, if that is configured. Without either, files on
        object storage may be read, and local ones may not.
    """

    conn_name_attr = "runway_conn_id"
    default_conn_name = "runway_default"
    conn_type = "runway"
    hook_name = "Runway"

    def __init__(
        self, runway_conn_id: str = default_conn_name, media_from: Sequence[str] | str | None = None
    ) -> None:
        super().__init__(runway_conn_id)
        self.media_from = MediaFrom(media_from)
        self._known_at: dict[str, Endpoint] = {}
        #: Pause between tries of a submission that was not taken; tests put ``wait_none`` here.
        self.pause_between_tries = tenacity.wait_random_exponential(multiplier=1, max=10)
        #: How a submission pauses between tries, in seconds; an operator ends the pause when it is told to stop.
        self.sleep_between_tries: Callable[[float], None] = tenacity.nap.sleep

    def submit(self, route: str, payload: Mapping[str, Any]) -> Submission:
        """Create a generation. This spends money.

        One POST, sent again only where the gateway provably did not take it (no connection, or 429 with a
        short Retry-After).

        :param route: the official path after ``/v1/``, e.g. ``image_to_video``.
        :param payload: the JSON body. Media may be references (:mod:`airflow_runway.core.media.references`): files in
            storage are uploaded or put into the body, outputs of earlier generations become fresh links.
        :returns: the id, and the estimate where the gateway gives one.
        :raises RunwayMediaError: a file could not be had or is none that would be taken; nothing was sent.
        :raises RunwaySubmissionError: it was refused; nothing is charged.
        :raises RunwayAmbiguousSubmissionError: nobody knows; it may be charged. Do not repeat blindly.
        """
        return self.send(route, self.prepare(payload).body())

    def prepare(self, payload: Mapping[str, Any]) -> RequestWithMedia:
        """Look at the media that a request names: read from storage, checked, named by content. Free.

        :param payload: the JSON body.
        :raises RunwayMediaError: a file cannot be read now.
        :raises RunwayMediaRefusedError: a file is none that the gateway would take.
        """
        return self._media.look(payload)

    def prepare_create(self, route: str, body: Mapping[str, Any]) -> None:
        """Do all of :meth:`send` that can fail without the network, before an intent is written. Free.

        :param route: see :meth:`submit`.
        :param body: the JSON body.
        :raises RunwayConfigurationError: naming the route, field, file, host or proxy that stands in the way.
        """
        with runway_errors():
            _create.check(self.settings, _create_call(self.settings, route, body))

    def longest_create(self, route: str, body: Mapping[str, Any]) -> float:
        """The most seconds that :meth:`send` can take, with all its tries; no request is made.

        :param route: see :meth:`submit`.
        :param body: the JSON body.
        """
        with runway_errors():
            once = _create.longest(self.settings, _create_call(self.settings, route, body))
        return SUBMIT_ATTEMPTS * once + (SUBMIT_ATTEMPTS - 1) * LONGEST_PAUSE_IN_WORKER

    def send(self, route: str, body: Mapping[str, Any]) -> Submission:
        """:meth:`submit` a body as it is, e.g. one that :meth:`prepare` made ready. This spends money.

        :param route: see there.
        :param body: the JSON body.
        """
        again = tenacity.Retrying(**resend(self), sleep=self.sleep_between_tries)
        return again(lambda: self.run_exchange(_submission(self.settings, route, body)))

    async def asubmit(self, route: str, payload: Mapping[str, Any]) -> Submission:
        """:meth:`submit` for an event loop.

        :param route: see there.
        :param payload: see there.
        """
        async with self.kept_open() as session:
            # Object storage is read by blocking calls, in a thread, where the connection cannot be looked up.
            self._settings = self._settings or await session.settings()
            body = await asyncio.to_thread(lambda: self.prepare(payload).body())
        return await self.asend(route, body)

    async def asend(self, route: str, body: Mapping[str, Any]) -> Submission:
        """:meth:`send` for an event loop.

        :param route: see there.
        :param body: see there.
        """
        again = tenacity.AsyncRetrying(**resend(self))
        return await again(self.arun_exchange, lambda settings: _submission(settings, route, body))

    def upload(self, path_or_uri: str) -> str:
        """Make an ephemeral upload of a file. Free.

        :param path_or_uri: a file in storage, as any URL of ``ObjectStoragePath``, or an absolute local path;
            512 bytes to 200 MiB, an image, video or sound.
        :returns: its ``runway://`` URI, which any request of the next 24 hours may name.
        :raises RunwayMediaError: it could not be read or uploaded now.
        :raises RunwayMediaRefusedError: it is no such file, or the gateway documents no uploads.
        """
        return self._media.upload(path_or_uri)

    def get_task(self, runway_task_id: str, *, attempts: int = 1) -> RunwayTask:
        """Read a generation once. Free.

        :param runway_task_id: the id that :meth:`submit` returned.
        :param attempts: tries in all, with growing pauses, where a read fails in passing.
        :raises RunwayReadError: no readable answer; the generation is untouched.
        """
        again = tenacity.Retrying(**reread(self, attempts))
        return again(
            lambda: self.run_exchange(
                exchanges.read_task(self.settings.gateway, runway_task_id, self._known_at)
            )
        )

    async def aget_task(self, runway_task_id: str) -> RunwayTask:
        """:meth:`get_task` for an event loop; one attempt.

        :param runway_task_id: see there.
        """
        return await self.arun_exchange(
            lambda settings: exchanges.read_task(settings.gateway, runway_task_id, self._known_at)
        )

    def cancel_task(self, runway_task_id: str) -> CancelOutcome:
        """Cancel a generation, unless it has ended: reads first, since deleting a result destroys it.

        :param runway_task_id: the id that :meth:`submit` returned.
        :returns: what became of it. Trouble on the way is an outcome, not an exception.
        """
        return self.run_exchange(exchanges.cancel_task(self.settings.gateway, runway_task_id))

    async def acancel_task(self, runway_task_id: str) -> CancelOutcome:
        """:meth:`cancel_task` for an event loop.

        :param runway_task_id: see there.
        """
        return await self.arun_exchange(
            lambda settings: exchanges.cancel_task(settings.gateway, runway_task_id)
        )

    def get_organization(self) -> dict[str, Any]:
        """Balance, limits and use of the account, as the official API gives them. Free.

        :raises RunwayConfigurationError: on a gateway without such a route.
        :raises RunwayReadError: no readable answer.
        """
        return self.run_exchange(exchanges.get_organization(self.settings.gateway))

    def router_requests(self, slug: str, since: float) -> tuple[RoutedRequest, ...]:
        """What a router of ``generate/*`` has passed on to a model. Free; a few tries, with growing pauses.

        :param slug: of the router: what a request has as ``configId``.
        :param since: wall clock, seconds since the epoch; of what is older, not all may be given.
        :raises RunwayConfigurationError: on a gateway without such a list.
        :raises RunwayReadError: it could not be read; "could not read" is never "nothing there".
        """
        again = tenacity.Retrying(**reread(self, READ_ATTEMPTS))
        return again(lambda: self.run_exchange(read_router_requests(self.settings.gateway, slug, since)))

    def test_connection(self) -> tuple[bool, str]:
        """Whether gateway and key go together, for Airflow's connection form. Free.

        :returns: success, and a sentence without any secret.
        """
        try:
            return True, self.run_exchange(exchanges.check_connection(self.settings.gateway))
        except RunwayReadRefusedError as error:
            return False, f"{error.message} {doubt_about_key(self.settings)}".rstrip()
        except RunwayError as error:
            return False, error.message

    def check_account(self) -> tuple[str, ...]:
        """:meth:`test_connection` in sentences: that the key is accepted, balance, every limit. Free.

        :raises RunwayReadError: it is not, or nobody answered.
        """
        return self.run_exchange(exchanges.check_account(self.settings.gateway, most_models=100))

    def account_figures(self, model: object = None) -> dict[str, float]:
        """Balance and today's count of a model, where the gateway tells them: evidence, gathered in passing.

        :param model: the model to count.
        :returns: ``credits`` and ``today``, as far as known; empty on any trouble.
        """
        if self.settings.gateway.organization is None:
            return {}
        try:
            account = self.detached(EVIDENCE_TIMEOUT).get_organization()
        except RunwayError:
            return {}
        usage = account.get("usage")
        models = usage.get("models") if isinstance(usage, dict) else None
        today = models.get(model) if isinstance(models, dict) and isinstance(model, str) else None
        figures = {
            "credits": account.get("creditBalance"),
            "today": today.get("dailyGenerations") if isinstance(today, dict) else None,
        }
        return {name: float(value) for name, value in figures.items() if isinstance(value, int | float)}

    def fingerprint(self, route: str, payload: Mapping[str, Any]) -> str:
        """What makes two requests over this connection the same; no request is made.

        :param route: the route's name.
        :param payload: the JSON body as its author wrote it, or with names by content in place of its media.
        :raises RunwayConfigurationError: it is none; nothing was sent.
        """
        with runway_errors():
            payload = checked_body(payload, is_path=is_path)
            if not isinstance(route, str):
                exchanges.known_route(self.settings.gateway, route)
        return journal.fingerprint(self.settings.gateway.name, self.runway_conn_id, route, payload)

    @property
    def account(self) -> AccountInUse:
        """Whose money it is: origin and key of the connection, to be compared with what a record keeps."""
        return AccountInUse(self.settings.base_url, self.settings.api_key)

    def check_route(self, route: str) -> None:
        """Whether the gateway has a route; no request is made.

        :param route: the route's name.
        :raises RunwayConfigurationError: it has not; the message lists those that it has.
        """
        with runway_errors():
            exchanges.known_route(self.settings.gateway, route)

    def task_url(self, runway_task_id: str) -> str:
        """Where a person can look at a generation; no request is made.

        :param runway_task_id: the id that :meth:`submit` returned.
        """
        settings = self.settings
        if settings.is_resold:
            return settings.base_url + settings.gateway.reads[0].address(runway_task_id)
        return settings.gateway.portal

    @cached_property
    def _media(self) -> RequestMedia:
        return RequestMedia(self, self.media_from)


def _submission(settings: ConnectionSettings, route: str, payload: Mapping[str, Any]) -> Exchange[Submission]:
    return exchanges.submit(settings.gateway, route, payload, _fallback(settings))


def _create_call(settings: ConnectionSettings, route: str, payload: Mapping[str, Any]) -> Call:
    return exchanges.create_call(settings.gateway, route, payload, _fallback(settings))


def _fallback(settings: ConnectionSettings) -> dict[str, str | None]:
    return {"callback_url": settings.callback_url}
