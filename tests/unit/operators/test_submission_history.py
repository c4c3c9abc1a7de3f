"""Requests that change and change back, answers that name an id, accounts that change, and records of 0.1.0."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred
from unit.operators.memory import Crash, MemoryTaskInstance, _says
from unit.operators.tries import PAYLOAD
from unit.samples import written_by_0_1_0

from airflow_runway.exceptions import (
    RunwayAmbiguousSubmissionError,
    RunwayError,
    RunwayJournalError,
    RunwayRequestRefusedError,
    RunwayTaskCancelledError,
    RunwayTaskLostError,
    RunwayTaskTimeoutError,
)
from airflow_runway.hooks import _transport
from airflow_runway.triggers.runway import RunwayTaskTrigger

OTHER = {**PAYLOAD, "promptText": "another"}
THIRD = {**PAYLOAD, "promptText": "a third"}
NEW_KEY = "key_fedcba9876543210fedcba9876543210"


def lose(one, fault="drop after accept", **fields):
    one.gateway.faults = [fault]
    with pytest.raises(RunwayAmbiguousSubmissionError) as caught:
        one.run(**fields)
    return caught.value


def crash_once_recorded(one, **fields):
    with pytest.raises(Crash):
        one.run(crash=7, **fields)
    assert one.record["phase"] == "submitted"


class TestAnswersThatNameAnId:
    @pytest.mark.parametrize("status", [400, 404, 429, 500, 502, 503])
    def test_it_is_in_the_error_the_log_and_the_record(self, tries, status):
        one = tries()
        error = lose(one, f"{status} with its id")
        assert error.runway_task_id == "t1"
        assert "names Runway task t1: it may exist and may be charged" in str(error)
        assert isinstance(error, AirflowFailException)
        assert "names Runway task t1" in one.log.text
        assert (one.record["phase"], one.record["runway_task_id"]) == ("intent", "t1")
        assert one.gateway.posts == 1

    @pytest.mark.parametrize("remote", ["RUNNING", "SUCCEEDED", "FAILED"])
    @pytest.mark.parametrize("policy", ["fail", "resubmit"])
    def test_the_next_try_reads_it_and_picks_it_up(self, tries, remote, policy):
        one = tries(on_ambiguous_submit=policy)
        lose(one, "502 with its id")
        one.gateway.tasks["t1"] = remote
        assert one.run() == "t1"
        assert one.gateway.posts == 1
        assert one.record["phase"] == "closed"

    @pytest.mark.parametrize("remote", ["RUNNING", "SUCCEEDED"])
    def test_so_does_a_clear(self, tries, remote):
        one = tries()
        lose(one, "400 with its id")
        one.gateway.tasks["t1"] = remote
        one.clear()
        assert one.run() == "t1"
        assert one.gateway.posts == 1

    def test_an_error_whose_id_nobody_knows_is_a_lost_answer(self, tries):
        one = tries()
        lose(one, "502 with its id")
        one.gateway.tasks["t1"] = "GONE"
        with pytest.raises(
            RunwayAmbiguousSubmissionError, match="names Runway task t1, which the gateway does not"
        ):
            one.run()
        one.clear()
        assert one.run(on_ambiguous_submit="resubmit") == "t2"

    def test_a_refusal_whose_id_nobody_knows_is_a_refusal(self, tries):
        one = tries()
        lose(one, "400 with an id of something else")
        assert one.run() == "t1"
        assert one.gateway.charges == 1

    def test_while_it_cannot_be_read_nothing_is_sent(self, tries):
        one = tries()
        lose(one, "502 with its id")
        one.gateway.reads_fail = 99
        with pytest.raises(RunwayJournalError, match="t1 could not be read"):
            one.run(on_ambiguous_submit="resubmit")
        assert one.gateway.posts == 1

    def test_on_another_account_it_is_not_gone(self, tries, set_connection):
        one = tries(on_ambiguous_submit="resubmit")
        lose(one, "400 with its id")
        set_connection(password=NEW_KEY)
        with pytest.raises(RunwayJournalError, match="accepted with another one"):
            one.run()
        assert one.gateway.posts == 1


class TestOpenIntents:
    def test_a_request_that_was_changed_and_changed_back_finds_its_lost_answer(self, tries):
        one = tries()
        lose(one)
        assert one.run(payload=OTHER) == "t2"
        assert (
            "Never answered, of earlier submissions by this task: to image_to_video at 1970" in one.log.text
        )
        with pytest.raises(RunwayAmbiguousSubmissionError, match="An earlier try of this task sent"):
            one.run()
        assert one.gateway.posts == 2

    def test_several_are_kept_and_each_is_named(self, tries):
        one = tries()
        lose(one)
        one.now += 60
        lose(one, payload=OTHER)
        one.log.text = ""
        assert one.run(payload=THIRD) == "t3"
        assert one.log.text.count("to image_to_video at") == 2
        assert len(one.history.open()) == 2
        for payload in (PAYLOAD, OTHER):
            with pytest.raises(RunwayAmbiguousSubmissionError):
                one.run(payload=payload)
        assert one.run(payload=THIRD) == "t3"

    def test_a_refusal_of_the_changed_request_leaves_the_lost_answer(self, tries):
        one = tries()
        lose(one)
        one.gateway.faults = ["refuse"]
        with pytest.raises(RunwayRequestRefusedError):
            one.run(payload=OTHER)
        with pytest.raises(RunwayAmbiguousSubmissionError):
            one.run()
        assert one.gateway.charges == 1

    def test_one_that_was_sent_again_on_request_stays_named(self, tries):
        one = tries()
        lose(one)
        assert one.run(on_ambiguous_submit="resubmit") == "t2"
        one.log.text = ""
        assert one.run() == "t2"
        assert "Never answered" in one.log.text


class TestChangedAndChangedBack:
    @pytest.mark.parametrize("mapped", [False, True])
    def test_a_finished_generation_is_found_again(self, tries, mapped):
        one = tries(mapped=mapped)
        one.run()
        one.gateway.tasks["t1"] = "SUCCEEDED"
        one.clear()
        assert one.run(payload=OTHER) == "t2"
        one.clear()
        assert one.run() == "t1"
        assert "t2, submitted at" in one.log.text
        assert one.run(payload=OTHER) == "t2"
        assert one.gateway.posts == 2

    def test_one_that_was_cancelled_meanwhile_is_made_anew(self, tries, set_connection):
        one = tries()
        one.run()
        one.run(payload=OTHER)
        assert one.gateway.deleted == ["t1"]
        # Whatever the key is by then: it is known to have been cancelled.
        set_connection(password=NEW_KEY)
        assert one.run() == "t3"


class TestReplacing:
    def test_the_old_one_is_cancelled_once_the_new_one_is_recorded(self, tries, monkeypatch):
        one = tries()
        one.run()
        seen = []
        real = one.gateway.send

        def watched(session, settings, call):
            if call.method == "DELETE":
                seen.append((one.record["runway_task_id"], one.record["phase"], one.record["replaces"]))
            return real(session, settings, call)

        monkeypatch.setattr(_transport, "send", watched)
        assert one.run(payload=OTHER) == "t2"
        assert seen == [("t2", "submitted", ["t1"])]
        assert one.record["replaces"] == []

    @pytest.mark.parametrize("fault", ["refuse", "limit", "unconnected"])
    def test_where_the_new_one_is_refused_the_old_one_stays_and_counts(self, tries, fault):
        one = tries()
        one.run()
        one.gateway.faults = [fault] * 3
        with pytest.raises(Exception, match="Nothing was accepted"):
            one.run(payload=OTHER)
        assert one.gateway.deleted == []
        assert one.record["runway_task_id"] == "t1"
        assert one.run() == "t1"

    def test_where_its_answer_is_lost_the_old_one_stays_too(self, tries):
        one = tries()
        one.run()
        lose(one, payload=OTHER)
        assert one.gateway.deleted == []
        assert one.record["replaces"] == ["t1"]
        assert one.run() == "t1"
        assert one.gateway.posts == 2

    def test_a_new_one_after_a_lost_answer_replaces_it_as_well(self, tries):
        one = tries()
        one.run()
        lose(one, payload=OTHER)
        assert one.run(payload=OTHER, on_ambiguous_submit="resubmit") == "t3"
        assert one.gateway.deleted == ["t1"]

    @staticmethod
    def crashed_before_cancelling(tries):
        """A task whose worker died after the new generation was recorded, and before the old one was cancelled."""
        for operation in range(1, 30):
            one = tries()
            one.run()
            with pytest.raises(Crash):
                one.run(crash=operation, payload=OTHER)
            if one.record["phase"] == "submitted":
                assert (one.record["runway_task_id"], one.record["replaces"]) == ("t2", ["t1"])
                assert one.gateway.deleted == []
                return one
        raise AssertionError

    def test_a_crash_in_between_is_finished_by_the_next_try(self, tries):
        one = self.crashed_before_cancelling(tries)
        assert one.run(payload=OTHER) == "t2"
        assert one.gateway.deleted == ["t1"]
        assert one.record["replaces"] == []

    def test_not_if_it_is_wanted_again_by_then(self, tries):
        one = self.crashed_before_cancelling(tries)
        assert one.run() == "t1"
        assert one.gateway.deleted == []
        assert one.record["replaces"] == []

    def test_a_gateway_that_cannot_be_asked_leaves_it_to_the_next_try(self, tries, monkeypatch):
        one = tries()
        one.run()
        real = one.gateway.send

        def away_afterwards(session, settings, call):
            answer = real(session, settings, call)
            if call.method == "POST":
                one.gateway.reads_fail = 1
            return answer

        monkeypatch.setattr(_transport, "send", away_afterwards)
        assert one.run(payload=OTHER) == "t2"
        assert one.record["replaces"] == ["t1"]
        assert "may run on (unknown) and is charged" in one.log.text
        assert one.run(payload=OTHER) == "t2"
        assert one.gateway.deleted == ["t1"]

    @pytest.mark.parametrize("on_clear", ["reuse", "regenerate"])
    def test_a_mapped_task_cancels_nothing_and_keeps_the_id(self, tries, on_clear):
        one = tries(mapped=True, on_clear=on_clear)
        one.run()
        one.clear()
        assert one.run(payload=OTHER) == "t2"
        assert one.gateway.deleted == []
        assert one.history.ids() == ("t1", "t2")
        assert "Runway task t1, which an earlier request of this task made, is not cancelled" in one.log.text


class TestAnIdThatIsAnothers:
    """A limit, or a refusal, names a task of the account that this one has not made."""

    @pytest.fixture
    def named(self, tries):
        def begin(status):
            one = tries()
            one.gateway.add("sibling", "RUNNING")
            create, said = one.gateway._create, []

            def naming():
                if said:
                    return create()
                said.append(1)
                one.gateway.posts += 1
                return _says({"error": "You already have a running task", "task_id": "sibling"}, status)

            one.gateway._create = naming
            with pytest.raises(RunwayError, match="sibling"):
                one.run()
            return one

        return begin

    @pytest.mark.parametrize("status", [400, 429, 502])
    def test_it_is_not_cancelled_when_the_request_changes(self, named, status):
        one = named(status)
        assert one.run(payload=OTHER) == "t2"
        assert one.gateway.deleted == []
        assert (
            "sibling, which an earlier request of this task made, is not cancelled: only an error"
            in one.log.text
        )

    @pytest.mark.parametrize("status", [400, 429])
    def test_nor_after_a_refusal_that_named_it_was_taken_up(self, named, status):
        one = named(status)
        one.clear()
        assert one.run() == "sibling"
        one.clear()
        assert one.run(on_clear="regenerate") == "t2"
        assert one.gateway.deleted == []


class TestAccounts:
    @pytest.mark.parametrize(
        ("connection", "said"),
        [
            ({"password": NEW_KEY}, "at https://api.dev.runwayml.com, is not known there with the API key that"),
            ({"host": "https://relay.example/path"}, "at https://api.dev.runwayml.com, is not known at https://relay.example,"),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("clears", [False, True])
    def test_an_unknown_id_on_another_account_is_not_gone(
        self, tries, set_connection, connection, said, clears
    ):
        one = tries()
        one.run()
        set_connection(**connection)
        if clears:
            one.clear()
        for _ in range(2):
            with pytest.raises(RunwayJournalError) as caught:
                one.run()
            assert not isinstance(caught.value, AirflowFailException)
            assert said in str(caught.value)
            assert "'runway_default'" in str(caught.value)
            assert 'delete this task\'s state entry "runway_submission"' in str(caught.value)
            assert caught.value.runway_task_id == "t1"
        assert one.gateway.posts == 1
        set_connection()
        assert one.run() == "t1"

    @pytest.mark.parametrize(
        ("connection", "said"),
        [
            ({"password": NEW_KEY}, "is not known there with the API key that the connection holds now"),
            ({"host": "https://relay.example/path"}, "is not known at https://relay.example,"),
        ],
    )
    def test_nor_when_it_changes_while_it_is_waited_for(self, tries, set_connection, connection, said):
        one = tries(wait_for_completion=True)
        one.defer()
        set_connection(**connection)
        with pytest.raises(RunwayJournalError) as caught:
            one.run("execute_complete", lost=True)
        assert said in str(caught.value)
        assert not isinstance(caught.value, AirflowFailException)
        assert one.record["phase"] == "submitted"
        set_connection()
        one.defer()
        one.gateway.tasks["t1"] = "SUCCEEDED"
        assert one.run("execute_complete")["id"] == "t1"
        assert one.gateway.posts == 1

    def test_on_its_own_account_it_is_gone(self, tries):
        one = tries(wait_for_completion=True)
        one.defer()
        one.gateway.tasks["t1"] = "GONE"
        with pytest.raises(RunwayTaskLostError, match="was known and no longer is"):
            one.run("execute_complete", lost=True)
        assert one.record["outcome"] == "lost"

    def test_a_rotated_key_that_reads_it_changes_nothing(self, tries, set_connection):
        one = tries()
        one.gateway.keys = dict.fromkeys(["key_0123456789abcdef0123456789abcdef", NEW_KEY], "studio")
        one.run()
        set_connection(password=NEW_KEY)
        assert one.run() == "t1"
        one.gateway.tasks["t1"] = "SUCCEEDED"
        one.clear()
        assert one.run() == "t1"
        assert one.gateway.posts == 1

    def test_replacing_across_accounts_says_that_the_old_one_runs_on(self, tries, set_connection):
        one = tries()
        one.run()
        set_connection(password=NEW_KEY)
        assert one.run(payload=OTHER) == "t2"
        assert one.gateway.deleted == []
        assert (
            "t1, which an earlier request of this task made, is not cancelled: the connection's account"
            in (one.log.text)
        )

    def test_the_ways_out_that_the_message_names(self, tries, set_connection):
        one = tries()
        one.run()
        set_connection(password=NEW_KEY)
        one.clear()
        assert one.run(on_clear="regenerate") == "t2"
        set_connection()
        one.clear()
        with pytest.raises(RunwayJournalError):
            one.run()
        one.store.values.clear()
        assert one.run() == "t3"

    def test_what_was_seen_to_fail_is_made_anew_on_any_account(self, tries, set_connection):
        one = tries(wait_for_completion=True)
        with pytest.raises(TaskDeferred):
            one.run()
        one.gateway.tasks["t1"] = "FAILED"
        with pytest.raises(Exception, match="INTERNAL"):
            one.run("execute_complete")
        set_connection(password=NEW_KEY)
        with pytest.raises(TaskDeferred):
            one.run()
        assert one.gateway.posts == 2


class TestClearDuringThePost:
    def cleared_meanwhile(self, one, monkeypatch, then=lambda: None):
        real = one.gateway.send

        def send(session, settings, call):
            answer = real(session, settings, call)
            if call.method == "POST":
                one.store.cleared_meanwhile = True
                then()
            return answer

        monkeypatch.setattr(_transport, "send", send)

    def test_one_attempt_and_the_id_is_in_the_log_at_once(self, tries, monkeypatch, caplog):
        one = tries()
        self.cleared_meanwhile(one, monkeypatch)
        began = one.now
        assert one.run() == "t1"
        assert one.now == began
        # The intent, the id, and the ending of the task: one attempt each.
        assert one.store.writes == 3
        assert "Runway task t1 is not in the journal: this task was cleared meanwhile" in caplog.text

    def test_the_next_try_does_not_send_it_again(self, tries, monkeypatch):
        one = tries()
        self.cleared_meanwhile(one, monkeypatch)
        one.run()
        one.clear()
        with pytest.raises(RunwayAmbiguousSubmissionError):
            one.run()
        assert one.gateway.posts == 1

    def test_an_old_one_is_not_cancelled_then(self, tries, monkeypatch):
        one = tries()
        one.run()
        self.cleared_meanwhile(one, monkeypatch)
        one.run(payload=OTHER)
        assert one.gateway.deleted == []

    def test_where_the_task_is_being_stopped_it_is_cancelled(self, tries, monkeypatch):
        one = tries()
        operator = one.operator()
        self.cleared_meanwhile(one, monkeypatch, then=operator.on_kill)
        context = {"ti": MemoryTaskInstance(one.crash_point), "task_state_store": one.store}
        with pytest.raises(RunwayTaskCancelledError, match="t1"):
            operator.execute(context)
        assert one.gateway.deleted == ["t1"]


RECORDS = written_by_0_1_0("record")
WITH_ID = {name: value for name, value in RECORDS.items() if value["phase"] != "intent"}


class TestRecordsOf010:
    def begin(self, tries, name, *, remote):
        """A task whose earlier try ran on 0.1.0."""
        one = tries()
        value = RECORDS[name]
        one.store.values["runway_submission"] = value
        one.max_tries = value["max_tries"]
        runway_task_id = value["runway_task_id"]
        for known in (*value["previous"], runway_task_id):
            if known:
                one.gateway.tasks[known] = remote
                one.gateway.owners[known] = (
                    "https://api.dev.runwayml.com key_0123456789abcdef0123456789abcdef"
                )
        return one, runway_task_id

    def test_a_lost_answer_is_still_refused(self, tries):
        one, _ = self.begin(tries, "intent", remote="GONE")
        with pytest.raises(RunwayAmbiguousSubmissionError, match="showed 1000 credits before"):
            one.run()
        assert one.gateway.posts == 0
        assert one.run(on_ambiguous_submit="resubmit") == "t1"

    @pytest.mark.parametrize("remote", ["RUNNING", "SUCCEEDED"])
    @pytest.mark.parametrize("name", WITH_ID)
    def test_a_generation_that_is_there_is_picked_up(self, tries, name, remote):
        one, known = self.begin(tries, name, remote=remote)
        assert one.run() == known
        one.clear()
        assert one.run() == known
        assert one.gateway.posts == 0
        assert one.store.values["runway_submission"]["version"] == 2

    @pytest.mark.parametrize("cleared", [False, True])
    @pytest.mark.parametrize("name", WITH_ID)
    def test_one_that_is_not_found_is_not_gone_unless_it_was_seen_to_end_badly(self, tries, name, cleared):
        one, known = self.begin(tries, name, remote="GONE")
        if cleared:
            one.clear()
        if WITH_ID[name]["outcome"] in {"failed", "cancelled", "stopped: cancelled"}:
            assert one.run() != known
            assert one.gateway.posts == 1
            return
        with pytest.raises(
            RunwayJournalError, match=r"recorded by version 0\.1\.0, which did not note the account"
        ):
            one.run()
        assert one.gateway.posts == 0
        # Not for ever: a person who knows better says so.
        one.clear()
        assert one.run(on_clear="regenerate") != known

    def test_a_newer_record_is_unreadable_and_nothing_is_sent(self, tries):
        one = tries()
        one.run()
        one.store.values["runway_submission"]["version"] = 3
        with pytest.raises(RunwayJournalError, match="Nothing was sent"):
            one.run(payload=OTHER)
        assert one.gateway.posts == 1


class TestDeferralsOf010:
    def begin(self, tries):
        one = tries(wait_for_completion=True)
        stored = written_by_0_1_0("trigger")["runway_task"]
        one.store.values["runway_submission"] = stored["record"]
        one.gateway.tasks["t1"] = "RUNNING"
        one.gateway.owners["t1"] = "https://api.dev.runwayml.com key_0123456789abcdef0123456789abcdef"
        return one, stored

    def resume(self, one, stored, event):
        context = {"ti": MemoryTaskInstance(one.crash_point, 3), "task_state_store": one.store}
        return one.operator().resume_execution(stored["next_method"], {"event": event}, context)

    def test_the_trigger_is_made_again(self, tries):
        _, stored = self.begin(tries)
        assert stored["classpath"] == f"{RunwayTaskTrigger.__module__}.{RunwayTaskTrigger.__qualname__}"
        trigger = RunwayTaskTrigger(**stored["kwargs"])
        assert trigger.serialize() == (stored["classpath"], stored["kwargs"])

    def test_its_event_brings_the_result(self, tries):
        one, stored = self.begin(tries)
        one.gateway.tasks["t1"] = "SUCCEEDED"
        result = self.resume(one, stored, written_by_0_1_0("event")["finished"])
        assert (result["id"], one.record["outcome"]) == ("t1", "succeeded")
        assert one.gateway.posts == 0

    def test_a_time_out_is_one(self, tries):
        one, stored = self.begin(tries)
        with pytest.raises(RunwayTaskTimeoutError):
            self.resume(one, stored, written_by_0_1_0("event")["RunwayTaskTimeoutError"])
        assert one.record["outcome"] == "timed_out"

    @pytest.mark.parametrize(
        "name",
        [name for name in written_by_0_1_0("event") if name not in {"finished", "RunwayTaskTimeoutError"}],
    )
    def test_any_other_error_is_the_same_error(self, tries, name):
        one, stored = self.begin(tries)
        with pytest.raises(Exception, match=r"What happened to t1\.") as caught:
            self.resume(one, stored, written_by_0_1_0("event")[name])
        assert type(caught.value).__name__ == name
        assert one.record["phase"] == "closed"
