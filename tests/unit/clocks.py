"""Clocks for the poll hub: time passes when somebody waits for it, and at no other time."""

from __future__ import annotations

import asyncio
import threading
import time

from airflow_runway.operators._stopping import StopSignal
from airflow_runway.triggers._poll_hub import Clock

_really_sleep = time.sleep
_really_wait = StopSignal.wait


def of_the_main_thread(sleep):
    """A stand-in for ``time.sleep`` that other threads, say those that watch servers of other tests, do not use."""

    def nap(seconds):
        mine = threading.current_thread() is threading.main_thread()
        (sleep if mine else _really_sleep)(seconds)

    return nap


def of_a_wait(sleep):
    """A stand-in for ``StopSignal.wait``: the main thread waits by ``sleep``, which may give the signal."""

    def wait(signal, seconds=None):
        if threading.current_thread() is not threading.main_thread():
            return _really_wait(signal, seconds)
        if not signal.is_given:
            sleep(seconds)
        return signal.is_given

    return wait


class HastyClock(Clock):
    """Jumps to whatever is waited for next: many things may be waited for, but only one timer at a time."""

    def __init__(self, wall=1_000_000.0):
        self.time = wall
        #: How long each wait was.
        self.naps = []

    def wall(self):
        return self.time

    def now(self):
        return self.time

    def call_at(self, when, callback):
        def arrive():
            self.pass_time(max(when - self.now(), 0.0))
            callback()

        return asyncio.get_running_loop().call_soon(arrive)

    async def sleep(self, seconds):
        self.pass_time(seconds)

    def pass_time(self, seconds):
        self.naps.append(seconds)
        self.time += seconds


class SteppedClock(Clock):
    """Moves only when told; everything that falls due on the way is called in its order."""

    def __init__(self):
        self.time = 1000.0
        self._timers = []

    def wall(self):
        return 1_000_000.0 + self.time

    def now(self):
        return self.time

    def call_at(self, when, callback):
        timer = _Timer(when, callback)
        self._timers.append(timer)
        return timer

    async def sleep(self, seconds):
        slept = asyncio.get_running_loop().create_future()
        self.call_at(self.time + seconds, lambda: slept.done() or slept.set_result(None))
        await slept

    @property
    def timers(self):
        """How many timers are running."""
        return sum(not timer.cancelled for timer in self._timers)

    async def go(self, seconds):
        """Let time pass."""
        until = self.time + seconds
        while True:
            await settle()
            self._timers = [timer for timer in self._timers if not timer.cancelled]
            due = min((timer for timer in self._timers if timer.when <= until), key=_when, default=None)
            if due is None:
                self.time = until
                return
            self._timers.remove(due)
            self.time = max(self.time, due.when)
            due.callback()


class _Timer:
    def __init__(self, when, callback):
        self.when, self.callback, self.cancelled = when, callback, False

    def cancel(self):
        self.cancelled = True


def _when(timer):
    return timer.when


async def settle(rounds=10):
    """Let everything run that can run without time or network."""
    for _ in range(rounds):
        await asyncio.sleep(0)


async def until(condition):
    """Let the network run, until something has happened."""
    for _ in range(200_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not happen")
