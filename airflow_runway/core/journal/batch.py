"""Many generations as one task: what comes next for an item of which something is recorded. Pure.

An item of a batch is known by its *key* (:mod:`airflow_runway.core.journal.pin`). So the list may be reordered,
shortened or extended before a clear: what was paid for is found again, and only what is new is submitted. Within a
try, and in its retries, the list is the one that the first try pinned.

What becomes of an item, when a try goes on after a deferral; when a retry follows on a worker that was lost; when a
retry follows on an end of the batch; and after a clear:

==========  ==========  =======  =======  =======  =======
recorded    policy      resume   lost     ended    cleared
==========  ==========  =======  =======  =======  =======
nothing     any         submits  submits  submits  submits
intent      fail        leaves   leaves   leaves   leaves
intent      resubmit    leaves   submits  submits  submits
named       any         leaves   leaves   leaves   leaves
postponed   any         submits  submits  submits  submits
running     any         waits    waits    waits    waits
succeeded   reuse       keeps    keeps    keeps    keeps
succeeded   regenerate  keeps    keeps    keeps    submits
unsaved     any         saves    saves    saves    saves
gone        reuse       leaves   leaves   leaves   leaves
gone        regenerate  leaves   leaves   leaves   submits
failed      any         leaves   leaves   submits  submits
moderated   same        leaves   leaves   leaves   leaves
moderated   changed     leaves   leaves   leaves   submits
==========  ==========  =======  =======  =======  =======

"Intent" is an answer that was lost: it may be paid for, and is left to a person unless ``on_ambiguous_submit`` says
otherwise. A "named" one was answered by an error that holds an id: that is read before anything is sent. Where the
server knows it, and no other item has it, the item runs; where not, an error that was a refusal has failed the item,
and any other is a lost answer. "Regenerate" is ``on_clear``. "Failed" covers whatever else went wrong: refused,
cancelled, gone, timed out, over the budget; it is sent again once, however many phases that takes, and costs again.
What was seen to run when a try began is of that try: should it fail later, it waits for the next one. "Moderated" is
left alone, since the same input would be refused again, and that is counted; "changed" is another body under the
same ``item_key``.
"Gone" succeeded, and was no longer there when it was to be stored: it was paid for, and only a person has it made
again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_runway.core.journal.item import Item, State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_runway.core.journal.header import Header
    from airflow_runway.core.journal.pin import Pinned


def is_submitted(item: Item | None, pinned: Pinned, header: Header, *, resubmit: bool) -> bool:
    """Whether this phase submits an item, if nothing stands in the way: the table of this module.

    :param item: what is recorded; ``None`` = nothing.
    :param pinned: its entry of the list.
    :param header: the batch as a whole, this try included.
    :param resubmit: the policy for lost answers.
    """
    if not pinned.key:
        return False
    if item is None or item.state is State.POSTPONED:
        return True
    if item.state is State.INTENT:
        return resubmit and not item.is_named and item.sent_in < header.tries
    if item.state is State.FAILED:
        return item.sent_in < header.anew_since
    # What was to be replaced no longer is once another generation has taken its place.
    return item.state in {State.SUCCEEDED, State.GONE, State.MODERATED} and bool(
        pinned.replaces and pinned.replaces == item.runway_task_id
    )


#: States in which something is there that a new list would pay for again.
_HELD = frozenset({State.SUCCEEDED, State.UNSAVED, State.RUNNING, State.INTENT})


def is_another_list(pin: Iterable[Pinned], before: Iterable[Pinned], items: Iterable[Item]) -> bool:
    """Whether a list has nothing to do with what the task holds: nothing may then be sent unasked.

    :param pin: the list.
    :param before: the list as it was pinned before.
    :param items: what is recorded.
    """
    recorded = {item.key: item.state for item in items}
    known = recorded.keys() | {pinned.key for pinned in before}
    return not _HELD.isdisjoint(recorded.values()) and not any(
        pinned.key in known for pinned in pin if pinned.key
    )
