"""Finding and ending processes by their session.

Every component leads a session of its own. Workers and task runners move to other process groups, lose their
parents and rename themselves, but they stay in the session that they were born in.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_PAUSE_SECONDS = 0.05


def session_members(sessions: Collection[int]) -> list[int]:
    """The living processes of some sessions.

    :param sessions: session ids, that is the process ids of their leaders.
    :returns: process ids, zombies left out.
    """
    psutil = import_module("psutil")  # a dependency of Airflow, without type hints
    members = []
    for pid in psutil.pids():
        with contextlib.suppress(OSError, psutil.Error):
            if os.getsid(pid) in sessions and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                members.append(pid)
    return members


def signal_all(pids: Collection[int], number: int) -> None:
    """Send a signal to each process that still exists.

    :param pids: process ids.
    :param number: the signal.
    """
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def kill_sessions(sessions: Collection[int], *, seconds: float = 5.0) -> list[int]:
    """SIGKILL whatever lives in some sessions, until nothing does.

    :param sessions: session ids.
    :param seconds: how long to insist, in seconds.
    :returns: process ids that survived; empty unless the system is in trouble.
    """
    deadline = time.monotonic() + seconds
    while members := session_members(sessions):
        signal_all(members, signal.SIGKILL)
        if time.monotonic() > deadline:
            break
        time.sleep(_PAUSE_SECONDS)
    return members
