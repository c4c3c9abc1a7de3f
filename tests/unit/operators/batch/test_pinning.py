"""The list that the first try wrote down is what is asked for, whatever the list is later (decision 14)."""

from __future__ import annotations

import contextlib
import json
import re

import pytest
from unit.operators.batch_tries import moderating, prompts
from unit.operators.memory import Crash

from airflow_runway.exceptions import (
    RunwayBatchError,
    RunwayBatchIncompleteError,
    RunwayConfigurationError,
    RunwayError,
    RunwayJournalError,
    RunwayMediaError,
)


def volatile(*texts):
    """A list whose bodies are rendered differently each time."""
    volatile.renderings += 1
    return prompts(*(f"{text} at {volatile.renderings}" for text in texts))


volatile.renderings = 0


class TestAListThatIsRenderedAnew:
    def test_nothing_is_paid_for_again_at_a_resume(self, batch):
        one = batch(max_in_flight=2)
        trigger = one.begin(requests=volatile("a", "b"))
        for _ in range(5):
            one.gateway.finish(trigger.runway_task_ids)
            trigger = one.go_on(trigger, requests=volatile("a", "b"))
            if isinstance(trigger, dict):
                break
        assert trigger["succeeded"] == trigger["total"] == 2
        assert one.gateway.charges == 2

    def test_what_had_not_been_sent_is_not_sent_and_the_error_names_reason_and_cure(self, batch):
        one = batch(max_in_flight=1, on_partial_failure="fail")
        trigger = one.begin(requests=volatile("a", "b", "c"))
        one.gateway.finish(trigger.runway_task_ids)
        with pytest.raises(
            RunwayBatchError,
            match=r"1 of 3 items succeeded, 2 not submitted.*another one.*item_key.*rendered anew.*clear this task",
        ):
            one.go_on(trigger, requests=volatile("a", "b", "c"))
        assert one.gateway.charges == 1

    def test_nor_by_a_retry(self, batch):
        one = batch()
        one.begin(requests=volatile("a", "b", "c"))
        trigger = one.begin(requests=volatile("a", "b", "c"))
        assert trigger.runway_task_ids == ["t1", "t2", "t3"]
        assert (one.gateway.charges, one.gateway.deleted) == (3, [])

    def test_a_clear_sends_nothing_either_and_gives_the_counts(self, batch):
        one = batch()
        one.to_the_end(requests=prompts("a", "b"))
        one.clear()
        for _ in range(2):
            with pytest.raises(
                RunwayBatchError, match=r"None of the 3 .* the 2 items .*50 credits.*on_clear"
            ):
                one.to_the_end(requests=volatile("a", "b", "c"))
        assert one.gateway.charges == 2

    def test_unless_that_is_wanted(self, batch):
        one = batch()
        one.to_the_end(requests=prompts("a", "b"))
        one.clear()
        result = one.to_the_end(requests=prompts("c", "d", "e"), on_clear="regenerate")
        assert (result["succeeded"], result["credits"], result["credits_off_list"]) == (3, 125, 50)

    def test_one_entry_of_before_is_enough_to_take_it_for_the_list(self, batch):
        one = batch()
        one.to_the_end(requests=prompts("a", "b"))
        one.clear()
        assert one.to_the_end(requests=prompts("b", "c"))["succeeded"] == 2
        assert one.gateway.charges == 3


class TestAFileThatChanges:
    @pytest.fixture
    def listed(self, batch, tmp_path):
        path = tmp_path / "requests.jsonl"

        def write(*texts, tail=""):
            path.write_text("".join(json.dumps(one) + "\n" for one in prompts(*texts)) + tail)

        write("a", "b", "c")
        one = batch(requests=f"file://{path}", max_in_flight=1, on_partial_failure="fail")
        trigger = one.begin()
        one.gateway.finish(trigger.runway_task_ids)
        one.path, one.write, one.trigger = path, write, trigger
        return one

    @pytest.mark.parametrize("how", ["emptied", "half written", "replaced", "deleted"])
    def test_nothing_new_is_sent_and_nothing_is_lost(self, listed, how):
        spoil = {
            "emptied": lambda: listed.path.write_text(""),
            "half written": lambda: listed.write("a", tail='{"model": "gen4'),
            "replaced": lambda: listed.write("x", "y", "z"),
            "deleted": lambda: listed.path.unlink(),
        }
        spoil[how]()
        may_pass = RunwayBatchError if how == "replaced" else RunwayBatchIncompleteError
        with pytest.raises(
            may_pass, match=r"1 of 3 items succeeded, 2 not submitted.*JSON-lines file that nobody"
        ):
            listed.go_on(listed.trigger)
        assert (listed.gateway.charges, listed.gateway.deleted) == (1, [])
        listed.write("a", "b", "c")
        assert listed.to_the_end()["succeeded"] == 3
        assert listed.gateway.charges == 3

    def test_what_it_was_when_all_was_sent_does_not_matter(self, batch, tmp_path):
        path = tmp_path / "requests.jsonl"
        path.write_text("".join(json.dumps(one) + "\n" for one in prompts("a", "b")))
        one = batch(requests=f"file://{path}", on_partial_failure="fail")
        trigger = one.begin()
        path.unlink()
        one.gateway.finish(trigger.runway_task_ids)
        assert one.go_on(trigger)["succeeded"] == 2

    def test_a_longer_list_at_a_resume_sends_no_more(self, listed):
        listed.write("a", "b", "c", "d")
        trigger = listed.trigger
        while not isinstance(trigger, dict):
            listed.gateway.finish(trigger.runway_task_ids)
            trigger = listed.go_on(trigger)
        assert (trigger["total"], trigger["succeeded"], listed.gateway.charges) == (3, 3, 3)
        assert "1 entries of the list were not in it" in listed.log.text

    def test_a_shorter_list_cancels_nothing_on_a_retry(self, batch):
        one = batch()
        one.begin()
        assert one.begin(requests=prompts("a")).runway_task_ids == ["t1", "t2", "t3"]
        assert one.gateway.deleted == []

    @pytest.mark.parametrize("bad", [7, {"promptText": "b", "promptImage": "/nowhere/at/all.png"}])
    def test_and_after_a_clear_only_if_every_entry_could_be_read(self, batch, bad):
        one = batch()
        one.begin()
        one.clear()
        one.begin(requests=[*prompts("a"), bad])
        assert one.gateway.deleted == []
        assert "t2, t3" in one.log.text
        one.clear()
        one.begin(requests=prompts("a"))
        assert sorted(one.gateway.deleted) == ["t2", "t3"]

    def test_a_mapped_task_cancels_nothing_that_may_be_anothers(self, batch):
        one = batch()
        one.begin()
        one.clear()
        context = one.context()
        context["ti"].map_index = 0
        one._phase(lambda: one.operator(requests=prompts("a")).execute(context))
        assert one.gateway.deleted == []

    def test_settling_and_saving_need_no_list(self, batch):
        one = batch(max_in_flight=1)
        trigger = one.begin()
        one.gateway.finish(trigger.runway_task_ids)
        result = one.go_on(trigger, requests=None)
        assert (result["succeeded"], result["not_submitted"]) == (1, 2)

    def test_an_input_file_that_is_another_one_is_another_request(self, batch, tmp_path):
        from unit.operators.test_media import write_picture

        paths = [write_picture(tmp_path / f"{name}.png", "teal") for name in "ab"]
        requests = [{"promptText": str(n), "promptImage": str(path)} for n, path in enumerate(paths)]
        one = batch(requests=requests, max_in_flight=1)
        trigger = one.begin()
        write_picture(paths[1], "red")
        one.gateway.finish(trigger.runway_task_ids)
        result = one.go_on(trigger)
        assert (result["succeeded"], result["failed"], one.gateway.charges) == (1, 1, 1)
        assert "is another one than when the list was pinned" in one.log.text
        one.clear()
        assert one.to_the_end()["succeeded"] == 2


class TestThePin:
    def test_every_file_is_read_before_the_first_post(self, batch, tmp_path, monkeypatch):
        from unit.operators.test_media import write_picture

        from airflow_runway.hooks.runway import RunwayHook

        path = write_picture(tmp_path / "a.png", "teal")
        one, posts, prepare = batch(), [], RunwayHook.prepare

        def noted(self, payload):
            posts.append(one.gateway.posts)
            return prepare(self, payload)

        monkeypatch.setattr(RunwayHook, "prepare", noted)
        one.begin(requests=[{"promptText": str(number), "promptImage": str(path)} for number in range(3)])
        assert posts == [0, 0, 0, 0, 1, 2]

    def test_it_is_written_before_anything_is_sent_in_entries_that_fit(self, batch):
        one = batch(requests=prompts(*(str(number) for number in range(2000))), max_in_flight=1)
        one.begin()
        pins = [value for key, value in one.store.values.items() if "_pin_" in key]
        assert sum(map(len, pins)) == 2000
        assert max(len(json.dumps(value)) for value in one.store.values.values()) < 2**16

    def test_a_pin_that_cannot_be_written_sends_nothing(self, batch):
        one = batch()
        one.store.set = lambda *_, **__: 1 / 0
        with pytest.raises(RunwayJournalError, match="Nothing was sent"):
            one.begin()
        assert one.gateway.posts == 0

    @pytest.mark.parametrize("after", [False, True])
    def test_a_clear_that_dies_while_it_pins_is_still_a_clear(self, batch, after):
        for crash in range(1, 12):
            one = batch(requests=prompts("a", "b"))
            one.gateway.endings = {"b": "FAILED"}
            one.to_the_end()
            one.gateway.endings = {}
            one.clear()
            one.crash_point.left, one.crash_point.after = crash, after
            with contextlib.suppress(Crash):
                one.begin(requests=prompts("a", "b", "c"))
            one.crash_point.left = None
            result = one.to_the_end(requests=prompts("a", "b", "c"))
            assert result["succeeded"] + result["lost_answers"] == 3
            assert one.gateway.charges <= 4

    def test_a_key_that_nobody_knows_is_looked_for_by_content(self, batch):
        signed = "https://b.s3.amazonaws.com/{}.png?X-Amz-Signature={}".format

        def rendered(number):
            return [{"promptText": name, "promptImage": signed(name, number)} for name in "abc"]

        one = batch(max_in_flight=1)
        trigger = one.begin(requests=rendered(0))
        for number in range(1, 9):
            one.gateway.finish(trigger.runway_task_ids)
            trigger = one.go_on(trigger, requests=rendered(number))
            if isinstance(trigger, dict):
                break
        assert (trigger["succeeded"], one.gateway.charges) == (3, 3)


class TestItemKey:
    @staticmethod
    def shots(*names, suffix=""):
        return [{"shot": name, **prompts(f"{name}{suffix}")[0]} for name in names]

    def test_it_is_not_sent(self, batch, monkeypatch):
        from airflow_runway.hooks.runway import RunwayHook

        sent, send = [], RunwayHook.send
        monkeypatch.setattr(
            RunwayHook, "send", lambda self, route, body: sent.append(body) or send(self, route, body)
        )
        assert batch(requests=self.shots("s1", "s2"), item_key="shot").to_the_end()["succeeded"] == 2
        assert sent == prompts("s1", "s2")

    def test_bodies_may_be_rendered_anew_and_reordered(self, batch):
        one = batch(item_key="shot", max_in_flight=1)
        trigger = one.begin(requests=self.shots("s1", "s2", "s3"))
        for number in range(9):
            one.gateway.finish(trigger.runway_task_ids)
            trigger = one.go_on(trigger, requests=self.shots("s3", "s2", "s1", suffix=f" {number}"))
            if isinstance(trigger, dict):
                break
        assert (trigger["succeeded"], one.gateway.charges) == (3, 3)
        assert [one.gateway.prompts[runway_task_id][:2] for runway_task_id in trigger["runway_task_ids"]] == [
            "s1", "s2", "s3",
        ]  # fmt: skip
        one.clear()
        assert one.to_the_end(requests=self.shots("s3", "s4", "s1", suffix="!"))["succeeded"] == 3
        assert one.gateway.charges == 4

    def test_names_that_come_later_find_what_was_paid_for(self, batch):
        one = batch()
        one.to_the_end(requests=prompts("s1", "s2"))
        one.clear()
        assert one.to_the_end(requests=self.shots("s1", "s2", "s3"), item_key="shot")["succeeded"] == 3
        assert one.gateway.charges == 3

    def test_a_number_is_a_key_too(self, batch):
        assert batch(requests=self.shots(1, 2), item_key="shot").to_the_end()["succeeded"] == 2

    @pytest.mark.parametrize(
        ("requests", "words"),
        [
            ([{"shot": "a"}, {"shot": "b"}, {"shot": "a"}], "Entries 0 and 2 .* the same 'shot'"),
            ([{"shot": "1"}, {"shot": 1}], "Entries 0 and 1"),
            ([{"shot": "a"}, {}], "Entry 1 .* no 'shot'"),
            ([{"shot": ""}], "Entry 0"),
            ([{"shot": True}], "Entry 0"),
            ([{"shot": None}], "Entry 0"),
            ([{"shot": ["a"]}], "Entry 0"),
        ],
    )
    def test_it_is_checked_before_anything_is_sent(self, batch, requests, words):
        one = batch(requests=requests, item_key="shot")
        with pytest.raises(RunwayConfigurationError, match=f"{words}.*Nothing was sent"):
            one.begin()
        assert one.gateway.posts == 0

    def test_keys_that_are_wrong_at_a_resume_lose_nothing(self, batch):
        one = batch(item_key="shot", max_in_flight=1)
        trigger = one.begin(requests=self.shots("s1", "s2"))
        one.gateway.finish(trigger.runway_task_ids)
        result = one.go_on(trigger, requests=self.shots("s2", "s2"))
        assert (result["succeeded"], result["not_submitted"]) == (1, 1)

    def test_a_moderated_item_is_sent_again_when_its_body_was_changed(self, batch, monkeypatch):
        moderating(monkeypatch)
        one = batch(item_key="shot")
        one.gateway.endings = {"s1": "MODERATED"}
        assert one.to_the_end(requests=self.shots("s1", "s2"))["moderated"] == 1
        one.clear()
        assert one.to_the_end(requests=self.shots("s1", "s2"))["moderated"] == 1
        one.clear()
        changed = [*self.shots("s1", suffix=" changed"), *self.shots("s2")]
        assert one.to_the_end(requests=changed)["succeeded"] == 2
        assert one.gateway.charges == 3


class TestOnClear:
    def test_reuse_is_the_default(self, batch):
        one = batch()
        one.to_the_end()
        one.clear()
        one.to_the_end()
        assert one.gateway.charges == 3

    def test_regenerate_pays_for_what_succeeded_once_per_clear(self, batch):
        one = batch(max_in_flight=1, on_clear="regenerate")
        one.to_the_end()
        one.clear()
        result = one.to_the_end()
        assert (result["succeeded"], result["credits"], one.gateway.charges) == (3, 150, 6)
        assert result["runway_task_ids"] == ["t4", "t5", "t6"]
        assert one.to_the_end()["runway_task_ids"] == ["t4", "t5", "t6"]  # a retry is no clear
        assert one.gateway.charges == 6

    def test_regenerate_waits_for_what_runs(self, batch):
        one = batch(on_clear="regenerate")
        one.begin()
        one.clear()
        assert one.to_the_end()["runway_task_ids"] == ["t1", "t2", "t3"]
        assert one.gateway.charges == 3

    def test_a_word_that_is_none(self, batch):
        with pytest.raises(ValueError, match="on_clear"):
            batch(on_clear="again").operator()


def test_a_list_that_cannot_be_read_after_a_clear_settles_first_and_sends_nothing(batch):
    one = batch()
    trigger = one.begin()
    one.gateway.finish(trigger.runway_task_ids)
    one.clear()
    with pytest.raises(RunwayMediaError):
        one.begin(requests="file:///nowhere/requests.jsonl")
    states = [item["state"] for item in one.store.values["runway_batch_0000"]]
    assert states == ["succeeded"] * 3
    assert one.to_the_end()["succeeded"] == 3


def test_no_message_holds_a_prompt(batch):
    one = batch(on_partial_failure="fail", max_in_flight=1)
    trigger = one.begin(requests=prompts("a secret", "b secret"))
    one.gateway.finish(trigger.runway_task_ids)
    with pytest.raises(RunwayError) as caught:
        one.go_on(trigger, requests=prompts("another secret"))
    assert not re.search("secret", str(caught.value) + one.log.text + json.dumps(one.store.values))
