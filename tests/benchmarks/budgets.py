"""Budgets: what reserving room and settling cost one submission, by how many tasks of the run have spent before.

Peer: a plain client of that store, in turns with ours: two listings of the same folder, in pages of a thousand names,
and four PUTs. On ``s3://`` both talk to moto in a process of its own.
"""

from __future__ import annotations

import logging
import os
import statistics
import tempfile
from contextlib import ExitStack

from tests.benchmarks.journal import FileStore, S3Store, timed
from tests.benchmarks.table import table

HELP = "a submission's reservation in a budget of its run, on a file system and on S3"
_MOST = 1e9


def options(parser) -> None:
    parser.add_argument("--tasks", type=int, nargs="*", default=[10, 1_000, 10_000], help="settled before")
    parser.add_argument("--rounds", type=int, default=20, help="submissions that are timed")


def run(args) -> None:
    rows = []
    with tempfile.TemporaryDirectory() as home, ExitStack() as stack:
        os.environ["AIRFLOW_HOME"] = home
        os.environ["AIRFLOW__RUNWAY__JOURNAL_NAMESPACE"] = "benchmark"
        for store in (FileStore(stack), S3Store(stack)):
            for tasks in args.tasks:
                os.environ["AIRFLOW__RUNWAY__JOURNAL"] = store.another()
                rows.append((store.name, tasks, *_measured(store, tasks, args.rounds)))
    table(
        f"One submission's reservation, acceptance and charge ({args.rounds} of each in turns, medians)",
        ("store", "tasks before", "ours, ms", "plain client, ms", "ratio"),
        rows,
    )


def _measured(store, tasks, rounds):
    from airflow_runway.core.journal.entries import TaskKey
    from airflow_runway.stores.budgets import of_run

    ledger = f"benchmark/budgets/{of_run(TaskKey('dag', 'run', ''))}"
    _spent_before(tasks)
    ours, plain = [], []
    _spend(f"warm {tasks}")
    for number in range(rounds):
        ours.append(timed(_spend, f"round {number}"))
        plain.append(timed(store.listing_and_writing, ledger, f"round {number}"))
    mine, theirs = statistics.median(ours) * 1000, statistics.median(plain) * 1000
    return f"{mine:.2f}", f"{theirs:.2f}", f"{mine / theirs:.2f}"


def _spent_before(tasks):
    from airflow_runway.core.journal.budgets import Standing, Word, reservation_of
    from airflow_runway.core.journal.entries import TaskKey
    from airflow_runway.stores.budgets import Ledgers, of_run
    from airflow_runway.stores.folder import configured_journal

    ledgers = Ledgers(configured_journal().files)
    for number in range(tasks):
        task = TaskKey("dag", "run", "film", number)
        own = reservation_of(task, 1_000_000.0 + number, "request", "deadbeef")
        ledgers.write(of_run(task), Standing(own, Word.SETTLED, 1_000_000), task)


def _spend(task_id):
    from airflow_runway.core.owner import Owner
    from airflow_runway.operators._budgets import Budget
    from airflow_runway.operators._reservations import Submitted

    budget = Budget(
        Owner("dag", "run", task_id),
        "runway",
        per_run=_MOST,
        pause=lambda seconds: None,
        log=logging.getLogger(__name__),
    )
    budget.check()
    kind = budget.kind("image_to_video", "kind")
    sent_at = budget.reserve("request", kind)
    submitted = Submitted(sent_at, "request", kind, estimated=10)
    assert budget.accepted(submitted) is None
    budget.settled(submitted, 10)
