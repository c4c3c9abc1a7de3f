"""Whose account a batch runs on: "unknown id" is taken for "gone" only where the id was accepted (decision 16)."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from airflow_runway.core.journal.accounts import SALT_BYTES, AccountMatch
from airflow_runway.core.journal.item import Item, State
from airflow_runway.core.limits import RESULT_ATTEMPTS
from airflow_runway.core.models import TaskStatus
from airflow_runway.exceptions import RunwayJournalError
from airflow_runway.operators._batch.messages import elsewhere

if TYPE_CHECKING:
    from airflow_runway.hooks._ports import SubmittingHook
    from airflow_runway.stores.batch import BatchStore

#: Reads under way at the same time.
_READS_AT_ONCE = 8


def confirm_account(hook: SubmittingHook, store: BatchStore, *, gives_up: bool) -> None:
    """Make sure that everything that runs is known to the connection's account, where that is not the recorded one.

    Then, and only then, it is the account of the batch. A rotated key of the same account reads all, and changes
    nothing.

    :param hook: the connection.
    :param store: the journal, loaded.
    :param gives_up: whether a person said that what this account does not know is to be made, and paid for, anew.
    :raises RunwayJournalError: something is not known here. Nothing was sent; a retry looks again.
    :raises RunwayError: something could not be read. Nothing was sent; a retry looks again.
    """
    account, recorded = hook.account, store.header.account
    if account.compared_with(recorded) is AccountMatch.SAME:
        return

    def is_unknown(item: Item) -> bool:
        return hook.get_task(item.runway_task_id, attempts=RESULT_ATTEMPTS).status is TaskStatus.GONE

    running = [item for item in store.items() if item.state is State.RUNNING]
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        unknown = [
            item for item, missing in zip(running, pool.map(is_unknown, running), strict=True) if missing
        ]
    if unknown and not gives_up:
        ids = [item.runway_task_id for item in unknown]
        raise RunwayJournalError(elsewhere(ids, account.origin, recorded), runway_task_id=ids[0])
    store.record_account(account.sealed(secrets.token_hex(SALT_BYTES)))
