from __future__ import annotations

import io

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
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


def mpeg_frames(count=3, header=b"\xff\xfb\x90\x00", length=417):
    return (header + bytes(length - 4)) * count


class TestMpegAudio:
    def test_frames_follow_each_other(self):
        assert sniff(mpeg_frames()) == "audio/mpeg"
        assert sniff(mpeg_frames(1)) == "audio/mpeg"
        assert sniff(mpeg_frames() + b"TAG") == "audio/mpeg"
        assert sniff(mpeg_frames(1) + b"\x00\x01\x02\x03\x04") is None
        assert sniff(mpeg_frames(1)[:-1]) is None
        assert sniff(b"\xff\xfb\x90\x00" + bytes(4000)) is None

    @pytest.mark.parametrize(
        ("header", "length"),
        [
            (b"\xff\xfb\x92\x00", 418), (b"\xff\xfb\xe0\x00", 1044), (b"\xff\xf3\x80\x00", 208),
            (b"\xff\xe3\x80\x00", 417), (b"\xff\xfd\xe4\x00", 1152), (b"\xff\xff\xe4\x00", 448),
        ],
    )  # fmt: skip
    def test_of_every_version_and_layer(self, header, length):
        assert sniff(mpeg_frames(2, header, length)) == "audio/mpeg"
        assert sniff(mpeg_frames(2, header, length + 1)) is None

    @pytest.mark.parametrize(
        "header", [b"\xff\xe1\x90\x00", b"\xff\xfb\xf0\x00", b"\xff\xfb\x00\x00", b"\xff\xfb\x9c\x00"]
    )
    def test_values_that_nothing_has(self, header):
        assert sniff(mpeg_frames(3, header)) is None

    @pytest.mark.parametrize(
        ("tag", "is_one"),
        [
            (b"ID3\x03\0\0\0\0\0\x0aTIT2\0\0\0\0\0\0", True),
            (b"ID3\x04\0\0\0\0\x01\x00" + bytes(128), True),
            (b"ID3\x02\0\0\0\0\0\x06TT2\0\0\0", True),
            (b"ID3\x04\0\x10\0\0\0\x0aTIT2" + bytes(16), True),
            (b"ID3\x05\0\0\0\0\0\x0aTIT2\0\0\0\0\0\0", False),
            (b"ID3\x03\xff\0\0\0\0\x0aTIT2" + bytes(6), False),
            (b"ID3\x03\0\x0f\0\0\0\x0aTIT2" + bytes(6), False),
            (b"ID3\x03\0\0\x80\0\0\x0aTIT2" + bytes(6), False),
            (b"ID3\x03\0\0\0\0\0\x0atit2" + bytes(6), False),
        ],
    )
    def test_behind_a_tag(self, tag, is_one):
        assert sniff(tag + mpeg_frames()) == ("audio/mpeg" if is_one else None)
        assert sniff(tag + b"something else \x00" * 9) is None

    def test_behind_a_tag_with_a_cover(self):
        assert sniff((b"ID3\x03\0\0\0\x08\0\0APIC" + bytes(5000))[:HEAD]) == "audio/mpeg"


def box(kind, content=b"", size=None):
    return (len(content) + 8 if size is None else size).to_bytes(4, "big") + kind + content


MDAT = box(b"mdat", bytes(20))


class TestBoxes:
    @pytest.mark.parametrize(
        ("brands", "media_type"),
        [
            (b"isom\0\0\2\0isomiso2avc1mp41", "video/mp4"),
            (b"mp42\0\0\0\0", "video/mp4"),
            (b"qt  \x20\5\3\0qt  \0\0\0\0", "video/quicktime"),
            (b"M4A \0\0\0\0M4A ", "audio/mp4"),
            (b"heic\0\0\0\0mif1heic", "image/heic"),
            (b"new1\0\0\0\0isom", "video/mp4"),
            (b"crx \0\0\0\0crx isom", None),
            (b"jp2 \0\0\0\0jp2 ", None),
            (b"\0\0\0\0\0\0\0\0isom", None),
            (b"isom\0\0\0\0iso", None),
            (b"isom\0\0\0\0\1\2\3\4", None),
            (b"isom", None),
        ],
    )
    def test_brands(self, brands, media_type):
        assert sniff(box(b"ftyp", brands) + MDAT) == media_type

    def test_what_follows_is_a_box_too(self):
        good = box(b"ftyp", b"isom\0\0\2\0isom")
        assert sniff(good) is None
        assert sniff(good + b"\0\0\0\x07moov") is None
        assert sniff(good + b"\0\0\1\0\0\0\0\0" + bytes(300)) is None
        assert sniff(good + box(b"moov", size=0)) == "video/mp4"
        assert sniff(good + b"\0\0\0\1mdat" + (2**40).to_bytes(8, "big")) == "video/mp4"

    @pytest.mark.parametrize(
        ("head", "is_one"),
        [
            (b"\0\0\0\x08wide\0\0\0\0mdat", True),
            (MDAT, True),
            (b"\0\0\0\1mdat\0\0\0\1\0\0\0\0" + bytes(9), True),
            (box(b"moov", box(b"mvhd", bytes(100))), True),
            (box(b"moov", box(b"cmov", bytes(9))), True),
            (box(b"free", bytes(40)) + MDAT, True),
            (box(b"free", bytes(4088), size=65536), True),
            (box(b"skip", bytes(12)) + box(b"ftyp", bytes(12)), True),
            (box(b"wide", bytes(4)) + MDAT, False),
            (box(b"moov", box(b"else", bytes(9))), False),
            (box(b"free", b"not empty" * 500, size=65536), False),
            (box(b"free", bytes(40)) + b"something\0", False),
            (box(b"free", bytes(40)), False),
            (b"dontfree" + bytes(4000), False),
            (b"\0\0\0\7mdat" + bytes(9), False),
        ],
    )
    def test_quicktime_from_before_ftyp(self, head, is_one):
        assert sniff(head) == ("video/quicktime" if is_one else None)


MAGIC = [
    b"",
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"GIF89a",
    b"II*\0",
    b"MM\0*",
    b"fLaC",
    b"ID3",
    b"ID3\x03\0\0\0\0\x01\0",
    b"RIFF",
    b"RIFF\0\0\0\0WEBP",
    b"RIFF\0\0\0\0WAVE",
    b"FORM\0\0\0\0AIFF",
    b"\x1a\x45\xdf\xa3",
    b"OggS",
    b"\0\0\0\x18ftyp",
    b"\0\0\0\x18ftypisom",
    b"xxxxfree",
    b"\xff\xfb\x90\0",
    b"\xff\xf1",
    b"\x76\x2f\x31\x01",
]
TEXT_MAGIC = [
    b"",
    b"GIF89a",
    b"ID3",
    b"RIFFxxxxWEBPVP8 ",
    b"RIFFxxxxWAVEfmt ",
    b"RIFFxxxxAVI LIST",
    b"FORMxxxxAIFFCOMM",
    b"fLaC",
    b"OggS",
    b"xxxxfree",
    b"xxxxmdat",
    b"xxxxmoov    mvhd",
    b"    ftypisom    isom    mdat",
]


class TestText:
    """Whatever it begins with, and in whatever encoding."""

    @given(
        magic=st.sampled_from(TEXT_MAGIC),
        text=st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=300),
    )
    def test_never_passes(self, magic, text):
        assert sniff(magic + text.encode()) is None
        assert sniff(text.encode() + magic) is None
        assert sniff(magic + text.encode("latin-1", "replace")) is None

    @given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300))
    @pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
    def test_in_wide_characters(self, encoding, text):
        assert sniff(text.encode(encoding)) is None

    @pytest.mark.parametrize("magic", MAGIC)
    @pytest.mark.parametrize(
        "text",
        [
            b"root:x:0:0:root:/root:/bin/bash\n" * 9,
            b'{"password": "\\u0000"}',
            b"-----BEGIN PRIVATE KEY-----\n" * 3,
        ],
    )
    def test_behind_a_signature(self, magic, text):
        assert sniff(magic + text) is None


@pytest.mark.parametrize(
    "head",
    [
        b"SQLite format 3\0" + bytes(84),
        b"\x7fELF\2\1\1" + bytes(60),
        b"PK\3\4\x14\0\0\0" + bytes(60),
        b"\x1f\x8b\x08\0" + bytes(60),
        b"MZ\x90\0" + bytes(60),
        b"\xca\xfe\xba\xbe" + bytes(60),
        b"\xa7\r\r\n" + bytes(60),
        b"\x80\x04\x95" + bytes(60),
        bytes(4096),
        b"\xff" * 4096,
    ],
)
def test_other_files_of_a_worker(head):
    assert sniff(head) is None


@given(st.binary(max_size=200))
def test_no_bytes_are_a_crash(content):
    for magic in MAGIC:
        sniff(magic + content)


def test_every_extension_is_its_own():
    assert len(set(EXTENSIONS.values())) == len(EXTENSIONS)
