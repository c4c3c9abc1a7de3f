"""What one output of a task will be: a value. :mod:`airflow_runway.emulator.rendering` makes the file of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

#: Kind of an output → file name extension and MIME type.
_FILE_TYPES = {
    "video": ("mp4", "video/mp4"),
    "image": ("png", "image/png"),
    "audio": ("wav", "audio/wav"),
}


@dataclass(frozen=True, slots=True)
class SourceVideo:
    """A video that the emulator can read.

    :param file: where it is.
    :param size: width and height in pixels.
    :param seconds: its length.
    """

    file: Path
    size: tuple[int, int]
    seconds: float


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a creation can be rendered from.

    :param picture: the first picture that it names.
    :param video: the first readable video that it names.
    """

    picture: Path | None = None
    video: SourceVideo | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """All that decides the bytes of an output: equal jobs share one file.

    :param kind: ``video``, ``image`` or ``audio``.
    :param size: width and height in pixels, both even.
    :param seconds: length of a video or a sound.
    :param text: the prompt; drawn when there is no picture.
    :param picture: file of the checked prompt image, named by the digest of its content.
    :param video: the video whose frames it is made of.
    :param graded: whether those frames get other colours.
    """

    kind: str
    size: tuple[int, int]
    seconds: float
    text: str
    picture: Path | None = None
    video: SourceVideo | None = None
    graded: bool = False

    @property
    def extension(self) -> str:
        """File name extension without the dot."""
        return _FILE_TYPES[self.kind][0]

    @property
    def content_type(self) -> str:
        """The MIME type of the output."""
        return _FILE_TYPES[self.kind][1]

    @property
    def input_file(self) -> Path | None:
        """The file that it is made from, if it is made from one."""
        return self.picture or (self.video.file if self.video is not None else None)

    @property
    def digest(self) -> str:
        """A name for the file: equal for equal jobs, hexadecimal."""
        picture = self.picture.name if self.picture else ""
        video = f"{self.video.file} {self.graded}" if self.video else ""
        text = "\0".join((self.kind, str(self.size), f"{self.seconds:.3f}", picture, video, self.text))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
