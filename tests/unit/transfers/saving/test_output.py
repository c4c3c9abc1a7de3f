"""An output on its whole way: from a gateway and a host that answer by script into a folder."""

from __future__ import annotations

import hashlib

import pytest
from unit.scripted import Scripted
from unit.transfers.conftest import CLIP, GOOD, MP4, PAGE, PNG

from airflow_runway.exceptions import RunwayTransferError, RunwayTransferRefusedError
from airflow_runway.transfers._saving.destination import Destination


def test_every_output_is_saved_under_what_it_is(save, world, saved):
    world.outputs = 3
    world.files["/out/t1/1"].append(Scripted(200, PNG, MP4))
    manifest = save(max_concurrency=3)
    assert [entry["media_type"] for entry in manifest["files"]] == ["video/mp4", "image/png", "video/mp4"]
    assert saved() == ["t1-0.mp4", "t1-1.png", "t1-2.mp4", "t1.manifest.json"]


class TestStills:
    @pytest.fixture
    def film(self):
        from unit.probing.test_stills import BLUE, RED, film

        return Scripted(200, film(RED, BLUE), MP4)

    def test_they_lie_beside_the_clip_and_in_the_manifest(self, save, film, saved, tmp_path):
        (entry,) = save(film)["files"]
        assert saved() == ["t1-0.mp4", "t1-0.poster.jpg", "t1-0.sheet.jpg", "t1.manifest.json"]
        assert (entry["poster"], entry["contact_sheet"]) == (
            entry["path"].replace(".mp4", ".poster.jpg"),
            entry["path"].replace(".mp4", ".sheet.jpg"),
        )

    @pytest.mark.parametrize(
        ("arguments", "kinds"), [({"posters": False}, []), ({"contact_sheet_frames": 0}, ["poster"])]
    )
    def test_they_can_be_switched_off(self, arguments, kinds, save, film, saved):
        (entry,) = save(film, **arguments)["files"]
        assert saved() == ["t1-0.mp4", *(f"t1-0.{kind}.jpg" for kind in kinds), "t1.manifest.json"]
        assert entry["contact_sheet"] is None

    def test_where_they_cannot_be_stored_the_clip_is(self, save, film, saved, monkeypatch):
        write = Destination.write

        def refuse(self, name, *rest):
            if name.endswith(".jpg"):
                raise PermissionError(name)
            write(self, name, *rest)

        monkeypatch.setattr(Destination, "write", refuse)
        (entry,) = save(film)["files"]
        assert entry["poster"] is None
        assert saved() == ["t1-0.mp4", "t1.manifest.json"]


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


def test_leftovers_of_a_killed_worker_are_swept(save, tmp_path, saved):
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


def test_a_name_that_others_may_have_used_needs_a_digest(save, world, tmp_path):
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
