"""How ``recover`` speaks. What comes out of a file or an answer is a stranger's, and may hold anything."""

from __future__ import annotations

import getpass
import os
import shlex
import textwrap
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TextIO

from airflow_runway.core.redaction import redact

if TYPE_CHECKING:
    from airflow_runway.core.journal.entries import TaskKey
    from airflow_runway.core.journal.record import Record

_WIDTH: Final = 88
_LONGEST: Final = 250
#: Characters of a sentence that has such text in it.
SENTENCE: Final = 2_000


def clean(text: object, *, limit: int = _LONGEST) -> str:
    """Foreign text for a terminal: no secret, and nothing that steers it.

    :param text: anything.
    :param limit: the most characters to keep.
    """
    told = redact(text, limit=limit)
    return "".join(one if one.isprintable() else "�" for one in told)


def clock(seconds: float) -> str:
    """A wall clock in words.

    :param seconds: since the epoch.
    """
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, OSError, ValueError):
        return "at no time"


def credits_told(record: Record) -> str:
    """What a submission may have cost, in words.

    :param record: of the submission.
    """
    if record.charged_credits is not None:
        return f"{record.charged_credits:g} credits"
    if record.estimated_credits is not None:
        return f"at most {record.estimated_credits:g} credits"
    return "cost not known"


def say(text: str, to: TextIO, indent: str = "  ") -> None:
    """Print sentences, folded: terminals cut what stands far to the right.

    :param text: of ours, with foreign text in it.
    :param to: where to.
    :param indent: of all lines but the first.
    """
    told = "".join(one if one.isprintable() else "�" for one in text)
    for line in textwrap.wrap(told, _WIDTH, subsequent_indent=indent, break_on_hyphens=False):
        print(line, file=to, flush=True)


def put(line: str, to: TextIO) -> None:
    """Print a line as it is.

    :param line: with nothing foreign in it that was not cleaned.
    :param to: where to.
    """
    print(line, file=to, flush=True)


def words_for(task: TaskKey) -> str:
    """A task instance as words of a shell.

    :param task: the task instance.
    """
    return shlex.join(map(clean, task.words()))


def user() -> str:
    """Who runs the command, by the name that the system gives."""
    try:
        return clean(getpass.getuser())[:100]
    except (ImportError, KeyError, OSError):
        return f"uid {os.getuid()}"
