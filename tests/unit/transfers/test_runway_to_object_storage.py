from __future__ import annotations

import hashlib
import json
import pickle
from datetime import datetime

import pytest
from unit.scripted import KEY, Scripted
from unit.transfers.conftest import CLIP, GOOD, MP4, PNG

from airflow_runway.exceptions import (
    RunwayConfigurationError,
    RunwayReadRefusedError,
    RunwayTaskFailedError,
    RunwayTaskLostError,
    RunwayTransferError,
    RunwayTransferRefusedError,
)
from airflow_runway.transfers.runway_to_object_storage import RunwayToObjectStorageOperator

PAGE = Scripted(200, b"<html>sorry</html>", MP4)
GONE = Scripted(404, {"error": "Task not found."})
FAILED = Scripted(
    200, {"id": "t1", "status": "FAILED", "failure": "Flagged.", "failureCode": "SAFETY.INPUT.TEXT"}
)


def test_the_manifest_describes_what_is_there(save, tmp_path, saved):
    manifest = save(GOOD, route="image_to_video")
    path = tmp_path / "clips" / "today" / "t1-0.mp4"
    assert datetime.fromisoformat(manifest.pop("saved_at")).tzinfo is not None
    assert manifest == {
        "manifest_version": 1,
        "runway_task_id": "t1",
        "gateway": "runway",
        "route": "image_to_video",
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
            }
        ],
        "error": None,
    }
    assert path.read_bytes() == CLIP
    stored = json.loads((path.parent / "t1.manifest.json").read_text())
    assert stored.pop("saved_at")
    assert stored == manifest
    assert saved() == ["t1-0.mp4", "t1.manifest.json"]


def test_every_output_is_saved_under_what_it_is(save, world, saved):
    world.outputs = 3
    world.files["/out/t1/1"].append(Scripted(200, PNG, MP4))
    manifest = save(max_concurrency=3)
    assert [entry["media_type"] for entry in manifest["files"]] == ["video/mp4", "image/png", "video/mp4"]
    assert saved() == ["t1-0.mp4", "t1-1.png", "t1-2.mp4", "t1.manifest.json"]


def test_the_key_stays_at_home(save, connected, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    save()
    read, download = connected.arrived
    assert read.headers["authorization"] == f"Bearer {KEY}"
    assert "authorization" not in download.headers


@pytest.mark.parametrize(
    "bad",
    [
        Scripted(403, b"<Error>expired</Error>", {"Content-Type": "application/xml"}),
        PAGE,
        Scripted(200, b'{"error": "sorry"}', {"Content-Type": "image/png"}),
        Scripted(200, CLIP, MP4, missing=10),
        Scripted(200, b"", MP4),
        Scripted(drop=True),
        Scripted(500, b""),
        Scripted(200, CLIP, {**MP4, "Content-Encoding": "gzip"}),
        Scripted(200, CLIP, {**MP4, "Digest": f"SHA-256={'A' * 43}="}),
    ],
)
class TestBadDownloads:
    def test_what_passes_is_overcome(self, bad, save, saved):
        manifest = save(bad, bad, GOOD)
        assert manifest["files"][0]["bytes"] == len(CLIP)
        assert saved() == ["t1-0.mp4", "t1.manifest.json"]

    def test_nothing_wrong_is_ever_left(self, bad, save, saved, world):
        with pytest.raises(RunwayTransferError) as caught:
            save(bad)
        assert "untouched" in str(caught.value)
        assert "secret" not in str(caught.value)
        assert saved() == []
        # Whatever it was, a fresh link was tried.
        assert len({download.path for download in world.downloads()}) > 1
        assert len(world.downloads()) <= 6


def test_a_break_is_gone_on_with_the_same_link_first(save, world):
    save(Scripted(200, CLIP, MP4, missing=10), GOOD)
    first, second = world.downloads()
    assert first.path == second.path
    assert second.headers["range"] == f"bytes={len(CLIP)}-"


def test_the_file_has_changed_in_the_meantime(save, world, saved, tmp_path):
    """A 200 where a 206 was asked for: its beginning tells whether it is the same file."""
    other = CLIP[:-1] + b"\0"
    manifest = save(Scripted(200, CLIP, MP4, missing=10), Scripted(200, other, MP4))
    assert manifest["files"][0]["sha256"] == hashlib.sha256(other).hexdigest()
    assert (tmp_path / "clips/today/t1-0.mp4").read_bytes() == other


@pytest.mark.parametrize(
    "part",
    [
        Scripted(206, CLIP[:5], {"Content-Range": f"bytes 0-4/{len(CLIP)}"}),
        Scripted(206, CLIP[5:], {"Content-Range": f"bytes {len(CLIP)}-9999/10000"}),
        Scripted(416, b"", {"Content-Range": f"bytes */{len(CLIP)}"}),
    ],
)
def test_a_part_that_does_not_fit_is_not_used(part, save, tmp_path):
    save(Scripted(200, CLIP, {**MP4, "ETag": '"one"'}, missing=10), part, GOOD)
    assert (tmp_path / "clips/today/t1-0.mp4").read_bytes() == CLIP


def test_media_that_nobody_knows_is_refused_at_once(save, world, saved):
    with pytest.raises(RunwayTransferRefusedError, match="begins like no media file"):
        save(Scripted(200, b"MZ\x90\x00" * 2000, MP4))
    assert len(world.downloads()) == 1
    assert saved() == []


@pytest.mark.parametrize("headers", [MP4, {**MP4, "Transfer-Encoding": ""}])
def test_what_is_too_large_is_refused(headers, save, saved):
    with pytest.raises(RunwayTransferRefusedError, match="above max_bytes"):
        save(Scripted(200, CLIP, headers), max_bytes=len(CLIP) - 1)
    assert saved() == []
    assert save(GOOD, max_bytes=len(CLIP))["files"][0]["bytes"] == len(CLIP)


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/",
        "//169.254.169.254/x",
        "http://127.0.0.1:1/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
    ],
)
def test_redirects_to_where_nobody_may_go(location, save, saved):
    with pytest.raises(RunwayTransferRefusedError):
        save(Scripted(302, b"", {"Location": location}))
    assert saved() == []


def test_redirects_on_the_same_host_are_followed(save, world, saved):
    world.files["/out/elsewhere"].append(GOOD)
    save(Scripted(302, b"", {"Location": "/out/elsewhere"}))
    assert saved() == ["t1-0.mp4", "t1.manifest.json"]


def test_redirects_in_a_circle(save, world):
    with pytest.raises(RunwayTransferRefusedError, match="more than 3 times"):
        save(Scripted(302, b"", {"Location": "/out/t1/0"}))
    assert len(world.downloads()) == 4


class TestEndings:
    def test_an_unfinished_task_is_not_saved(self, save, world):
        world.tasks["t1"] = Scripted(200, {"id": "t1", "status": "RUNNING"})
        with pytest.raises(RunwayTransferError, match="no result to save: it is RUNNING"):
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
    assert {"runway_task_id", "destination", "file_name", "route", "runway_conn_id"} == set(
        operator.template_fields
    )
    assert pickle.loads(pickle.dumps(operator.prepare_for_execution())).file_name == operator.file_name


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

    def test_leftovers_of_a_killed_worker_are_swept(self, save, tmp_path, saved):
        folder = tmp_path / "clips" / "today"
        folder.mkdir(parents=True)
        for name in (
            ".t1-0.0a1b2c.partial",
            ".t1.manifest.json.0a1b2c.partial",
            ".t11-0.0a1b2c.partial",
            "mine",
        ):
            (folder / name).write_bytes(b"half")
        save()
        assert saved() == [".t11-0.0a1b2c.partial", "mine", "t1-0.mp4", "t1.manifest.json"]

    def test_a_name_that_others_may_have_used_needs_a_digest(self, save, world, tmp_path):
        folder = tmp_path / "clips" / "today"
        folder.mkdir(parents=True)
        other = CLIP[:-1] + b"\0"
        (folder / "latest.mp4").write_bytes(other)
        save(file_name="latest{extension}")
        assert (folder / "latest.mp4").read_bytes() == CLIP


def test_a_folder_in_the_way_is_left_alone(save, tmp_path, saved):
    (tmp_path / "clips/today/t1-0.mp4").mkdir(parents=True)
    with pytest.raises(RunwayTransferRefusedError, match="is a folder"):
        save()
    assert saved() == []


def test_a_destination_that_takes_nothing(save, tmp_path, saved):
    (tmp_path / "clips").write_text("a file where the folder should be")
    with pytest.raises(RunwayTransferError, match="could not be"):
        save()
