"""Saving several generations: a hook that gives prepared readings, a host on this machine, a folder."""

from __future__ import annotations

import hashlib
import json

import pytest
from airflow.sdk import ObjectStoragePath
from unit.scripted import KEY, Scripted
from unit.transfers.conftest import CLIP, GOOD, MP4, PNG
from unit.transfers.saving.fakes import FakeHook, FilesByPath, MemoryLog

from airflow_runway.core.models import RunwayTask, TaskStatus
from airflow_runway.core.protocol.connection import ConnectionSettings
from airflow_runway.core.protocol.gateways import GATEWAYS
from airflow_runway.core.saving.naming import DEFAULT_PATTERN, LONGEST_SEGMENT, FileName
from airflow_runway.exceptions import (
    RunwayConfigurationError,
    RunwayReadError,
    RunwayTaskCancelledError,
    RunwayTaskFailedError,
    RunwayTaskLostError,
    RunwayTransferError,
    RunwayTransferRefusedError,
)
from airflow_runway.transfers._saving.destination import Destination
from airflow_runway.transfers._saving.saver import Saver, SaverOptions


@pytest.fixture
def host(gateway_server):
    gateway_server.script = FilesByPath(gateway_server)
    return gateway_server.script


@pytest.fixture
def hook(gateway_server):
    return FakeHook(ConnectionSettings("runway_default", GATEWAYS["runway"], gateway_server.url, KEY))


@pytest.fixture
def succeeded(hook, host):
    """Let a generation have so many outputs."""

    def add(runway_task_id, outputs=1):
        urls = tuple(f"{host.server.url}/{runway_task_id}/{index}" for index in range(outputs))
        task = RunwayTask(runway_task_id, TaskStatus.SUCCEEDED, output=urls, cost_credits=25)
        hook.readings[runway_task_id] = [task]
        return task

    return add


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "clips"


@pytest.fixture
def saver_of(hook, host, folder):
    def make(pattern=DEFAULT_PATTERN, pause=lambda tries: 0, **options):
        fields = {"route": None, "max_bytes": 2**20, "max_concurrency": 1, **options}
        destination = Destination(ObjectStoragePath(f"file://{folder}"), fields["max_bytes"])
        return Saver(
            hook, destination, SaverOptions(FileName.parse(pattern), pause=pause, **fields), MemoryLog()
        )

    return make


def names(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file()) if folder.exists() else []


def only(outcomes):
    (outcome,) = outcomes
    return outcome


class TestWhatIsSaved:
    def test_every_output_of_every_generation(self, saver_of, succeeded, host, folder):
        succeeded("t1", outputs=2)
        succeeded("t2")
        host.set("/t1/1", Scripted(200, PNG, MP4))
        outcomes = saver_of(route="image_to_video").run(["t2", "t1"])
        assert [outcome.id for outcome in outcomes] == ["t2", "t1"]
        assert [outcome.error for outcome in outcomes] == [None, None]
        assert sorted(outcomes[1].files) == [0, 1]
        assert outcomes[1].files[1]["media_type"] == "image/png"
        assert outcomes[0].files[0]["sha256"] == hashlib.sha256(CLIP).hexdigest()
        assert outcomes[0].manifest["route"] == "image_to_video"
        assert outcomes[0].manifest["files"] == [outcomes[0].files[0]]
        assert names(folder) == ["t1-0.mp4", "t1-1.png", "t1.manifest.json", "t2-0.mp4", "t2.manifest.json"]

    def test_the_manifest_lies_where_the_saver_says(self, saver_of, succeeded, folder):
        succeeded("t1")
        saver = saver_of("{runway_task_id}/{index}{extension}")
        outcome = only(saver.run(["t1"]))
        assert saver.manifest_name(outcome) == "t1/t1.manifest.json"
        assert json.loads((folder / "t1/t1.manifest.json").read_text()) == outcome.manifest

    def test_what_is_saved_is_neither_read_nor_downloaded(self, saver_of, succeeded, hook, host):
        succeeded("t1")
        first = only(saver_of().run(["t1"]))
        reads, requests = len(hook.read_ids), len(host.requested)
        again = only(saver_of().run(["t1"]))
        assert again.manifest == first.manifest
        assert (again.task, again.files) == (None, {})
        assert (len(hook.read_ids), len(host.requested)) == (reads, requests)

    def test_each_thread_has_a_hook_of_its_own(self, saver_of, succeeded, hook):
        ids = [f"t{index}" for index in range(9)]
        for one in ids:
            succeeded(one)
        saver_of(max_concurrency=3).run(ids)
        assert 1 <= len(hook.timeouts) <= 3
        assert set(hook.timeouts) == {hook.settings.timeout}


class TestLinks:
    def test_a_dead_one_is_replaced_by_reading_again(self, saver_of, succeeded, hook, host):
        task = succeeded("t1")
        fresh = RunwayTask("t1", TaskStatus.SUCCEEDED, output=(f"{host.server.url}/fresh",))
        hook.readings["t1"] = [task, fresh]
        host.set("/t1/0", Scripted(403, b"expired"))
        assert only(saver_of().run(["t1"])).error is None
        assert host.requested == ["/t1/0", "/fresh"]

    def test_an_output_that_is_not_shown_any_more(self, saver_of, succeeded, hook, host):
        task = succeeded("t1", outputs=2)
        hook.readings["t1"] = [task, RunwayTask("t1", TaskStatus.SUCCEEDED, output=task.output[:1])]
        host.set("/t1/1", Scripted(403, b"expired"))
        outcome = only(saver_of().run(["t1"]))
        assert isinstance(outcome.error, RunwayTransferError)
        assert "Output 1 of Runway task t1 is no longer shown" in str(outcome.error)
        assert sorted(outcome.files) == [0]
        assert outcome.manifest is None


@pytest.mark.parametrize(
    ("status", "error_class", "words"),
    [
        (TaskStatus.FAILED, RunwayTaskFailedError, "failed"),
        (TaskStatus.CANCELLED, RunwayTaskCancelledError, "was cancelled"),
        (TaskStatus.GONE, RunwayTaskLostError, "does not know Runway task t1"),
        (TaskStatus.NOT_VISIBLE, RunwayTransferError, "is NOT_VISIBLE: no result to save"),
        (TaskStatus.RUNNING, RunwayTransferError, "is RUNNING: no result to save"),
        (TaskStatus.UNKNOWN, RunwayTransferError, "is UNKNOWN: no result to save"),
        (TaskStatus.OUTPUT_MISSING, RunwayTransferError, "is OUTPUT_MISSING: no result to save"),
    ],
)
def test_endings_without_a_result(status, error_class, words, saver_of, succeeded, hook, host):
    reading = RunwayTask("t1", status)
    hook.readings["t1"] = [reading]
    succeeded("t2")
    lost, saved = saver_of().run(["t1", "t2"])
    assert type(lost.error) is error_class
    assert words in str(lost.error)
    assert (lost.task, lost.manifest, lost.files) == (reading, None, {})
    # One's trouble is not the other's.
    assert saved.error is None
    assert host.requested == ["/t2/0"]


class TestNamesThatTurnOutBadOnTheWay:
    """What ``core`` cannot go on with ends in the outcome, as the exception of its kind."""

    def check(self, outcomes, error_class, words):
        bad, good = outcomes
        assert type(bad.error) is error_class
        assert words in str(bad.error)
        assert bad.manifest is None
        assert good.error is None

    def test_one_name_for_several_outputs(self, saver_of, succeeded, host):
        succeeded("t1", outputs=2)
        succeeded("t2")
        outcomes = saver_of("{runway_task_id}{extension}").run(["t1", "t2"])
        self.check(outcomes, RunwayConfigurationError, "needs {index}")
        assert host.requested == ["/t2/0"]

    def test_a_name_that_grows_too_long_with_the_index(self, saver_of, succeeded, host):
        succeeded("t1", outputs=11)
        succeeded("t2")
        outcomes = saver_of("x" * (LONGEST_SEGMENT - 3) + "{runway_task_id}{index}").run(["t1", "t2"])
        self.check(outcomes, RunwayConfigurationError, "is too long")
        assert host.requested == ["/t2/0"]

    def test_a_name_that_grows_too_long_with_the_extension(self, saver_of, succeeded, host, folder):
        succeeded("t10")
        succeeded("t2")
        outcomes = saver_of("x" * (LONGEST_SEGMENT - 6) + "{runway_task_id}{extension}").run(["t10", "t2"])
        self.check(outcomes, RunwayConfigurationError, "is too long")
        assert len(names(folder)) == 2

    def test_an_extension_that_is_not_true(self, saver_of, succeeded, host):
        succeeded("t1")
        succeeded("t2")
        host.set("/t1/0", Scripted(200, PNG, MP4))
        outcomes = saver_of("{runway_task_id}-{index}.mp4").run(["t1", "t2"])
        self.check(outcomes, RunwayTransferRefusedError, "End file_name with {extension}")

    def test_a_stored_manifest_whose_file_could_not_have_that_name(self, saver_of, succeeded, folder):
        succeeded("t1")
        succeeded("t2")
        saver_of().run(["t1"])
        stored = folder / "t1.manifest.json"
        document = json.loads(stored.read_text())
        document["files"][0]["media_type"] = "image/png"
        (folder / "t1.mp4.manifest.json").write_text(json.dumps(document))
        outcomes = saver_of("{runway_task_id}.mp4").run(["t1", "t2"])
        self.check(outcomes, RunwayTransferRefusedError, "would call it .mp4")


class TestTrouble:
    def test_pauses_are_asked_for_by_tries_in_vain(self, saver_of, succeeded, host):
        succeeded("t1")
        host.set("/t1/0", Scripted(500, b""))
        asked = []
        outcome = only(saver_of(pause=lambda tries: asked.append(tries) or 0).run(["t1"]))
        assert isinstance(outcome.error, RunwayTransferError)
        assert asked == [1, 2, 3, 4]

    def test_after_progress_it_is_the_first_try_again(self, saver_of, succeeded, host):
        succeeded("t1")
        host.set("/t1/0", Scripted(200, CLIP, MP4, missing=10), GOOD)
        asked = []
        assert only(saver_of(pause=lambda tries: asked.append(tries) or 0).run(["t1"])).error is None
        assert asked == [1]

    def test_stopping_ends_a_pause_and_leaves_no_half_file(self, saver_of, succeeded, host, folder):
        succeeded("t1")
        succeeded("t2")
        host.set("/t1/0", Scripted(200, CLIP, MP4, missing=10))
        saver = saver_of(pause=lambda tries: saver.stop() or 3600)
        outcomes = saver.run(["t1", "t2"])
        assert ["was stopped" in str(outcome.error) for outcome in outcomes] == [True, True]
        assert names(folder) == []

    def test_a_failed_read_is_in_the_outcome(self, saver_of, hook):
        hook.readings["t1"] = [RunwayReadError("busy")]
        outcome = only(saver_of().run(["t1"]))
        assert outcome.error.message == "busy"
        assert outcome.task is None

    def test_an_error_that_is_not_ours_is_raised(self, saver_of, hook):
        hook.readings["t1"] = [ZeroDivisionError()]
        with pytest.raises(ZeroDivisionError):
            saver_of().run(["t1"])


class TestRecordingFailures:
    def test_the_manifest_says_what_is_missing(self, saver_of, succeeded, host, folder):
        succeeded("t1", outputs=2)
        host.set("/t1/1", Scripted(200, b"MZ\x90\x00" * 2000, MP4))
        saver = saver_of()
        outcome = only(saver.run(["t1"]))
        manifest = saver.record_failure(outcome)
        assert manifest is outcome.manifest
        assert [entry["index"] for entry in manifest["files"]] == [0]
        assert manifest["error"]["type"] == "RunwayTransferRefusedError"
        assert json.loads((folder / "t1.manifest.json").read_text()) == manifest

    def test_a_generation_that_could_not_be_read(self, saver_of, hook):
        hook.readings["t1"] = [RunwayReadError("busy")]
        saver = saver_of()
        manifest = saver.record_failure(only(saver.run(["t1"])))
        assert (manifest["status"], manifest["files"], manifest["error"]["message"]) == (None, [], "busy")
