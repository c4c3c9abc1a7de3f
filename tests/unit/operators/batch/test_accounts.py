"""A batch on two accounts: "unknown id" is "gone" only where the id was accepted (decision 16)."""

from __future__ import annotations

import contextlib
import json

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException
from unit.operators.batch_tries import Downloads, hiding, prompts
from unit.operators.memory import Crash
from unit.scripted import KEY

from airflow_runway.exceptions import RunwayError, RunwayJournalError

NEW_KEY = "key_fedcba9876543210fedcba9876543210"
CHANGES = [
    pytest.param(
        {"password": NEW_KEY},
        "with another API key, or under another path, than the connection has now",
        id="key",
    ),
    pytest.param(
        {"host": "https://relay.example/path"},
        "at https://api.dev.runwayml.com, which the connection's Base URL was then",
        id="base-url",
    ),
]
LOST = {"kind": "task_lost", "message": "It is gone."}


def resume(one, trigger):
    """What a trigger brings about that has read everything on another account."""
    return one.go_on(trigger, errors=dict.fromkeys(trigger.runway_task_ids, LOST))


@pytest.mark.parametrize(("connection", "said"), CHANGES)
class TestAnotherAccount:
    @pytest.mark.parametrize("way", ["retry", "clear", "resume"])
    def test_what_it_does_not_know_is_not_gone(self, batch, set_connection, connection, said, way):
        one = batch()
        trigger = one.begin()
        one.now += 4_000
        set_connection(**connection)
        if way == "clear":
            one.clear()
        for _ in range(2):
            with pytest.raises(RunwayJournalError, match=said) as caught:
                resume(one, trigger) if way == "resume" else one.begin()
            assert not isinstance(caught.value, AirflowFailException)
            assert "ended, and charged if they finish: t1, t2, t3." in str(caught.value)
        assert (one.gateway.posts, one.gateway.deleted) == (3, [])
        set_connection()
        assert one.to_the_end()["succeeded"] == 3
        assert one.gateway.charges == 3

    def test_a_person_may_give_them_up(self, batch, set_connection, connection, said):
        one = batch()
        one.begin()
        one.now += 4_000
        set_connection(**connection)
        one.clear()
        assert one.to_the_end(on_clear="regenerate")["succeeded"] == 3
        assert (one.gateway.charges, one.gateway.deleted) == (6, [])

    def test_what_has_ended_hinders_nobody(self, batch, set_connection, connection, said):
        one = batch()
        one.to_the_end()
        set_connection(**connection)
        one.clear()
        assert one.to_the_end(requests=prompts("a", "b", "c", "d"))["succeeded"] == 4
        assert one.gateway.charges == 4

    def test_a_dry_run_says_the_same_and_writes_nothing(self, batch, set_connection, connection, said):
        one = batch()
        one.begin()
        one.now += 4_000
        before = json.dumps(one.store.values)
        set_connection(**connection)
        with pytest.raises(RunwayJournalError, match=said):
            one.operator(dry_run=True).execute(one.context())
        with pytest.raises(AirflowSkipException):
            one.operator(dry_run=True, on_clear="regenerate").execute(one.context())
        assert json.dumps(one.store.values) == before


def test_a_connection_that_was_changed_and_changed_back_during_the_wait_loses_nothing(batch):
    one = batch()
    trigger = resume(one, one.begin())
    assert trigger.runway_task_ids == ["t1", "t2", "t3"]
    one.gateway.finish(trigger.runway_task_ids)
    assert one.go_on(trigger)["succeeded"] == 3
    assert one.gateway.charges == 3


def test_a_rotated_key_that_reads_all_changes_nothing_and_becomes_the_one_on_record(batch, set_connection):
    one = batch()
    one.gateway.keys = dict.fromkeys([KEY, NEW_KEY], "studio")
    one.begin()
    before = one.store.values["runway_batch"]["account"]
    set_connection(password=NEW_KEY)
    trigger = one.begin()
    assert one.store.values["runway_batch"]["account"] != before
    one.gateway.finish(trigger.runway_task_ids)
    assert one.go_on(trigger)["succeeded"] == 3
    assert one.gateway.charges == 3


def test_what_cannot_be_read_is_not_taken_for_known(batch, set_connection):
    one = batch()
    one.gateway.keys = dict.fromkeys([KEY, NEW_KEY], "studio")
    one.begin()
    before = one.store.values["runway_batch"]["account"]
    set_connection(password=NEW_KEY)
    one.gateway.reads_fail = 99
    with pytest.raises(RunwayError, match=r"t[123]"):
        one.begin(requests=prompts("a", "b", "c", "d"))
    assert one.store.values["runway_batch"]["account"] == before
    assert one.gateway.posts == 3


class TestAGatewayThatHidesWhatItDoesNotKnow:
    """It answers ``task_not_exist``, which may also mean that it does not show the task yet."""

    @pytest.fixture(autouse=True)
    def hides(self, monkeypatch):
        hiding(monkeypatch)

    @pytest.mark.parametrize("connection", [{"password": NEW_KEY}, {"host": "https://relay.example/path"}])
    def test_an_account_that_changes_during_the_deferral_stays_on_record(
        self, batch, set_connection, connection
    ):
        one = batch()
        trigger = one.begin()
        one.now += 4_000
        before = one.store.values["runway_batch"]["account"]
        set_connection(**connection)
        for _ in range(2):
            with pytest.raises(RunwayJournalError, match=r"they finish: t1, t2, t3\."):
                resume(one, trigger)
        assert one.store.values["runway_batch"]["account"] == before
        set_connection()
        assert one.to_the_end()["succeeded"] == 3
        assert one.gateway.charges == 3

    def test_what_was_deleted_on_the_same_account_ends_at_the_first_resume(self, batch):
        one = batch()
        trigger = one.begin()
        one.now += 4_000
        one.gateway.tasks["t1"] = "GONE"
        one.gateway.finish(["t2", "t3"])
        result = one.go_on(trigger, errors={"t1": LOST})
        assert (result["succeeded"], result["failed"]) == (2, 1)
        one.clear()
        assert one.to_the_end()["succeeded"] == 3
        assert one.gateway.charges == 4

    def test_what_is_too_young_to_be_shown_is_not_taken_for_cancelled(self, batch, monkeypatch):
        one = batch(max_credits=20, requests=prompts("a"))
        one.gateway.shows_after = 1
        trigger = one.begin()
        assert (trigger.runway_task_ids, one.gateway.deleted) == (["t1"], [])
        one.gateway.finish(["t1"])
        assert one.go_on(trigger)["succeeded"] == 1
        one.clear()
        assert one.to_the_end()["succeeded"] == 1
        assert one.gateway.charges == 1


class TestWhatWaitsToBeSaved:
    @pytest.fixture
    def unsaved(self, batch, monkeypatch, tmp_path):
        one = batch(
            destination=f"file://{tmp_path}/out", manifest=f"file://{tmp_path}/m.jsonl", requests=prompts("a")
        )
        one.downloads = Downloads(monkeypatch)
        one.downloads.broken = True
        assert one.to_the_end()["failed"] == 1
        one.now += 4_000
        return one

    @pytest.mark.parametrize("way", ["retry", "clear"])
    def test_is_not_lost_to_a_new_key(self, unsaved, set_connection, way):
        before = unsaved.store.values["runway_batch"]["account"]
        set_connection(password=NEW_KEY)
        if way == "clear":
            unsaved.clear()
        with pytest.raises(RunwayJournalError, match=r"t1\."):
            unsaved.begin()
        assert unsaved.store.values["runway_batch"]["account"] == before
        set_connection()
        unsaved.downloads.broken = False
        assert unsaved.to_the_end()["succeeded"] == 1
        assert unsaved.gateway.charges == 1

    def test_may_be_given_up(self, unsaved, set_connection):
        set_connection(password=NEW_KEY)
        unsaved.downloads.broken = False
        unsaved.clear()
        assert unsaved.to_the_end(on_clear="regenerate")["succeeded"] == 1
        assert unsaved.gateway.charges == 2


class TestGivingUp:
    def test_is_told_with_ids_and_origin(self, batch, set_connection):
        one = batch()
        one.begin()
        one.now += 4_000
        set_connection(host="https://relay.example/secret")
        one.clear()
        assert one.to_the_end(on_clear="regenerate")["succeeded"] == 3
        said = (
            "Given up, since not known at https://relay.example. Not known to have ended, and charged if they "
            "finish: t1, t2, t3."
        )
        assert said in one.log.text
        assert "secret" not in one.log.text

    @pytest.mark.parametrize("key", [KEY, NEW_KEY], ids=["earlier", "new"])
    @pytest.mark.parametrize("clears", [False, True])
    @pytest.mark.parametrize("crash", range(1, 31))
    def test_a_worker_that_dies_of_it_leaves_what_a_person_decided(
        self, batch, set_connection, crash, clears, key
    ):
        one = batch()
        one.begin()
        one.now += 4_000
        set_connection(password=NEW_KEY)
        one.clear()
        one.crash_point.left, one.crash_point.after = crash, True
        with contextlib.suppress(Crash):
            one.begin(on_clear="regenerate")
        one.crash_point.left = None
        # Whoever is on call has meanwhile set it back.
        set_connection(password=key)
        if clears:
            one.clear()
        one.now += 400
        with contextlib.suppress(RunwayError):
            one.to_the_end()
        for text in "abc":
            assert len(one.gateway.of(text)) <= 2
        known = one.log.text + json.dumps(one.store.values)
        assert all(name in known for name in one.gateway.received)
        # What nobody heard of is an answer that was lost.
        items = one.store.values["runway_batch_0000"]
        lost = sum(item.get("lost", 0) + (item["state"] == "intent") for item in items)
        assert lost >= one.gateway.charges - len(one.gateway.received)
