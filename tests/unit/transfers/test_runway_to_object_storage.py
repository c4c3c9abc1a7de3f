from __future__ import annotations

import hashlib
import json
import pickle
from datetime import datetime

import pytest
from unit.scripted import Scripted
from unit.transfers.conftest import CLIP, FAILED, GONE, GOOD, PAGE

from airflow_runway.exceptions import (
    RunwayConfigurationError,
    RunwayReadRefusedError,
    RunwayTaskFailedError,
    RunwayTaskLostError,
    RunwayTransferError,
    RunwayTransferRefusedError,
)
from airflow_runway.transfers.runway_to_object_storage import (
    RunwayToObjectStorageOperator,
    pause_before_retry,
)


def test_the_manifest_describes_what_is_there(save, tmp_path, saved):
    manifest = save(GOOD, route="image_to_video", model="gen4_turbo")
    path = tmp_path / "clips" / "today" / "t1-0.mp4"
    assert datetime.fromisoformat(manifest.pop("saved_at")).tzinfo is not None
    assert manifest == {
        "manifest_version": 1,
        "runway_task_id": "t1",
        "gateway": "runway",
        "route": "image_to_video",
        "model": "gen4_turbo",
        "owner": None,
        "status": "SUCCEEDED",
        "cost_credits": 25,
        "created_at": "2026-11-20T12:00:00Z",
        "finished_at": None,
        "files": [
            {
                "index": 0,
                "path": f"file://{path}",
                "bytes": len(CLIP),
                "sha256": hashlib.sha256(CLIP).hexdigest(),
                "media_type": "video/mp4",
                # No real clip, so nothing can be measured, and it is saved all the same.
                "width": None,
                "height": None,
                "duration": None,
                "fps": None,
                "poster": None,
                "contact_sheet": None,
            }
        ],
        "error": None,
    }
    assert path.read_bytes() == CLIP
    stored = json.loads((path.parent / "t1.manifest.json").read_text())
    assert stored.pop("saved_at")
    assert stored == manifest
    assert saved() == ["t1-0.mp4", "t1.manifest.json"]


class TestEndings:
    def test_an_unfinished_task_is_not_saved(self, save, world):
        world.tasks["t1"] = Scripted(200, {"id": "t1", "status": "RUNNING"})
        with pytest.raises(RunwayTransferError, match="is RUNNING: no result to save"):
            save()

    def test_a_failed_task_says_why(self, save, world):
        world.tasks["t1"] = FAILED
        with pytest.raises(RunwayTaskFailedError, match="Flagged"):
            save()

    def test_a_task_that_nobody_knows(self, save, world):
        world.tasks["t1"] = GONE
        with pytest.raises(RunwayTaskLostError, match="does not know Runway task t1"):
            save()


class TestBeforeAnythingIsFetched:
    @pytest.mark.parametrize(
        "fields",
        [
            {"runway_task_id": "../x"},
            {"runway_task_id": None},
            {"runway_task_id": ["t1", 7]},
            {"destination": " "},
            {"destination": "nowhere://bucket/x"},
            {"file_name": "../{index}{extension}"},
            {"file_name": "/etc/{index}"},
            {"file_name": "{run_id}"},
            {"runway_task_id": ["t1", "t2"], "file_name": "{index}{extension}"},
            {"runway_task_id": ["a:b", "a;b"]},
        ],
    )
    def test_wrong_arguments(self, fields, save, connected):
        with pytest.raises(RunwayConfigurationError, match=r"Nothing was (fetched|sent)"):
            save(**fields)
        assert not connected.arrived

    def test_several_outputs_with_one_name(self, save, world):
        world.outputs = 2
        with pytest.raises(RunwayConfigurationError, match=r"needs \{index\}"):
            save(file_name="{runway_task_id}{extension}")
        assert not world.downloads()

    @pytest.mark.parametrize("fields", [{"on_failure": "x"}, {"max_concurrency": 0}, {"max_bytes": 0}])
    def test_what_a_dag_file_may_not_say(self, fields):
        with pytest.raises(ValueError, match="must be"):
            RunwayToObjectStorageOperator(task_id="x", runway_task_id="t", destination="d", **fields)


def test_an_odd_id_makes_a_harmless_name(save):
    assert save(runway_task_id="..x:y")["files"][0]["path"].endswith("/__x_y-0.mp4")


def test_it_can_be_copied_and_templated():
    operator = RunwayToObjectStorageOperator(task_id="x", runway_task_id="t", destination="d")
    assert {
        "runway_task_id",
        "destination",
        "file_name",
        "route",
        "model",
        "runway_conn_id",
        "partition_key",
    } == set(operator.template_fields)
    assert pickle.loads(pickle.dumps(operator.prepare_for_execution())).file_name == operator.file_name


def test_pauses_between_tries_grow_up_to_half_a_minute():
    for tries, longest in ((1, 1), (2, 2), (5, 16), (6, 30), (500, 30)):
        assert all(0 <= pause_before_retry(tries) <= longest for _ in range(50))
    operator = RunwayToObjectStorageOperator(task_id="x", runway_task_id="t", destination="d")
    assert operator.pause_between_tries is pause_before_retry


class Lazy:
    """As much of the XComs of a mapped task as can be relied upon."""

    def __init__(self, *ids):
        self._ids = ids

    def __iter__(self):
        return iter(self._ids)


class TestSeveral:
    def test_one_manifest_each_in_order(self, save, world, saved):
        manifests = save(runway_task_id=Lazy("t2", "t1", "t2"), max_concurrency=4)
        assert [manifest["runway_task_id"] for manifest in manifests] == ["t2", "t1", "t2"]
        assert saved() == ["t1-0.mp4", "t1.manifest.json", "t2-0.mp4", "t2.manifest.json"]
        assert len(world.downloads()) == 2

    def test_none_is_none(self, save):
        assert save(runway_task_id=[]) == []

    def test_what_can_be_saved_is_saved_first(self, save, world, saved):
        world.tasks["t1"] = FAILED
        world.tasks["t3"] = GONE
        with pytest.raises(RunwayTransferRefusedError, match="2 of 3 generations") as caught:
            save(runway_task_id=["t1", "t2", "t3"])
        assert "task t1 failed" in str(caught.value)
        assert "Runway task t3" in str(caught.value)
        assert saved() == ["t2-0.mp4", "t2.manifest.json"]

    def test_a_retry_is_worth_it_if_any_failure_may_pass(self, save, world, saved):
        world.tasks["t1"] = FAILED
        world.files["/out/t2/0"].append(Scripted(500, b""))
        with pytest.raises(RunwayTransferError) as caught:
            save(runway_task_id=["t1", "t2"])
        assert not isinstance(caught.value, RunwayTransferRefusedError)

    def test_at_most_so_many_at_once(self, save, world, monkeypatch):
        import threading

        from airflow_runway.transfers._saving.download import Download

        running, most, lock, real = set(), [], threading.Lock(), Download.run

        def watched(self):
            with lock:
                running.add(self)
                most.append(len(running))
            try:
                return real(self)
            finally:
                with lock:
                    running.discard(self)

        monkeypatch.setattr(Download, "run", watched)
        world.outputs = 3
        save(runway_task_id=[f"t{index}" for index in range(8)], max_concurrency=3)
        assert len(most) == 24
        assert max(most) <= 3


class TestFailuresInManifests:
    def test_a_failed_generation(self, save, world, saved, tmp_path):
        world.tasks["t1"] = FAILED
        manifest = save(on_failure="manifest")
        assert (manifest["status"], manifest["files"]) == ("FAILED", [])
        assert manifest["error"]["type"] == "RunwayTaskFailedError"
        assert manifest["error"]["failure_code"] == "SAFETY.INPUT.TEXT"
        assert manifest["error"]["failure"] == "Flagged."
        assert saved() == ["t1.manifest.json"]
        # It is no reason not to look again.
        del world.tasks["t1"]
        assert save(on_failure="manifest")["error"] is None
        assert saved() == ["t1-0.mp4", "t1.manifest.json"]

    def test_what_of_it_is_saved_is_told(self, save, world, saved):
        world.outputs = 2
        world.files["/out/t1/1"].append(PAGE)
        manifest = save(on_failure="manifest")
        assert [entry["index"] for entry in manifest["files"]] == [0]
        assert "Output 1 of Runway task t1" in manifest["error"]["message"]
        assert "secret" not in str(manifest)
        assert manifest["status"] == "SUCCEEDED"

    def test_what_may_pass_is_retried_first(self, save, world, context, saved):
        context["ti"].try_number, context["ti"].max_tries = 2, 2
        with pytest.raises(RunwayTransferError):
            save(PAGE, on_failure="manifest")
        assert saved() == []
        context["ti"].try_number = 3
        assert save(PAGE, on_failure="manifest")["error"]["type"] == "RunwayTransferError"

    def test_the_connections_trouble_is_raised(self, save, world):
        world.tasks["t1"] = Scripted(401, {"error": "no"})
        with pytest.raises(RunwayReadRefusedError):
            save(on_failure="manifest")


class TestRunningAgain:
    def test_nothing_is_read_or_downloaded(self, save, connected):
        manifest = save()
        arrived = len(connected.arrived)
        assert save() == manifest
        assert len(connected.arrived) == arrived

    @pytest.mark.parametrize("change", ["shorter", "gone", "manifest", "other task", "other place"])
    def test_unless_something_is_amiss(self, change, save, world, tmp_path):
        save()
        folder = tmp_path / "clips" / "today"
        manifest = folder / "t1.manifest.json"
        if change == "shorter":
            (folder / "t1-0.mp4").write_bytes(CLIP[:-1])
        elif change == "gone":
            (folder / "t1-0.mp4").unlink()
        elif change == "manifest":
            manifest.write_text("{" * 100_000)
        else:
            document = json.loads(manifest.read_text())
            if change == "other task":
                document["runway_task_id"] = "t9"
            else:
                document["files"][0]["path"] = "file:///etc/passwd"
            manifest.write_text(json.dumps(document))
        assert save()["files"][0]["path"] == f"file://{folder}/t1-0.mp4"
        assert (folder / "t1-0.mp4").read_bytes() == CLIP
        assert len(world.downloads()) == 2
