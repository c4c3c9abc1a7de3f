"""What a batch says to the person on call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_runway.core.journal.item import State
from airflow_runway.core.journal.limits import StopReason
from airflow_runway.exceptions import RunwayBatchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_runway.core.journal.accounts import Account
    from airflow_runway.core.journal.item import Item

#: Ids that a message names.
_IDS_TOLD = 20


def remedy(reason: StopReason | None, *, max_moderated: int, max_lost_answers: int) -> str:
    """What to do where something stopped the submissions; empty where there is nothing to say.

    :param reason: what stopped them.
    :param max_moderated: the operator's argument.
    :param max_lost_answers: the operator's argument.
    """
    match reason:
        case StopReason.MODERATION:
            return (
                f"Nothing more was submitted after {max_moderated} moderated items, since repeated hits can suspend "
                "the account: change or remove these requests, then clear this task. "
            )
        case StopReason.LOST_ANSWERS:
            return (
                f"Nothing more was submitted after {max_lost_answers} lost answers, since each may have been "
                "charged: look into the gateway's own request history, then raise max_lost_answers or set "
                'on_ambiguous_submit="resubmit", and clear this task. '
            )
        case StopReason.PRICE_LOST:
            return (
                "The answer that would have told the price was lost, so nothing more was submitted that max_credits "
                "could not bound: look into the gateway's own request history, then remove that request and "
                "max_credits, and clear this task. "
            )
        case StopReason.BUDGET:
            return "Nothing more was submitted, to keep to max_credits: raise it, then clear this task. "
        case StopReason.IN_FLIGHT:
            return (
                "Lost answers count as unfinished until they are older than the timeout, and leave no room in "
                "max_in_flight: raise it, or clear this task later. "
            )
        case StopReason.DEADLINE:
            return (
                "The batch's deadline has passed: raise timeout, then clear this task; what succeeded is kept, what "
                "runs is waited for, and what was cancelled is paid for again. "
            )
    return ""


def next_step(reason: StopReason | None) -> str:
    """The same in a few words, for the beginning of the report; empty where there is nothing to say.

    :param reason: what stopped the submissions.
    """
    match reason:
        case StopReason.MODERATION:
            return "Change the moderated requests, then clear"
        case StopReason.LOST_ANSWERS | StopReason.PRICE_LOST:
            return "Look into the gateway's history first"
        case StopReason.BUDGET:
            return "Raise max_credits, then clear this task"
        case StopReason.IN_FLIGHT:
            return "Raise max_in_flight, or clear this later"
        case StopReason.DEADLINE:
            return "Raise timeout, then clear this task"
    return ""


def another_list(items: Sequence[Item], total: int) -> RunwayBatchError:
    """The error, after a clear, of a list that has nothing to do with what was paid for.

    :param items: what is recorded.
    :param total: entries of the list.
    """
    paid = [item for item in items if item.was_paid_for]
    running = [item.runway_task_id for item in items if item.state is State.RUNNING]
    spent = sum(item.credits for item in items)
    return RunwayBatchError(
        f"None of the {total} entries of requests is one of the {len(paid)} items that this task has paid for, or "
        f"may have ({spent:g} credits so far): the list is another one, or its bodies are rendered anew each time. "
        "Nothing was sent and nothing was cancelled. Give back the list of before, or name items by item_key, then "
        'clear this task; with on_clear="regenerate" it pays for the whole list.' + still_running(running),
        summary="The list is not the one that was paid for",
        next_step="Give the old list back, then clear",
    )


def elsewhere(ids: Sequence[str], origin: str, recorded: Account | None) -> str:
    """What is said where generations are not found, on another account than accepted them.

    :param ids: Runway task ids.
    :param origin: where they were looked for.
    :param recorded: whose account accepted them; ``None`` = not known.
    """
    if recorded is None:
        was = "recorded by version 0.1.0, which did not note the account, or are cancelled or deleted"
    elif recorded.origin == origin:
        was = "accepted there with another API key, or under another path, than the connection has now"
    else:
        was = f"accepted at {recorded.origin}, which the connection's Base URL was then"
    return (
        f"Nothing was sent and nothing was charged: {len(ids)} generations of this batch are not known at {origin}; "
        f"they were {was}. They may run on and be charged there. A retry looks again: give the connection its "
        "earlier key and Base URL back until this task has ended, if they have changed. To give them up, clear this "
        'task with on_clear="regenerate", which pays for the whole list again, also for what succeeded.'
        + still_running(ids)
    )


def still_running(ids: Sequence[str]) -> str:
    """A sentence that names generations that run on; empty if there are none.

    :param ids: Runway task ids.
    """
    if not ids:
        return ""
    return f" Not known to have ended, and charged if they finish: {listed(ids)}."


def no_longer_there(ids: Sequence[str]) -> str:
    """A sentence on generations that succeeded, and whose results were gone before they were stored.

    :param ids: Runway task ids.
    """
    if not ids:
        return ""
    return (
        f" Succeeded, and deleted before they were stored, so most likely charged: {listed(ids)}. They are not made "
        "again unasked. To pay for one of them again, change its request (say the seed), or its item_key where it "
        'has one, and clear this task; on_clear="regenerate" pays for the whole list again.'
    )


def listed(ids: Sequence[str]) -> str:
    """Ids, as many as a person reads.

    :param ids: Runway task ids.
    """
    more = f" and {len(ids) - _IDS_TOLD} more" if len(ids) > _IDS_TOLD else ""
    return f"{', '.join(ids[:_IDS_TOLD])}{more}"
