"""Any lives of two or three tasks of one router: lost answers, crashes, clears, strangers in the list, late rows.

Histories: 200 of each of the four variants in CI (800), 4,000 of each with ``--hypothesis-profile=thorough``
(16,000); up to twelve tries in each, and then as many as it takes to look for all that is open. Where rows stay away
longer than assumed (:data:`~airflow_runway.core.journal.evidence.LISTED_LATE`), a stranger's generation may be taken
for a task's own; never another task's.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.operators.memory import Crash
from unit.operators.router_tries import (
    attempt,
    begin_with_router,
    history_of,
    payload_of,
    request_of,
    sibling,
)

from airflow_runway.core.journal.evidence import LISTED_LATE, window_of
from airflow_runway.exceptions import RunwayAmbiguousSubmissionError, RunwayEvidencePendingError

pytestmark = pytest.mark.slow

FAULTS = [
    "", "", "", "refuse", "limit", "unconnected", "drop", "drop", "drop after accept", "drop after accept",
    "502 after accept", "empty after accept", "502 with its id", "400 with its id",
]  # fmt: skip
steps = st.lists(
    st.fixed_dictionaries(
        {
            "task": st.integers(0, 2),
            "wait": st.sampled_from([0, 0, 5, 60, 300, 700, 800, 1000, 2000]),
            "crash": st.one_of(st.none(), st.none(), st.integers(1, 18)),
            "after": st.booleans(),
            "fault": st.sampled_from(FAULTS),
            "clear": st.sampled_from([False, False, True]),
            "late": st.sampled_from([0.0, 0.0, 30.0, 119.0, 500.0, 1500.0]),
            "stranger": st.sampled_from([None, None, None, 0.0, 200.0]),
            "broken": st.sampled_from([0, 0, 0, 1, 2]),
            "lists_fail": st.sampled_from([0, 0, 0, 1, 99]),
            "prompt": st.sampled_from(["a", "a", "a", "b"]),
        }
    ),
    min_size=1,
    max_size=12,
)
#: How many generations were taken up out of a list, over all histories: else there would be nothing to see.
taken_up = []


class Studio:
    """Some tasks of one router, and what may be said of them without knowing how they decide."""

    def __init__(self, one, count):
        self.gateway, self.clock = one.gateway, one
        self.tasks = [one, *(sibling(one, index) for index in range(1, count))]
        self.lates = {}
        #: Whether a worker died, or a store failed.
        self.had_trouble = False
        #: Generations in whose place a stranger's was taken up.
        self.mistaken = set()
        self.gateway.asking = lambda: (
            self.asking,
            self.prompt,
            history_of(self.tasks[self.asking]).current.sent_at,
        )

    def operations(self):
        return [task.store for task in self.tasks] + [getattr(self.clock, "operations", self.clock.store)]

    def run(self, step):
        index = self.asking = step["task"] % len(self.tasks)
        task, self.prompt, gateway = self.tasks[index], step["prompt"], self.gateway
        # No two tries of a task begin in the same millisecond.
        self.clock.now += max(step["wait"], 0.1)
        if step["stranger"] is not None:
            gateway.foreign(f"s{len(gateway.others)}", self.clock.now + step["stranger"])
        if step["clear"]:
            task.clear()
        gateway.faults, gateway.lists_fail, before = (
            [step["fault"]] * 3,
            step["lists_fail"],
            set(gateway.made),
        )
        gateway.lates = [step["late"]]
        for store in self.operations():
            store.broken = step["broken"]
        attempt(task, crash=step["crash"], after=step["after"], payload=payload_of(self.prompt))
        for store in self.operations():
            store.broken = 0
        gateway.lists_fail = 0
        self.lates.update((name, step["late"]) for name in set(gateway.made) - before)
        self.check()

    def check(self):
        made, holders = self.gateway.made, {}
        for index, task in enumerate(self.tasks):
            for record in history_of(task).newest_first():
                if record.runway_task_id and not record.is_doubtful:
                    # Never two.
                    assert holders.setdefault(record.runway_task_id, record.sent_at) == record.sent_at
                    self.check_whose(index, record)
        # Paid for once by each task and request.
        asked = [(index, prompt) for index, prompt, _ in made.values()]
        assert len(asked) == len(set(asked))

    def own_of(self, index, record):
        """What the POST of a submission made: one generation, or none."""
        return [
            name
            for name, (owner, prompt, sent_at) in self.gateway.made.items()
            if (owner, request_of(prompt), sent_at) == (index, record.fingerprint, record.sent_at)
        ]

    def check_whose(self, index, record):
        own, name = self.own_of(index, record), record.runway_task_id
        if name in self.gateway.made:
            assert own == [name]
            return
        # A stranger's, which can only be told from its own where that is in the list in time.
        assert name in self.gateway.others
        assert all(self.lates[one] > LISTED_LATE for one in own)
        self.mistaken.update(own)

    def settle(self):
        """Look for all that is open, until nothing more comes of it."""
        self.clock.now += 10_000
        self.gateway.faults, told = [], ""
        for index, task in enumerate(self.tasks):
            self.asking = index
            for prompt in "ab":
                self.prompt = prompt
                lost = [one for one in history_of(task).open() if one.fingerprint == request_of(prompt)]
                if not lost:
                    continue
                posts = self.gateway.posts
                outcome = attempt(task, payload=payload_of(prompt))
                assert outcome is not Crash
                assert not isinstance(outcome, RunwayEvidencePendingError)
                assert self.gateway.posts == posts
                if isinstance(outcome, RunwayAmbiguousSubmissionError):
                    told += str(outcome)
                else:
                    taken_up.append(outcome)
                self.check()
        known = told + self.clock.log.text + "".join(task.said for task in self.tasks)
        held = {name for task in self.tasks for name in history_of(task).ids()}
        for name in set(self.gateway.made) - self.mistaken:
            assert name in held or f"Runway task {name} " in known
        self.check_that_what_can_be_told_is_taken_up()

    def check_that_what_can_be_told_is_taken_up(self):
        """A lost answer that stands alone in its time, with one row in it, is healed."""
        windows = {}
        for index, task in enumerate(self.tasks):
            for record in history_of(task).newest_first():
                if record.router:
                    key = index, record.sent_at, record.fingerprint
                    windows[key] = window_of(record.sent_at, record.taken_until), record
        for key, (window, record) in windows.items():
            rows = [name for at, _, name in self.gateway.rows if window.holds(at)]
            alone = not any(window.meets(other) for one, (other, _) in windows.items() if one != key)
            if record.is_open and not record.runway_task_id and alone and not self.had_trouble:
                assert len(rows) != 1, "it could have been told"


@pytest.mark.property
@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("kept", ["folder", "store"])
def test_nobody_takes_up_what_is_anothers(kept, count, set_connection, tmp_path):
    @settings(
        max_examples=settings.default.max_examples * 2, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(steps)
    def any_lives(lives):
        with pytest.MonkeyPatch.context() as monkeypatch:
            one = begin_with_router(monkeypatch, set_connection, tmp_path / "journal", kept=kept, mapped=True)
            studio = Studio(one, count)
            studio.had_trouble = any(step["crash"] or step["broken"] for step in lives)
            for step in lives:
                studio.run(step)
            studio.settle()

    taken_up.clear()
    any_lives()
    assert taken_up
