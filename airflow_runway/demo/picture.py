"""The picture that becomes a clip: checked against what Runway takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_runway.demo.errors import DemoInputError

if TYPE_CHECKING:
    from pathlib import Path

#: Runway's limit for an image behind a URL.
MAX_BYTES = 16 * 1024 * 1024
#: Runway's limits for width divided by height.
MIN_ASPECT, MAX_ASPECT = 0.5, 2.0
_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that passed all checks."""

    #: A file name with the extension that its content has, whatever the file was called.
    name: str
    content: bytes
    width: int
    height: int


def load_picture(path: Path) -> Picture:
    """Read a picture and check it against Runway's limits.

    :param path: a JPEG, PNG or WebP file.
    :returns: the picture.
    :raises DemoInputError: one sentence that names the file and the remedy.
    """
    content = _read(path)
    kind, width, height = _decode(path, content)
    aspect = width / height
    if not MIN_ASPECT <= aspect <= MAX_ASPECT:
        raise DemoInputError(
            f"{path} is {width}x{height} pixels, width/height {aspect:.2f}; Runway takes {MIN_ASPECT:g} to "
            f"{MAX_ASPECT:g}: crop it, for example to 1280x720."
        )
    return Picture(path.stem + _SUFFIXES[kind], content, width, height)


def _read(path: Path) -> bytes:
    if not path.exists():
        raise DemoInputError(
            f"{path} does not exist: check the path, or leave it out for a built-in picture."
        )
    if not path.is_file():
        raise DemoInputError(f"{path} is not a file: name one JPEG, PNG or WebP picture.")
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise DemoInputError(
                f"{path} has {size / 1024**2:.1f} MB; Runway takes {MAX_BYTES // 1024**2} MB at most: "
                "make it smaller or save it as JPEG."
            )
        return path.read_bytes()
    except OSError as error:
        raise DemoInputError(f"{path} cannot be read ({error.strerror}): check its permissions.") from None


def _decode(path: Path, content: bytes) -> tuple[str, int, int]:
    import io

    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            kind, (width, height) = image.format or "", image.size
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise DemoInputError(
            f"{path} is not a picture that can be decoded: save it anew as JPEG, PNG or WebP."
        ) from None
    if kind not in _SUFFIXES:
        raise DemoInputError(f"{path} is a {kind} file; Runway takes JPEG, PNG and WebP: convert it to one.")
    return kind, width, height
