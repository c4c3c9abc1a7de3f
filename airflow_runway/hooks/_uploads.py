"""Ephemeral uploads: a file goes to the place that the gateway names, as a form, streamed, without our key.

Two steps (contracts §1.5): ask for a slot, then send a form with every field of the slot first and the
file last. Both are free. If the second fails, a new slot is asked for.
"""

from __future__ import annotations

import re
import secrets
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
import tenacity

from airflow_runway.core.limits import SMALLEST_UPLOAD
from airflow_runway.core.media.checks import file_refused, shown
from airflow_runway.core.media.types import EXTENSIONS
from airflow_runway.core.protocol import exchanges
from airflow_runway.core.redaction import redact
from airflow_runway.exceptions import RunwayMediaError, RunwayMediaRefusedError, runway_errors
from airflow_runway.hooks._address_guard import (
    AddressGuard,
    ForbiddenAddressError,
    addresses,
    asked_for,
    origin,
)
from airflow_runway.hooks._deadline import Deadline
from airflow_runway.hooks._least_speed import LeastSpeed, configured
from airflow_runway.hooks._network import request_options
from airflow_runway.hooks._retries import reupload

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_runway.core.protocol.calls import UploadSlot
    from airflow_runway.hooks._ports import MediaHook
    from airflow_runway.hooks._stored_file import StoredFile

#: Seconds for which an upload may be named again: an hour less than the 24 that it lives (contracts §1.5), so
#: that a request which waits for its turn still finds it.
LIFETIME = 23 * 3600.0
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class Uploads:
    """The uploads of one hook; a content that was uploaded lately is not uploaded again.

    :param hook: the connection.
    """

    def __init__(self, hook: MediaHook) -> None:
        self._hook = hook
        self._made: dict[str, tuple[str, float]] = {}

    @runway_errors()
    def uri_of(self, file: StoredFile) -> str:
        """Upload a file, unless that was done less than 23 hours ago.

        :param file: a checked file.
        :returns: its ``runway://`` URI.
        :raises RunwayMediaError: it did not work now; nothing was charged.
        :raises RunwayMediaRefusedError: and would not another time.
        """
        uri, until = self._made.get(file.sha256, ("", 0.0))
        if time.time() < until:
            return uri
        if file.facts.size < SMALLEST_UPLOAD:
            raise file_refused(
                file.reference, f"has {file.facts.size} bytes; an upload needs {SMALLEST_UPLOAD}"
            )
        # From the beginning of the upload, to be on the safe side.
        until = time.time() + LIFETIME
        uri = tenacity.Retrying(**reupload(self._hook))(self._upload, file)
        self._made[file.sha256] = (uri, until)
        return uri

    def _upload(self, file: StoredFile) -> str:
        slot = self._hook.run_exchange(
            exchanges.reserve_upload(self._hook.settings.gateway, filename_of(file))
        )
        self._fill(slot, file)
        return slot.uri

    def _fill(self, slot: UploadSlot, file: StoredFile) -> None:
        settings = self._hook.settings
        plain = urlsplit(slot.url).scheme != "https"
        if plain and not settings.base_url.startswith("http://"):
            raise RunwayMediaRefusedError(
                f"{settings.gateway.title} wants uploads at {redact(slot.url)}, which is no https:// address. "
                "Nothing was sent and nothing was charged.",
                summary=f"{settings.gateway.title} wants uploads at no https:// address",
                next_step="Ask the gateway's support",
            )
        form, deadline = Form(slot.fields, file), Deadline(settings.timeout)
        form.speed = speed = LeastSpeed(deadline, configured(), patience=settings.timeout)
        with requests.Session() as session:
            # An auth object of our own keeps a .netrc entry from adding a credential.
            session.auth = lambda request: request
            session.headers["Content-Type"] = form.content_type
            guard = AddressGuard(origin(settings.base_url))
            guard.private = guard.home_is_private
            session.mount("http://", guard.adapter())
            session.mount("https://", guard.adapter())
            try:
                url = asked_for(slot.url)
                _, host, port = origin(url)
                guard.check(host, addresses(host, port))
                with deadline:
                    answer = session.post(url, data=form, **request_options(settings))
            except (ValueError, ForbiddenAddressError) as error:
                raise RunwayMediaRefusedError(
                    f"{settings.gateway.title} wants uploads at {redact(slot.url)}, which is not gone to: {error}. "
                    "Nothing was sent and nothing was charged.",
                    summary=f"{settings.gateway.title} wants uploads at a forbidden address",
                    next_step="Ask the gateway's support",
                ) from None
            except (requests.RequestException, OSError) as error:
                raise _unsent(file, str(speed) if speed.is_too_slow else type(error).__name__) from None
            with answer:
                if deadline.expired:
                    # Its head was cut off, which the library takes for its end.
                    raise _unsent(file, "no whole answer in time")
                if not 200 <= answer.status_code < 300:
                    raise _unsent(file, f"HTTP {answer.status_code}")


def filename_of(file: StoredFile) -> str:
    """A harmless name with the extension that its content asks for.

    :param file: a checked file.
    """
    name = urlsplit(file.reference.uri).path.rpartition("/")[2].rpartition(".")[0]
    stem = _UNSAFE.sub("_", name).strip("._")[:80]
    return f"{stem or 'media'}{EXTENSIONS[file.media_type]}"


def _unsent(file: StoredFile, why: str) -> RunwayMediaError:
    return RunwayMediaError(
        f"{file.reference.field} ({shown(file.reference)}) could not be uploaded ({why}). No generation was asked "
        "for and nothing was charged; a retry uploads it again."
    )


class Form:
    """A ``multipart/form-data`` body in constant memory, for requests: readable, with a known length.

    :param fields: stand before the file, as object storage asks.
    :param file: comes last, under the name ``file``.
    """

    def __init__(self, fields: Mapping[str, str], file: StoredFile) -> None:
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        ]
        parts.append(
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{filename_of(file)}"\r\n'
            f"Content-Type: {file.media_type}\r\n\r\n"
        )
        before, after = "".join(parts).encode(), f"\r\n--{boundary}--\r\n".encode()
        self._length = len(before) + file.facts.size + len(after)
        self._rest = b""
        #: Watches that it is taken fast enough.
        self.speed: LeastSpeed | None = None
        self._under_way = 0
        self._pieces = self._all(before, file, after)

    @staticmethod
    def _all(before: bytes, file: StoredFile, after: bytes) -> Iterator[bytes]:
        yield before
        yield from file.pieces()
        yield after

    def __len__(self) -> int:
        return self._length

    def read(self, size: int = -1) -> bytes:
        """The next bytes.

        :param size: the most; negative = all.
        """
        if self.speed is not None:
            self.speed.moved(self._under_way)
        while size < 0 or len(self._rest) < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._rest += piece
        taken, self._rest = (self._rest, b"") if size < 0 else (self._rest[:size], self._rest[size:])
        self._under_way = len(taken)
        if self.speed is not None:
            self.speed.begin() if taken else self.speed.end()
        return taken


def _quoted(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
