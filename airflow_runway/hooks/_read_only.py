"""A hook that can look at everything and cannot make, change or end anything: what a dry run works with.

The guard stands where calls leave, not where they are meant: whatever asks this hook for a request that is no
documented read gets :class:`NotReadOnlyError` before anything is sent.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from airflow_runway.core.media.references import Source, references_in
from airflow_runway.core.media.shape import Shape, shape_of
from airflow_runway.core.protocol.calls import NoAnswerError
from airflow_runway.hooks._request_media import RequestMedia
from airflow_runway.hooks._uploads import Uploads
from airflow_runway.hooks.runway import RunwayHook

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_runway.core.models import CancelOutcome, Submission
    from airflow_runway.core.protocol.calls import Call, Exchange
    from airflow_runway.core.protocol.connection import ConnectionSettings
    from airflow_runway.core.protocol.gateways import Gateway
    from airflow_runway.hooks._request_media import RequestWithMedia
    from airflow_runway.hooks._stored_file import StoredFile

T = TypeVar("T")


class NotReadOnlyError(Exception):
    """Something asked a dry run for a request that is no read; it was not sent. A fault of this provider."""


class ReadOnlyHook(RunwayHook):
    """A :class:`~airflow_runway.hooks.runway.RunwayHook` that only reads.

    :param runway_conn_id: id of a connection of type ``runway``.
    :param media_from: see there.
    """

    def __init__(
        self,
        runway_conn_id: str = RunwayHook.default_conn_name,
        media_from: Sequence[str] | str | None = None,
    ) -> None:
        super().__init__(runway_conn_id, media_from)
        #: What was prepared last, for those who get no more than its body.
        self.prepared: RequestWithMedia | None = None

    def prepare(self, payload: Mapping[str, Any]) -> RequestWithMedia:
        """Look at the media that a request names; its ``body()`` uploads nothing.

        :param payload: the JSON body.
        """
        self.prepared = super().prepare(payload)
        return self.prepared

    def shape(self, prepared: RequestWithMedia, body: Mapping[str, Any]) -> Shape:
        """What everybody may see of a request.

        :param prepared: the request, its media looked at.
        :param body: its body, as it would be sent.
        """
        inside = {reference.place for reference in references_in(body) if reference.source is Source.INLINE}
        files = {
            place: f"{file.media_type}, {file.facts.size} bytes, "
            f"{'inside the request' if place in inside else 'as an upload'}"
            for place, file in prepared.files.items()
        }
        return shape_of(prepared.payload, files)

    def send(self, route: str, body: Mapping[str, Any]) -> Submission:
        """Refuse.

        :param route: not asked.
        :param body: not sent.
        :raises NotReadOnlyError: always.
        """
        _refuse(f"a submission to {route}")

    async def asend(self, route: str, body: Mapping[str, Any]) -> Submission:
        """Refuse.

        :param route: not asked.
        :param body: not sent.
        :raises NotReadOnlyError: always.
        """
        _refuse(f"a submission to {route}")

    def upload(self, path_or_uri: str) -> str:
        """Refuse.

        :param path_or_uri: not uploaded.
        :raises NotReadOnlyError: always.
        """
        _refuse("an upload")

    def cancel_task(self, runway_task_id: str) -> CancelOutcome:
        """Refuse.

        :param runway_task_id: not cancelled.
        :raises NotReadOnlyError: always.
        """
        _refuse(f"the cancellation of Runway task {runway_task_id}")

    async def acancel_task(self, runway_task_id: str) -> CancelOutcome:
        """Refuse.

        :param runway_task_id: not cancelled.
        :raises NotReadOnlyError: always.
        """
        _refuse(f"the cancellation of Runway task {runway_task_id}")

    def run_exchange(self, exchange: Exchange[T]) -> T:
        """Run an exchange that only reads.

        :param exchange: what is to be said.
        """
        return super().run_exchange(_only_reading(exchange, self.settings.gateway))

    async def arun_exchange(self, begin: Callable[[ConnectionSettings], Exchange[T]]) -> T:
        """Run an exchange that only reads.

        :param begin: makes the exchange, once the connection is known.
        """
        return await super().arun_exchange(lambda settings: _only_reading(begin(settings), settings.gateway))

    @cached_property
    def _media(self) -> RequestMedia:
        media = RequestMedia(self, self.media_from)
        media.uploads = _NoUploads(self)
        return media


class _NoUploads(Uploads):
    """Checks what an upload would check, and makes none."""

    def _upload(self, file: StoredFile) -> str:
        return "runway://not-uploaded"


def _refuse(what: str) -> NoReturn:
    raise NotReadOnlyError(f"A dry run asked for {what}. It was not sent, and nothing was charged.")


def _only_reading(exchange: Exchange[T], gateway: Gateway) -> Exchange[T]:
    try:
        call = next(exchange)
        while True:
            if not _is_read(call, gateway):
                exchange.close()
                _refuse(f"{call.method} {call.path}")
            try:
                response = yield call
            except NoAnswerError as silence:
                call = exchange.throw(silence)
            else:
                call = exchange.send(response)
    except StopIteration as end:
        result: T = end.value
        return result


def _is_read(call: Call, gateway: Gateway) -> bool:
    """Some gateways read by POST; their path is then the whole address."""
    reads = {(row.method, row.path) for row in (*gateway.reads, gateway.usage) if row is not None}
    return call.method == "GET" or (call.method, call.path) in reads
