"""CPU per read while thousands wait: bare aiohttp on one session, our triggers, a session per poll, the SDK.

Server and client are processes of their own; only the client's CPU counts. Time in the client runs faster, see
:data:`~tests.benchmarks.pollers.HURRIES`. The SDK waits for a tenth of the tasks only: with more, reads that queue in
its connection pool make each other dearer.
"""

from __future__ import annotations

import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.stand_in import stand_in
from tests.benchmarks.table import slope, table

HELP = "CPU per read, plaintext and TLS"


def options(parser) -> None:
    parser.add_argument("--waiting", type=int, default=2000, help="tasks for the comparison")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[500, 1000, 2000], help="tasks for the growth"
    )
    parser.add_argument("--seconds", type=float, default=6.0, help="measured time of each run")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each, interleaved; the median counts")


def run(args) -> None:
    logging.disable()
    with tempfile.TemporaryDirectory() as folder, stand_in(Path(folder)) as server:

        def milliseconds(way: str, count: int, url: str) -> float:
            command = [sys.executable, "-m", "tests.benchmarks.pollers", way, str(count), url]
            command += [server.certificate, str(args.seconds)]
            environment = {**os.environ, "AIRFLOW_HOME": folder, "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING"}
            done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
            if done.returncode:
                raise RuntimeError(done.stderr[-3000:])
            cpu, reads = json.loads(done.stdout.strip().splitlines()[-1])
            return cpu / reads * 1000

        ways = ("limit", "ours", "session per poll", "SDK")
        taken: dict[tuple[str, str], list[float]] = {}
        for _ in range(args.rounds):
            for url in (server.plain, server.secure):
                for way in ways:
                    count = args.waiting // 10 if way == "SDK" else args.waiting
                    taken.setdefault((way, url), []).append(milliseconds(way, count, url))
                    print(f"{way}, {url[:5]}: {taken[way, url][-1]:.3f} ms", flush=True)
        median = {key: statistics.median(values) for key, values in taken.items()}
        rows = []
        for way in ways:
            row = [f"{way} ({args.waiting // 10} waiting)" if way == "SDK" else way]
            for url in (server.plain, server.secure):
                ratio = statistics.median(
                    mine / least for mine, least in zip(taken[way, url], taken["limit", url], strict=True)
                )
                row += [f"{median[way, url]:.3f}", f"{ratio:.2f} x"]
            rows.append(row)
        table(
            f"CPU per read, {args.waiting} waiting, median of {args.rounds} runs",
            ("way", "plain, ms", "of the limit", "TLS, ms", "of the limit"),
            rows,
        )
        growth = [milliseconds("ours", size, server.secure) for size in args.sizes]
        per_thousand = slope(args.sizes, growth) * 1000
        table(
            "Ours over TLS, as it grows",
            ("waiting", "ms per read"),
            [
                *zip(args.sizes, (f"{value:.3f}" for value in growth), strict=True),
                ("slope per 1,000", f"{per_thousand:+.3f}"),
            ],
        )
