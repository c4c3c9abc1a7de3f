"""Connections whose account changes while a generation is waited for, and a proxy that loses an answer."""

from __future__ import annotations

import threading

from integration.chaos.batch_cases import SUCCEEDED, TWO_AT_A_TIME, prompts
from integration.chaos.case import AMBIGUOUS, TAKEN, FaultCase
from unit.hooks.delivery.servers import Proxy

ANOTHER_KEY = "key_of_another_account_0123456789"
#: What an account answers that does not have a generation (contracts §1.2).
UNKNOWN = {"kind": "status", "status": 404, "body": {"error": "Task not found."}, "count": None}


def changed_key(stage):
    """The connection gets the key of another account of the same gateway, which does not know the generation."""
    stage.connect(password=ANOTHER_KEY)
    stage.emulator.add_fault(on="read", **UNKNOWN)
    stage.emulator.add_fault(on="delete", **UNKNOWN)


def changed_host(stage):
    """The connection gets another Base URL."""
    stage.notes["other"] = other = stage.open_another_gateway()
    stage.connect(host=other.url)


def changed_while_deferred(change, *, dag_id="chaos_wait", number=0):
    """The connection's account is another one when the task resumes; changed back and cleared, it goes on.

    :param number: items of a batch's list; 0 = it is none.
    """

    def run(stage):
        stage.open_gateway(seconds=20)
        stage.connect()
        stage.write_list(*prompts(stage, number))
        stage.start(dag_id=dag_id)
        stage.wait_for_state("deferred")
        stage.wait_until(lambda: any(task["reads"] for task in stage.emulator.tasks()), 40, "a first look")
        paid = len(stage.emulator.ledger()["charges"])
        change(stage)
        stage.wait_for_end(300)
        stage.check_paid(paid)
        assert stage.task()["state"] == "failed"
        if other := stage.notes.pop("other", None):
            assert other.ledger()["charges"] == []
            assert [one["method"] for one in other.requests()] == ["GET"] * len(other.requests())
        stage.emulator.clear_faults()
        stage.connect()
        stage.clear()
        stage.wait_for_end()

    return run


def lost_by_a_proxy(stage):
    """A proxy dies when the gateway has taken the request; and a person clears the task, twice."""
    stage.open_gateway(seconds=5, on="create", kind="hang_after_accept")
    taken = threading.Event()
    proxy = Proxy(taken)
    proxy.start()
    try:
        proxy.behaviour = "die after passing on"
        stage.connect(extra={"allow_insecure_http": True, "timeout": 60, "proxies": {"http": proxy.url}})
        stage.start()
        stage.wait_until(lambda: stage.emulator.ledger()["charges"], 60, "a charge")
        proxy.behaviour = "pass on"  # whoever comes from now on
        taken.set()
        for _ in range(2):
            stage.wait_for_end()
            stage.check_paid(1)
            stage.clear()
        stage.wait_for_end()
        assert proxy.heads, "nothing came by the proxy"
        posts = [head for head in proxy.heads if head.startswith(b"POST ")]
        assert len(posts) == 1
    finally:
        proxy.close()


CONNECTION_CASES: dict[str, FaultCase] = {
    "key of another account while deferred": FaultCase(
        changed_while_deferred(changed_key),
        1,
        "success",
        "found",
        None,
        ("is not known there with the API key that the connection holds now", "_kept'", "Reusing"),
    ),
    "another Base URL while deferred": FaultCase(
        changed_while_deferred(changed_host),
        1,
        "success",
        "found",
        None,
        ("which the connection's Base URL is now", "_kept'", "Reusing"),
    ),
    "batch: key of another account while deferred": FaultCase(
        changed_while_deferred(changed_key, dag_id=TWO_AT_A_TIME, number=3),
        3,
        "success",
        "named by id",
        None,
        ("accepted there with another API key",),
        lines=(SUCCEEDED,) * 3,
    ),
    "batch: another Base URL while deferred": FaultCase(
        changed_while_deferred(changed_host, dag_id=TWO_AT_A_TIME, number=3),
        3,
        "success",
        "named by id",
        None,
        ("which the connection's Base URL was then",),
        lines=(SUCCEEDED,) * 3,
    ),
    "proxy dies after passing it on": FaultCase(
        lost_by_a_proxy, 1, "failed", "named as lost answer", 3, (AMBIGUOUS, TAKEN)
    ),
}
