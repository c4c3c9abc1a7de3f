from __future__ import annotations

import hashlib

import pytest
import tenacity
from unit.scripted import KEY, Scripted

from airflow_runway.exceptions import (
    RunwayConfigurationError,
    RunwayTaskFailedError,
    RunwayTransferError,
    RunwayTransferRefusedError,
)
from airflow_runway.transfers.runway_to_object_storage import RunwayToObjectStorageOperator

CLIP = b"\x00\x00\x00\x18ftypmp42" + bytes(range(256)) * 20
MP4 = {"Content-Type": "video/mp4"}


@pytest.fixture
def save(connected, context, tmp_path):
    def run(*answers, outputs=1, **fields):
        urls = [f"{connected.url}/out/{index}.mp4?_jwt=secret" for index in range(outputs)]
        succeeded = Scripted(
            200, {"id": "t1", "status": "SUCCEEDED", "output": urls, "cost": {"credits": 25}}
        )
        connected.answers(*(succeeded if answer == "task" else answer for answer in answers))
        operator = RunwayToObjectStorageOperator(
            **{
                "task_id": "task",
                "runway_task_id": "t1",
                "destination": f"file://{tmp_path}/clips/today",
                **fields,
            }
        )
        operator.pause_between_tries = tenacity.wait_none()
        return operator.execute(context)

    return run


def saved(tmp_path):
    return sorted(path.name for path in tmp_path.rglob("*") if path.is_file())


def test_the_manifest_describes_what_is_there(save, connected, tmp_path):
    manifest = save("task", Scripted(200, CLIP, MP4))
    path = tmp_path / "clips" / "today" / "t1-0.mp4"
    assert manifest == {
        "runway_task_id": "t1",
        "status": "SUCCEEDED",
        "cost_credits": 25,
        "files": [
            {
                "path": f"file://{path}",
                "bytes": len(CLIP),
                "sha256": hashlib.sha256(CLIP).hexdigest(),
                "content_type": "video/mp4",
            }
        ],
    }
    assert path.read_bytes() == CLIP
    assert saved(tmp_path) == ["t1-0.mp4"]


def test_every_output_is_saved(save, tmp_path):
    manifest = save(
        "task", Scripted(200, CLIP, MP4), Scripted(200, CLIP, {"Content-Type": "image/png"}), outputs=2
    )
    assert [file["path"].rpartition("/")[2] for file in manifest["files"]] == ["t1-0.mp4", "t1-1.png"]


def test_the_key_stays_at_home(save, connected, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    save("task", Scripted(200, CLIP, MP4))
    read, download = connected.arrived
    assert read.headers["authorization"] == f"Bearer {KEY}"
    assert "authorization" not in download.headers


@pytest.mark.parametrize(
    "bad",
    [
        Scripted(403, b"<Error>expired</Error>", {"Content-Type": "application/xml"}),
        Scripted(200, b"<html>sorry</html>", {"Content-Type": "text/html"}),
        Scripted(200, CLIP, MP4, missing=10),
        Scripted(200, b"", MP4),
        Scripted(drop=True),
        Scripted(500, b""),
    ],
)
class TestBadDownloads:
    def test_a_fresh_link_is_tried(self, bad, save, connected, tmp_path):
        manifest = save("task", bad, "task", Scripted(200, CLIP, MP4))
        assert manifest["files"][0]["bytes"] == len(CLIP)
        assert saved(tmp_path) == ["t1-0.mp4"]

    def test_nothing_wrong_is_ever_left(self, bad, save, connected, tmp_path):
        with pytest.raises(RunwayTransferError) as caught:
            save("task", bad, "task", bad, "task", bad)
        assert "untouched" in str(caught.value)
        assert "secret" not in str(caught.value)
        assert saved(tmp_path) == []


def test_redirects_are_not_followed(save, connected, tmp_path):
    elsewhere = Scripted(302, b"", {"Location": "http://169.254.169.254/"})
    with pytest.raises(RunwayTransferRefusedError, match="redirects elsewhere"):
        save("task", elsewhere)
    assert saved(tmp_path) == []


def test_an_unfinished_task_is_not_saved(save):
    with pytest.raises(RunwayTransferError, match="no result to save: it is RUNNING"):
        save(Scripted(200, {"id": "t1", "status": "RUNNING"}))


def test_a_failed_task_says_why(save):
    with pytest.raises(RunwayTaskFailedError, match="Flagged"):
        save(Scripted(200, {"id": "t1", "status": "FAILED", "failure": "Flagged."}))


def test_what_is_no_id_is_refused(save, connected):
    with pytest.raises(RunwayConfigurationError):
        save(runway_task_id="../x")
    assert not connected.arrived


def test_an_odd_id_makes_a_harmless_name(save, tmp_path):
    assert save("task", Scripted(200, CLIP, MP4), runway_task_id="..x:y")["files"][0]["path"].endswith(
        "/__x_y-0.mp4"
    )


def test_a_killed_worker_leaves_nothing_under_the_final_name(save, tmp_path, monkeypatch):
    from airflow_runway.transfers import download

    def killed(self):
        yield b"half"
        raise SystemExit

    monkeypatch.setattr(download.Download, "__iter__", killed)
    with pytest.raises(SystemExit):
        save("task", Scripted(200, CLIP, MP4))
    assert saved(tmp_path) == []
