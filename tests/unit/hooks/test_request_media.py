"""Files on their way into a request, judged by what the emulator got to see."""

from __future__ import annotations

import hashlib
import io
import os
from dataclasses import replace
from pathlib import Path

import heads
import pytest
from airflow.sdk import ObjectStoragePath
from PIL import Image
from unit.dripping import DRIPS

from airflow_runway._probing.prober import Prober
from airflow_runway.core.media.references import Reference
from airflow_runway.core.protocol.calls import UploadSlot
from airflow_runway.exceptions import RunwayMediaError, RunwayMediaRefusedError
from airflow_runway.hooks._media_from import MediaFrom
from airflow_runway.hooks._stored_file import read
from airflow_runway.hooks._uploads import Form
from airflow_runway.hooks.runway import RunwayHook

REQUEST = {"model": "gen4_turbo", "promptText": "go", "ratio": "1280:720", "duration": 2}


def picture(size=(640, 360), noise=False):
    file = io.BytesIO()
    image = Image.effect_noise(size, 80).convert("RGB") if noise else Image.new("RGB", size, "teal")
    image.save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def hook(runway_emulator):
    hook = RunwayHook()
    hook.pause_between_tries = lambda state: 0
    return hook


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.png"
    path.write_bytes(picture())
    return path


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Too large to travel inside a request."""
    path = tmp_path_factory.mktemp("media") / "a large one.png"
    path.write_bytes(picture((1920, 1080), noise=True))
    assert path.stat().st_size > 4_000_000
    return path


def uploads(emulator):
    return [one for one in emulator.requests() if "upload" in one["path"]]


def creates(emulator):
    return [one for one in emulator.requests() if one["path"] == "/v1/image_to_video"]


class TestSending:
    @pytest.mark.parametrize("form", ["file://{}".format, str, ObjectStoragePath, Path])
    def test_a_small_file_travels_inside(self, hook, runway_emulator, small, form):
        hook.submit("image_to_video", {**REQUEST, "promptImage": form(small)})
        assert uploads(runway_emulator) == []
        (create,) = creates(runway_emulator)
        assert create["body"]["promptImage"].startswith("data:image/png;base64,")
        assert len(runway_emulator.ledger()["charges"]) == 1

    def test_a_large_one_is_uploaded_with_no_key(self, hook, runway_emulator, large, caplog):
        hook.submit("image_to_video", {**REQUEST, "promptImage": [{"uri": str(large), "position": "first"}]})
        slot, form = uploads(runway_emulator)
        assert slot["body"]["filename"] == "a_large_one.png"
        assert "authorization" not in form["headers"]
        assert int(form["headers"]["content-length"]) > large.stat().st_size
        (create,) = creates(runway_emulator)
        assert create["body"]["promptImage"][0]["uri"].startswith("runway://")
        assert "runway://" not in caplog.text

    def test_the_same_content_is_uploaded_once(self, hook, runway_emulator, large):
        body = {**REQUEST, "promptImage": str(large)}
        hook.submit("image_to_video", body)
        hook.submit("image_to_video", body)
        assert len(uploads(runway_emulator)) == 2
        assert len(runway_emulator.ledger()["charges"]) == 2

    def test_an_old_upload_is_made_anew(self, hook, runway_emulator, large, monkeypatch):
        first = hook.upload(str(large))
        assert hook.upload(str(large)) == first
        import time

        later = time.time() + 24 * 3600
        monkeypatch.setattr("airflow_runway.hooks._uploads.time.time", lambda: later)
        assert hook.upload(str(large)) != first

    @pytest.mark.parametrize("fault", [{"kind": "status", "status": 503}, {"kind": "drop"}])
    @pytest.mark.parametrize("step", ["upload", "upload_file"])
    def test_a_failed_step_is_taken_again_with_a_new_slot(self, hook, runway_emulator, large, step, fault):
        runway_emulator.add_fault(on=step, **fault)
        hook.submit("image_to_video", {**REQUEST, "promptImage": str(large)})
        slots = [one for one in uploads(runway_emulator) if one["path"] == "/v1/uploads"]
        assert len(slots) == 2
        assert len(runway_emulator.ledger()["charges"]) == 1

    def test_a_step_that_fails_for_good_sends_nothing_else(self, hook, runway_emulator, large):
        runway_emulator.add_fault(on="upload_file", kind="status", status=503, count=None)
        with pytest.raises(
            RunwayMediaError, match=r"HTTP 503.*No generation was asked for and nothing was charged"
        ):
            hook.submit("image_to_video", {**REQUEST, "promptImage": str(large)})
        assert creates(runway_emulator) == []

    def test_a_refused_upload_is_not_repeated(self, hook, runway_emulator, large):
        answer = '{"error": "You do not have enough credits"}'
        runway_emulator.add_fault(on="upload", kind="status", status=400, body=answer, count=None)
        with pytest.raises(RunwayMediaRefusedError, match="nothing was charged"):
            hook.submit("image_to_video", {**REQUEST, "promptImage": str(large)})
        assert len(uploads(runway_emulator)) == 1

    def test_several_small_files_do_not_make_a_giant_request(self, hook, runway_emulator, tmp_path):
        for name in ("a", "b", "c"):
            (tmp_path / f"{name}.png").write_bytes(picture((800, 720), noise=True) + os.urandom(1_400_000))
        body = hook.prepare(
            {"referenceImages": [{"uri": str(tmp_path / f"{name}.png")} for name in ("a", "b", "c")]}
        ).body()
        how = [image["uri"].partition(":")[0] for image in body["referenceImages"]]
        assert sorted(how) == ["data", "runway", "runway"]

    def test_an_earlier_generation_becomes_a_fresh_link(self, hook, runway_emulator, small):
        clip = hook.submit("image_to_video", {**REQUEST, "promptImage": str(small)}).runway_task_id
        wanted = {"model": "magnific_video_upscaler_creative", "videoUri": f"runway-task://{clip}"}
        with pytest.raises(RunwayMediaError, match=rf"{clip}, which is .* Put a RunwayTaskSensor before"):
            hook.submit("video_upscale", wanted)
        runway_emulator.settings(seconds=0)
        clip = hook.submit("image_to_video", {**REQUEST, "promptImage": str(small)}).runway_task_id
        wanted["videoUri"] = f"runway-task://{clip}#0"
        hook.submit("video_upscale", wanted)
        with pytest.raises(RunwayMediaRefusedError, match=r"has 1 output\(s\)"):
            hook.submit("video_upscale", {**wanted, "videoUri": f"runway-task://{clip}#1"})
        assert len(runway_emulator.ledger()["charges"]) == 3

    def test_a_failed_generation_has_no_output(self, hook, runway_emulator, small):
        runway_emulator.settings(seconds=0)
        runway_emulator.add_fault(on="create", kind="fail_task", failure="Oh.")
        clip = hook.submit("image_to_video", {**REQUEST, "promptImage": str(small)}).runway_task_id
        with pytest.raises(RunwayMediaRefusedError, match=r"which is not there.*Oh"):
            hook.submit("video_upscale", {"videoUri": f"runway-task://{clip}"})

    async def test_the_async_twin(self, hook, runway_emulator, large):
        await hook.asubmit("image_to_video", {**REQUEST, "promptImage": str(large)})
        assert len(uploads(runway_emulator)) == 2
        assert len(runway_emulator.ledger()["charges"]) == 1


class TestGatewaysWithoutUploads:
    pytestmark = pytest.mark.runway_emulator(gateway="cometapi")

    def test_a_small_file_travels_inside(self, hook, runway_emulator, small):
        hook.submit(
            "image_to_video", {**REQUEST, "model": "gen3a_turbo", "duration": 5, "promptImage": str(small)}
        )
        assert len(runway_emulator.ledger()["charges"]) == 1

    def test_a_large_one_is_refused_with_the_limit_and_the_way_out(self, hook, runway_emulator, large):
        with pytest.raises(
            RunwayMediaRefusedError, match=r"CometAPI takes 5242880 and documents no uploads.*presigned"
        ):
            hook.submit("image_to_video", {**REQUEST, "promptImage": str(large)})
        with pytest.raises(RunwayMediaRefusedError, match="documents no uploads"):
            hook.upload(str(large))
        assert runway_emulator.requests() == []


class TestReading:
    @pytest.mark.parametrize(
        ("uri", "error", "says"),
        [
            ("file:///nowhere/a.png", RunwayMediaError, "cannot be had: it is not below"),
            ("a.png", RunwayMediaRefusedError, "no media reference"),
        ],
    )
    def test_what_cannot_be_read(self, hook, runway_emulator, uri, error, says):
        with pytest.raises(error, match=says) as caught:
            hook.submit("image_to_video", {**REQUEST, "promptImage": uri})
        assert isinstance(caught.value, RunwayMediaRefusedError) == (error is RunwayMediaRefusedError)
        assert runway_emulator.requests() == []

    def test_a_file_beyond_every_limit_is_not_even_read(self, hook, tmp_path):
        path = tmp_path / "huge.mp4"
        with path.open("wb") as file:
            file.truncate(201 * 2**20)
        with pytest.raises(RunwayMediaRefusedError, match="the most that can be uploaded"):
            hook.prepare({"videoUri": str(path)})

    def test_a_wrong_shape_costs_nothing(self, hook, runway_emulator, tmp_path):
        path = tmp_path / "banner.png"
        path.write_bytes(picture((900, 300)))
        with pytest.raises(RunwayMediaRefusedError, match="900x300"):
            hook.submit("image_to_video", {**REQUEST, "promptImage": f"file://{path}"})
        assert runway_emulator.requests() == []

    def test_a_file_that_changes_meanwhile_is_not_sent(self, hook, runway_emulator, tmp_path):
        path = tmp_path / "a.png"
        content = picture((1920, 1080), noise=True) + os.urandom(3_000_000)
        path.write_bytes(content)
        prepared = hook.prepare({"promptImage": str(path)})
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(RunwayMediaError, match="changed while it was being sent"):
            prepared.body()
        assert creates(runway_emulator) == []

    def test_upload_wants_a_file_in_storage(self, hook):
        with pytest.raises(RunwayMediaRefusedError, match="no file in storage"):
            hook.upload("https://e/a.png")

    def test_too_small_for_an_upload(self, hook, tmp_path):
        path = tmp_path / "a.png"
        path.write_bytes(picture((2, 2))[:100])
        with pytest.raises(RunwayMediaRefusedError, match="an upload needs 512"):
            hook.upload(str(path))


class TestIdentity:
    def test_it_is_by_content(self, hook, small, tmp_path):
        copy = tmp_path / "elsewhere.png"
        copy.write_bytes(small.read_bytes())
        one, other = (hook.prepare({"promptImage": uri}).identity for uri in (str(small), f"file://{copy}"))
        assert one == other == {"promptImage": f"sha256:{hashlib.sha256(small.read_bytes()).hexdigest()}"}
        copy.write_bytes(picture((640, 361)))
        assert hook.prepare({"promptImage": str(copy)}).identity != one

    def test_the_payload_of_the_author_stays_as_it_is(self, hook, small):
        payload = {"promptImage": str(small)}
        assert hook.prepare(payload).body() != payload
        assert payload == {"promptImage": str(small)}


def test_the_form_is_streamed(tmp_path):
    path = tmp_path / "a.mp4"
    with path.open("wb") as file:
        file.write(heads.MP4)
        file.truncate(20 * 2**20)
    form = Form(
        {"key": "k", "policy": 'a"b'},
        read(Reference(str(path), "video", ("videoUri",)), MediaFrom(str(tmp_path)), Prober()),
    )
    largest, total = 0, 0
    while piece := form.read(16_384):
        largest, total = max(largest, len(piece)), total + len(piece)
    assert total == len(form)
    assert largest == 16_384


def test_uploads_go_to_no_plain_address_from_a_secure_connection(set_connection, large, monkeypatch):
    set_connection()
    hook = RunwayHook()
    assert hook.settings.base_url.startswith("https://")
    slot = UploadSlot("http://e/x", {}, "runway://x")
    monkeypatch.setattr(hook, "run_exchange", lambda exchange: slot)
    with pytest.raises(RunwayMediaRefusedError, match="no https"):
        hook.upload(str(large))


@pytest.mark.parametrize(
    "url",
    [
        "https://169.254.169.254/x", "https://10.0.0.1/x", "https://127.0.0.1/x", "https://example.com\\@127.0.0.1/x",
        "https://user@example.com/x", "https://2130706433/x", "https:///x",
    ],
)  # fmt: skip
def test_uploads_go_to_no_address_that_only_the_inside_can_reach(set_connection, large, monkeypatch, url):
    set_connection()
    hook = RunwayHook()
    monkeypatch.setattr(hook, "run_exchange", lambda exchange: UploadSlot(url, {}, "runway://x"))
    monkeypatch.setattr("requests.Session.send", lambda *args, **more: pytest.fail("it was asked"))
    with pytest.raises(RunwayMediaRefusedError, match=r"which is not gone to: .*Nothing was sent"):
        hook.upload(str(large))


class TestASlowReceiver:
    @pytest.fixture
    def slot_at(self, connected, monkeypatch):
        hook = RunwayHook()
        hook.pause_between_tries = lambda state: 0
        monkeypatch.setattr("airflow_runway.hooks._least_speed.OVER", 0.3)

        def made(server, timeout):
            hook._settings = replace(hook.settings, timeout=timeout)
            slot = UploadSlot(
                f"http://127.0.0.1:{server.port}/x?X-Amz-Signature=secret", {"key": "k"}, "runway://x"
            )
            monkeypatch.setattr(hook, "run_exchange", lambda exchange: slot)
            return hook

        return made

    def test_that_takes_a_byte_at_a_time(self, slot_at, dripping, large):
        with pytest.raises(
            RunwayMediaError, match=r"slower than 10240 bytes per second.*nothing was charged"
        ) as caught:
            slot_at(dripping(b"", b"", sip=1), 60).upload(str(large))
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize("drip", ["nothing", "header", "100 Continue", "status line"])
    def test_that_never_comes_to_an_answer(self, slot_at, dripping, small, drip):
        with pytest.raises(RunwayMediaError, match="could not be uploaded"):
            slot_at(dripping(*DRIPS[drip]), 0.3).upload(str(small))
