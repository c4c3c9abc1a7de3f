"""An id that stands in an error is kept, and read by the next phase before anything else."""

from __future__ import annotations

import pytest
from unit.operators.batch_tries import prompts
from unit.operators.memory import _says

from airflow_runway.core.journal.item import State
from airflow_runway.core.limits import NOT_VISIBLE_GRACE
from airflow_runway.exceptions import RunwayBatchError, RunwayError, RunwayJournalError
from airflow_runway.stores.batch import BatchStore
from airflow_runway.triggers import _task_instance


def records(one):
    store = BatchStore(one.context())
    store.load()
    return {item.key: item for item in store.items()}


def states(one):
    return sorted(item.state for item in records(one).values())


def later(one, seconds=NOT_VISIBLE_GRACE + 1):
    one.now += seconds


@pytest.mark.parametrize("fault", ["500 with its id", "400 with its id"])
class TestOneThatIsThere:
    def test_the_next_phase_takes_it_up_and_nothing_is_paid_twice(self, batch, fault):
        one = batch(max_in_flight=2)
        one.gateway.faults = [fault]
        trigger = one.begin()
        assert states(one) == [State.INTENT, State.RUNNING]
        trigger = one.go_on(trigger, ended=["t2"])
        assert "t1" in trigger.runway_task_ids
        assert (
            "Runway task t1, which an error named: the gateway knows it, so this item is running."
            in one.log.text
        )
        while not isinstance(trigger, dict):
            one.gateway.finish(trigger.runway_task_ids)
            trigger = one.go_on(trigger)
        assert (trigger["succeeded"], trigger["lost_answers"]) == (3, 0)
        assert (one.gateway.posts, one.gateway.charges) == (3, 3)

    def test_where_nothing_else_ran_the_next_try_does(self, batch, fault):
        one = batch(requests=[{"model": "gen4.5", "promptText": "a"}], on_partial_failure="fail")
        one.gateway.faults = [fault]
        with pytest.raises(RunwayError, match="t1"):
            one.begin()
        one.gateway.finish(["t1"])
        one.clear()
        assert one.begin()["succeeded"] == 1
        assert (one.gateway.posts, one.gateway.charges) == (1, 1)

    def test_not_even_a_wish_to_resubmit_pays_again(self, batch, fault):
        one = batch(on_ambiguous_submit="resubmit")
        one.gateway.faults = [fault]
        one.to_the_end()
        one.clear()
        later(one)
        assert one.to_the_end()["succeeded"] == 3
        assert one.gateway.charges == 3

    def test_what_cannot_be_read_now_is_not_sent_again_either(self, batch, fault):
        one = batch(on_ambiguous_submit="resubmit", requests=[{"model": "gen4.5", "promptText": "a"}])
        one.gateway.faults = [fault]
        one.begin()
        one.clear()
        later(one)
        one.gateway.reads_fail = 100
        summary = one.begin()
        assert (summary["lost_answers"], one.gateway.posts) == (1, 1)

    def test_another_account_gives_it_up_only_where_a_person_says_so(self, batch, fault, set_connection):
        one = batch(requests=[{"model": "gen4.5", "promptText": "a"}])
        one.gateway.faults = [fault]
        one.begin()
        set_connection(password="key_" + "b" * 128)
        one.clear()
        later(one)
        with pytest.raises(RunwayJournalError, match="t1"):
            one.begin()
        assert (states(one), one.gateway.posts) == ([State.INTENT], 1)
        trigger = one.begin(on_clear="regenerate")
        assert (list(trigger.runway_task_ids), one.gateway.posts) == (["t2"], 2)


class TestOneThatIsNot:
    def test_a_refusal_has_failed_the_item_and_is_sent_again_by_a_clear(self, batch):
        one = batch(requests=[{"model": "gen4.5", "promptText": "a"}])
        one.gateway.faults = ["400 with an id of something else"]
        assert one.begin()["lost_answers"] == 1
        one.clear()
        later(one)
        assert one.to_the_end()["succeeded"] == 1
        assert (
            "req-1, which an error named: the gateway does not know it, so this item is failed"
            in one.log.text
        )
        assert (one.gateway.posts, one.gateway.charges) == (2, 1)

    def test_any_other_error_is_a_lost_answer_from_then_on(self, batch, monkeypatch):
        one = batch(requests=[{"model": "gen4.5", "promptText": "a"}])
        one.gateway.faults = ["500 with its id"]
        one.begin()
        one.gateway.tasks["t1"] = "GONE"
        one.clear()
        later(one)
        assert one.begin()["lost_answers"] == 1
        (item,) = records(one).values()
        assert (item.state, item.runway_task_id, one.gateway.posts) == (State.INTENT, "", 1)
        assert "t1, which the gateway does not know" in item.note
        one.clear()
        assert one.to_the_end(on_ambiguous_submit="resubmit")["succeeded"] == 1

    def test_a_server_that_may_show_it_late_is_given_its_time(self, batch):
        one = batch(requests=[{"model": "gen4.5", "promptText": "a"}])
        one.gateway.faults = ["400 with an id of something else"]
        one.begin()
        one.clear()
        assert one.begin()["lost_answers"] == 1
        assert states(one) == [State.INTENT]


def test_the_id_of_another_item_is_left_to_that(batch, monkeypatch):
    """A gateway that refuses a second generation names the first."""
    one = batch(requests=[{"model": "gen4.5", "promptText": text} for text in "ab"])
    plain = one.gateway._create

    def create():
        if not one.gateway.tasks:
            return plain()
        one.gateway.posts += 1
        return _says({"error": "You have one running already.", "id": "t1"}, 400)

    monkeypatch.setattr(one.gateway, "_create", create)
    trigger = one.begin()
    one.gateway.finish(["t1"])
    assert one.go_on(trigger)["failed"] == 1
    assert states(one) == [State.FAILED, State.SUCCEEDED]
    monkeypatch.setattr(one.gateway, "_create", plain)
    one.clear()
    assert one.to_the_end()["succeeded"] == 2
    assert one.gateway.charges == 2


def test_one_that_only_a_refusal_named_is_not_cancelled_for_leaving_the_list(batch):
    one = batch(max_in_flight=2)
    one.gateway.faults = ["400 with its id"]
    one.begin()
    one.clear()
    one.begin(requests=[{"model": "gen4.5", "promptText": text} for text in "bcd"])
    assert one.gateway.deleted == []
    assert "only an error named them, so that they may be another task's" in one.log.text


@pytest.mark.parametrize("way", ["deadline", "stop"])
def test_nor_at_the_deadline_or_for_a_person_who_ends_the_task(batch, monkeypatch, way):
    one = batch(requests=prompts("a", "b"), on_partial_failure="fail", timeout=1_000)
    one.gateway.faults = ["400 with its id"]
    trigger = one.begin()
    # Another one has ended, so that this one is taken up.
    one.gateway.finish(["t2"])
    trigger = one.go_on(trigger)
    assert trigger.runway_task_ids == ["t1"]
    one.now += 400
    if way == "deadline":
        one.now += 1_000
        with pytest.raises(RunwayBatchError, match=r"1 unfinished.* charged if they finish: t1\."):
            one.go_on(trigger, ended=[])
    else:
        monkeypatch.setattr(_task_instance, "blocking_state_of", lambda _: "failed")
        operator = one.operator()
        operator.on_kill()
        with pytest.raises(RunwayBatchError, match=r"but for 1\. .* charged if they finish: t1\."):
            operator.execute(one.context())
    assert (one.gateway.deleted, one.gateway.tasks["t1"]) == ([], "RUNNING")


def test_it_counts_as_one_lost_answer_and_no_price(batch):
    one = batch(max_credits=60, requests=[{"model": "gen4.5", "promptText": text} for text in "abcd"])
    one.gateway.faults = ["", "500 with its id"]
    one.begin()
    assert (one.gateway.posts, one.gateway.charges) == (2, 2)


def test_one_that_is_taken_up_does_not_pass_for_a_gateway_that_tells_no_prices(batch):
    """Its price was lost with the answer: until it is known, nothing more of its kind may exceed the bound."""
    one = batch(max_credits=20, requests=[{"model": "gen4.5", "promptText": text} for text in "abc"])
    one.gateway.faults = ["502 with its id"]
    one.begin()
    one.clear()
    trigger = one.begin()
    assert list(trigger.runway_task_ids) == ["t1"]
    assert one.gateway.posts == 1
    one.gateway.cost = 12.0
    one.gateway.finish(["t1"])
    one.go_on(trigger)
    assert one.gateway.posts == 1  # 12 of 20 are spent, and another one may cost as much


def test_nor_does_one_that_is_given_up_on_another_account(batch, set_connection):
    one = batch(max_credits=20, requests=[{"model": "gen4.5", "promptText": text} for text in "abc"])
    one.gateway.faults = ["502 with its id"]
    one.begin()
    set_connection(password="key_" + "b" * 128)
    one.clear()
    later(one)
    one.begin(on_clear="regenerate")
    assert one.gateway.posts == 1
