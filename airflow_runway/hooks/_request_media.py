"""The media of a request: looked at before anything is decided, made ready right before it is sent.

*Looking* reads what lies in the team's storage, checks it, and gives every file a name by its content: the request's
fingerprint is taken over those names, so that a changed image is a changed request, and the same image at another
place, or under a new signature, is not. *Making ready* puts small files into the body, uploads larger ones, and
reads earlier generations for fresh links. The bytes live in this process only: not in XCom, rendered fields, logs or
the journal.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import ObjectStoragePath

from airflow_runway._probing.prober import Prober
from airflow_runway.core.limits import LARGEST_INLINE, READ_ATTEMPTS, SMALLEST_UPLOAD
from airflow_runway.core.media.checks import (
    check_address,
    check_file,
    check_inline,
    file_refused,
    shown,
)
from airflow_runway.core.media.references import (
    Reference,
    Source,
    as_inline,
    identity_of,
    identity_of_content,
    inline_length,
    output_of,
    references_in,
    replaced,
)
from airflow_runway.core.protocol.bodies import checked_body
from airflow_runway.core.protocol.endings import Cancelled, Failed, Succeeded, ending_of
from airflow_runway.core.protocol.gateways import checked_task_id
from airflow_runway.exceptions import (
    RunwayMediaError,
    RunwayMediaRefusedError,
    RunwayReadError,
    RunwayReadRefusedError,
    runway_errors,
)
from airflow_runway.hooks import _stored_file
from airflow_runway.hooks._uploads import Uploads

if TYPE_CHECKING:
    from airflow_runway.core.media.references import Place
    from airflow_runway.hooks._media_from import MediaFrom
    from airflow_runway.hooks._ports import MediaHook
    from airflow_runway.hooks._stored_file import StoredFile


class RequestWithMedia:
    """A request whose media have been looked at and found fit.

    :param payload: the body as the author wrote it.
    :param identity: the body with names by content in place of its media; what a fingerprint is taken over.
    :param files: what lies in storage, by place.
    :param media: makes it ready.
    """

    def __init__(
        self,
        payload: Mapping[str, Any],
        identity: Mapping[str, Any],
        files: Mapping[Place, StoredFile],
        media: RequestMedia,
    ) -> None:
        self.identity = identity
        self.payload = payload
        self.files = files
        self._media = media

    def body(self) -> dict[str, Any]:
        """The body as it can be sent: everything in it can be fetched by the gateway, or is there.

        :raises RunwayMediaError: an upload failed, or an earlier generation has not ended; nothing was sent.
        :raises RunwayMediaRefusedError: a file cannot be sent to this gateway, or an earlier generation failed.
        """
        return self._media.ready(self.payload, self.files)


class RequestMedia:
    """Looks at the media of requests, and makes them ready.

    :param hook: the connection that the requests go to.
    :param media_from: opens files.
    """

    def __init__(self, hook: MediaHook, media_from: MediaFrom) -> None:
        self._hook = hook
        self._media_from = media_from
        self._prober = Prober()
        self.uploads = Uploads(hook)

    @runway_errors()
    def look(self, payload: Mapping[str, Any]) -> RequestWithMedia:
        """Read and check every file that a request names. No request is made to the gateway.

        :param payload: the body as the author wrote it.
        :raises RunwayMediaError: a file cannot be read now.
        :raises RunwayMediaRefusedError: a file is none that the gateway would take.
        """
        payload = _with_plain_paths(checked_body(payload, is_path=is_path))
        names: dict[Place, str] = {}
        files: dict[Place, StoredFile] = {}
        for reference in references_in(payload):
            file = self._checked(reference)
            if file is not None:
                files[reference.place] = file
                names[reference.place] = identity_of_content(file.sha256)
            else:
                names[reference.place] = identity_of(reference) or reference.uri
        return RequestWithMedia(payload, replaced(payload, names), files, self)

    def _checked(self, reference: Reference) -> StoredFile | None:
        settings = self._hook.settings
        warnings = check_address(
            reference, settings.gateway, insecure=settings.base_url.startswith("http://")
        )
        file = None
        if reference.source is Source.INLINE:
            warnings += check_inline(reference)
        elif reference.source is Source.STORAGE:
            file = _stored_file.read(reference, self._media_from, self._prober)
            warnings += check_file(reference, file.facts)
        for warning in warnings:
            self._hook.log.warning("%s", warning)
        return file

    @runway_errors()
    def upload(self, path_or_uri: str) -> str:
        """See :meth:`~airflow_runway.hooks.runway.RunwayHook.upload`.

        :param path_or_uri: the file.
        """
        reference = Reference(path_or_uri, "", ("upload",))
        if reference.source is not Source.STORAGE:
            raise file_refused(reference, "is no file in storage (s3://..., file:///..., /...)")
        gateway = self._hook.settings.gateway
        if gateway.uploads is None:
            raise file_refused(reference, f"cannot be uploaded: {gateway.title} documents no uploads")
        file = self._checked(reference)
        assert file is not None  # noqa: S101 - for the type checker; it lies in storage
        return self.uploads.uri_of(file)

    @runway_errors()
    def ready(self, payload: Mapping[str, Any], files: Mapping[Place, StoredFile]) -> dict[str, Any]:
        """See :meth:`RequestWithMedia.body`.

        :param payload: the body as the author wrote it.
        :param files: what lies in storage, by place.
        """
        values: dict[Place, str] = {}
        room = LARGEST_INLINE
        for reference in references_in(payload):
            if (file := files.get(reference.place)) is not None:
                value = self._sent(file, room)
                room -= len(value)
                values[reference.place] = value
            elif reference.source is Source.OUTPUT:
                values[reference.place] = self._link(reference)
        body: dict[str, Any] = replaced(payload, values)
        return body

    def _sent(self, file: StoredFile, room: int) -> str:
        """A file in the form in which it travels.

        :param room: characters that inline files of this request may still take, where there are uploads.
        """
        gateway, reference = self._hook.settings.gateway, file.reference
        length = inline_length(file.media_type, file.facts.size)
        uploads = gateway.uploads is not None
        inline = length <= (room if uploads and file.facts.size >= SMALLEST_UPLOAD else LARGEST_INLINE)
        if inline and file.content is not None:
            how, value = "inside the request", as_inline(file.media_type, file.content)
        elif uploads:
            how, value = "as an ephemeral upload", self.uploads.uri_of(file)
        else:
            raise file_refused(
                reference,
                f"has {file.facts.size} bytes, {length} characters as a data: URI; {gateway.title} takes "
                f"{LARGEST_INLINE} and documents no uploads. Give an https:// URL that it can fetch, e.g. "
                "a presigned one",
            )
        self._hook.log.info(
            "%s: %s, %s, %d bytes, travels %s.",
            reference.field,
            shown(reference),
            file.media_type,
            file.facts.size,
            how,
        )
        return value

    def _link(self, reference: Reference) -> str:
        """A fresh link to the output of an earlier generation."""
        runway_task_id, index = output_of(reference.uri) or ("", 0)
        where = f"{reference.field} wants output {index} of Runway task {runway_task_id}"
        told = f"{reference.field}: Runway task {runway_task_id}"
        try:
            task = self._hook.get_task(checked_task_id(runway_task_id), attempts=READ_ATTEMPTS)
        except RunwayReadRefusedError as error:
            raise RunwayMediaRefusedError(
                f"{where}, which cannot be read. Nothing was sent. {error.message}",
                summary=f"{told} cannot be read",
                next_step="Check the connection, then clear this task",
            ) from None
        except RunwayReadError as error:
            raise RunwayMediaError(
                f"{where}, which could not be read. Nothing was sent. {error.message}",
                summary=f"{told} could not be read",
            ) from None
        ending = ending_of(task)
        if isinstance(ending, Failed | Cancelled):
            raise RunwayMediaRefusedError(
                f"{where}, which is not there. Nothing was sent. {ending.error}",
                summary=f"{told} has no output",
                next_step="Make that one again, then clear this task",
            )
        if not isinstance(ending, Succeeded):
            raise RunwayMediaError(
                f"{where}, which is {task.status}. Nothing was sent and nothing was charged. Put a RunwayTaskSensor "
                "before this task; a retry looks again.",
                summary=f"{told} is {task.status}",
                next_step="Put a RunwayTaskSensor before this task",
            )
        if index >= len(task.output):
            raise RunwayMediaRefusedError(
                f"{where}, which has {len(task.output)} output(s), counted from 0. Nothing was sent and nothing was "
                "charged.",
                summary=f"{told} has no output {index}",
                next_step="Correct the reference, then clear",
            )
        return task.output[index]


def is_path(value: object) -> bool:
    """Whether a value names a file without being a text, e.g. what an upstream task returned.

    :param value: of a body.
    """
    return isinstance(value, ObjectStoragePath | os.PathLike)


def _with_plain_paths(value: Any) -> Any:
    """Path objects, e.g. what an upstream task returned, as the text that names them."""
    if is_path(value):
        return str(value)
    if isinstance(value, Mapping):
        return {name: _with_plain_paths(inside) for name, inside in value.items()}
    return [_with_plain_paths(item) for item in value] if isinstance(value, list | tuple) else value
