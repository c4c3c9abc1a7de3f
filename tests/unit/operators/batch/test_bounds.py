"""What is open counts: lost answers, kinds that differ in price, and bounds that hold under trouble (decision 17)."""

from __future__ import annotations

import threading

import pytest
from unit.operators.batch_tries import prompts

from airflow_runway.exceptions import RunwayBatchError

LOST = "drop after accept"


def mixed(*kinds):
    """Requests of kinds that differ in price."""
    return [{"model": "m", "duration": duration, "promptText": str(n)} for n, duration in enumerate(kinds)]


@pytest.fixture
def priced(batch, monkeypatch):
    """A gateway whose price is the duration."""
    from unit.operators import batch_tries

    create = batch_tries.BatchGateway._answer

    def answer(self, call):
        if call.method == "POST":
            self.estimate = float(call.json.get("duration", 25))
            self.bill = [*getattr(self, "bill", []), self.estimate]
        return create(self, call)

    monkeypatch.setattr(batch_tries.BatchGateway, "_answer", answer)
    return batch


class TestLostAnswers:
    def test_a_bound_holds_although_every_answer_is_lost(self, batch):
        one = batch(requests=prompts(*map(str, range(40))), max_credits=100)
        one.gateway.faults = [LOST] * 40
        result = one.to_the_end()
        # While no price is known, one may be open.
        assert (one.gateway.charges, result["lost_answers"], result["not_submitted"]) == (1, 1, 39)

    def test_each_counts_as_the_dearest_price_known(self, batch):
        one = batch(requests=prompts(*map(str, range(40))), max_credits=100, max_lost_answers=0)
        one.gateway.faults = ["", *[LOST] * 39]
        result = one.to_the_end()
        assert one.gateway.charges == 4
        assert (result["succeeded"], result["lost_answers"], result["credits"]) == (1, 3, 25)

    def test_after_a_few_nothing_more_is_submitted(self, batch):
        one = batch(requests=prompts(*map(str, range(40))), on_partial_failure="fail")
        one.gateway.faults = ["", *[LOST] * 39]
        with pytest.raises(
            RunwayBatchError, match=r"after 3 lost answers.*request history.*raise max_lost_answers"
        ):
            one.to_the_end()
        assert one.gateway.charges == 4
        one.clear()
        with pytest.raises(RunwayBatchError, match="after 3 lost answers"):
            one.to_the_end()
        assert one.gateway.charges == 4
        one.gateway.faults = []
        one.clear()
        with pytest.raises(RunwayBatchError, match="37 of 40 items succeeded, 3 lost answers"):
            one.to_the_end(max_lost_answers=4)

    def test_what_is_submitted_again_stays_in_the_sum(self, batch):
        one = batch(requests=prompts("a", "b", "c"), max_credits=75)
        one.gateway.faults = ["", LOST]
        assert one.to_the_end()["not_submitted"] == 0
        one.clear()
        # 3 charges of 25 are made; the lost one may not be made again within 75.
        result = one.to_the_end(on_ambiguous_submit="resubmit")
        assert (result["succeeded"], result["lost_answers"], one.gateway.charges) == (2, 1, 3)
        one.clear()
        result = one.to_the_end(on_ambiguous_submit="resubmit", max_credits=100)
        assert (result["succeeded"], result["credits"], one.gateway.charges) == (3, 75, 4)

    def test_one_occupies_a_place_and_the_batch_does_not_wait_for_it_for_ever(self, batch):
        one = batch(requests=prompts("a", "b"), max_in_flight=1, on_partial_failure="fail")
        one.gateway.faults = [LOST]
        with pytest.raises(RunwayBatchError, match="leave no room in max_in_flight"):
            one.to_the_end()
        assert one.gateway.charges == 1

    def test_one_that_ages_before_the_deadline_is_waited_for(self, batch):
        one = batch(requests=prompts("a", "b"), max_in_flight=1, timeout=1000)
        one.gateway.faults = [LOST]
        one.to_the_end()
        one.now += 600
        one.clear()
        trigger = one.begin()
        assert (list(trigger.runway_task_ids), trigger.resume_at) == ([], one.now + 400)
        one.now = trigger.resume_at
        assert one.go_on(trigger).runway_task_ids == ["t2"]

    def test_an_unnoted_one_is_explained(self, batch):
        one = batch(on_partial_failure="fail", requests=prompts("a"))
        from unit.operators.memory import Crash

        one.crash_point.left = 9
        with pytest.raises(Crash):
            one.begin()
        one.crash_point.left = None
        with pytest.raises(RunwayBatchError, match="Its worker was lost while it was sent"):
            one.to_the_end()


class TestKindsThatDifferInPrice:
    @pytest.mark.parametrize("at_once", [1, 4])
    def test_only_the_first_of_a_kind_can_exceed_the_bound_and_is_cancelled_at_once(self, priced, at_once):
        one = priced(requests=mixed(5, 5, 1000, 5, 1000, 5), max_credits=100, submissions_at_once=at_once)
        result = one.to_the_end()
        assert one.gateway.bill.count(1000.0) == 1
        assert one.gateway.deleted == [one.gateway.of("2")[0]]
        assert (result["failed"], result["succeeded"], result["not_submitted"]) == (1, 2, 3)

    def test_a_dear_kind_is_not_taken_for_a_cheap_one(self, priced):
        one = priced(requests=mixed(5, 50, 50, 50), max_credits=110)
        assert one.to_the_end()["credits"] == 105

    def test_the_first_of_a_kind_goes_alone(self, priced, monkeypatch):
        from airflow_runway.hooks.runway import RunwayHook

        under_way, most, lock, send = set(), {}, threading.Lock(), RunwayHook.send

        def noted(self, route, body):
            with lock:
                under_way.add(body["promptText"])
                seen = frozenset(under_way)
            try:
                return send(self, route, body)
            finally:
                with lock:
                    most[body["promptText"]] = len(seen | under_way)
                    under_way.discard(body["promptText"])

        monkeypatch.setattr(RunwayHook, "send", noted)
        one = priced(requests=mixed(5, 5, 5, 7, 7, 7), max_credits=1000, submissions_at_once=3)
        assert one.to_the_end()["succeeded"] == 6
        assert most["0"] == most["3"] == 1

    def test_a_lost_first_of_a_kind_holds_back_its_kind_alone(self, priced):
        one = priced(requests=mixed(5, 7, 7, 5), max_credits=1000, on_partial_failure="fail")
        one.gateway.faults = ["", LOST]
        with pytest.raises(RunwayBatchError, match=r"2 of 4 items succeeded.*told the price was lost"):
            one.to_the_end()

    def test_a_lowered_bound_cancels_nothing(self, batch):
        one = batch()
        one.begin()
        one.begin(max_credits=10)
        assert one.gateway.deleted == []


class TestClears:
    @pytest.mark.parametrize("in_flight", [1, 3, 12, None])
    def test_everything_that_failed_is_sent_again_once(self, batch, in_flight):
        texts = [str(number) for number in range(12)]
        one = batch(requests=prompts(*texts), max_in_flight=in_flight)
        one.gateway.refused = set(texts)
        assert one.to_the_end()["failed"] == 12
        one.gateway.refused = set()
        one.gateway.endings = {"5": "FAILED"}
        one.clear()
        result = one.to_the_end()
        assert (result["succeeded"], result["failed"], one.gateway.charges) == (11, 1, 12)

    @pytest.mark.parametrize("younger", [0, 400])
    def test_what_a_stopped_try_cancelled_is_sent_again_by_one_clear(self, batch, younger):
        one = batch()
        one.begin()
        one.gateway.tasks.update(dict.fromkeys(one.gateway.tasks, "GONE"))
        one.now += younger
        one.clear()
        trigger = one.begin()
        if younger < 300:  # too young for a single reading: the trigger finds out
            lost = {"kind": "task_lost", "message": "It was cancelled."}
            trigger = one.go_on(trigger, errors=dict.fromkeys(trigger.runway_task_ids, lost))
        assert list(trigger.runway_task_ids) == ["t4", "t5", "t6"]
        one.gateway.finish(trigger.runway_task_ids)
        assert one.go_on(trigger)["succeeded"] == 3

    def test_a_limit_in_the_middle_forgets_nothing_that_failed(self, batch):
        one = batch(requests=prompts(*"abcdef"))
        one.gateway.endings = dict.fromkeys("abcdef", "FAILED")
        one.to_the_end()
        one.gateway.endings, one.gateway.taken_today = {}, 8
        one.clear()
        trigger = one.begin()
        one.gateway.finish(trigger.runway_task_ids)
        one.now, one.gateway.taken_today = trigger.resume_at, None
        trigger = one.go_on(trigger)
        one.gateway.finish(trigger.runway_task_ids)
        assert one.go_on(trigger)["succeeded"] == 6
        assert one.gateway.charges == 12

    def test_what_fails_only_after_the_clear_waits_for_another_one(self, batch):
        one = batch(requests=prompts("a", "b"))
        one.begin()
        one.clear()
        one.gateway.endings = {"a": "FAILED"}
        assert one.to_the_end()["failed"] == 1
        assert one.gateway.charges == 2
        one.gateway.endings = {}
        one.clear()
        assert one.to_the_end()["succeeded"] == 2

    def test_what_fails_again_is_not_sent_a_third_time_in_the_same_try(self, batch):
        one = batch(requests=prompts("a", "b"), max_in_flight=1)
        one.gateway.endings = {"a": "FAILED"}
        one.to_the_end()
        one.clear()
        one.to_the_end()
        assert one.gateway.charges == 3


class TestSubmissionsAtOnce:
    def test_one_by_default(self, batch):
        assert batch().operator().submissions_at_once == 1

    @pytest.mark.parametrize("name", ["submissions_at_once", "max_lost_answers"])
    def test_a_number_that_is_none(self, batch, name):
        with pytest.raises(ValueError, match=name):
            batch(**{name: -1}).operator()
