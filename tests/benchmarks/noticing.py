"""How often a generation is read, and how late its end is noticed: simulated, and against the emulator.

Simulated: the SDK (6 ± 1.5 s), fixed intervals of 5, 10 and 60 s, and ours with its default interval, on the
same generations, from the submission on. Airflow's own seconds around a deferral are left out, and so are the ten
seconds before which a trigger tells of no end.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import time
from random import Random

from airflow_runway.core.limits import SHORTEST_ABSENCE
from airflow_runway.core.polling.decisions import LookAgain, Wait, after_look, first_look
from tests.benchmarks.progress_shapes import DURATIONS, PROGRESS, generations
from tests.benchmarks.table import table

HELP = "reads per clip and delay until its end is noticed"
KEY = "key_0123456789abcdef0123456789abcdef"


def options(parser) -> None:
    parser.add_argument("--count", type=int, default=5000, help="generations per line")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--real", type=int, default=36, help="clips against the emulator; 0 = none")


def ours(generation, chance, interval=10.0) -> tuple[int, float]:
    wait = Wait("t", deadline=float("inf"), interval=interval)
    now, reads = 0.0, 0
    decision = LookAgain(first_look(wait, chance=chance), wait)
    while isinstance(decision, LookAgain):
        now += decision.after
        reads += 1
        decision = after_look(decision.wait, generation.at(now), now=now, chance=chance)
    return reads, now - generation.ends_at


def fixed(interval, spread=0.0):
    def looks(generation, chance) -> tuple[int, float]:
        now, reads = 0.0, 0
        while now < generation.ends_at:
            now += interval + chance.uniform(-spread, spread)
            reads += 1
        return reads, now - generation.ends_at

    return looks


WAYS = {"SDK": fixed(6, 1.5), "ours": ours, "5 s": fixed(5), "10 s": fixed(10), "60 s": fixed(60)}


def run(args) -> None:
    rows, reached = [], 0
    for duration in DURATIONS:
        for progress in PROGRESS:
            made = generations(duration, progress, args.count, args.seed)
            told = {}
            for way, look in WAYS.items():
                chance = Random(f"{args.seed} {way}")
                looked = [look(generation, chance) for generation in made]
                delays = sorted(delay for _, delay in looked)
                told[way] = (
                    statistics.fmean(reads for reads, _ in looked),
                    statistics.fmean(delays),
                    delays[int(len(delays) * 0.95)],
                )
            share, later = told["ours"][0] / told["SDK"][0], told["ours"][1] - told["SDK"][1]
            good = share <= 0.6 and later <= 0
            reached += good
            cells = [" / ".join(f"{value:.1f}" for value in told[way]) for way in WAYS]
            rows.append(
                [duration, progress, *cells, f"{share:.0%}", f"{later:+.1f} s", "yes" if good else "no"]
            )
    columns = ("length", "progress", *WAYS, "reads, of the SDK's", "mean delay", "goal")
    table("Simulated: reads per clip / mean delay / p95 delay, in seconds", columns, rows)
    print(f"At most 60 % of the SDK's reads at no greater mean delay: {reached} of {len(rows)}.")
    if args.real:
        _real(args.real)


def _real(count: int) -> None:
    """Ours against the emulator at its normal speed: clips of 15, 30 and 60 seconds."""
    from airflow_runway.emulator.process import emulator_process

    with emulator_process(speed=1) as emulator:
        os.environ["AIRFLOW_CONN_RUNWAY_DEFAULT"] = json.dumps(
            {
                "conn_type": "runway",
                "host": emulator.url,
                "password": KEY,
                "extra": {"allow_insecure_http": True},
            }
        )
        waits = asyncio.run(_waited(emulator, count))
        reads = [request for request in emulator.requests() if request["method"] == "GET"]
    rows = []
    for seconds in sorted({seconds for seconds, *_ in waits}):
        mine = [(noticed, runway_task_id) for length, noticed, runway_task_id in waits if length == seconds]
        read = [sum(ident in request["path"] for request in reads) for _, ident in mine]
        delays = sorted(delay for delay, _ in mine)
        early = max(SHORTEST_ABSENCE - seconds, 0.0)
        rows.append(
            [
                f"{seconds} s",
                len(mine),
                f"{statistics.fmean(read):.1f}",
                f"{statistics.fmean(delays) - early:.1f}",
                f"{delays[int(len(delays) * 0.95)] - early:.1f}",
            ]
        )
    table(
        "Real: our triggers against the emulator at speed 1",
        ("clip takes", "clips", "reads per clip", "mean delay, s", "p95 delay, s"),
        rows,
    )


async def _waited(emulator, count):
    from airflow_runway.hooks.runway import RunwayHook
    from airflow_runway.triggers.runway import RunwayTaskTrigger

    payload = {"model": "gen4.5", "promptText": "rain", "ratio": "1280:720", "duration": 5}

    async def one(seconds, runway_task_id, began):
        trigger = RunwayTaskTrigger(runway_task_id, deadline=time.time() + 300)
        (event,) = [event async for event in trigger.run()]
        if event.payload["error"]:
            raise RuntimeError(event.payload["error"])
        return seconds, time.monotonic() - began - seconds, runway_task_id

    waits = []
    hook = RunwayHook()
    async with hook.kept_open():
        for number in range(count):
            seconds = (15, 30, 60)[number % 3]
            emulator.settings(seconds=seconds)
            began = time.monotonic()
            submission = await hook.asubmit("text_to_video", payload)
            waits.append(asyncio.create_task(one(seconds, submission.runway_task_id, began)))
        return await asyncio.gather(*waits)
