"""The table of faults, and which of them are tried with every change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from integration.chaos.batch_cases import BATCH_CASES
from integration.chaos.connection_cases import CONNECTION_CASES
from integration.chaos.gateway_cases import GATEWAY_CASES
from integration.chaos.people_cases import PEOPLE_CASES
from integration.chaos.worker_cases import TO_ITS_SUPERVISOR, WORKER_CASES

if TYPE_CHECKING:
    from integration.chaos.case import FaultCase

FAULT_CASES: dict[str, FaultCase] = {
    **WORKER_CASES,
    **PEOPLE_CASES,
    **GATEWAY_CASES,
    **CONNECTION_CASES,
    **BATCH_CASES,
}

#: Where money could be paid twice: these run with every change, the others before a release.
FOR_EVERY_CHANGE = frozenset(
    {
        "worker killed before the POST",
        "worker killed between POST and answer",
        "worker killed between answer and journal",
        "worker killed after the journal",
        f"{TO_ITS_SUPERVISOR} while it waits",
        f"{TO_ITS_SUPERVISOR} during the POST",
        f"{TO_ITS_SUPERVISOR} during a batch's POST",
        "marked failed while a worker waits",
        "cleared while deferred",
        "cleared during the POST",
        "batch: cleared during its POST",
        "marked failed while deferred",
        "gateway drops after accepting",
        "gateway answers 502 after accepting",
        "proxy dies after passing it on",
        "batch: volatile list",
        "batch: volatile list, worker killed",
        "batch: list replaced, given back and cleared",
        "batch: answer lost under max_credits",
        "batch: worker killed between answer and record",
        "batch: worker killed after the second record",
        "batch: failed items, cleared",
    }
)
