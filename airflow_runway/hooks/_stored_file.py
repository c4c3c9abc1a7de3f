"""Files in the team's own storage, read where that is allowed: size, digest, type, pixels."""

from __future__ import annotations

import contextlib
import hashlib
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from airflow_runway._probing.prober import UnmeasuredError
from airflow_runway.core.limits import LARGEST_INLINE, LARGEST_UPLOAD
from airflow_runway.core.media.checks import File, file_refused, shown
from airflow_runway.core.media.types import HEAD, family, sniff
from airflow_runway.exceptions import RunwayMediaError, runway_errors
from airflow_runway.hooks._media_from import unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_runway._probing.prober import Prober
    from airflow_runway.core.media.references import Reference
    from airflow_runway.hooks._media_from import MediaFrom

_PIECE = 2**20


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that was read once, to its end."""

    reference: Reference
    facts: File
    #: Hexadecimal digest of the content.
    sha256: str
    #: Opens it again.
    media_from: MediaFrom = field(repr=False, compare=False)
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
        file, _ = self.media_from.opened(self.reference.uri, named(self.reference))
        with file:
            for piece in _pieces(self.reference, file):
                digest.update(piece)
                size += len(piece)
                if size > self.facts.size:
                    break
                yield piece
        if digest.hexdigest() != self.sha256:
            raise RunwayMediaError(
                f"{named(self.reference)} changed while it was being sent. No generation was asked for and nothing "
                "was charged; a retry reads it anew."
            )


@runway_errors()
def read(reference: Reference, media_from: MediaFrom, prober: Prober) -> StoredFile:
    """Read a file once, to its end, in constant memory.

    :param reference: its place in storage, and the field that names it.
    :param media_from: opens it, if that is allowed.
    :param prober: measures pictures.
    :raises RunwayMediaError: it is not allowed, not there, or cannot be read now.
    :raises RunwayMediaRefusedError: it is larger than anything that can be sent, or no storage goes by that name.
    """
    file, size = media_from.opened(reference.uri, named(reference))
    with file:
        if size > LARGEST_UPLOAD:
            raise file_refused(
                reference, f"has {size} bytes; {LARGEST_UPLOAD} is the most that can be uploaded"
            )
        # What grows meanwhile is not kept beyond what may travel inside a request.
        kept: list[bytes] | None = [] if size <= LARGEST_INLINE else None
        digest, count, head = hashlib.sha256(), 0, b""
        for piece in _pieces(reference, file):
            if len(head) < HEAD:
                head += piece[:HEAD]
            digest.update(piece)
            count += len(piece)
            if count > LARGEST_UPLOAD:
                raise file_refused(
                    reference, f"has more than {LARGEST_UPLOAD} bytes, the most that can be uploaded"
                )
            kept = [*kept, piece] if kept is not None and count <= LARGEST_INLINE else None
    content = b"".join(kept) if kept is not None else None
    media_type = sniff(head)
    facts = File(count, media_type)
    if media_type and family(media_type) == "image":
        facts = File(count, media_type, _pixels(reference, facts, content, media_from, prober))
    return StoredFile(reference, facts, digest.hexdigest(), media_from, content)


def named(reference: Reference) -> str:
    """A file as errors begin with it: its field and its place.

    :param reference: the reference.
    """
    return f"{reference.field} ({shown(reference)})"


def _pieces(reference: Reference, file: BinaryIO) -> Iterator[bytes]:
    while True:
        try:
            piece = file.read(_PIECE)
        except Exception as error:
            raise unreadable(named(reference), error) from None
        if not piece:
            return
        yield piece


def _pixels(
    reference: Reference, facts: File, content: bytes | None, media_from: MediaFrom, prober: Prober
) -> tuple[int, int] | None:
    """Width and height, if Pillow is there and can tell; what it cannot read is the server's to judge."""
    again = (
        io.BytesIO(content) if content is not None else media_from.opened(reference.uri, named(reference))[0]
    )
    with again, contextlib.suppress(UnmeasuredError):
        found = prober.measure(again, facts.size, facts.media_type or "")
        if (width := found.get("width")) and (height := found.get("height")):
            return width, height
    return None
