"""The journal folder: what a submission costs in it, and what reading all of it costs, by how much it holds.

Peer: the same operations of a plain client of that store, in turns with ours: a listing, a PUT, a GET and a PUT. On
``s3://`` both talk to moto in a process of its own. There ours are six requests: s3fs lists the parent too where a
folder is empty, and asks for an object's size before it reads it.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

from tests.benchmarks.table import table

HELP = "a submission's journal in a folder, on a file system and on S3"
_SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
server.start()
print(*server.get_host_and_port(), flush=True)
sys.stdin.read()
server.stop()
"""
_CONNECTION = "AIRFLOW_CONN_AWS_BENCHMARK"


def options(parser) -> None:
    parser.add_argument(
        "--records", type=int, nargs="*", default=[10, 1_000, 10_000], help="what it holds before"
    )
    parser.add_argument("--rounds", type=int, default=50, help="submissions that are timed")


def run(args) -> None:
    rows = []
    with tempfile.TemporaryDirectory() as home, ExitStack() as stack:
        os.environ["AIRFLOW_HOME"] = home
        os.environ["AIRFLOW__RUNWAY__JOURNAL_NAMESPACE"] = "benchmark"
        for store in (FileStore(stack), S3Store(stack)):
            for records in args.records:
                os.environ["AIRFLOW__RUNWAY__JOURNAL"] = store.another()
                rows.append((store.name, records, *_measured(store, records, args.rounds)))
    table(
        f"One submission's journal ({args.rounds} of each in turns, medians), and a reading of all of it",
        ("store", "records", "ours, ms", "plain client, ms", "ratio", "all of it, s", "per record, ms"),
        rows,
    )


def _measured(store, records, rounds):
    from airflow_runway.stores.folder import configured_journal
    from airflow_runway.stores.history import InFolder

    for number in range(records):
        _submit(f"before {number}")
    ours, plain = [], []
    _submit("warm"), store.plain("warm")
    for number in range(rounds):
        ours.append(timed(_submit, f"round {number}"))
        plain.append(timed(store.plain, f"round {number}"))
    seconds = timed(lambda: [InFolder(one).read() for one in configured_journal().tasks()])
    mine, theirs = statistics.median(ours) * 1000, statistics.median(plain) * 1000
    count = records + rounds + 1
    return (
        f"{mine:.2f}",
        f"{theirs:.2f}",
        f"{mine / theirs:.2f}",
        f"{seconds:.2f}",
        f"{seconds / count * 1000:.2f}",
    )


def timed(work, *args):
    began = time.perf_counter()
    work(*args)
    return time.perf_counter() - began


def _submit(task_id):
    from airflow_runway.core.journal.record import Phase, Record
    from airflow_runway.stores.submission import SubmissionStore

    ti = SimpleNamespace(dag_id="dag", run_id="run", task_id=task_id, map_index=-1, max_tries=3)
    store = SubmissionStore({"ti": ti})
    store.load()
    store.intend(Record(Phase.INTENT, "f" * 64, "runway", "image_to_video", sent_at=time.time(), max_tries=3))
    store.put(phase=Phase.SUBMITTED, runway_task_id="t1")
    assert store.record.runway_task_id == "t1"


class FileStore:
    """``file://``; each write of the peer reaches the disk too."""

    name = "file"

    def __init__(self, stack) -> None:
        self._stack = stack

    def another(self):
        self.root = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        return f"file://{self.root}/journal"

    def plain(self, name):
        folder = self.root / "plain" / name
        folder.mkdir(parents=True)
        os.listdir(folder)
        for path in (folder / "1", folder / "2"):
            with open(path, "xb") as file:
                file.write(b"x" * 600)
                file.flush()
                os.fsync(file.fileno())
        (folder / "1").read_bytes()

    def listing_and_writing(self, ledger, name):
        folder = self.root / "journal" / ledger
        for _ in range(2):
            os.listdir(folder)
        plain = self.root / "plain" / name
        plain.mkdir(parents=True)
        for number in range(4):
            with open(plain / str(number), "xb") as file:
                file.write(b"x" * 100)
                file.flush()
                os.fsync(file.fileno())


class S3Store:
    """``s3://`` on moto."""

    name = "s3 (moto)"

    def __init__(self, stack) -> None:
        import boto3
        from integration.transfer.storages import s3_connection

        server = subprocess.Popen(
            [sys.executable, "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True,
        )  # fmt: skip
        stack.callback(server.wait)
        stack.callback(server.stdin.close)
        host, port = server.stdout.readline().split()
        endpoint = f"http://{host}:{port}"
        os.environ[_CONNECTION] = s3_connection(endpoint)
        self._s3 = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )

    def another(self):
        self.bucket = f"journal-{os.urandom(4).hex()}"
        self._s3.create_bucket(Bucket=self.bucket)
        return f"s3://aws_benchmark@{self.bucket}/journal"

    def plain(self, name):
        prefix = f"plain/{name}/"
        self._s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        for key in (f"{prefix}1", f"{prefix}2"):
            self._s3.put_object(Bucket=self.bucket, Key=key, Body=b"x" * 600, IfNoneMatch="*")
        self._s3.get_object(Bucket=self.bucket, Key=f"{prefix}1")["Body"].read()

    def listing_and_writing(self, ledger, name):
        pages = self._s3.get_paginator("list_objects_v2")
        for _ in range(2):
            for _page in pages.paginate(Bucket=self.bucket, Prefix=f"journal/{ledger}/"):
                pass
        for number in range(4):
            self._s3.put_object(
                Bucket=self.bucket, Key=f"plain/{name}/{number}", Body=b"x" * 100, IfNoneMatch="*"
            )
