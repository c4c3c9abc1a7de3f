"""One hub for all looks at generations, per event loop and connection (decision 5).

Whoever waits joins the hub, asks it for readings and leaves; the last one to leave closes it. ::

    async with poll_hub(hook) as hub:
        found = await hub.look(runway_task_id, after=10)   # RunwayTask, or the facts of a failed read

One coroutine can wait for thousands of tasks::

    async with poll_hub(hook) as hub, hub.watch() as watch:
        for runway_task_id in ids:
            watch.ask(runway_task_id, after=first_look(...))
        async for runway_task_id, found in watch:          # ends when nothing is asked for any more
            ...
            watch.ask(runway_task_id, after=decision.after)

All users share one session, one look-up of the connection, one timer, one queue and one rate limit
(:mod:`airflow_runway.core.polling.rate_limit`). A task is read once per five seconds at most, and everybody who waits
for it gets that reading, maybe sooner than asked. Where the gateway slows us down, those who have waited longest come
first.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
import weakref
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from airflow_runway import telemetry
from airflow_runway.core.facts import ErrorFacts, ErrorKind
from airflow_runway.core.models import RunwayTask
from airflow_runway.core.polling.rate_limit import DueQueue, RateLimit
from airflow_runway.core.protocol import exchanges
from airflow_runway.core.protocol.gateways import is_task_id, no_task_id
from airflow_runway.core.redaction import redact
from airflow_runway.exceptions import RunwayError
from airflow_runway.triggers._watch import Watch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from airflow_runway.core.polling.decisions import Reading
    from airflow_runway.core.protocol.gateways import Endpoint
    from airflow_runway.hooks._ports import PollingHook
    from airflow_runway.triggers._watch import Tags

#: Reads under way at the same time; below the session's limit, so that a cancellation finds a way through.
MOST_AT_ONCE = 80
#: Seconds between looks for those whose patience has ended, while reads are held back.
LATE_CHECK = 1.0
#: Seconds between two notes to Airflow's statistics.
NOTE_INTERVAL = 5.0


class Clock:
    """The time, and ways to wait for it; tests and benchmarks put their own here."""

    def wall(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def now(self) -> float:
        """Seconds of the event loop, which never go back."""
        return asyncio.get_running_loop().time()

    def call_at(self, when: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Call back at a time of :meth:`now`.

        :param when: the time.
        :param callback: what to call.
        """
        return asyncio.get_running_loop().call_at(when, callback, context=contextvars.Context())

    async def sleep(self, seconds: float) -> None:
        """Wait.

        :param seconds: how long.
        """
        await asyncio.sleep(seconds)


class PollHub:
    """Reads tasks for everybody who uses one connection in one event loop; see the module.

    :param hook: of this connection.
    :param clock: what time it is.
    """

    def __init__(self, hook: PollingHook, clock: Clock) -> None:
        self.users = 0
        self._hook = hook
        self._clock = clock
        self._rate_limit = RateLimit()
        self._due = DueQueue()
        #: Who waits for which task, and until when in spite of a slow gateway.
        self._waiting: dict[str, list[tuple[asyncio.Future[Reading], float]]] = {}
        #: Tags of who asked first for the next reading of a task.
        self._owners: dict[str, Tags] = {}
        self._reads: set[asyncio.Task[None]] = set()
        self._known_at: dict[str, Endpoint] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        #: Reads since the last note, by what they brought and for whom.
        self._polls: Counter[tuple[str, Tags]] = Counter()
        self._noted_at = float("-inf")
        self._checked_at = float("-inf")
        self._stack = AsyncExitStack()

    async def open(self) -> None:
        """Join the session that is shared by all who use this connection. Nothing is looked up yet."""
        self._session = await self._stack.enter_async_context(self._hook.kept_open())

    async def look(
        self, runway_task_id: str, *, after: float = 0.0, patience: float = float("inf"), owner: Tags = ()
    ) -> Reading:
        """The next reading of a task.

        :param runway_task_id: the task.
        :param after: seconds until it is to be read; it may come sooner if somebody else asks, and later
            while the gateway bears no more.
        :param patience: seconds after which the caller would rather hear of a failed read than wait until the
            gateway bears it.
        :param owner: tags of the task that waits, for statistics. A read that serves several is the first one's.
        :returns: the reading, or how it failed.
        """
        return await self.ask(runway_task_id, after=after, patience=patience, owner=owner)

    def ask(
        self, runway_task_id: str, *, after: float = 0.0, patience: float = float("inf"), owner: Tags = ()
    ) -> asyncio.Future[Reading]:
        """:meth:`look`, as a future; cancel it to withdraw.

        :param runway_task_id: see there.
        :param after: see there.
        :param patience: see there.
        :param owner: see there.
        """
        now = self._clock.now()
        future: asyncio.Future[Reading] = asyncio.get_running_loop().create_future()
        if not is_task_id(runway_task_id):
            future.set_result(no_task_id(runway_task_id).facts)
            return future
        self._owners.setdefault(runway_task_id, owner)
        self._waiting.setdefault(runway_task_id, []).append((future, now + patience))
        self._due.put(runway_task_id, now + after)
        self._set_timer(now)
        return future

    def watch(self, owner: Tags = ()) -> Watch:
        """Many tasks for one coroutine.

        :param owner: see :meth:`look`.
        """
        return Watch(self, owner)

    async def close(self) -> None:
        """Give up reads under way and leave the session. All users have left."""
        if self._timer is not None:
            self._timer.cancel()
        reads = list(self._reads)
        for read in reads:
            read.cancel()
        await asyncio.gather(*reads, return_exceptions=True)
        await self._note(0)
        await self._stack.aclose()

    def _set_timer(self, now: float) -> None:
        due = self._due.next_due()
        if due is None:
            return
        if len(self._reads) >= MOST_AT_ONCE:
            due = now + LATE_CHECK
        elif due <= now:
            due = min(self._rate_limit.free_at(now), now + LATE_CHECK)
        if self._timer is not None:
            if self._timer_at <= due:
                return
            self._timer.cancel()
        self._timer_at = due
        self._timer = self._clock.call_at(due, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._begin_reads()

    def _begin_reads(self) -> None:
        now = self._clock.now()
        while len(self._reads) < MOST_AT_ONCE and self._rate_limit.free_at(now) <= now:
            runway_task_id = self._due.take(now)
            if runway_task_id is None:
                break
            if all(future.done() for future, _ in self._waiting.get(runway_task_id, ())):
                self._waiting.pop(runway_task_id, None)
                self._owners.pop(runway_task_id, None)
                continue
            self._rate_limit.started(now)
            # A read serves many: it must not log, nor be traced, as part of the trigger that happened to ask.
            context = contextvars.Context()
            read = asyncio.get_running_loop().create_task(self._read(runway_task_id), context=context)
            self._reads.add(read)
            read.add_done_callback(self._reads.discard)
        due = self._due.next_due()
        if due is not None and due <= now and now - self._checked_at >= LATE_CHECK:
            self._checked_at = now
            self._release_impatient(now)
        if now - self._noted_at >= NOTE_INTERVAL:
            self._noted_at = now
            self._note(len(self._waiting))
            self._forget_addresses()
        self._set_timer(now)

    async def _read(self, runway_task_id: str) -> None:
        found: Reading
        try:
            found = await self._session.run(
                lambda settings: exchanges.read_task(settings.gateway, runway_task_id, self._known_at)
            )
        except RunwayError as error:
            found = error.facts
        except Exception as error:
            # Most likely the connection's look-up: in a triggerer "not defined" may be a passing fault.
            found = ErrorFacts(
                ErrorKind.READ,
                f"Connection {self._hook.runway_conn_id!r} could not be used: "
                f"{type(error).__name__}: {redact(error)}",
            )
        now = self._clock.now()
        if isinstance(found, RunwayTask):
            self._rate_limit.answered(now)
            result = found.status.value
        else:
            result = telemetry.UNREADABLE
            if found.kind is ErrorKind.READ:
                self._rate_limit.slowed_down(now, found.retry_after)
        self._polls[result, self._owners.pop(runway_task_id, ())] += 1
        self._due.drop(runway_task_id)
        for future, _ in self._waiting.pop(runway_task_id, ()):
            if not future.done():
                future.set_result(found)
        if len(self._reads) >= MOST_AT_ONCE:
            # Its slot is free after this step.
            asyncio.get_running_loop().call_soon(self._begin_reads, context=contextvars.Context())

    def _release_impatient(self, now: float) -> None:
        """Answer those who cannot wait until the gateway bears another read."""
        held_back: ErrorFacts | None = None
        for runway_task_id in list(self._due):
            for future, until in self._waiting[runway_task_id]:
                if until <= now and not future.done():
                    held_back = held_back or ErrorFacts(
                        ErrorKind.READ,
                        "It could not be read in time: the gateway asked to slow down, or does not answer.",
                    )
                    future.set_result(held_back)

    def _forget_addresses(self) -> None:
        if len(self._known_at) > 2 * len(self._waiting) + 100:
            for runway_task_id in self._known_at.keys() - self._waiting.keys():
                del self._known_at[runway_task_id]

    def _note(self, waiting: int) -> asyncio.Future[None]:
        """Hand the figures over to Airflow's statistics, which parse a file of their own at first."""
        polls, self._polls = self._polls, Counter()
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(None, telemetry.note_polls, self._hook.runway_conn_id, waiting, polls)


_hubs: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, PollHub]] = weakref.WeakKeyDictionary()


@asynccontextmanager
async def poll_hub(hook: PollingHook, clock: Clock | None = None) -> AsyncIterator[PollHub]:
    """The hub of a connection in the running event loop; closed when its last user leaves.

    :param hook: of this connection.
    :param clock: for tests and benchmarks; the first user's counts.
    """
    from airflow_runway.hooks._shared_session import finish_despite_cancellation

    of_loop = _hubs.setdefault(asyncio.get_running_loop(), {})
    hub = of_loop.get(hook.runway_conn_id)
    if hub is None:
        hub = PollHub(hook, clock or Clock())
        await hub.open()  # goes through without a pause: nobody else can come in between
        of_loop[hook.runway_conn_id] = hub
    hub.users += 1
    try:
        yield hub
    finally:
        hub.users -= 1
        if not hub.users:
            if of_loop.get(hook.runway_conn_id) is hub:
                del of_loop[hook.runway_conn_id]
            await finish_despite_cancellation(hub.close())
