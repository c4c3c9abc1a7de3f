"""The list of a batch as it is pinned, and found again."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_runway.core.journal.item import Item, State
from airflow_runway.core.journal.pin import Entry, Pinned, bodies_of, named, pin_as_json, pin_of, read_pin


def item(key, state=State.SUCCEEDED, **fields):
    return Item(key, state, **{"as_written": "w", "content": key.rpartition(".")[0], **fields})


def keys(pin):
    return [pinned.key for pinned in pin]


class TestPinning:
    def test_new_entries_are_numbered_by_content(self):
        entries = [Entry("w1", "a"), Entry("w1", "a"), Entry("w2", "b")]
        assert keys(pin_of(entries, [])) == ["a.0", "a.1", "b.0"]

    def test_what_is_no_request_has_no_key_and_keeps_its_place(self):
        assert keys(pin_of([Entry("w", "a"), Entry(""), Entry("v", "b")], [])) == ["a.0", "", "b.0"]

    def test_what_is_recorded_is_found_by_content_wherever_it_stands(self):
        items = [item("a.0"), item("b.0")]
        assert keys(pin_of([Entry("new words", "b"), Entry("w", "a")], items)) == ["b.0", "a.0"]

    def test_of_several_alike_those_are_taken_that_need_no_payment(self):
        items = [item("a.0", State.FAILED), item("a.1"), item("a.2", State.MODERATED)]
        assert keys(pin_of([Entry("w", "a")], items)) == ["a.1"]
        assert keys(pin_of([Entry("w", "a")] * 4, items)) == ["a.1", "a.2", "a.0", "a.3"]

    def test_a_file_that_is_gone_does_not_hide_what_is_recorded_in_the_same_words(self):
        assert keys(pin_of([Entry("w", "")], [item("a.0")])) == ["a.0"]

    def test_words_take_nothing_that_another_entry_has_by_content(self):
        assert keys(pin_of([Entry("w", ""), Entry("w", "a")], [item("a.0")])) == ["~w.0", "a.0"]

    def test_what_cannot_be_looked_at_and_is_not_recorded_is_known_by_its_words(self):
        assert keys(pin_of([Entry("w", ""), Entry("w", "")], [])) == ["~w.0", "~w.1"]

    def test_such_an_item_is_found_by_content_later(self):
        assert keys(pin_of([Entry("w", "a")], [item("~w.0", content="a")])) == ["~w.0"]

    def test_a_name_counts_more_than_content(self):
        items = [item(named("s1"), content="old")]
        assert keys(pin_of([Entry("w", "new", named("s1"))], items)) == [named("s1")]

    def test_names_that_come_later_find_what_was_recorded_without(self):
        assert keys(pin_of([Entry("w", "a", named("s1"))], [item("a.0")])) == ["a.0"]

    def test_a_named_item_is_not_taken_by_an_entry_without_that_name(self):
        items = [item(named("s1"), content="a")]
        assert keys(pin_of([Entry("w", "a", named("s2"))], items)) == [named("s2")]
        assert keys(pin_of([Entry("w", "a")], items)) == ["a.0"]

    def test_a_name_is_not_written_down(self):
        assert "secret" not in named("secret shot")

    @pytest.mark.parametrize("cleared", [True, False])
    @pytest.mark.parametrize("regenerate", [True, False])
    def test_what_is_made_anew_is_said_by_its_id(self, cleared, regenerate):
        items = [
            item("a.0", runway_task_id="t1"),
            item("b.0", State.RUNNING, runway_task_id="t2"),
            item(named("s"), State.MODERATED, content="old", runway_task_id="t3"),
            item("m.0", State.MODERATED, runway_task_id="t4"),
        ]
        entries = [
            Entry("w", "a"),
            Entry("w", "b"),
            Entry("w", "new", named("s")),
            Entry("w", "m"),
            Entry("w", "n"),
        ]
        pin = pin_of(entries, items, cleared=cleared, regenerate=regenerate)
        succeeded = "t1" if cleared and regenerate else ""
        assert [one.replaces for one in pin] == [succeeded, "", "t3" if cleared else "", "", ""]

    @given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=8), st.integers(0, 5))
    def test_no_two_entries_get_one_key(self, wanted, recorded):
        items = [item(f"{'abc'[number % 3]}.{number // 3}") for number in range(recorded)]
        entries = [Entry(letter, letter if readable else "") for letter, readable in wanted]
        found = keys(pin_of(entries, items))
        assert len(set(found)) == len(found)
        assert all(found)


class TestFindingBodies:
    PIN = pin_of([Entry("w1", "a"), Entry("w1", "a"), Entry("w2", "b"), Entry(""), Entry("w3", "c")], [])

    def test_the_same_list(self):
        assert bodies_of(self.PIN, [Entry("w1"), Entry("w1"), Entry("w2"), Entry(""), Entry("w3")]) == {
            0: 0, 1: 1, 2: 2, 4: 4,
        }  # fmt: skip

    def test_another_order(self):
        assert bodies_of(self.PIN, [Entry("w3"), Entry("w2"), Entry("w1")]) == {0: 2, 2: 1, 4: 0}

    def test_other_words_of_one_content(self):
        assert bodies_of(self.PIN, [Entry("signed anew", "b"), Entry("w1", "a")]) == {0: 1, 2: 0}

    def test_by_name_alone(self):
        pin = pin_of([Entry("w", "a", named("x")), Entry("v", "b", named("y"))], [])
        assert bodies_of(pin, [Entry("other", "", named("y")), Entry("w", "a", named("z"))]) == {1: 0}

    @pytest.mark.parametrize("entries", [[], [Entry("")], [Entry("x", "y")]])
    def test_none(self, entries):
        assert bodies_of(self.PIN, entries) == {}


class TestWriting:
    def test_there_and_back(self):
        pin = (
            *pin_of([Entry("w" * 24, "a" * 24), Entry(""), Entry("w", ""), Entry("w", "c" * 24, named("s"))], []),
            Pinned("a.1", "w", "b", "t1"), Pinned("a.2", "w", "a", "t1"), Pinned("~w.0", "w", "", "t2"),
        )  # fmt: skip
        assert read_pin(json.loads(json.dumps(pin_as_json(pin)))) == pin

    def test_every_entry_of_the_store_stays_below_64_kib(self):
        chance = random.Random(1)
        pin = [
            Pinned(
                named(str(number)),
                f"{chance.getrandbits(96):024x}",
                f"{chance.getrandbits(96):024x}",
                "i" * 200,
            )
            for number in range(3000)
        ]
        chunks = pin_as_json(pin)
        assert max(len(json.dumps(chunk)) for chunk in chunks) < 2**16
        assert read_pin(chunks) == tuple(pin)

    def test_a_thousand_items_take_few_entries(self):
        entries = [Entry(f"{number:024x}", f"{number:024x}") for number in range(1000)]
        assert len(pin_as_json(pin_of(entries, []))) == 2

    @pytest.mark.parametrize("value", [None, [None], [["k", 1]], [["k", "w", "c", "r", "more"]], "x"])
    def test_what_is_none(self, value):
        with pytest.raises(ValueError, match="no pin"):
            read_pin([value])
