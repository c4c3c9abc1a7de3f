"""Files of this machine, opened where it is allowed: judged where a path leads, and reached by following no link."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Sequence

#: On Linux a folder that may only be passed through can be stepped into; elsewhere it must be readable.
_STEP = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


def opened_below(path: str, folders: Sequence[Sequence[str]]) -> tuple[BinaryIO, int, str]:
    """A regular file, opened for reading, its size in bytes, and where it really is.

    It is opened step by step from the root, so that nobody exchanges a folder in between, and without waiting.

    :param path: absolute.
    :param folders: lists of folders; it must be below one of each, and there must be one.
    :raises PermissionError: it is not, or not there, or no regular file.
    """
    try:
        real = os.path.realpath(path, strict=True)
        if not folders or not all(_is_below(real, each) for each in folders):
            raise PermissionError
        descriptor = _stepped_to(real)
    except (OSError, ValueError):
        raise PermissionError from None
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise PermissionError
    return open(descriptor, "rb"), found.st_size, real


def _is_below(real: str, folders: Sequence[str]) -> bool:
    return any(Path(real).is_relative_to(os.path.realpath(folder)) for folder in folders)


def _stepped_to(real: str) -> int:
    """Open a path in which nothing is a link; descriptors of the way there are closed."""
    *folders, name = Path(real).parts[1:]
    at = os.open("/", _STEP)
    try:
        for folder in folders:
            below = os.open(folder, _STEP, dir_fd=at)
            os.close(at)
            at = below
        return os.open(name, _FILE, dir_fd=at)
    finally:
        os.close(at)
