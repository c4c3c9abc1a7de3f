"""A dry run of one submission: nothing leaves, nothing is written, and what it says is what a real run does."""

from __future__ import annotations

import json

import heads
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException, TaskDeferred
from unit.operators.memory import MemoryTaskInstance
from unit.operators.tries import PAYLOAD
from unit.scripted import KEY, Scripted

from airflow_runway.core.media.references import as_inline
from airflow_runway.exceptions import (
    RunwayAmbiguousSubmissionError,
    RunwayConfigurationError,
    RunwayJournalError,
    RunwayMediaError,
    RunwayMediaRefusedError,
)
from airflow_runway.operators.runway import RunwayImageToVideoOperator, RunwayProGenerateOperator
from airflow_runway.sensors.runway import RunwayTaskSensor
from airflow_runway.transfers.runway_to_object_storage import RunwayToObjectStorageOperator

PNG = heads.PNG + bytes(2_000)


def look(one, **fields):
    """A dry run; its findings."""
    before = json.dumps(one.store.values)
    with pytest.raises(AirflowSkipException) as caught:
        one.run(**{"dry_run": True, **fields})
    assert json.dumps(one.store.values) == before
    assert "Nothing was sent" in str(caught.value)
    assert set(one.ti.xcoms) == {"runway_dry_run"}
    return json.loads(json.dumps(one.ti.xcoms["runway_dry_run"]))


class TestNothingHappens:
    def test_nothing_is_posted_and_nothing_written(self, tries):
        one = tries()
        assert look(one)["outcome"] == "submit"
        assert one.gateway.posts == 0
        assert one.store.values == {}

    @pytest.mark.parametrize(
        "fields", [{"wait_for_completion": True}, {"wait_for_completion": True, "deferrable": False}]
    )
    def test_nothing_is_waited_for(self, tries, fields):
        one = tries(**fields)
        look(one)
        assert one.gateway.posts == 0

    def test_it_is_a_skip_and_no_failure_so_that_airflow_skips_what_comes_after(self, tries):
        one = tries()
        with pytest.raises(AirflowSkipException) as caught:
            one.run(dry_run=True)
        assert not isinstance(caught.value, AirflowFailException)
        assert "return_value" not in one.ti.xcoms
        assert "runway_task_id" not in one.ti.xcoms

    @pytest.mark.parametrize("value", ["true", "True", " TRUE ", True])
    def test_a_template_may_ask_for_it(self, tries, value):
        one = tries()
        look(one, dry_run=value)
        assert one.gateway.posts == 0

    @pytest.mark.parametrize("value", ["False", "false", False])
    def test_and_may_not_ask_for_it(self, tries, value):
        one = tries()
        assert one.run(dry_run=value) == "t1"

    @pytest.mark.parametrize("value", ["", "None", "yes", "{{ params.dry_rum }}"])
    def test_what_is_neither_yes_nor_no_spends_nothing(self, tries, value):
        one = tries()
        with pytest.raises(RunwayConfigurationError, match=r"neither True nor False\. Nothing was sent"):
            one.run(dry_run=value)
        assert one.gateway.posts == 0
        assert one.store.values == {}

    @pytest.mark.parametrize("value", [None, 1, 0.0, []])
    def test_other_values_are_refused_when_the_dag_is_parsed(self, tries, value):
        with pytest.raises(ValueError, match="dry_run"):
            tries().operator(dry_run=value)

    def test_airflows_own_method_of_that_name_still_works(self, tries):
        tries().operator(dry_run=True).dry_run()

    def test_a_real_run_afterwards_submits_once(self, tries):
        one = tries()
        look(one)
        one.clear()
        assert one.run() == "t1"
        assert one.gateway.charges == 1

    def test_a_stop_in_the_middle_cancels_nothing(self, tries):
        one = tries()
        one.run()
        operator = one.operator(dry_run=True)
        with pytest.raises(AirflowSkipException):
            operator.execute({"ti": MemoryTaskInstance(one.crash_point), "task_state_store": one.store})
        operator.on_kill()
        assert one.gateway.deleted == []

    @pytest.mark.filterwarnings("ignore:This Airflow has no")
    def test_without_a_journal_it_says_what_that_costs(self, tries):
        one = tries()
        one.ti = MemoryTaskInstance(one.crash_point)
        with pytest.raises(AirflowSkipException):
            one.operator(dry_run=True).execute({"ti": one.ti})
        assert "no task_state_store" in one.ti.xcoms["runway_dry_run"]["notes"][0]


class TestWhatItSays:
    def test_everything_but_the_words(self, tries):
        found = look(tries())
        assert found["fields"] == {
            "model": "gen4_turbo", "promptImage": "https://e/a.jpg", "promptText": "text, 13 characters",
        }  # fmt: skip
        assert (found["gateway"], found["route"]) == ("runway", "image_to_video")
        assert len(found["fingerprint"]) == 64

    def test_the_fingerprint_is_the_one_that_a_real_run_records(self, tries):
        one = tries()
        found = look(one)
        one.run()
        assert one.history.current.fingerprint == found["fingerprint"]

    def test_no_prompt_signature_inline_media_or_key_anywhere(self, tries):
        one = tries()
        inline = as_inline("image/png", PNG)
        payload = {
            "promptText": "a secret idea",
            "model": "a secret idea",
            "promptImage": [
                {"uri": "https://e/a.jpg?X-Amz-Signature=abcdef0123", "position": "first"},
                {"uri": inline, "position": "last"},
            ],
            "nested": {"words": ["hush hush"], "callback_url": "https://me:pw@e/?token=hush"},
            "duration": 5,
        }
        found = look(one, payload=payload)
        for text in (json.dumps(found), one.log.text):
            for secret in ("secret", "hush", "abcdef0123", "AAAA", "pw@", KEY):
                assert secret not in text
        assert found["fields"]["promptImage[0].uri"] == "https://e/a.jpg?…"
        assert found["fields"]["promptImage[1].uri"].startswith("a data: URI, image/png, ")
        assert found["fields"]["duration"] == 5

    def test_a_flood_of_fields_is_cut(self, tries):
        found = look(tries(), payload={**PAYLOAD, "more": {str(number): "x" for number in range(500)}})
        assert len(found["fields"]) == 41
        assert found["fields"]["..."] == "463 more"

    def test_files_are_read_and_not_uploaded(self, tries, tmp_path):
        small, large = tmp_path / "a.png", tmp_path / "b.png"
        small.write_bytes(PNG)
        large.write_bytes(heads.PNG + bytes(6 * 2**20))
        one = tries()
        found = look(
            one, payload={**PAYLOAD, "promptImage": str(small), "referenceImages": [{"uri": str(large)}]}
        )
        assert found["fields"]["promptImage"] == f"{small}, image/png, 2029 bytes, inside the request"
        assert found["fields"]["referenceImages[0].uri"].endswith(f"{6 * 2**20 + 29} bytes, as an upload")
        assert one.gateway.posts == 0

    def test_a_fresh_link_is_made_sure_of_and_not_shown(self, tries):
        one = tries()
        one.gateway.add("earlier", "SUCCEEDED")
        found = look(one, payload={**PAYLOAD, "promptImage": "runway-task://earlier"})
        assert found["fields"]["promptImage"] == "runway-task://earlier"

    def test_the_price_is_unknown_and_not_nothing(self, tries):
        one = tries(max_credits=10)
        found = look(one)
        assert found["estimated_credits"] is None
        assert found["over_max_credits"] is None
        assert "No price" in found["notes"][0]
        assert "at a price that is not known yet" in one.log.text


class TestTheSameErrorsAsARealRun:
    @pytest.mark.parametrize(
        ("fields", "error"),
        [
            ({"route": "image_to_vido"}, RunwayConfigurationError),
            ({"payload": "no object"}, RunwayConfigurationError),
            ({"payload": {"seed": float("nan")}}, RunwayConfigurationError),
            ({"payload": {"promptImage": "nonsense"}}, RunwayMediaRefusedError),
            ({"payload": {"promptImage": "http://e/a.jpg"}}, RunwayMediaRefusedError),
            ({"payload": {"promptImage": "/nowhere/a.png"}}, RunwayMediaError),
            ({"payload": {"promptImage": "runway-task://unheard-of"}}, RunwayMediaError),
        ],
    )
    def test_they_come_for_free(self, tries, fields, error):
        one = tries()
        with pytest.raises(error):
            one.run(dry_run=True, **fields)
        assert one.gateway.posts == 0
        assert one.store.values == {}

    def test_a_missing_callback_address_is_found(self, set_connection, context):
        set_connection(gateway="cometapi")
        operator = RunwayProGenerateOperator(task_id="task", model="gen4", prompt="Rain", dry_run=True)
        with pytest.raises(RunwayConfigurationError, match="needs callback_url"):
            operator.execute(context)

    def test_a_typed_operator_shows_its_fields(self, set_connection, context):
        set_connection()
        operator = RunwayImageToVideoOperator(
            task_id="task", model="gen4.5", prompt_image="https://e/a.jpg", ratio="1280:720", dry_run=True
        )
        with pytest.raises(AirflowSkipException):
            operator.execute(context)
        assert context["ti"].xcoms["runway_dry_run"]["fields"]["ratio"] == "1280:720"


class TestTheJournal:
    def test_a_recorded_generation_would_be_reused_and_cost_nothing(self, tries):
        one = tries()
        one.run()
        found = look(one)
        assert (found["outcome"], found["reuses"], found["estimated_credits"]) == ("reuse", "t1", 0.0)
        one.clear()
        assert one.run() == "t1"
        assert one.gateway.charges == 1

    def test_it_answers_for_the_clear_that_a_skipped_task_needs(self, tries):
        one = tries(on_clear="regenerate")
        one.run()
        found = look(one)
        assert (found["outcome"], found["estimated_credits"]) == ("submit", 25.0)
        one.clear()
        assert one.run() == "t2"

    def test_what_failed_would_be_made_again_at_the_price_of_last_time(self, tries):
        one = tries(max_credits=20)
        one.run(max_credits=None)
        one.gateway.tasks["t1"] = "FAILED"
        found = look(one)
        assert (found["outcome"], found["estimated_credits"]) == ("submit", 25.0)
        assert found["over_max_credits"] is True
        assert "more than max_credits=20" in " ".join(found["notes"])

    def test_the_price_of_another_request_is_none_of_this_one(self, tries):
        one = tries()
        one.run()
        one.gateway.tasks["t1"] = "SUCCEEDED"
        assert look(one, payload={**PAYLOAD, "duration": 10})["estimated_credits"] is None

    def test_what_would_be_cancelled_is_named_and_runs_on(self, tries):
        one = tries()
        one.run()
        found = look(one, payload={**PAYLOAD, "duration": 10})
        assert (found["outcome"], found["replaces"]) == ("submit", "t1")
        assert one.gateway.deleted == []
        assert one.gateway.tasks == {"t1": "RUNNING"}
        assert "was cancelled" not in one.log.text

    def test_a_lost_answer_stops_a_dry_run_as_it_stops_the_real_one(self, tries):
        one = tries()
        one.gateway.faults = ["drop after accept"]
        with pytest.raises(RunwayAmbiguousSubmissionError):
            one.run()
        before = dict(one.store.values)
        with pytest.raises(RunwayAmbiguousSubmissionError, match="An earlier try"):
            one.run(dry_run=True)
        assert one.store.values == before
        assert look(one, on_ambiguous_submit="resubmit")["outcome"] == "submit"
        assert one.gateway.posts == 1

    def test_an_unreadable_journal_is_no_empty_one(self, tries):
        one = tries()
        one.store.broken = 1
        with pytest.raises(RunwayJournalError):
            one.run(dry_run=True)

    def test_a_wait_that_had_begun_goes_on(self, tries):
        one = tries(wait_for_completion=True, deferrable=False)
        with pytest.raises(TaskDeferred):
            one.run(deferrable=True)
        runway_task_id = one.record["runway_task_id"]
        one.gateway.tasks[runway_task_id] = "SUCCEEDED"
        assert one.run("execute_complete", dry_run=True)["id"] == runway_task_id


class TestDownstream:
    """With a trigger rule that runs them although the dry run was skipped."""

    @pytest.mark.parametrize(
        "operator",
        [
            lambda: RunwayTaskSensor(task_id="task", runway_task_id=None),
            lambda: RunwayToObjectStorageOperator(task_id="task", runway_task_id=None, destination="/tmp/x"),
        ],
    )
    def test_a_clear_error_before_anybody_is_asked(self, connected, context, operator):
        connected.answers(Scripted(500))
        with pytest.raises(RunwayConfigurationError, match=r"None.* is not a Runway task id"):
            operator().execute(context)
        assert connected.arrived == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This Airflow has no")
def test_the_emulator_sees_reads_and_nothing_else(runway_emulator, context, tmp_path):
    large = tmp_path / "a.png"
    large.write_bytes(heads.PNG + bytes(6 * 2**20))
    operator = RunwayImageToVideoOperator(
        task_id="task", model="gen4_turbo", prompt_image=str(large), ratio="1280:720", dry_run=True
    )
    with pytest.raises(AirflowSkipException):
        operator.execute(context)
    assert context["ti"].xcoms["runway_dry_run"]["fields"]["promptImage"].endswith("as an upload")
    assert runway_emulator.ledger()["total_credits"] == 0
    assert {one["method"] for one in runway_emulator.requests()} <= {"GET"}
    assert runway_emulator.tasks() == []
