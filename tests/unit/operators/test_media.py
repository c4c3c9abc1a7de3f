"""Requests that name files: what counts as the same request, and what becomes of it when a file is gone."""

from __future__ import annotations

import io
import json

import pytest
from PIL import Image
from unit.operators.memory import Crash
from unit.operators.tries import PAYLOAD

from airflow_runway.exceptions import (
    RunwayAmbiguousSubmissionError,
    RunwayMediaError,
    RunwayMediaRefusedError,
)


def write_picture(path, colour):
    file = io.BytesIO()
    Image.new("RGB", (64, 36), colour).save(file, "PNG")
    path.write_bytes(file.getvalue())
    return path


@pytest.fixture
def keyframe(tmp_path):
    return write_picture(tmp_path / "keyframe.png", "teal")


def request_with(uri):
    return {**PAYLOAD, "promptImage": str(uri)}


def test_a_changed_image_is_a_changed_request(tries, keyframe):
    one = tries(payload=request_with(keyframe))
    assert one.run() == "t1"
    one.clear()
    assert one.run() == "t1"
    write_picture(keyframe, "navy")
    assert one.run() == "t2"
    assert one.gateway.deleted == ["t1"]


def test_the_same_image_elsewhere_is_the_same_request(tries, keyframe, tmp_path):
    one = tries()
    one.run(payload=request_with(keyframe))
    moved = tmp_path / "moved.png"
    moved.write_bytes(keyframe.read_bytes())
    assert one.run(payload=request_with(f"file://{moved}")) == "t1"
    assert one.gateway.posts == 1


def test_a_new_signature_is_the_same_request(tries):
    one = tries()
    signed = "https://b.s3.amazonaws.com/a.png?X-Amz-Date={0}&X-Amz-Signature={0}"
    one.run(payload=request_with(signed.format(1)))
    assert one.run(payload=request_with(signed.format(2))) == "t1"
    assert one.run(payload=request_with("https://b.s3.amazonaws.com/b.png")) == "t2"


def test_neither_content_nor_place_is_written_down(tries, keyframe):
    one = tries(payload=request_with(keyframe))
    one.run()
    assert "keyframe" not in json.dumps(one.store.values)
    assert "base64" not in json.dumps(one.store.values) + one.log.text


class TestAFileThatIsGone:
    def test_a_paid_generation_is_picked_up_all_the_same(self, tries, keyframe):
        one = tries(payload=request_with(keyframe), wait_for_completion=True)
        with pytest.raises(Crash):
            # The worker dies when the answer has been written down.
            one.run(crash=6, after=True)
        assert one.record["phase"] == "submitted"
        one.gateway.tasks["t1"] = "SUCCEEDED"
        keyframe.unlink()
        assert one.run()["id"] == "t1"
        assert one.gateway.posts == 1
        assert "Taking the request for the recorded one" in one.log.text

    def test_a_lost_answer_stays_one(self, tries, keyframe):
        one = tries(payload=request_with(keyframe))
        one.gateway.faults = ["drop after accept"]
        with pytest.raises(RunwayAmbiguousSubmissionError):
            one.run()
        keyframe.unlink()
        with pytest.raises(RunwayAmbiguousSubmissionError):
            one.run()
        assert one.gateway.posts == 1

    def test_another_generation_is_not_made_without_it(self, tries, keyframe):
        one = tries(payload=request_with(keyframe), on_clear="regenerate")
        one.run()
        one.clear()
        keyframe.unlink()
        with pytest.raises(RunwayMediaError, match="cannot be had"):
            one.run()
        assert one.gateway.posts == 1
        assert one.gateway.deleted == []

    def test_a_request_in_other_words_is_not_taken_for_the_recorded_one(self, tries, keyframe):
        one = tries(payload=request_with(keyframe))
        one.run()
        keyframe.unlink()
        with pytest.raises(RunwayMediaError):
            one.run(payload={**request_with(keyframe), "promptText": "another idea"})
        assert one.gateway.posts == 1

    def test_nothing_is_recorded_for_a_first_try(self, tries, tmp_path):
        one = tries(payload=request_with(tmp_path / "nowhere.png"))
        with pytest.raises(RunwayMediaError):
            one.run()
        assert one.store.values == {}
        assert one.gateway.posts == 0


def test_a_file_that_would_be_refused_cancels_nothing(tries, keyframe, tmp_path):
    one = tries(payload=request_with(keyframe))
    one.run()
    (tmp_path / "page.png").write_bytes(b"<html>")
    with pytest.raises(RunwayMediaRefusedError, match="no image, video or sound"):
        one.run(payload=request_with(tmp_path / "page.png"))
    assert one.gateway.deleted == []
    assert one.record["runway_task_id"] == "t1"


class TestWhatMayBeRead:
    @pytest.fixture(autouse=True)
    def nothing_is_configured(self, monkeypatch):
        monkeypatch.delenv("AIRFLOW__RUNWAY__MEDIA_FROM")

    @pytest.mark.parametrize("fields", [{}, {"dry_run": True}, {"on_clear": "regenerate"}])
    def test_a_file_that_nobody_allowed_is_not_sent(self, tries, keyframe, fields):
        for prefixes in (None, [], ["s3://aws_default@briefs/"], [f"{keyframe.parent}/elsewhere"]):
            one = tries(payload=request_with(keyframe), media_from=prefixes)
            with pytest.raises(RunwayMediaError, match=r"promptImage \(.*keyframe.png\) cannot be had"):
                one.run(**fields)
            assert one.store.values == {}
            assert one.gateway.posts == 0

    def test_one_below_a_prefix_is(self, tries, keyframe):
        assert tries(payload=request_with(keyframe), media_from=[str(keyframe.parent)]).run() == "t1"

    def test_the_prefixes_are_no_template(self, tries):
        operator = tries(media_from="/srv").operator()
        assert "media_from" not in operator.template_fields
        assert operator.media_from == ("/srv",)

    def test_a_paid_generation_is_picked_up_though_the_prefix_is_gone(self, tries, keyframe):
        one = tries(payload=request_with(keyframe), media_from=[str(keyframe.parent)])
        assert one.run() == "t1"
        assert one.run(media_from=[]) == "t1"
        assert one.gateway.posts == 1
