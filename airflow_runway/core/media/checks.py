"""Which input files are refused before anything is sent, and which only make us warn.

Refused is what every source agrees on; where documents contradict each other, or only third parties were seen to
say so, the server decides and the log holds a warning. The limits, and who says so: contracts §15.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from airflow_runway.core.facts import CoreError, ErrorKind, core_error
from airflow_runway.core.limits import LARGEST_INLINE
from airflow_runway.core.media.references import Source, inline_of, output_of
from airflow_runway.core.media.types import family, sniff
from airflow_runway.core.redaction import redact

if TYPE_CHECKING:
    from airflow_runway.core.media.references import Reference
    from airflow_runway.core.protocol.gateways import Gateway

#: Characters of a web address, and of a ``runway://`` URI (contracts §15).
LONGEST_ADDRESS: Final = 2048
LONGEST_UPLOAD_URI: Final = 5000
#: Width divided by height of an image (contracts §15: seen, not documented).
NARROWEST, WIDEST = 0.5, 2.0
#: Pixels of an image's side (contracts §15: seen, not documented).
LONGEST_SIDE: Final = 8000

_IMAGES = frozenset({"image/png", "image/jpeg", "image/webp"})
#: The one field whose aspect ratio the server was seen to complain about; elsewhere it is a warning.
_RATIO_MATTERS = "promptImage"


@dataclass(frozen=True, slots=True)
class File:
    """What is known of a file before it is sent."""

    size: int
    #: By its first bytes; ``None`` if they are no media that we know.
    media_type: str | None
    #: Width and height in pixels, where they could be found out.
    pixels: tuple[int, int] | None = None


def check_address(reference: Reference, gateway: Gateway, *, insecure: bool) -> list[str]:
    """Judge a reference by itself, whatever lies behind it.

    :param reference: the reference.
    :param gateway: who is to get it.
    :param insecure: whether the connection itself is plain HTTP: an emulator, whose own addresses are too.
    :returns: warnings.
    :raises CoreError: if it is certain to be refused.
    """
    uri, source = reference.uri, reference.source
    if source is Source.NONE:
        raise file_refused(
            reference,
            "is no media reference. Give an https:// URL, a runway:// or data: URI, a file in storage (s3://..., "
            "file:///..., /...), or runway-task://<id> for the output of an earlier generation",
        )
    if source is Source.OUTPUT and output_of(uri) is None:
        raise file_refused(
            reference, "should be runway-task://<runway task id>, or runway-task://<runway task id>#<index>"
        )
    if source is Source.UPLOAD and len(uri) > LONGEST_UPLOAD_URI:
        raise file_refused(reference, f"is longer than {LONGEST_UPLOAD_URI} characters")
    if source is Source.UPLOAD and gateway.uploads is None:
        return [
            f"{reference.field}: {gateway.title} documents no uploads; a runway:// URI may mean nothing to it."
        ]
    if source is not Source.WEB:
        return []
    if len(uri) > LONGEST_ADDRESS and gateway.uploads is not None:
        raise file_refused(
            reference,
            f"is a URL of more than {LONGEST_ADDRESS} characters, which Runway does not take. Name the file in your "
            "storage instead (s3://...), and it is uploaded",
        )
    if uri[:5].lower() == "http:" and not insecure:
        if gateway.uploads is not None:
            raise file_refused(reference, "is an http:// URL; Runway fetches only https://")
        return [f"{reference.field}: an http:// URL, where {gateway.title} documents https://."]
    return []


def check_file(reference: Reference, file: File) -> list[str]:
    """Judge a file that is at hand.

    :param reference: how the request names it.
    :param file: what is known of it.
    :returns: warnings.
    :raises CoreError: if it is certain to be refused.
    """
    if not file.size:
        raise file_refused(reference, "is empty")
    if file.media_type is None:
        raise file_refused(
            reference, "is no image, video or sound: its first bytes are those of no known format"
        )
    kind = family(file.media_type)
    if reference.kind and kind != reference.kind:
        raise file_refused(reference, f"is {file.media_type}, where {_a(reference.kind)} is wanted")
    if kind == "image":
        if file.media_type not in _IMAGES:
            raise file_refused(reference, f"is {file.media_type}; Runway takes PNG, JPEG and WebP")
        return _check_pixels(reference, file.pixels)
    return []


def check_inline(reference: Reference) -> list[str]:
    """Judge a ``data:`` URI.

    :param reference: the reference.
    :returns: warnings.
    :raises CoreError: if it is certain to be refused.
    """
    if len(reference.uri) > LARGEST_INLINE:
        raise file_refused(
            reference,
            f"is a data: URI of {len(reference.uri)} characters; {LARGEST_INLINE} are taken. Name the file in your "
            "storage instead (s3://..., file:///...), and it is uploaded",
        )
    inline = inline_of(reference.uri)
    if inline is None or not inline.media_type:
        raise file_refused(reference, "is a broken data: URI. It should be data:<media type>;base64,<data>")
    found = sniff(inline.content)
    warnings = check_file(reference, File(len(inline.content), inline.media_type))
    if found is not None and found != inline.media_type:
        warnings.append(
            f"{reference.field}: says {redact(inline.media_type, limit=40)} and looks like {found}."
        )
    return warnings


def _check_pixels(reference: Reference, pixels: tuple[int, int] | None) -> list[str]:
    if pixels is None:
        return []
    width, height = pixels
    complaints = []
    if not NARROWEST <= width / height <= WIDEST:
        complaint = f"is {width}x{height}: width divided by height should be {NARROWEST:g} to {WIDEST:g}"
        if _RATIO_MATTERS in reference.place:
            raise file_refused(reference, complaint)
        complaints.append(f"{reference.field}: {complaint}; the gateway decides.")
    if max(pixels) > LONGEST_SIDE:
        complaints.append(
            f"{reference.field}: is {width}x{height}: more than {LONGEST_SIDE} pixels a side may be refused."
        )
    return complaints


def file_refused(reference: Reference, why: str) -> CoreError:
    """The error for a file that cannot be sent.

    :param reference: how the request names it.
    :param why: continues the sentence "It ...".
    """
    return core_error(
        ErrorKind.MEDIA_REFUSED,
        f"{reference.field} ({shown(reference)}) {why}. Nothing was sent and nothing was charged.",
    )


def shown(reference: Reference) -> str:
    """A reference as logs and errors may repeat it: no content, no signature, no credential.

    :param reference: the reference.
    """
    if reference.source is Source.INLINE:
        return "a data: URI"
    if reference.source is Source.OUTPUT:
        return reference.uri[:240]
    return redact(reference.uri, limit=240)


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
