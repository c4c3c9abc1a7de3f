"""A dry run of a batch: nothing leaves, nothing is written, and what it says is what the next clear does."""

from __future__ import annotations

import contextlib
import json

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException
from unit.operators.batch_tries import prompts
from unit.scripted import KEY

from airflow_runway.exceptions import (
    RunwayConfigurationError,
    RunwayError,
    RunwayJournalError,
    RunwayMediaError,
)

PARTS = ("submit", "keep", "save", "wait", "moderated", "lost_answers", "failed", "broken")


def look(one, work=None, **fields):
    """A dry run; its findings."""
    before, posts = json.dumps(one.store.values), one.gateway.posts
    context = one.context()
    operator = one.operator(dry_run=True, **fields)
    with pytest.raises(AirflowSkipException):
        (work or operator.__class__.execute)(operator, context)
    operator.on_kill()
    assert (json.dumps(one.store.values), one.gateway.posts) == (before, posts)
    assert one.gateway.deleted == []
    assert set(context["ti"].xcoms) == {"runway_dry_run"}
    found = json.loads(json.dumps(context["ti"].xcoms["runway_dry_run"]))
    assert sum(found[part] for part in PARTS) == found["total"]
    return found


def parts(found):
    return {part: found[part] for part in PARTS if found[part]}


class TestTheFirstNight:
    def test_everything_would_be_submitted_at_a_price_that_nobody_knows(self, batch):
        found = look(batch(max_credits=1_000))
        assert parts(found) == {"submit": 3}
        assert (found["estimated_credits"], found["known_credits"], found["without_estimate"]) == (None, 0, 3)
        assert found["limits"] == [{"name": "max_credits", "bound": 1000.0, "strikes": None, "after": None}]
        assert found["kinds"] == [
            {
                "requests": 3,
                "estimated_credits": None,
                "fields": {"model": "gen4.5", "promptText": "text, 1 characters"},
            }
        ]

    def test_broken_entries_are_told_with_their_reasons(self, batch):
        found = look(
            batch(
                requests=[
                    *prompts("a"),
                    "no object",
                    {"promptImage": "nonsense"},
                    {"promptImage": "/nowhere.png"},
                ]
            )
        )
        assert parts(found) == {"submit": 1, "broken": 3}
        assert [(one["index"], one["may_pass"]) for one in found["broken_entries"]] == [
            (1, False), (2, False), (3, True),
        ]  # fmt: skip
        assert "is no media reference" in found["broken_entries"][1]["reason"]

    def test_a_list_of_broken_entries_is_cut_and_counted(self, batch):
        found = look(batch(requests=["x"] * 1_000))
        assert found["broken"] == 1_000
        assert len(found["broken_entries"]) == 50
        assert len(json.dumps(found)) < 20_000

    def test_no_words_signature_or_key_anywhere(self, batch):
        one = batch(
            requests=[
                {"promptText": "a secret idea", "promptImage": "https://e/a.jpg?X-Amz-Signature=abcdef0123"},
                "a secret idea",
            ]
        )
        for text in (json.dumps(look(one)), one.log.text):
            for secret in ("secret", "abcdef0123", KEY):
                assert secret not in text

    def test_as_many_at_once_as_allowed(self, batch):
        found = look(batch(max_in_flight=2))
        assert found["limits"] == [{"name": "max_in_flight", "bound": 2, "strikes": True, "after": 2}]

    def test_what_is_equal_is_counted_as_often_as_it_stands_there(self, batch):
        assert parts(look(batch(requests=prompts("a", "a")))) == {"submit": 2}

    def test_before_the_last_answer_in_one_line(self, batch):
        one = batch()
        look(one)
        assert "Dry run: 3 of 3 would be submitted at a price that is not known yet." in one.log.text

    @pytest.mark.parametrize(
        ("fields", "error"),
        [
            ({"route": "nonsense"}, RunwayConfigurationError),
            ({"requests": []}, RunwayConfigurationError),
            ({"requests": "file:///nowhere.jsonl"}, RunwayMediaError),
            ({"destination": "nonsense://x"}, RunwayConfigurationError),
            ({"dry_run": "perhaps"}, RunwayConfigurationError),
        ],
    )
    def test_what_would_stop_the_batch_stops_the_dry_run(self, batch, fields, error):
        one = batch()
        with pytest.raises(error):
            one.operator(**{"dry_run": True, **fields}).execute(one.context())
        assert one.gateway.posts == 0
        assert one.store.values == {}

    def test_a_connection_that_cannot_send_is_found_as_a_real_run_finds_it(self, batch, set_connection):
        one = batch()
        set_connection(verify="/nowhere/ca.pem")
        found = look(one)
        assert parts(found) == {"broken": 3}
        assert "/nowhere/ca.pem" in found["broken_entries"][0]["reason"]
        assert found["broken_entries"][0]["stops_the_batch"]

    def test_an_unreadable_journal_is_no_empty_one(self, batch):
        one = batch()
        one.store.broken = 1
        with pytest.raises(RunwayJournalError):
            one.operator(dry_run=True).execute(one.context())

    def test_a_real_run_afterwards_pays_once_for_each(self, batch):
        one = batch()
        look(one)
        one.clear()
        assert one.to_the_end()["succeeded"] == 3
        assert one.gateway.charges == 3


class TestAfterARun:
    def test_what_is_there_would_be_kept_and_cost_nothing(self, batch):
        one = batch()
        one.to_the_end()
        found = look(one)
        assert parts(found) == {"keep": 3}
        assert (found["estimated_credits"], found["spent_credits"]) == (0, 75.0)

    def test_what_failed_would_be_sent_again_as_the_clear_after_the_dry_run_does(self, batch):
        one = batch()
        one.gateway.endings = {"b": "FAILED"}
        one.to_the_end()
        found = look(one, max_credits=80)
        assert parts(found) == {"submit": 1, "keep": 2}
        assert found["estimated_credits"] == 25.0
        assert found["limits"] == [{"name": "max_credits", "bound": 80.0, "strikes": True, "after": 0}]
        one.clear()
        one.gateway.endings = {}
        one.to_the_end()
        assert one.gateway.charges == 4

    def test_new_requests_of_a_known_kind_have_a_price_and_others_have_none(self, batch):
        one = batch()
        one.to_the_end()
        more = [*prompts("a", "b", "c", "d", "e"), {"model": "gen4.5", "promptText": "f", "duration": 10}]
        found = look(one, requests=more)
        assert parts(found) == {"submit": 3, "keep": 3}
        assert (found["estimated_credits"], found["known_credits"], found["without_estimate"]) == (
            None,
            50.0,
            1,
        )
        assert [(kind["requests"], kind["estimated_credits"]) for kind in found["kinds"]] == [
            (2, 25.0),
            (1, None),
        ]

    def test_what_failed_in_an_unfinished_batch_is_sent_by_the_next_clear(self, batch):
        one = batch(requests=prompts("a", "b"))
        one.gateway.refused = {"a"}
        trigger = one.begin()
        assert parts(look(one)) == {"wait": 1, "submit": 1}
        one.gateway.refused = set()
        one.gateway.finish(trigger.runway_task_ids)
        one.clear()
        assert one.to_the_end()["succeeded"] == 2
        assert one.gateway.charges == 2

    def test_what_runs_would_be_waited_for_and_is_not_touched(self, batch):
        one = batch()
        one.begin()
        assert parts(look(one)) == {"wait": 3}

    def test_what_runs_for_nobody_any_more_is_counted_and_not_cancelled(self, batch):
        one = batch()
        one.begin()
        found = look(one, requests=prompts("a"))
        assert (parts(found), found["cancel"]) == ({"wait": 1}, 2)
        assert set(one.gateway.tasks.values()) == {"RUNNING"}

    def test_a_mapped_task_would_cancel_none_of_it(self, batch):
        one = batch()
        one.begin()

        def mapped(operator, context):
            context["ti"].map_index = 2
            operator.execute(context)

        found = look(one, mapped, requests=prompts("a"))
        assert (parts(found), found["cancel"]) == ({"wait": 1}, 0)

    def test_lost_answers_are_left_to_a_person_unless_asked_otherwise(self, batch):
        one = batch()
        one.gateway.faults = ["drop after accept"]
        one.to_the_end()
        found = look(one)
        assert parts(found) == {"keep": 2, "lost_answers": 1}
        assert found["spent_credits"] is None
        assert parts(look(one, on_ambiguous_submit="resubmit")) == {"submit": 1, "keep": 2}

    def test_lost_answers_that_are_sent_again_strike_no_limit(self, batch):
        one = batch(requests=prompts(*"abcd"))
        one.gateway.faults = ["drop after accept"] * 3
        one.to_the_end()
        assert look(one)["limits"] == [{"name": "max_lost_answers", "bound": 3, "strikes": True, "after": 0}]
        assert look(one, on_ambiguous_submit="resubmit")["limits"] == []

    def test_a_deferral_that_began_for_real_submits_nothing_more(self, batch):
        one = batch(max_in_flight=1)
        trigger = one.begin()
        one.gateway.finish(trigger.runway_task_ids)
        event = {"ended": dict.fromkeys(trigger.runway_task_ids), "pauses": 0}
        found = look(one, lambda operator, context: operator.execute_complete(context, event))
        assert parts(found) == {"submit": 2, "keep": 1}
        assert one.gateway.charges == 1

    def test_nor_does_one_that_expired(self, batch):
        one = batch(max_in_flight=1)
        one.begin()
        look(one, lambda operator, context: operator.deferral_expired(context))
        assert one.gateway.charges == 1


@pytest.mark.parametrize(
    ("bound", "lost"),
    [({"max_credits": most}, lost) for most in (0, 25, 60, 99, 100, 125, 1_000) for lost in (0, 1, 2)]
    + [({"max_in_flight": most}, lost) for most in (1, 2, 3, 9) for lost in (0, 1, 2)]
    + [({"max_lost_answers": most}, lost) for most in (1, 2, 3) for lost in (0, 1, 2)],
)
def test_a_limit_strikes_when_it_was_said_to(batch, bound, lost):
    one = batch(requests=prompts(*"abc"))
    one.gateway.faults = ["", *["drop after accept"] * lost]
    one.to_the_end()
    more = prompts(*"abcdefg")
    [limit] = look(one, requests=more, **bound)["limits"] or [{"after": None}]
    one.clear()
    posts = one.gateway.posts
    with contextlib.suppress(RunwayError):
        one.begin(requests=more, **bound)
    assert one.gateway.posts - posts == (4 if limit["after"] is None else limit["after"])
