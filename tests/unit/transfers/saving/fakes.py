"""A hook, a host, a fetcher and a sink that do as they are told."""

from __future__ import annotations

from collections import defaultdict, deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from unit.transfers.conftest import GOOD

from airflow_runway.core.saving.promises import Promise, Step
from airflow_runway.transfers._saving.fetching import BrokenOffError

if TYPE_CHECKING:
    from airflow_runway.core.protocol.connection import ConnectionSettings


@dataclass
class FakeResponse:
    """A body of some pieces, that may break off behind them."""

    promise: Promise
    body: tuple[bytes, ...]
    step: Step = Step.WHOLE
    breaks_off: bool = False

    def pieces(self):
        yield from self.body
        if self.breaks_off:
            raise BrokenOffError("the download broke off")


class FakeFetcher:
    """Gives each of its responses in turn; the last one is repeated."""

    def __init__(self, *responses):
        self.responses = list(responses)
        #: URL, headers and offset of each request.
        self.requests = []

    @contextmanager
    def open(self, url, headers, offset):
        self.requests.append((url, dict(headers), offset))
        response = self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]
        if isinstance(response, Exception):
            raise response
        yield response


@dataclass
class FakeSink:
    content: bytes = b""
    committed_size: int | None = None
    discarded: bool = False

    def write(self, piece):
        self.content += piece

    def commit(self, size):
        self.committed_size = size

    def discard(self):
        self.discarded = self.committed_size is None


class OneByteAtATime(FakeFetcher):
    """Gives a file, and breaks off after each byte."""

    def __init__(self, content):
        super().__init__()
        self.content = content

    @contextmanager
    def open(self, url, headers, offset):
        self.requests.append((url, dict(headers), offset))
        step = Step.APPEND if offset else Step.WHOLE
        last = offset == len(self.content) - 1
        promise = Promise(len(self.content), '"one"', has_end=True)
        yield FakeResponse(promise, (self.content[offset : offset + 1],), step, breaks_off=not last)


class FilesByPath:
    """Stands in for the server's script: answers by path; the last answer of a path is repeated."""

    def __init__(self, server):
        self.server = server
        self.answers = defaultdict(lambda: deque([GOOD]))

    def __len__(self):
        return 2

    def popleft(self):
        answers = self.answers[self.server.arrived[-1].path]
        return answers.popleft() if len(answers) > 1 else answers[0]

    def set(self, path, *answers):
        self.answers[path] = deque(answers)

    @property
    def requested(self):
        return [request.path for request in self.server.arrived]


@dataclass
class FakeHook:
    """Gives each reading of a generation in turn; the last one is repeated."""

    settings: ConnectionSettings
    readings: dict[str, list[Any]] = field(default_factory=dict)
    read_ids: list[str] = field(default_factory=list)
    timeouts: list[float] = field(default_factory=list)

    def detached(self, timeout):
        self.timeouts.append(timeout)
        return self

    def get_task(self, runway_task_id, *, attempts=1):
        self.read_ids.append(runway_task_id)
        readings = self.readings[runway_task_id]
        reading = readings.pop(0) if len(readings) > 1 else readings[0]
        if isinstance(reading, Exception):
            raise reading
        return reading


class MemoryLog:
    def __init__(self):
        self.lines = []

    def info(self, message, *args):
        self.lines.append(message % args)

    warning = info
