"""The longer examples on a real Airflow against the emulator: from the first task to files that play."""

from __future__ import annotations

import csv
import io
import json
import wave
from array import array
from math import pi, sin
from time import monotonic
from urllib.parse import quote

import pytest
from airflow.sdk import ObjectStoragePath
from integration.media import decode, frame_at, loudness, make_clip
from integration.support import KEY
from integration.transfer.storages import CONNECTION, Bucket, s3_connection
from PIL import Image, ImageStat

from airflow_runway.core.review.form import REJECT, USE

COLOURS = {"Lamp": (200, 40, 40), "Chair": (40, 60, 200)}
LOOKS = ["soft morning light", "neon at night"]
SECONDS = 2
SHOTS = len(COLOURS) * len(LOOKS)


def trigger(airflow, dag_id, conf):
    airflow.wait_for_dag(dag_id)
    return airflow.trigger_dag(dag_id, conf)


def ended(airflow, dag_id, run_id):
    """Wait for a run's end, and see that it told nobody the key, nor a signed link in a log."""
    state = airflow.wait_for_run(dag_id, run_id, 480)
    logs = [
        line
        for one in airflow.task_instances(dag_id, run_id)
        for number in range(1, one["try_number"] + 1)
        for line in airflow.task_log(
            dag_id, run_id, one["task_id"], try_number=number, map_index=one["map_index"]
        )
    ]
    written = json.dumps(logs)
    assert KEY not in written
    assert "_jwt" not in written
    entries = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/~/xcomEntries?limit=1000"
    for entry in airflow.request("GET", entries)["xcom_entries"]:
        value = airflow.xcom(dag_id, run_id, entry["task_id"], entry["key"], map_index=entry["map_index"])
        assert KEY not in json.dumps(value)
    return state, [line for line in logs if line.get("level") in {"error", "warning"}]


def local(path, folder):
    """A copy of what an Airflow task has stored."""
    copy = folder / path.rpartition("/")[2]
    copy.write_bytes(ObjectStoragePath(path).read_bytes())
    return copy


def routes(emulator):
    return [charge["route"] for charge in emulator.ledger()["charges"]]


def mean(path, seconds=0.0):
    return ImageStat.Stat(frame_at(path, seconds)).mean


def test_words_become_a_large_clip(airflow, emulator, tmp_path):
    dag_id = "keyframe_clip_upscale"
    run_id = trigger(airflow, dag_id, {"seconds": 2, "destination": f"file://{tmp_path}/clips"})
    state, trouble = ended(airflow, dag_id, run_id)
    assert state == "success", trouble
    assert routes(emulator) == ["text_to_image", "image_to_video", "video_upscale"]
    (file,) = airflow.xcom(dag_id, run_id, "save")["files"]
    clip = decode(local(file["path"], tmp_path))
    assert (clip.codec, clip.pixels, clip.width) == ("h264", "yuv420p", 2560)
    assert clip.seconds == pytest.approx(2, abs=1 / 24)
    assert clip.distinct_frames > 1


@pytest.mark.parametrize("place", ["disk", "web"])
def test_a_clip_in_another_style(place, airflow, emulator, tmp_path):
    content = make_clip(tmp_path / "clip.mp4")
    source = f"file://{tmp_path}/clip.mp4" if place == "disk" else emulator.put_media("clip.mp4", content)
    run_id = trigger(airflow, "restyle_clip", {"clip": source, "destination": f"file://{tmp_path}/restyled"})
    state, trouble = ended(airflow, "restyle_clip", run_id)
    assert state == "success", trouble
    assert routes(emulator) == ["pro/video2video"]
    (file,) = airflow.xcom("restyle_clip", run_id, "save")["files"]
    restyled = decode(local(file["path"], tmp_path))
    assert restyled.distinct_frames > 1
    difference = zip(mean(tmp_path / "clip.mp4"), mean(local(file["path"], tmp_path)), strict=True)
    assert max(abs(before - after) for before, after in difference) > 5


@pytest.fixture
def folder(tmp_path):
    """A folder on the disk, by its URL."""
    return f"file://{tmp_path}/studio"


@pytest.fixture
def bucket_folder(airflow, s3_endpoint, monkeypatch):
    """A folder in a bucket that Airflow has a connection to."""
    connection = s3_connection(s3_endpoint)
    monkeypatch.setenv(CONNECTION, connection)
    fields = json.loads(connection)
    airflow.request(
        "POST",
        "/api/v2/connections",
        {**fields, "connection_id": "aws_moto", "extra": json.dumps(fields["extra"])},
    )
    yield Bucket(s3_endpoint).url
    airflow.request("DELETE", "/api/v2/connections/aws_moto")


def prepared(folder):
    """Put a table, its photos and some music into a folder; returns the conf of a run."""
    table, music = io.StringIO(newline=""), io.BytesIO()
    rows = csv.writer(table)
    rows.writerow(["product", "photo", "scene", "motion"])
    ObjectStoragePath(folder).mkdir(parents=True, exist_ok=True)
    for product, colour in COLOURS.items():
        photo = io.BytesIO()
        Image.new("RGB", (640, 360), colour).save(photo, "PNG")
        ObjectStoragePath(f"{folder}/{product}.png").write_bytes(photo.getvalue())
        rows.writerow([product, f"{folder}/{product}.png", "on an oak table", "a slow push in"])
    ObjectStoragePath(f"{folder}/products.csv").write_bytes(table.getvalue().encode())
    with wave.open(music, "wb") as file:
        file.setparams((1, 2, 24_000, 0, "NONE", ""))
        file.writeframes(array("h", [round(9000 * sin(2 * pi * 440 * at / 24_000)) for at in range(36_000)]))
    ObjectStoragePath(f"{folder}/music.wav").write_bytes(music.getvalue())
    return {
        "products": f"{folder}/products.csv",
        "looks": LOOKS,
        "seconds": SECONDS,
        "music": f"{folder}/music.wav",
        "destination": f"{folder}/film",
    }


def instances(airflow, run_id, task_id):
    """The instances of a mapped task, in the order of the table."""
    found = [one for one in airflow.task_instances("campaign", run_id) if one["task_id"] == task_id]
    return sorted(found, key=lambda one: one["map_index"])


def states(airflow, run_id, task_id):
    return [one["state"] for one in instances(airflow, run_id, task_id)]


def answer(airflow, run_id, option, fields=None):
    """Wait until a person is asked, and be that person; returns what was shown.

    No person answers within a second; Airflow's scheduler fails a task that goes on before it has heard that the
    worker is done with it ("state mismatch").
    """
    task = f"/api/v2/dags/campaign/dagRuns/{run_id}/taskInstances/choose"
    seen = []

    def asked():
        if airflow.request("GET", task)["state"] in {"awaiting_input", "deferred"}:
            seen.append(monotonic())
        return bool(seen) and monotonic() - seen[0] > 8

    airflow.wait_until(asked, 360, "the question")
    detail = airflow.request("GET", f"{task}/-1/hitlDetails")
    said = {"chosen_options": [option], "params_input": fields or {}}
    airflow.request("PATCH", f"{task}/-1/hitlDetails", said)
    return detail["body"]


def every(variant, **others):
    """The fields of an answer: the same for every shot, but for some."""
    return {f"shot_{number:03}": variant for number in range(1, SHOTS + 1)} | others


def clear_failed(airflow, run_id):
    """What a person does in the UI: clear what failed, and what comes after it."""
    failed = [
        [one["task_id"], one["map_index"]] if one["map_index"] >= 0 else one["task_id"]
        for one in airflow.task_instances("campaign", run_id)
        if one["state"] == "failed"
    ]
    wish = {"dry_run": False, "dag_run_id": run_id, "only_failed": False, "task_ids": failed}
    airflow.request("POST", "/api/v2/dags/campaign/clearTaskInstances", {**wish, "include_downstream": True})


def check_film(airflow, run_id, folder):
    """It plays to the end, is as long as its parts, shows them in the table's order, and is heard all the way."""
    film = airflow.xcom("campaign", run_id, "cut")
    saved = [one["map_index"] for one in instances(airflow, run_id, "clip.save") if one["state"] == "success"]
    manifests = [airflow.xcom("campaign", run_id, "clip.save", map_index=index) for index in saved]
    files = [manifest["files"][0] for manifest in manifests]
    assert [part["clip"] for part in film["parts"]] == [file["path"] for file in files]
    clips = [local(file["path"], folder) for file in files]
    lengths = [decode(clip).seconds for clip in clips]
    assert [file["duration"] for file in files] == pytest.approx(lengths, abs=1 / 24)
    path = local(film["path"], folder)

    seen = decode(path)
    assert (seen.codec, seen.pixels, seen.width, seen.height) == ("h264", "yuv420p", 1280, 720)
    assert seen.seconds == pytest.approx(sum(file["duration"] for file in files), abs=1 / 24)
    assert film["seconds"] == pytest.approx(seen.seconds, abs=1 / 24)
    begin = 0.0
    for part, index, clip, length in zip(film["parts"], saved, clips, lengths, strict=True):
        product = list(COLOURS)[index // len(LOOKS)]
        assert (part["shot"], part["product"]) == (index + 1, product)
        assert clip.name.startswith(f"{index + 1:03}-{product.lower()}-")
        shown = mean(path, begin + length / 2)
        assert shown == pytest.approx(mean(clip, length / 2), abs=3)
        assert shown == pytest.approx(COLOURS[product], abs=15)
        begin += length
    loud = loudness(path, pieces_of=0.25)
    assert len(loud) == pytest.approx(begin / 0.25, abs=1)
    assert min(loud[:-1]) > 1000
    beside = film["path"].rpartition("/")[0]
    assert json.loads(ObjectStoragePath(f"{beside}/film.json").read_text()) == film
    for file in files:
        manifest = ObjectStoragePath(file["path"].replace(".mp4", ".manifest.json"))
        assert json.loads(manifest.read_text())["files"] == [file]
    return film


def test_a_campaign_in_a_bucket_loses_two_shots_and_is_completed(airflow, emulator, bucket_folder, tmp_path):
    emulator.add_fault(on="create", route="text_to_image", kind="fail_task", count=1)
    emulator.add_fault(on="create", route="image_to_video", kind="fail_task", count=1)
    run_id = trigger(airflow, "campaign", prepared(bucket_folder))
    shown = answer(airflow, run_id, USE, every("A"))
    assert f"{SECONDS * 5} credits" in shown
    # The shot whose one keyframe failed has only an A.
    assert shown.count("![A](") == SHOTS
    assert shown.count("![B](") == SHOTS - 1
    stills = SHOTS * 2
    assert routes(emulator) == ["text_to_image"] * stills

    state, trouble = ended(airflow, "campaign", run_id)
    assert state == "failed"
    assert sorted(states(airflow, run_id, "clip.film")) == ["failed"] + ["success"] * (SHOTS - 1), trouble
    assert routes(emulator) == ["text_to_image"] * stills + ["image_to_video"] * SHOTS
    film = check_film(airflow, run_id, tmp_path)
    assert (len(film["missing"]), film["left_out"]) == (1, [])
    assert len(film["parts"]) == SHOTS - 1

    clear_failed(airflow, run_id)
    answer(airflow, run_id, USE, every("A"))
    state, trouble = ended(airflow, "campaign", run_id)
    assert state == "success", trouble
    made = routes(emulator)
    assert made.count("text_to_image") == stills + 1
    film = check_film(airflow, run_id, tmp_path)
    assert film["missing"] == []
    assert film["seconds"] == pytest.approx(SHOTS * SECONDS, abs=1 / 24)

    events = airflow.request("GET", f"/api/v2/assets/events?source_run_id={quote(run_id)}")
    assert [len(event["extra"]["missing"]) for event in events["asset_events"]] == [1, 0]


def test_a_shot_of_a_campaign_is_made_again_with_other_words(airflow, emulator, folder, tmp_path):
    conf = prepared(folder)
    run_id = trigger(airflow, "campaign", conf)
    answer(airflow, run_id, USE, every("B", shot_002="none", shot_002_note="too dark"))
    state, trouble = ended(airflow, "campaign", run_id)
    assert state == "success", trouble
    film = airflow.xcom("campaign", run_id, "cut")
    assert film["left_out"] == [{"shot": 2, "product": "Lamp", "note": "too dark"}]
    assert [part["shot"] for part in film["parts"]] == [1, 3, 4]
    assert states(airflow, run_id, "clip.film") == ["success", "skipped", "success", "success"]
    paid = emulator.ledger()["total_credits"]
    assert paid == SHOTS * 2 * 2 + 3 * 5 * SECONDS

    # The lamp is to stand elsewhere and to be filmed otherwise (of a photo the emulator draws the same keyframe for
    # any words): its two shots are made again, the chair's are taken up as they are.
    table = tmp_path / "studio" / "products.csv"
    head, lamp, chair = table.read_text().splitlines()
    lamp = lamp.replace("on an oak table", "on a windowsill").replace("a slow push in", "a slow pull out")
    table.write_text("\n".join([head, lamp, chair]))
    wish = {"dry_run": False, "dag_run_id": run_id, "only_failed": False, "task_ids": ["shots"]}
    airflow.request("POST", "/api/v2/dags/campaign/clearTaskInstances", {**wish, "include_downstream": True})
    answer(airflow, run_id, USE, every("B"))
    state, trouble = ended(airflow, "campaign", run_id)
    assert state == "success", trouble
    assert emulator.ledger()["total_credits"] == paid + 2 * 2 * 2 + 2 * 5 * SECONDS
    assert [part["shot"] for part in airflow.xcom("campaign", run_id, "cut")["parts"]] == [1, 2, 3, 4]


def test_a_rejected_campaign_spends_nothing_more(airflow, emulator, folder, tmp_path):
    run_id = trigger(airflow, "campaign", prepared(folder))
    answer(airflow, run_id, REJECT, every("A"))
    state, trouble = ended(airflow, "campaign", run_id)
    assert state == "success", trouble
    assert routes(emulator) == ["text_to_image"] * SHOTS * 2
    assert len(list((tmp_path / "studio" / "film" / "keyframes").glob("*.png"))) == SHOTS * 2
    for task_id in ("clip.chosen", "clip.film", "clip.save", "cut", "complete"):
        assert set(states(airflow, run_id, task_id)) == {"skipped"}
    assert not (tmp_path / "studio" / "film" / "film.mp4").exists()
