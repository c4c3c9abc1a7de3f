"""Any life of a task: crash points, faults, clears, other requests and other accounts, in any order.

Histories: 200 of each of the sixteen variants in CI (3,200), 4,000 of each with ``--hypothesis-profile=thorough``
(64,000); up to nine tries in each. Half of them have their journal in a folder, as on Airflow 3.1 and 3.2.
"""

from __future__ import annotations

import contextlib
from functools import partial

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from unit.operators.folder_tries import begin_in_folder
from unit.operators.memory import Crash
from unit.operators.tries import PAYLOAD, begin
from unit.scripted import KEY

from airflow_runway.exceptions import RunwayError
from airflow_runway.hooks import _transport
from airflow_runway.operators._evidence import clock

#: Another key of the same account, and one of another account.
ROTATED, FOREIGN = "key_11111111111111111111111111111111", "key_22222222222222222222222222222222"

pytestmark = pytest.mark.slow

faults = st.sampled_from(
    [
        "", "", "", "", "", "", "refuse", "limit", "unconnected", "drop", "drop after accept", "502 after accept",
        "empty after accept", "502 with its id", "400 with its id", "400 with an id of something else",
    ]
)  # fmt: skip
tries = st.lists(
    st.fixed_dictionaries(
        {
            "crash": st.one_of(st.none(), st.none(), st.integers(1, 18)),
            "after": st.booleans(),
            "fault": faults,
            "remote": st.sampled_from(["RUNNING", "RUNNING", "SUCCEEDED", "FAILED", "GONE"]),
            "clear": st.booleans(),
            "cleared_meanwhile": st.sampled_from([False, False, False, True]),
            "reads_fail": st.sampled_from([0, 0, 0, 1, 99]),
            "broken": st.sampled_from([0, 0, 0, 1, 2]),
            "prompt": st.sampled_from(["a", "a", "a", "b", "b", "c"]),
            "password": st.sampled_from([KEY, KEY, KEY, ROTATED, FOREIGN]),
            "host": st.sampled_from(["", "", "", "https://relay.example/path"]),
        }
    ),
    min_size=1,
    max_size=9,
)


class Life:
    """A task through its tries, and what may be said of it without knowing how it decides."""

    def __init__(self, one, monkeypatch, on_clear):
        self.one, self.on_clear = one, on_clear
        #: Id → prompt and ``max_tries`` of the generation that was charged for it.
        self.charged = {}
        self.said = ""
        self._meanwhile = False
        self._real = one.gateway.send
        monkeypatch.setattr(_transport, "send", self._send)

    def _send(self, session, settings, call):
        if call.method == "DELETE":
            # Replacing comes after: whoever is cancelled is not what the task stands for, and that is recorded.
            runway_task_id = call.path.rpartition("/")[2]
            current = self.one.history.current
            assert current.phase != "intent"
            assert current.runway_task_id != runway_task_id
            assert runway_task_id in current.replaces
            assert self.one.gateway.tasks[runway_task_id] == "RUNNING"
        try:
            return self._real(session, settings, call)
        finally:
            if call.method == "POST" and self._meanwhile:
                self.one.store.cleared_meanwhile = True

    def end_one(self, remote):
        """The generation that was charged last ends."""
        tasks = self.one.gateway.tasks
        if tasks and remote != "RUNNING":
            last = max(tasks, key=lambda name: int(name[1:]))
            if tasks[last] == "RUNNING":
                tasks[last] = remote

    def may_be_charged(self, prompt):
        """Whether a generation for this request is one that somebody asked for.

        The first is; and one in place of those that are no more; and one after a clear that is to make another, for
        which those of before do not count: a mapped task does not even cancel them.
        """
        mine = {name: tries for name, (text, tries) in self.charged.items() if text == prompt}
        counting = {
            name for name, tries in mine.items() if self.on_clear == "reuse" or tries == self.one.max_tries
        }
        return not any(self.one.gateway.tasks[name] in {"RUNNING", "SUCCEEDED"} for name in counting)

    def run(self, step):
        one, prompt = self.one, step["prompt"]
        # Each try at a time of its own, and all of them before the deadline, at which a task cancels its own.
        one.now += 300
        may_be_charged, before = self.may_be_charged(prompt), set(one.gateway.tasks)
        was_open = {record.sent_at for record in one.history.open()}
        one.gateway.faults, one.gateway.reads_fail = [step["fault"]] * 3, step["reads_fail"]
        one.store.broken, self._meanwhile = step["broken"], step["cleared_meanwhile"]
        log, said, crashed = len(one.log.text), len(one.said), False
        try:
            with contextlib.suppress(RunwayError, TaskDeferred):
                one.run(crash=step["crash"], after=step["after"], payload={**PAYLOAD, "promptText": prompt})
        except Crash:
            crashed = True
        one.gateway.reads_fail = one.store.broken = 0
        one.store.cleared_meanwhile = False
        new = set(one.gateway.tasks) - before
        self.charged.update((name, (prompt, one.max_tries)) for name in new)
        assert len(new) <= 1
        assert not new or may_be_charged
        if not crashed and not step["broken"]:
            told = one.log.text[log:] + one.said[said:]
            for sent_at in was_open & {record.sent_at for record in one.history.open()}:
                assert clock(sent_at) in told
        self.check_what_is_open()

    def check_what_is_open(self):
        """Whatever was charged and never heard of is an open intent of its request."""
        unheard = [
            prompt for name, (prompt, _) in self.charged.items() if name not in self.one.gateway.received
        ]
        kept = [record.fingerprint for record in self.one.history.open()]
        for prompt in unheard:
            assert self.one.request_of(prompt) in kept


PLAIN = {
    "crash": None, "after": False, "fault": "", "remote": "RUNNING", "clear": False, "cleared_meanwhile": False,
    "reads_fail": 0, "broken": 0, "prompt": "a", "password": KEY, "host": "",
}  # fmt: skip


@pytest.mark.property
@pytest.mark.parametrize("journal", ["state store", "folder"])
@pytest.mark.parametrize("mapped", [False, True], ids=["unmapped", "mapped"])
@pytest.mark.parametrize("wait", [False, True], ids=["submit", "wait"])
@pytest.mark.parametrize("on_clear", ["reuse", "regenerate"])
def test_no_interleaving_pays_twice_or_forgets_an_id(
    wait, on_clear, mapped, journal, set_connection, caplog, tmp_path
):
    start = begin if journal == "state store" else partial(begin_in_folder, root=tmp_path / "journal")

    @settings(
        max_examples=settings.default.max_examples * 2, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(tries)
    # What a clear asked for is gone, and what it was to be instead of goes on.
    @example([PLAIN, {**PLAIN, "clear": True}, {**PLAIN, "remote": "GONE"}])
    def any_life(steps):
        with pytest.MonkeyPatch.context() as monkeypatch:
            caplog.clear()
            one = start(
                monkeypatch, set_connection, wait_for_completion=wait, on_clear=on_clear, mapped=mapped
            )
            one.gateway.keys = {KEY: "studio", ROTATED: "studio"}
            life = Life(one, monkeypatch, on_clear)
            for step in steps:
                set_connection(step["host"], password=step["password"])
                if step["clear"]:
                    one.clear()
                life.end_one(step["remote"])
                life.run(step)
            assert not (mapped and one.gateway.deleted)
            known = one.log.text + one.said + caplog.text + one.written()
            for runway_task_id in one.gateway.received:
                assert runway_task_id in known
            assert not [key for key in (KEY, ROTATED, FOREIGN) if key in known]

    any_life()
