"""Files in the team's own storage, read through Airflow's ``ObjectStoragePath``: size, digest, type, pixels."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

from airflow.sdk import ObjectStoragePath

from airflow_runway.core.limits import LARGEST_INLINE, LARGEST_UPLOAD
from airflow_runway.core.media.checks import File, file_refused, shown
from airflow_runway.core.media.types import HEAD, family, sniff
from airflow_runway.core.redaction import redact
from airflow_runway.exceptions import RunwayMediaError, runway_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_runway.core.facts import CoreError
    from airflow_runway.core.media.references import Reference

_PIECE = 2**20


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that was read once, to its end."""

    reference: Reference
    facts: File
    #: Hexadecimal digest of the content.
    sha256: str
    #: The content itself, where it is small enough to travel inside a request.
    content: bytes | None = field(repr=False, default=None)

    @property
    def media_type(self) -> str:
        """Its media type, known once it has been checked."""
        return self.facts.media_type or "application/octet-stream"

    def pieces(self) -> Iterator[bytes]:
        """The content, read anew where it was not kept.

        :raises RunwayMediaError: it cannot be read any more, or is another one than before.
        """
        if self.content is not None:
            yield self.content
            return
        digest, size = hashlib.sha256(), 0
        with _opened(self.reference) as file:
            for piece in _pieces(self.reference, file):
                digest.update(piece)
                size += len(piece)
                if size > self.facts.size:
                    break
                yield piece
        if digest.hexdigest() != self.sha256:
            raise RunwayMediaError(
                f"{self.reference.field} ({shown(self.reference)}) changed while it was being sent. No generation "
                "was asked for and nothing was charged; a retry reads it anew."
            )


@runway_errors()
def read(reference: Reference) -> StoredFile:
    """Read a file once, to its end, in constant memory.

    :param reference: its place in storage, and the field that names it.
    :raises RunwayMediaError: it cannot be read now.
    :raises RunwayMediaRefusedError: it is larger than anything that can be sent, or no storage goes by that name.
    """
    path = _path(reference)
    try:
        size = int(path.stat().st_size)
    except (ValueError, ImportError) as error:
        # Where the path itself does not tell (before Airflow 3.2).
        raise _no_storage(reference, error) from None
    except Exception as error:
        raise _unreadable(reference, error) from None
    if size > LARGEST_UPLOAD:
        raise file_refused(reference, f"has {size} bytes; {LARGEST_UPLOAD} is the most that can be uploaded")
    kept: bytearray | None = bytearray() if size <= LARGEST_INLINE else None
    digest, count, head = hashlib.sha256(), 0, b""
    with _opened(reference) as file:
        for piece in _pieces(reference, file):
            if len(head) < HEAD:
                head += piece[:HEAD]
            digest.update(piece)
            count += len(piece)
            if count > LARGEST_UPLOAD:
                raise file_refused(
                    reference, f"has more than {LARGEST_UPLOAD} bytes, the most that can be uploaded"
                )
            if kept is not None:
                kept += piece
    content = bytes(kept) if kept is not None and count <= LARGEST_INLINE else None
    media_type = sniff(head)
    pixels = _pixels(reference, content) if media_type and family(media_type) == "image" else None
    return StoredFile(reference, File(count, media_type, pixels), digest.hexdigest(), content)


def _path(reference: Reference) -> ObjectStoragePath:
    try:
        return ObjectStoragePath(reference.uri)
    except Exception as error:
        raise _no_storage(reference, error) from None


def _no_storage(reference: Reference, error: Exception) -> CoreError:
    return file_refused(
        reference,
        f"cannot be opened: {type(error).__name__}: {redact(error, limit=160)}. Is the provider of that storage "
        "installed",
    )


def _opened(reference: Reference) -> BinaryIO:
    path = _path(reference)
    try:
        opened: BinaryIO = path.open("rb")
    except Exception as error:
        raise _unreadable(reference, error) from None
    return opened


def _pieces(reference: Reference, file: BinaryIO) -> Iterator[bytes]:
    while True:
        try:
            piece = file.read(_PIECE)
        except Exception as error:
            raise _unreadable(reference, error) from None
        if not piece:
            return
        yield piece


def _pixels(reference: Reference, content: bytes | None) -> tuple[int, int] | None:
    """Width and height, if Pillow is there and can tell; only the header is decoded."""
    try:
        from PIL import Image
    except ImportError:
        return None
    try:
        source: Any = io.BytesIO(content) if content is not None else _opened(reference)
        with source, Image.open(source) as image:
            return int(image.width), int(image.height)
    except Exception:
        # A header that Pillow cannot read is the server's to judge.
        return None


def _unreadable(reference: Reference, error: Exception) -> RunwayMediaError:
    return RunwayMediaError(
        f"{reference.field} ({shown(reference)}) could not be read: {type(error).__name__}: "
        f"{redact(error, limit=160)}. Nothing was sent and nothing was charged; a retry reads it again."
    )
