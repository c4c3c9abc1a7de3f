"""Measures and stills of strangers' files, found out by :mod:`airflow_runway._probing.helper`.

A hostile header can ask FFmpeg or Pillow for gigabytes, or for minutes, or find a fault in them. So that happens in
a process that has 256 MiB, 20 seconds and a socket, and that is replaced when it has to be killed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import math
import socket
import subprocess
import sys
import threading
import time
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from airflow_runway._probing import helper
from airflow_runway.core.media.types import sniff
from airflow_runway.core.saving.manifest import Measures

if TYPE_CHECKING:
    from collections.abc import Callable

#: Bytes that the process may take, and seconds that one file may take.
MEMORY: Final = 256 * 2**20
SECONDS: Final = 20
#: The same for stills, which need whole frames (8K HEVC), and the bytes that a still may have.
STILLS_MEMORY: Final = 2**30
STILLS_SECONDS: Final = 60
_LARGEST_STILL: Final = 8 * 2**20
#: Processes that may be replaced before no further file is looked into.
_MOST_REPLACED: Final = 3
_LONGEST_MESSAGE: Final = 2**12
#: No picture or clip has more than that of pixels a side, or of seconds or frames a second.
_LARGEST: Final = {"width": 2**20, "height": 2**20, "duration": 10.0**7, "fps": 10.0**4}

#: Media type → what FFmpeg calls its container, or that it is a picture; other files are not looked into.
CONTAINERS: Final = {
    "image/png": helper.PICTURE,
    "image/jpeg": helper.PICTURE,
    "image/webp": helper.PICTURE,
    "image/gif": helper.PICTURE,
    "image/tiff": helper.PICTURE,
    "image/avif": helper.PICTURE,
    "video/mp4": "mov",
    "video/quicktime": "mov",
    "audio/mp4": "mov",
    "video/webm": "matroska",
    "video/x-matroska": "matroska",
    "video/ogg": "ogg",
    "audio/ogg": "ogg",
    "video/x-msvideo": "avi",
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/flac": "flac",
    "audio/aac": "aac",
    "audio/aiff": "aiff",
}


class UnmeasuredError(Exception):
    """A file could not be looked into; says why, in the words of our own process."""


@dataclass(frozen=True, slots=True)
class Stills:
    """JPEG files."""

    poster: bytes
    #: ``None`` where there is none: of a picture, or where none was asked for.
    contact_sheet: bytes | None


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked about a file, and what may be spent on the answer."""

    container: str
    #: Bytes, and seconds.
    memory: int
    seconds: float
    #: Of a contact sheet; ``None`` = its measures are asked for.
    frames: int | None = None

    def as_json(self, size: int) -> dict[str, Any]:
        asked = {"container": self.container, "size": size, "memory": self.memory}
        asked["seconds"] = math.ceil(self.seconds) + 1
        return asked if self.frames is None else {**asked, "frames": self.frames}


class Prober:
    """Looks into files, one at a time, in one process that is started when it is first needed.

    :param memory: bytes that the process may take.
    :param seconds: that one file may take.
    """

    def __init__(self, memory: int = MEMORY, seconds: float = SECONDS) -> None:
        self._memory = memory
        self._seconds = seconds
        self._lock = threading.Lock()
        self._process: _Process | None = None
        self._replaced = 0
        self._closed = False

    def measure(self, file: IO[bytes], size: int, media_type: str) -> Measures:
        """What can be found out about a file.

        :param file: open for reading, seekable.
        :param size: its bytes.
        :param media_type: what its first bytes say it is.
        :returns: some of ``width``, ``height`` (pixels), ``duration`` (seconds), ``fps``; empty where PyAV, or for
            pictures Pillow, is not installed, and for kinds of files that are not looked into.
        :raises UnmeasuredError: its header could not be read, or not within bounds.
        """
        container = CONTAINERS.get(media_type)
        if container is None or not _is_installed("PIL" if container == helper.PICTURE else "av"):
            return {}
        answer, _ = self._ask(file, size, _Question(container, self._memory, self._seconds))
        if "found" not in answer:
            raise UnmeasuredError(_reason(answer, self._memory))
        return _checked(answer["found"])

    def stills(self, file: IO[bytes], size: int, media_type: str, frames: int) -> Stills | None:
        """The pictures by which a person knows a file.

        :param file: open for reading, seekable.
        :param size: its bytes.
        :param media_type: what its first bytes say it is.
        :param frames: of the contact sheet; 0 = none is made.
        :returns: ``None`` where PyAV or Pillow are not installed, and for files without pictures.
        :raises UnmeasuredError: none could be made, or not within bounds.
        """
        container = CONTAINERS.get(media_type)
        has_pictures = media_type.startswith(("image/", "video/")) and container is not None
        is_clip = container != helper.PICTURE
        if not has_pictures or not _is_installed("PIL") or (is_clip and not _is_installed("av")):
            return None
        question = _Question(container or "", STILLS_MEMORY, STILLS_SECONDS, frames)
        answer, pictures = self._ask(file, size, question)
        if not pictures or any(sniff(one) != "image/jpeg" for one in pictures):
            raise UnmeasuredError(_reason(answer, STILLS_MEMORY, "no picture of it can be made"))
        return Stills(pictures[0], pictures[1] if len(pictures) > 1 else None)

    def _ask(self, file: IO[bytes], size: int, question: _Question) -> tuple[dict[str, Any], list[bytes]]:
        with self._lock:
            return self._asked(file, size, question)

    def _asked(self, file: IO[bytes], size: int, question: _Question) -> tuple[dict[str, Any], list[bytes]]:
        if self._closed or self._replaced > _MOST_REPLACED:
            raise UnmeasuredError("too many files before it had to be given up")
        until = time.monotonic() + question.seconds
        may_be_spent = self._process is not None
        try:
            process = self._process = self._process or _Process()
            watchdog = threading.Timer(question.seconds, process.end)
            watchdog.daemon = True
            watchdog.start()
            try:
                return process.ask(question.as_json(size), _pieces_of(file, size))
            finally:
                watchdog.cancel()
        except UnmeasuredError:
            self._end()
            raise
        except (OSError, EOFError, ValueError, TypeError) as error:
            late = time.monotonic() >= until
            spent = may_be_spent and not late and self._process is not None and not self._process.has_replied
            self._end()
            self._replaced += 1
            if spent:
                # The file before was too much for it, though it had answered: this one was not even begun.
                return self._asked(file, size, question)
            raise UnmeasuredError(
                f"it took more than {question.seconds:g} s"
                if late
                else f"the process that looked into it ended ({type(error).__name__})"
            ) from None
        except BaseException:
            self._end()
            raise

    def _end(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None

    def close(self) -> None:
        """End the process; nothing is looked into any more. Does not wait for who is looking."""
        self._closed = True
        if (process := self._process) is not None:
            process.end()


class _Process:
    """One helper, and the socket that leads to it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            # Neither site nor a variable has a say in what is imported: the paths go over the socket.
            command = [sys.executable, "-I", "-S", "-B", str(Path(helper.__file__))]
            self._popen = subprocess.Popen(  # noqa: S603 - our own interpreter and file
                command,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"LANG": "C.UTF-8"},
                cwd="/",
                start_new_session=True,
            )
        self._socket = ours
        #: Whether anything came of the last request.
        self.has_replied = False
        self.end = weakref.finalize(self, _end, self._popen, ours)
        helper.send(ours, json.dumps({"paths": [path for path in sys.path if path]}).encode())

    def ask(
        self, request: dict[str, Any], piece: Callable[[int, int], bytes]
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Ask about a file, and give the pieces that are wanted.

        :param request: see the helper.
        :param piece: a piece of the file, by offset and length.
        :returns: the answer, and the pictures that belong to it.
        :raises EOFError: the process is gone, or was ended; also ``OSError``.
        """
        self.has_replied = False
        helper.send(self._socket, json.dumps(request).encode())
        while True:
            answer = json.loads(helper.receive(self._socket, _LONGEST_MESSAGE))
            self.has_replied = True
            if not isinstance(answer, dict) or "read" not in answer:
                answer = dict(answer)
                lengths = [length for length in answer.get("stills", []) if length]
                return answer, [helper.receive(self._socket, _LARGEST_STILL) for _ in lengths[:2]]
            offset, length = answer["read"]
            helper.send(self._socket, piece(int(offset), int(length)))


def _end(popen: subprocess.Popen[bytes], connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
    popen.kill()
    popen.wait()


def _pieces_of(file: IO[bytes], size: int) -> Callable[[int, int], bytes]:
    def piece(offset: int, length: int) -> bytes:
        if not (0 <= offset <= size and 0 <= length <= helper.MOST_PER_READ):
            raise ValueError("a read beyond the file")
        try:
            file.seek(offset)
            return file.read(length)
        except Exception as error:
            raise UnmeasuredError(f"it could not be read again ({type(error).__name__})") from None

    return piece


def _is_installed(library: str) -> bool:
    try:
        return importlib.util.find_spec(library) is not None
    except (ImportError, ValueError):
        return False


def _reason(answer: dict[str, Any], memory: int, what: str = "its header cannot be read") -> str:
    name = answer.get("trouble")
    told = f" ({name})" if isinstance(name, str) and name.isidentifier() else ""
    return f"{what} within {memory // 2**20} MiB{told}"


def _checked(found: object) -> Measures:
    """What the process says, as far as it can be true: it has met a stranger's file."""
    measures = Measures()
    for name, value in found.items() if isinstance(found, dict) else ():
        whole = name in {"width", "height"}
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            continue
        if name in _LARGEST and 0 < value <= _LARGEST[name]:
            measures[name] = value  # type: ignore[literal-required]
    return measures
