from __future__ import annotations

import io

import av
import pytest
from PIL import Image

from airflow_runway.core.media.types import EXTENSIONS, HEAD, family, sniff


@pytest.mark.parametrize(
    ("file_format", "media_type"),
    [
        ("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp"), ("GIF", "image/gif"),
        ("TIFF", "image/tiff"), ("AVIF", "image/avif"),
    ],
)  # fmt: skip
def test_pictures_as_pillow_writes_them(file_format, media_type):
    file = io.BytesIO()
    Image.new("RGB", (32, 24), "teal").save(file, file_format)
    assert sniff(file.getvalue()[:HEAD]) == media_type


@pytest.mark.parametrize(
    ("container", "codec", "media_type"),
    [
        ("mp4", "libx264", "video/mp4"), ("mov", "libx264", "video/quicktime"),
        ("webm", "libvpx-vp9", "video/webm"), ("matroska", "libx264", "video/x-matroska"),
        ("avi", "mpeg4", "video/x-msvideo"),
        ("mp3", "libmp3lame", "audio/mpeg"), ("wav", "pcm_s16le", "audio/wav"), ("flac", "flac", "audio/flac"),
        ("adts", "aac", "audio/aac"), ("ipod", "aac", "audio/mp4"), ("ogg", "libopus", "audio/ogg"),
        ("aiff", "pcm_s16be", "audio/aiff"),
    ],
)  # fmt: skip
def test_containers_as_ffmpeg_writes_them(container, codec, media_type):
    file = io.BytesIO()
    with av.open(file, "w", format=container) as target:
        if family(media_type) == "video":
            stream = target.add_stream(codec, rate=24)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            frames = [av.VideoFrame.from_image(Image.new("RGB", (64, 48)))]
        else:
            stream = target.add_stream(codec, rate=48_000)
            frame = av.AudioFrame(format="s16", layout="stereo", samples=2048)
            frame.sample_rate, frame.pts = 48_000, 0
            frames = av.AudioResampler(stream.format, stream.layout, stream.rate, frame_size=1024).resample(
                frame
            )
        for frame in frames:
            target.mux(stream.encode(frame))
        target.mux(stream.encode())
    head = file.getvalue()[:HEAD]
    assert sniff(head) == media_type
    assert sniff(head) in EXTENSIONS


@pytest.mark.parametrize(
    "head",
    [
        b"", b"\xff", b"<!DOCTYPE html><html>", b"<html>", b'{"error": "expired"}', b"\xff\xff\xff\xff\xff",
        b"<?xml version='1.0'?><Error>", b"RIFF\0\0\0\0CDXA", b"FORM....8SVX", b"PK\x03\x04", b"%PDF-1.7",
    ],
)  # fmt: skip
def test_what_is_no_media_is_none(head):
    assert sniff(head) is None


def test_mpeg_audio_without_a_tag():
    assert sniff(b"\xff\xfb\x90\x00" + bytes(100)) == "audio/mpeg"
    assert sniff(b"\xff\xe1\x90\x00") is None


def test_quicktime_from_before_ftyp():
    assert sniff(b"\0\0\0\x08wide\0\0\0\0mdat") == "video/quicktime"


def test_every_extension_is_its_own():
    assert len(set(EXTENSIONS.values())) == len(EXTENSIONS)
