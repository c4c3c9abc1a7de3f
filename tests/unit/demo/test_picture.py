from __future__ import annotations

import io

import pytest
from PIL import Image

from airflow_runway.demo import picture
from airflow_runway.demo.errors import DemoInputError
from airflow_runway.demo.picture import load_picture
from airflow_runway.demo.sample_picture import draw_dusk


def save(path, size=(1280, 720), kind="JPEG"):
    Image.new("RGB", size, (200, 100, 50)).save(path, kind)
    return path


class TestPicturesThatRunwayTakes:
    @pytest.mark.parametrize(("kind", "suffix"), [("JPEG", ".jpg"), ("PNG", ".png"), ("WEBP", ".webp")])
    def test_the_name_gets_the_extension_of_the_content(self, tmp_path, kind, suffix):
        path = save(tmp_path / "photo.bin", kind=kind)
        loaded = load_picture(path)
        assert loaded.name == "photo" + suffix
        assert (loaded.width, loaded.height) == (1280, 720)
        assert loaded.content == path.read_bytes()

    @pytest.mark.parametrize("size", [(200, 400), (400, 200)])
    def test_the_limits_of_the_aspect_are_inclusive(self, tmp_path, size):
        assert load_picture(save(tmp_path / "a.png", size, "PNG")).width == size[0]


class TestPicturesThatItDoesNot:
    def refusal(self, path):
        with pytest.raises(DemoInputError) as caught:
            load_picture(path)
        message = str(caught.value)
        assert caught.value.exit_code == 2
        assert str(path) in message
        assert "\n" not in message
        return message

    def test_missing(self, tmp_path):
        assert "does not exist" in self.refusal(tmp_path / "nowhere.jpg")

    def test_a_folder(self, tmp_path):
        assert "is not a file" in self.refusal(tmp_path)

    def test_text_that_calls_itself_a_picture(self, tmp_path):
        path = tmp_path / "letter.jpg"
        path.write_text("Dear Runway")
        assert "not a picture" in self.refusal(path)

    def test_half_a_picture(self, tmp_path):
        path = save(tmp_path / "cut.png", kind="PNG")
        path.write_bytes(path.read_bytes()[:200])
        assert "not a picture" in self.refusal(path)

    def test_an_empty_file(self, tmp_path):
        path = tmp_path / "empty.png"
        path.touch()
        assert "not a picture" in self.refusal(path)

    def test_a_gif(self, tmp_path):
        message = self.refusal(save(tmp_path / "wave.gif", kind="GIF"))
        assert "GIF" in message
        assert "JPEG, PNG and WebP" in message

    @pytest.mark.parametrize("size", [(199, 400), (401, 200)])
    def test_too_narrow_or_too_wide(self, tmp_path, size):
        message = self.refusal(save(tmp_path / "strip.png", size, "PNG"))
        assert f"{size[0]}x{size[1]}" in message
        assert "crop it" in message

    def test_too_large(self, tmp_path, monkeypatch):
        monkeypatch.setattr(picture, "MAX_BYTES", 1024**2)
        path = tmp_path / "huge.png"
        path.write_bytes(bytes(1024**2 + 1))
        message = self.refusal(path)
        assert "1 MB at most" in message


def test_the_picture_of_our_own_is_one_that_runway_takes(tmp_path):
    drawn = draw_dusk()
    with Image.open(io.BytesIO(drawn.content)) as image:
        assert image.format == "JPEG"
        assert image.size == (1280, 720)
    path = tmp_path / drawn.name
    path.write_bytes(drawn.content)
    assert load_picture(path) == drawn
