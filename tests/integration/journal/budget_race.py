"""Processes that all want to spend from one budget at the same moment; run as a program, which forks them.

``python -m integration.journal.budget_race RACERS PRICE BOUND RUN``: prints one line of JSON per process: what it
ended with, and what it spent.
"""

from __future__ import annotations

import json
import logging
import os
import random
import sys
import time

from airflow_runway.core.owner import Owner
from airflow_runway.exceptions import RunwayBudgetError
from airflow_runway.operators._budgets import Budget
from airflow_runway.operators._reservations import Submitted

#: Seconds of a POST, at most, and how much shorter pauses are than in an operator.
POST, HURRY = 0.02, 20


def race(number: int, run_id: str, price: float, bound: float) -> dict[str, object]:
    """What one task does: reserve, send, learn the price; and cancel at once what is too dear."""
    chance = random.Random(os.getpid())
    budget = Budget(
        Owner("campaign", run_id, "film", number),
        "runway",
        per_run=bound,
        pause=lambda seconds: time.sleep(seconds / HURRY),
        log=logging.getLogger("race"),
    )
    budget.check()
    kind = budget.kind("image_to_video", "gen4_turbo, 5 s")
    try:
        sent_at = budget.reserve("request", kind)
    except RunwayBudgetError as error:
        return {"ended": "no room", "said": str(error), "spent": 0}
    time.sleep(chance.uniform(0, POST))
    submitted = Submitted(sent_at, "request", kind, estimated=price)
    if budget.accepted(submitted):
        budget.settled(submitted, 0)
        return {"ended": "cancelled", "spent": 0}
    return {"ended": "accepted", "spent": price}


def main() -> None:
    """Fork the racers, let them go together, and print what became of each."""
    racers, price, bound, run_id = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
    start, gun = os.pipe()
    told, tell = os.pipe()
    pids = []
    for number in range(racers):
        pid = os.fork()
        if pid:
            pids.append(pid)
            continue
        os.close(gun)
        os.read(start, 1)  # ends when the parent closes the other end
        try:
            outcome = race(number, run_id, price, bound)
        except BaseException as error:
            outcome = {"ended": f"{type(error).__name__}: {error}", "spent": 0}
        os.write(tell, json.dumps(outcome).encode() + b"\n")
        os._exit(0)
    os.close(gun)
    os.close(tell)
    with os.fdopen(told) as lines:
        sys.stdout.writelines(lines)
    for pid in pids:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
