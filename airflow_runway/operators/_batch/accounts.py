"""Whose account a batch runs on: "unknown id" is taken for "gone" only where the id was accepted (decision 16)."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from airflow_runway.core.journal.accounts import SALT_BYTES, AccountMatch
from airflow_runway.core.journal.item import Item, State
from airflow_runway.core.limits import RESULT_ATTEMPTS
from airflow_runway.exceptions import RunwayJournalError
from airflow_runway.operators._batch.messages import elsewhere, still_running
from airflow_runway.operators._batch.settling import READS_AT_ONCE

if TYPE_CHECKING:
    from airflow_runway.hooks._ports import SubmittingHook
    from airflow_runway.stores.batch import BatchStore
    from airflow_runway.telemetry import Log


def confirm_account(hook: SubmittingHook, store: BatchStore, log: Log, *, gives_up: bool) -> None:
    """Make sure that the connection's account knows all whose clips are awaited, where it is not the recorded one.

    Then, and only then, it is the account of the batch. A rotated key of the same account reads all, and changes
    nothing. What is given up is recorded as failed first: a worker that dies in between has decided nothing else.

    :param hook: the connection.
    :param store: the journal, loaded.
    :param log: the task's log.
    :param gives_up: whether a person said that what this account does not know is to be made, and paid for, anew.
    :raises RunwayJournalError: something is not known here. Nothing was sent; a retry looks again.
    :raises RunwayReadRefusedError: the key is refused. Nothing was sent; the task fails.
    :raises RunwayError: something could not be read. Nothing was sent; a retry looks again.
    """
    account, recorded = hook.account, store.header.account
    if account.compared_with(recorded) is AccountMatch.SAME:
        return

    def is_known(item: Item) -> bool:
        return hook.get_task(item.runway_task_id, attempts=RESULT_ATTEMPTS).status.is_sighting

    awaited = [
        item for item in store.items() if item.state in {State.RUNNING, State.UNSAVED} or item.is_named
    ]
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        unknown = [
            item for item, known in zip(awaited, pool.map(is_known, awaited), strict=True) if not known
        ]
    if unknown:
        ids = [item.runway_task_id for item in unknown]
        if not gives_up:
            raise RunwayJournalError(
                elsewhere(ids, account.origin, recorded),
                runway_task_id=ids[0],
                summary=f"{len(ids)} generations are not this account's",
                next_step="Give the connection its earlier key back",
            )
        note = f"It was given up, since it is not known at {account.origin}; elsewhere it may run on and be charged."
        store.put(
            *(item.ended(State.FAILED, note=f"Runway task {item.runway_task_id}: {note}") for item in unknown)
        )
        log.warning("Given up, since not known at %s.%s", account.origin, still_running(ids))
    store.record_account(account.sealed(secrets.token_hex(SALT_BYTES)))
