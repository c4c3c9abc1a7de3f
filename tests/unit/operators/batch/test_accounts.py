"""A batch on two accounts: "unknown id" is "gone" only where the id was accepted (decision 16)."""

from __future__ import annotations

import json

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException
from unit.operators.batch_tries import prompts
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
