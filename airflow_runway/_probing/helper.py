"""The process that looks into files, by PyAV or Pillow (extra ``media``): their measures, and stills of them.

It runs as a script, imports nothing of this package, and has one connection: a socket as its standard input. Over it
come requests, and the pieces of a file that it asks for; a file's path or address never does. Its measures are what
the container's header says, so that a file is not read as a whole; for stills it is.

A message is four bytes of length, big-endian, and so many of JSON or, as answer to a read, of the file::

    -> {"paths": [...]}                              once: where Python finds PyAV and Pillow
    -> {"container": "mov", "size": 1900000, "memory": 268435456, "seconds": 20}
    <- {"read": [0, 65536]}                          and its answer, as often as needed
    <- {"found": {"width": 1280, ...}}  or  {"trouble": "MemoryError"}

and where the request has ``"frames"`` (of the contact sheet)::

    <- {"stills": [81000, 64000]}                    bytes of the poster and of the sheet, each a message that follows
"""

from __future__ import annotations

import importlib.util
import io
import json
import math
import os
import socket
import struct
import sys
import time
from pathlib import Path
from typing import IO, Any, Final

#: Stands for a picture where a container is named.
PICTURE: Final = "picture"
#: The most bytes that one read asks for.
MOST_PER_READ: Final = 2**18
_BUFFER: Final = 2**16
#: Bytes that FFmpeg may read to find out what is in a container.
_PROBE_BYTES: Final = 2**20
#: FFmpeg counts the duration of a container in these, per second.
_MICROSECONDS: Final = 1_000_000
_PICTURES: Final = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "AVIF")
#: The part of a file's time in which a contact sheet must come to an end.
_OF_ITS_TIME: Final = 0.7


def receive(connection: socket.socket, most: int) -> bytes:
    """One message.

    :param connection: the socket.
    :param most: bytes that it may have.
    :raises EOFError: the other side is gone.
    :raises ValueError: it is longer.
    """
    (length,) = struct.unpack("!I", _exactly(connection, 4))
    if length > most:
        raise ValueError(f"a message of {length} bytes")
    return _exactly(connection, length)


def _exactly(connection: socket.socket, length: int) -> bytes:
    found = bytearray()
    while len(found) < length:
        piece = connection.recv(length - len(found))
        if not piece:
            raise EOFError
        found += piece
    return bytes(found)


def send(connection: socket.socket, message: bytes) -> None:
    """Send one message.

    :param connection: the socket.
    :param message: the bytes.
    """
    connection.sendall(struct.pack("!I", len(message)) + message)


class ServedFile(io.RawIOBase):
    """A file whose pieces the other side reads.

    :param connection: the socket.
    :param size: its bytes.
    """

    def __init__(self, connection: socket.socket, size: int) -> None:
        self._connection = connection
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move.

        :param offset: bytes.
        :param whence: from where.
        """
        self._at = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence])
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read.

        :param buffer: takes the bytes.
        :returns: how many they are.
        """
        count = max(0, min(len(buffer), self._size - self._at, MOST_PER_READ))
        if count:
            send(self._connection, json.dumps({"read": [self._at, count]}).encode())
            piece = receive(self._connection, count)
            count = len(piece)
            buffer[:count] = piece
            self._at += count
        return count


def measured(file: IO[bytes], container: str) -> dict[str, float]:
    """What can be found out about a file.

    :param file: open for reading, seekable.
    :param container: :data:`PICTURE`, or what FFmpeg calls its container: it must not guess, nor follow playlists.
    :returns: some of ``width``, ``height`` (pixels), ``duration`` (seconds), ``fps``.
    """
    return _picture(file) if container == PICTURE else _clip(file, container)


def _picture(file: IO[bytes]) -> dict[str, float]:
    from PIL import Image

    with Image.open(file, formats=_PICTURES) as image:
        return {"width": image.width, "height": image.height}


def _clip(file: IO[bytes], container: str) -> dict[str, float]:
    found: dict[str, float] = {}
    with _opened(file, container) as opened:
        duration = _positive((opened.duration or 0) / _MICROSECONDS)
        for stream in opened.streams.video[:1]:
            if stream.width:
                found["width"] = stream.width
            if stream.height:
                found["height"] = stream.height
            if (fps := _positive(as_float(stream.average_rate))) is not None:
                found["fps"] = fps
            own = _positive((stream.duration or 0) * as_float(stream.time_base))
            duration = duration if own is None else own
    if duration is not None:
        found["duration"] = duration
    return found


def _opened(file: IO[bytes], container: str) -> Any:
    import av

    options = {"probesize": str(_PROBE_BYTES), "analyzeduration": "1000000"}
    return av.open(file, "r", format=container, options=options)


def _stills(file: IO[bytes], container: str, frames: int, until: float) -> tuple[bytes, bytes]:
    # A file beside this one, which is run without a package.
    spec = importlib.util.spec_from_file_location("stills", Path(__file__).with_name("stills.py"))
    stills: Any = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(stills)  # type: ignore[union-attr]
    if container == PICTURE:
        poster, sheet = stills.of_picture(file, _PICTURES)
    else:
        with _opened(file, container) as opened:
            poster, sheet = stills.of_clip(opened, frames, until)
    return poster, sheet


def as_float(rational: Any) -> float:
    """A fraction as a number: ``fractions.Fraction`` up to PyAV 18, a type of its own from 19 on.

    :param rational: has ``numerator`` and ``denominator``, or can be turned into a float; ``None`` is unknown.
    :returns: its value; 0.0 where it is unknown or has none.
    """
    if rational is None:
        return 0.0
    numerator, denominator = getattr(rational, "numerator", None), getattr(rational, "denominator", None)
    if numerator is None or denominator is None:
        return float(rational)
    return float(numerator / denominator) if denominator else 0.0


def _positive(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) and value > 0 else None


def _confine(memory: int, seconds: int) -> None:
    """Take no more than this from now on; what a library has beyond is refused, or ends this process."""
    import resource

    # As a file of length 0: nothing is ever written by this process, and no core is left of it.
    for limit in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
        resource.setrlimit(limit, (0, 0))
    used = math.ceil(time.process_time())
    limits = {resource.RLIMIT_CPU: used + seconds}
    if (now := _memory()) is not None:
        data, resident = now
        limits[resource.RLIMIT_DATA] = data + max(0, memory - resident)
    for limit, most in limits.items():
        hard = resource.getrlimit(limit)[1]
        resource.setrlimit(limit, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _memory() -> tuple[int, int] | None:
    """Bytes of private data and of resident memory, as Linux counts them; ``None`` elsewhere."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            lines = dict(line.split(":", 1) for line in status if line.startswith(("VmData", "VmRSS")))
        return tuple(int(lines[name].split()[0]) * 1024 for name in ("VmData", "VmRSS"))  # type: ignore[return-value]
    except (OSError, KeyError, ValueError):
        return None


def _answer(connection: socket.socket, request: dict[str, Any]) -> tuple[dict[str, Any], tuple[bytes, ...]]:
    file = io.BufferedReader(ServedFile(connection, request["size"]), _BUFFER)
    try:
        # What is loaded by then does not count.
        frames = request.get("frames")
        if request["container"] != PICTURE:
            __import__("av")
        if request["container"] == PICTURE or frames is not None:
            __import__("PIL.Image")
        _confine(request["memory"], request["seconds"])
        if frames is None:
            return {"found": measured(file, request["container"])}, ()
        until = time.monotonic() + request["seconds"] * _OF_ITS_TIME
        stills = _stills(file, request["container"], frames, until)
        return {"stills": [len(one) for one in stills]}, stills
    except ConnectionError:
        raise
    except BaseException as trouble:
        return {"trouble": type(trouble).__name__}, ()


def main() -> None:
    """Answer requests until the other side is gone."""
    connection = socket.socket(fileno=0)
    try:
        sys.path[:] = json.loads(receive(connection, 2**20))["paths"]
        while True:
            request = json.loads(receive(connection, 2**12))
            answer, pictures = _answer(connection, request)
            for message in (json.dumps(answer).encode(), *filter(None, pictures)):
                send(connection, message)
    except (EOFError, OSError):
        return


if __name__ == "__main__":
    main()
