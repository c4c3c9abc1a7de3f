"""Downloads one output: resumes after a break, counts and hashes what comes, checks it, and commits it at the end."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, NoReturn, Protocol

from airflow_runway.core.media.types import HEAD, sniff
from airflow_runway.core.saving.promises import Promise, Step, request_headers
from airflow_runway.exceptions import RunwayTransferError, RunwayTransferRefusedError
from airflow_runway.transfers._saving.fetching import BrokenOffError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_runway.transfers._saving.fetching import Fetcher, OutputResponse

#: Tries in a row that may bring not one new byte.
ATTEMPTS: Final = 5
#: Tries for one output in all, however much each of them brings.
MOST_ATTEMPTS: Final = 500


class Sink(Protocol):
    """Where the bytes go; readers see nothing before :meth:`commit`."""

    def write(self, piece: bytes) -> None:
        """Take the next bytes."""

    def commit(self, size: int) -> None:
        """Show the file, which must have that size."""

    def discard(self) -> None:
        """Leave nothing behind; harmless after :meth:`commit` and twice."""


class AlreadyThereError(Exception):
    """Raised by the opener of a sink: storage holds this very file.

    :param size: its bytes.
    :param sha256: its digest, hexadecimal.
    """

    def __init__(self, size: int, sha256: str) -> None:
        super().__init__(size, sha256)
        self.size = size
        self.sha256 = sha256


class Download:
    """The download of one output. Call :meth:`run` once.

    :param what: what it is, for messages, e.g. ``Output 0 of Runway task x``.
    :param fetcher: this thread's.
    :param link: gives a link; told whether the last one is known to be dead.
    :param open_sink: given the file's head and what is promised of it, opens its sink, or raises
        :class:`AlreadyThereError`.
    :param max_bytes: refuse what is larger.
    :param wait: waits before another try; told how many tries in a row brought nothing. May raise to stop.
    """

    def __init__(
        self,
        what: str,
        fetcher: Fetcher,
        link: Callable[[bool], str],
        open_sink: Callable[[bytes, Promise], Sink],
        *,
        max_bytes: int,
        wait: Callable[[int], None],
    ) -> None:
        self._what = what
        self._fetcher = fetcher
        self._link = link
        self._open_sink = open_sink
        self._max_bytes = max_bytes
        self._wait = wait
        self._restarts = 0
        self._promise = Promise()
        self._sink: Sink | None = None
        self._reset()

    def run(self) -> tuple[int, str]:
        """Save it.

        :returns: its size in bytes and its SHA-256, hexadecimal.
        :raises RunwayTransferError: it did not come whole; a retry may do better.
        :raises RunwayTransferRefusedError: it is nothing that may be saved.
        """
        try:
            self._run()
            if self._sink is not None:
                self._sink.commit(self._received)
        except AlreadyThereError as there:
            return there.size, there.sha256
        finally:
            if self._sink is not None:
                self._sink.discard()
        return self._received, self._hash.hexdigest()

    def _run(self) -> None:
        in_vain, furthest, dead, reason = 0, 0, False, ""
        for _ in range(MOST_ATTEMPTS):
            before, is_slow = self._received, False
            try:
                self._attempt(self._link(dead))
                return
            except BrokenOffError as error:
                reason, dead, is_slow = str(error), error.link_is_dead, error.is_slow
            in_vain = 0 if self._received > before and not is_slow else in_vain + 1
            # Whatever the trouble is: a fresh link may lead around it.
            dead = dead or in_vain > 1
            furthest = max(furthest, self._received)
            if in_vain >= ATTEMPTS or self._restarts >= ATTEMPTS:
                break
            self._wait(in_vain)
        raise RunwayTransferError(
            f"{self._what} could not be fetched: {reason} (bytes that came at most: {furthest}). Nothing was saved, "
            "the generation itself is untouched, and a retry reads it for a fresh link."
        )

    def _attempt(self, url: str) -> None:
        headers = request_headers(self._received, self._promise.etag)
        with self._fetcher.open(url, headers, self._received) as response:
            if response.step is Step.RESTART:
                self._restart("the host does not go on from where it broke off")
            pieces = response.pieces()
            self._check_size(response.promise.size)
            if response.step is Step.WHOLE and self._received:
                # The beginning is the same, byte by byte, so it is gone on with: what counts is the new promise.
                pieces, self._promise = self._skipped(pieces), response.promise
            elif self._promise.contradicts(response.promise):
                self._restart("the host has changed the file in the meantime")
            else:
                self._promise = response.promise.with_more(self._promise)
            self._take(pieces, response)
        self._verify()

    def _take(self, pieces: Iterator[bytes], response: OutputResponse) -> None:
        for piece in pieces:
            self._check_size(self._received + len(piece))
            self._received += len(piece)
            self._hash.update(piece)
            if self._sink is None:
                self._head += piece
                if len(self._head) >= HEAD or self._received == self._promise.size:
                    self._open()
            else:
                self._sink.write(piece)
        if not response.promise.has_end and self._promise.size is None and self._promise.sha256 is None:
            raise BrokenOffError(
                "the host tells neither length nor digest, so nobody can say if it came whole"
            )
        if self._promise.size is not None and self._received < self._promise.size:
            raise BrokenOffError("the download ended before its time")
        if self._sink is None and self._received:
            self._open()

    def _open(self) -> None:
        head = bytes(self._head)
        try:
            self._sink = self._open_sink(head, self._promise)
        except BrokenOffError as error:
            self._restart(str(error))
        self._head.clear()
        self._sink.write(head)

    def _skipped(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """What follows the bytes that are there, if the body begins with the very same ones."""
        digest, left = hashlib.sha256(), self._received
        for piece in pieces:
            digest.update(piece[:left])
            if len(piece) >= left:
                if digest.digest() != self._hash.digest():
                    self._restart("the host has changed the file in the meantime")
                rest = piece[left:]
                return _chain(rest, pieces)
            left -= len(piece)
        raise BrokenOffError("the download ended before its time")

    def _verify(self) -> None:
        if not self._received:
            raise BrokenOffError("the host sent an empty file", link_is_dead=True)
        promised = self._promise
        if promised.size is not None and self._received != promised.size:
            self._restart(f"{self._received} bytes came, {promised.size} were promised")
        if promised.sha256 is not None and self._hash.digest() != promised.sha256:
            self._restart("what came is not what the host's SHA-256 promised")

    def _check_size(self, size: int | None) -> None:
        if size is not None and size > self._max_bytes:
            raise RunwayTransferRefusedError(
                f"{self._what} has {size} bytes or more, above max_bytes ({self._max_bytes}). Nothing was saved, and "
                "the generation itself is untouched. Raise max_bytes, then clear this task.",
                summary=f"{self._what} is above max_bytes",
                next_step="Raise max_bytes, then clear this task",
            )

    def _restart(self, reason: str) -> NoReturn:
        """Forget what came."""
        self._restarts += 1
        if self._sink is not None:
            self._sink.discard()
        self._reset()
        raise BrokenOffError(reason, link_is_dead=True)

    def _reset(self) -> None:
        self._sink = None
        self._received = 0
        self._hash = hashlib.sha256()
        self._head = bytearray()
        self._promise = Promise()


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


def media_type_of(head: bytes, what: str) -> str:
    """What a file is, by its first bytes alone.

    :param head: its first bytes.
    :param what: what it is, for the message.
    :raises BrokenOffError: it is text: an error page, most likely; a fresh link may help.
    :raises RunwayTransferRefusedError: it is of no kind that we know.
    """
    found = sniff(head)
    if found is not None:
        return found
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"<", b"{", b"["):
        raise BrokenOffError("the host sent a page of text instead of media", link_is_dead=True)
    raise RunwayTransferRefusedError(
        f"{what} begins like no media file that is known here ({head[:8].hex(' ')}). Nothing was saved, and the "
        "generation itself is untouched: its link can be read from the task.",
        summary=f"{what} is no known media",
        next_step="Look at it over its link",
    )
