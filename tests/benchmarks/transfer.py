"""Saving against curl: wall time, CPU and memory, from the same server to the same disk, within one run.

``python -m tests.benchmarks transfer [--folder DIR] [--rounds 3] [--s3]``, from the repository's root.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import resource
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.origin import origin

HELP = "saving against curl: time, CPU, memory"
GIB = 2**30
SMALL, SMALL_BYTES = 200, 100 * 2**10
#: Seconds; a host some hundred kilometres away.
DELAY = 0.05
_HERE = Path(__file__).parent


def make_clip(path: Path, size: int) -> None:
    """A playable MP4 of exactly so many bytes: one second of video, then a ``free`` box of noise."""
    import av

    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for _ in range(24):
            container.mux(stream.encode(av.VideoFrame(320, 180, "yuv420p")))
        container.mux(stream.encode())
    left = size - path.stat().st_size
    with path.open("ab") as file:
        file.write(struct.pack(">I4sQ", 1, b"free", left))
        left -= 16
        while left:
            noise = os.urandom(min(left, 4 * 2**20))
            file.write(noise)
            left -= len(noise)


def save(address: str, folder: str, concurrency: int, ids: list[str]) -> dict[str, float]:
    """Our operator, in a fresh process; times without its imports, peak memory with them."""
    done = subprocess.run(
        [sys.executable, str(_HERE / "save_worker.py"), address, folder, str(concurrency), *ids],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-4000:])
    return json.loads(done.stdout.strip().splitlines()[-1])


def curl(address: str, folder: Path, names: list[str], parallel: int = 1) -> dict[str, float]:
    """curl with the same files; its start is part of the time, some 10 ms."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    at = time.perf_counter()
    pairs = [word for name in names for word in ("-o", str(folder / name), f"{address}/files/{name}")]
    more = ["--parallel", "--parallel-max", str(parallel)] if parallel > 1 else []
    subprocess.run(["curl", "--silent", "--fail", *more, *pairs], check=True)
    wall = time.perf_counter() - at
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"wall": wall, "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}


def median(runs: list[dict[str, float]], figure: str) -> float:
    return statistics.median(run[figure] for run in runs)


def options(parser) -> None:
    parser.add_argument("--folder", type=Path, default=None, help="on the disk to write to")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--s3", action="store_true", help="also memory of saving to moto's S3 server")


def run(args) -> None:
    with tempfile.TemporaryDirectory(prefix="runway-benchmark-", dir=args.folder) as work:
        _measure(Path(work), args.rounds, s3=args.s3)


def _measure(work: Path, rounds: int, *, s3: bool) -> None:
    files, out = work / "files", work / "out"
    files.mkdir()
    for name, size in (("large", GIB), ("larger", 2 * GIB), ("small0", SMALL_BYTES)):
        make_clip(files / name, size)
    rows: list[tuple[str, str]] = []
    with origin(files) as address:
        _speed(address, out, rounds, rows)
        _memory(address, out, rows)
        if s3:
            _s3(address, rows)
    _small(files, out, rounds, rows)
    for what, figure in rows:
        print(f"{what:<82} {figure}")


@contextlib.contextmanager
def _emptied(folder: Path):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


def _speed(address: str, out: Path, rounds: int, rows: list[tuple[str, str]]) -> None:
    ours, theirs = [], []
    for _ in range(rounds):
        # In turn, so that a busy moment of the machine meets both.
        with _emptied(out):
            theirs.append(curl(address, out, ["large"]))
        with _emptied(out):
            ours.append(save(address, f"file://{out}", 1, ["large"]))
    digest = [_digest() for _ in range(rounds)]
    for figure in ("wall", "cpu"):
        one, other, sha = (median(runs, figure) for runs in (ours, theirs, digest))
        rows.append((f"1 GiB, {figure}: ours / curl", f"{one:.2f} s / {other:.2f} s = {one / other:.2f}"))
        rows.append((f"1 GiB, {figure}: SHA-256 alone, in memory", f"{sha:.2f} s"))
        both = other + sha
        rows.append(
            (f"1 GiB, {figure}: ours / (curl + SHA-256)", f"{one:.2f} s / {both:.2f} s = {one / both:.2f}")
        )


def _digest() -> dict[str, float]:
    """What the digest of 1 GiB costs by itself: curl makes none."""
    piece, digest = os.urandom(2**20), hashlib.sha256()
    at, cpu = time.perf_counter(), time.process_time()
    for _ in range(GIB // len(piece)):
        digest.update(piece)
    return {"wall": time.perf_counter() - at, "cpu": time.process_time() - cpu}


def _memory(address: str, out: Path, rows: list[tuple[str, str]]) -> None:
    baseline = save(address, f"file://{out}", 4, [])["peak_kib"]
    rows.append(("the interpreter with all imports, peak", f"{baseline / 1024:.0f} MiB"))
    for what, ids, concurrency in (
        ("1 GiB", ["large"], 1),
        ("2 GiB", ["larger"], 1),
        ("four files of 1 GiB at once", ["+".join(["large"] * 4)], 4),
    ):
        with _emptied(out):
            peak = save(address, f"file://{out}", concurrency, ids)["peak_kib"]
        rows.append((f"{what}, peak above that", f"{(peak - baseline) / 1024:.1f} MiB"))


def _small(files: Path, out: Path, rounds: int, rows: list[tuple[str, str]]) -> None:
    names = [f"small{index}" for index in range(SMALL)]
    for name in names[1:]:
        shutil.copy(files / "small0", files / name)
    for delay in (0.0, DELAY):
        with origin(files, delay=delay) as address:
            runs: dict[int, list[float]] = {1: [], 4: [], 16: []}
            for _ in range(rounds if not delay else 1):
                for concurrency, walls in runs.items():
                    with _emptied(out):
                        walls.append(save(address, f"file://{out}", concurrency, names)["wall"])
        where = f"each answer after {delay * 1000:.0f} ms" if delay else "host on this machine"
        one = statistics.median(runs[1])
        for concurrency, walls in runs.items():
            wall = statistics.median(walls)
            what = f"{SMALL} generations of 100 KiB, {where}, concurrency {concurrency}"
            rows.append((what, f"{wall:.2f} s ({one / wall:.1f} times as fast as 1)"))


def _s3(address: str, rows: list[tuple[str, str]]) -> None:
    import boto3
    from moto.server import ThreadedMotoServer

    # It tells every request otherwise.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=endpoint, **keys).create_bucket(Bucket="clips")
    extra = {"endpoint_url": endpoint, "region_name": "us-east-1"}
    connection = {"conn_type": "aws", "login": "test", "password": "test", "extra": extra}
    os.environ["AIRFLOW_CONN_AWS_MOTO"] = json.dumps(connection)
    try:
        baseline = save(address, "s3://aws_moto@clips/x", 1, ["small0"])["peak_kib"]
        for what, concurrency, ids in (
            ("1 GiB", 1, ["large"]),
            ("four of 1 GiB at once", 4, ["+".join(["large"] * 4)]),
        ):
            peak = save(address, "s3://aws_moto@clips/x", concurrency, ids)["peak_kib"]
            above = f"{(peak - baseline) / 1024:.1f} MiB"
            rows.append((f"S3 (moto), {what}, peak above saving a 100 KiB file", above))
    finally:
        server.stop()
