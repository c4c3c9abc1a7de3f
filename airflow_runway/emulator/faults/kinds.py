"""What a fault rule can be about, and the kinds of faults with the fields that each may have."""

from __future__ import annotations

from collections.abc import Mapping

#: Field of a kind → its default, which also tells its type.
Fields = Mapping[str, object]

#: What a rule can be about. A read through ``POST /runway/feed`` is also a ``feed``, one of a workflow's run
#: also a ``workflow``; ``upload`` asks for a place for a file, ``upload_file`` fills it. A ``router`` is a read of
#: routers, or of what one has been asked.
OPERATIONS = (
    "create",
    "read",
    "feed",
    "workflow",
    "delete",
    "upload",
    "upload_file",
    "organization",
    "router",
    "output",
    "*",
)

#: Appended to a kind of :data:`ANSWERS`: the request takes effect first (a creation is charged), then the
#: answer goes wrong.
AFTER_ACCEPT = "_after_accept"

#: Kinds that replace the answer of an API call.
ANSWERS: Mapping[str, Fields] = {
    "status": {"status": 500, "body": None, "headers": {}},
    "drop": {},
    "hang": {"seconds": 60.0},
    "html": {},
    "empty": {},
    "truncated": {},
    "redirect": {"location": "https://example.com/", "status": 307},
}
#: A kind that leaves the answer right and lets it trickle.
SLOW: Mapping[str, Fields] = {"slow": {"bytes_per_second": 65_536}}
#: Kinds that change the lifecycle of the task that a creation makes. Times are world seconds.
LIFECYCLES: Mapping[str, Fields] = {
    "fail_task": {"failure": "An unexpected error occurred.", "failure_code": None, "cost": 0},
    "cancel_task": {"cost": 0},
    "stall_task": {},
    "throttle_task": {"seconds": 60.0},
    # A workflow that succeeds in part: the nodes after the first have failed.
    "node_errors": {},
}
#: Kinds that change what the list of a router's requests shows beside an accepted creation of ``generate/*``.
ROWS: Mapping[str, Fields] = {
    # Its row is shown only so many world seconds later.
    "late_row": {"seconds": 60.0},
    # Somebody else's row appears too, its time so many real seconds after the creation's.
    "foreign_row": {"seconds": 0.0},
}
#: Kinds for the download of an output, besides ``status``, ``hang``, ``html`` and ``redirect``. ``bytes`` counts
#: those of the answer in hand, which goes on from where the caller asked it to, unless it says otherwise.
DOWNLOADS: Mapping[str, Fields] = {
    # Closes after so many bytes.
    "drop": {"bytes": 0},
    # Falls silent after so many bytes, and closes after so many real seconds.
    "stall": {"bytes": 0, "seconds": 60.0},
    # Closes after so many bytes; from then on this link is refused, and only a fresh one opens the file.
    "expire": {"bytes": 0},
    # Announces so many bytes more than there are.
    "wrong_length": {"more": 10},
    # Tells the SHA-256 of something else (``Repr-Digest``).
    "wrong_digest": {},
    # Sends other bytes from there on, and tells the SHA-256 of the right ones.
    "corrupt": {"bytes": 0},
    # Sends the whole file, whichever part was asked for.
    "ignore_range": {},
    **SLOW,
}
#: Kinds of :data:`ANSWERS` that a download can meet too.
_ALSO_OF_DOWNLOADS = ("status", "hang", "html", "redirect")

#: The kinds that can be acted upon at each point of a request: before it takes effect, after that, when a task
#: is made, and when an output is served.
BEFORE_KINDS = frozenset(ANSWERS)
AFTER_KINDS = frozenset(kind + AFTER_ACCEPT for kind in ANSWERS) | frozenset(SLOW)
LIFECYCLE_KINDS = frozenset(LIFECYCLES)
OUTPUT_KINDS = frozenset({*_ALSO_OF_DOWNLOADS, *DOWNLOADS})


def kinds_for(operation: str) -> dict[str, Fields]:
    """The kinds that a rule about an operation may have, with their fields.

    :param operation: one of :data:`OPERATIONS`.
    """
    known: dict[str, Fields] = {}
    if operation != "output":
        known |= {**ANSWERS, **SLOW, **{kind + AFTER_ACCEPT: fields for kind, fields in ANSWERS.items()}}
    if operation in ("create", "*"):
        known |= {**LIFECYCLES, **ROWS}
    if operation in ("output", "*"):
        known |= {**{name: ANSWERS[name] for name in _ALSO_OF_DOWNLOADS}, **DOWNLOADS}
    return known
