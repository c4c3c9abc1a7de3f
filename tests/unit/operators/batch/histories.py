"""What may happen to a batch: the steps of a history, what its author wants, and what the world is like.

One step is one phase in a worker, or a deferral and then the phase: with a crash of the worker, SIGTERM from outside
or by a person, faults of gateway, journal and hosts, a clear, another list, another account, and results that
somebody deletes.
"""

from __future__ import annotations

from hypothesis import strategies as st
from unit.scripted import KEY

PRICES = {5: 25.0, 10: 60.0}
LISTS = {
    "same": ["a", "b", "c", "d", "e"],
    "shorter": ["a", "c"],
    "reordered": ["e", "d", "c", "b", "a"],
    "longer": ["a", "b", "c", "d", "e", "f", "g"],
    "twice": ["a", "a", "b"],
    "bad": ["a", None, "b", "c"],
    "another": ["x", "y"],
    "empty": [],
    "volatile": ["a", "b", "?", "?"],
}
#: Prompts of the dear kind.
DEAR = set("dex")
#: Another key of the same account, and one of another account.
ROTATED, FOREIGN = "key_11111111111111111111111111111111", "key_22222222222222222222222222222222"
CONNECTIONS = {
    "usual": {"password": KEY},
    "rotated": {"password": ROTATED},
    "foreign": {"password": FOREIGN},
    "relay": {"host": "https://relay.example/path"},
}
accounts = st.sampled_from([*["usual"] * 8, *CONNECTIONS])
faults = st.sampled_from(
    [
        "", "", "", "refuse", "limit", "unconnected", "drop", "drop after accept", "502 after accept",
        "502 with its id", "400 with its id", "400 with an id of something else",
    ]
)  # fmt: skip
steps = st.fixed_dictionaries(
    {
        "list": st.sampled_from(["same", "same", "same", *LISTS]),
        "clear": st.sampled_from([False, False, True]),
        "retry": st.sampled_from([False, False, False, True]),
        "crash": st.one_of(st.none(), st.none(), st.integers(1, 50)),
        "after": st.booleans(),
        "faults": st.lists(faults, max_size=5),
        "reads_fail": st.sampled_from([*[0] * 7, 1, 99]),
        "broken": st.sampled_from([*[0] * 9, 1, 3, 9]),
        "endings": st.dictionaries(
            st.sampled_from("abcdef"), st.sampled_from(["FAILED", "CANCELLED", "MODERATED"])
        ),
        "later": st.sampled_from([0, 10, 400, 50_000, 90_000]),
        "ended": st.sampled_from(["all", "first", "none"]),
        # The account of the worker, and the one that the trigger saw before.
        "account": accounts,
        "watched": accounts,
        # When SIGTERM comes: before a call to the gateway, before any operation, or just before the deferral.
        "sigterm": st.one_of(
            st.none(),
            st.tuples(st.just("call"), st.integers(0, 7)),
            st.tuples(st.sampled_from(["operation", "deferral"]), st.integers(1, 40)),
        ),
        "says": st.sampled_from(["running", "queued", None, OSError("away"), "failed", "failed", "success"]),
        # Prompts whose generations somebody deletes at the gateway, whether or not they have ended.
        "deleted": st.sampled_from([*[""] * 6, "a", "bc"]),
        "hosts_away": st.booleans(),
    }
)
#: A step in which nothing happens but what ought to.
CALM = {
    "list": "same", "clear": False, "retry": False, "crash": None, "after": False, "faults": [], "reads_fail": 0,
    "broken": 0, "endings": {}, "later": 400, "ended": "all", "account": "usual", "watched": "usual",
    "sigterm": None, "says": "running", "deleted": "", "hosts_away": False,
}  # fmt: skip
lives = st.lists(steps, min_size=1, max_size=7)
wishes = st.fixed_dictionaries(
    {
        "max_credits": st.sampled_from([None, 20, 50, 100, 170, 1000]),
        "max_in_flight": st.sampled_from([None, 1, 2]),
        "max_lost_answers": st.sampled_from([0, 1, 3]),
        "on_clear": st.sampled_from(["reuse", "reuse", "regenerate"]),
        "on_ambiguous_submit": st.sampled_from(["fail", "resubmit"]),
        "item_key": st.sampled_from([None, None, "shot"]),
        "on_partial_failure": st.sampled_from(["fail", "succeed"]),
        "submissions_at_once": st.sampled_from([1, 1, 3]),
        "cancel_on_kill": st.sampled_from([True, True, False]),
    }
)
#: How the gateway answers for ids that it does not know or show, seconds after which it shows a generation (less than
#: a trigger takes to call it lost: contracts §9), and whether outputs are saved.
worlds = st.sampled_from(
    [
        {"hides": hides, "shows_after": after, "lost_after": lost_after, "saves": saves}
        for hides, lost_after, times in ((False, 30, (0, 0, 20)), (True, 300, (0, 60, 250)))
        for after in times
        for saves in (False, False, True)
    ]
)
