"""Strangers' files in a process of its own, judged by what that process takes, and what it leaves behind."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image
from unit.probing import hostile
from unit.probing.test_helper import clip

from airflow_runway._probing import helper
from airflow_runway._probing import prober as module
from airflow_runway._probing.prober import MEMORY, SECONDS, Prober, UnmeasuredError


@pytest.fixture
def prober():
    one = Prober()
    yield one
    one.close()


def picture(size=(64, 36), kind="PNG"):
    file = io.BytesIO()
    Image.new("RGB", size).save(file, kind)
    return file.getvalue()


def measure(prober, content, media_type):
    return prober.measure(io.BytesIO(content), len(content), media_type)


def pid(prober):
    return prober._process._popen.pid


class TestWhatItFinds:
    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    def test_pictures(self, prober, kind):
        assert measure(prober, picture(kind=kind), f"image/{kind.lower()}") == {"width": 64, "height": 36}

    def test_clips(self, prober):
        found = measure(prober, clip("mp4", "libx264"), "video/mp4")
        assert (found["width"], found["height"], found["fps"]) == (64, 36, 24)
        assert found["duration"] == pytest.approx(2, abs=0.05)

    def test_a_header_at_the_end_of_a_large_file(self, prober):
        padding = 64 * 2**20
        content = hostile.FTYP + padding.to_bytes(4, "big") + b"free" + bytes(padding - 8)
        content += clip("mp4", "libx264")[len(hostile.FTYP) :]
        assert measure(prober, content, "video/mp4")["width"] == 64

    @pytest.mark.parametrize("media_type", ["image/x-exr", "text/html", ""])
    def test_kinds_that_nobody_looks_into(self, prober, media_type):
        assert measure(prober, b"x", media_type) == {}
        assert prober._process is None

    @pytest.mark.parametrize("media_type", ["video/mp4", "image/png", "audio/mpeg", "video/webm"])
    def test_nonsense_is_said_to_be_none(self, prober, media_type):
        with pytest.raises(UnmeasuredError, match=r"^its header cannot be read within 256 MiB \(\w+\)$"):
            measure(prober, b"\x00\x00\x00\x18ftypmp42" + bytes(5000), media_type)
        assert measure(prober, picture(), "image/png")

    def test_without_the_libraries_nothing_is_started(self, prober, monkeypatch):
        files = [(clip("mp4", "libx264"), "video/mp4"), (picture(), "image/png")]
        monkeypatch.setitem(sys.modules, "av", None)
        monkeypatch.setitem(sys.modules, "PIL", None)
        assert [measure(prober, *file) for file in files] == [{}, {}]
        assert prober._process is None


class TestTheProcess:
    def test_is_one_for_all_files_and_threads(self, prober):
        measure(prober, picture(), "image/png")
        first = pid(prober)
        with ThreadPoolExecutor(8) as pool:
            sizes = [(64 + number, 36) for number in range(40)]
            found = pool.map(lambda size: measure(prober, picture(size), "image/png"), sizes)
        assert [one["width"] for one in found] == [64 + number for number in range(40)]
        assert pid(prober) == first

    def test_has_no_environment_no_connection_and_no_file(self, prober, monkeypatch):
        monkeypatch.setenv("AIRFLOW_CONN_RUNWAY_DEFAULT", "secret")
        measure(prober, picture(), "image/png")
        process = Path(f"/proc/{pid(prober)}")
        assert (process / "environ").read_bytes() == b"LANG=C.UTF-8\0"
        assert b"secret" not in (process / "cmdline").read_bytes()
        links = [os.readlink(one) for one in (process / "fd").iterdir()]
        assert {link.partition(":")[0] for link in links} <= {"socket", "/dev/null"}
        assert sum(link.startswith("socket") for link in links) == 1

    def test_imports_nothing_of_airflow_or_of_ours(self, prober):
        measure(prober, clip("mp4", "libx264"), "video/mp4")
        mapped = Path(f"/proc/{pid(prober)}/maps").read_text()
        assert "site-packages/av" in mapped
        source = Path(helper.__file__).read_text()
        assert "import airflow" not in source
        assert "from airflow" not in source

    def test_ends_with_the_prober(self):
        one = Prober()
        measure(one, picture(), "image/png")
        process = one._process._popen
        one.close()
        assert process.poll() is not None
        with pytest.raises(UnmeasuredError):
            measure(one, picture(), "image/png")

    def test_ends_when_nobody_holds_the_prober_any_more(self):
        one = Prober()
        measure(one, picture(), "image/png")
        process = one._process._popen
        del one
        assert process.poll() is not None

    def test_that_died_is_replaced_and_costs_the_next_file_nothing(self, prober):
        """It may answer, and be spent by that file all the same."""
        measure(prober, picture(), "image/png")
        prober._process._popen.kill()
        assert measure(prober, picture(), "image/png") == {"width": 64, "height": 36}
        assert prober._replaced == 1

    def test_is_not_replaced_for_ever(self, prober):
        for _ in range(3):
            measure(prober, picture(), "image/png")
            prober._process._popen.kill()
            prober._process._popen.wait()
            assert measure(prober, picture(), "image/png")
        prober._process._popen.kill()
        for _ in range(2):
            with pytest.raises(UnmeasuredError, match="given up"):
                measure(prober, picture(), "image/png")

    def test_a_storage_that_fails_is_told_apart(self, prober):
        class Broken(io.BytesIO):
            def read(self, size=-1):
                raise TimeoutError

        with pytest.raises(UnmeasuredError, match=r"^it could not be read again \(TimeoutError\)"):
            prober.measure(Broken(), 5000, "image/png")
        assert prober._replaced == 0
        assert measure(prober, picture(), "image/png")

    @pytest.mark.parametrize(
        "said",
        [
            b"{", b"[]", b"7", b'{"found": {"width": 1e400}}', b'{"read": [-1, 5]}', b'{"read": [0, 99999999]}',
            b'{"read": "x"}', b'{"read": [0]}', b"x" * 5000, b'{"trouble": "rm -rf / \\u001b[31m"}', b'{"found": 7}',
            b'{"found": {"width": -1, "height": true, "duration": "x", "fps": NaN, "key": "secret"}}',
        ],
    )  # fmt: skip
    def test_that_lies_is_not_believed(self, prober, monkeypatch, tmp_path, said):
        """As if a file had found a fault in a codec, and the process were its own by now."""
        script = tmp_path / "liar.py"
        script.write_text(
            "import socket, struct\n"
            "s = socket.socket(fileno=0)\n"
            "s.recv(1)\n"
            f"said = {said!r}\n"
            "s.sendall(struct.pack('!I', len(said)) + said); s.recv(1)\n"
        )
        monkeypatch.setattr(module.helper, "__file__", str(script))
        told = ""
        try:
            assert measure(prober, picture(), "image/png") == {}
        except UnmeasuredError as unmeasured:
            told = str(unmeasured)
        assert told.isprintable()
        assert len(told) < 120


@pytest.fixture
def quick():
    """One with less room and patience than in earnest, so that reaching the bounds costs little."""
    one = Prober(memory=96 * hostile.MIB, seconds=5)
    yield one
    one.close()


def peak_of(prober):
    """Bytes that the process has had at most, ended or not."""
    status = Path(f"/proc/{pid(prober)}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


class TestHostileFiles:
    def test_what_is_promised(self):
        assert (MEMORY, SECONDS) == (256 * hostile.MIB, 20)

    @pytest.mark.parametrize(
        ("make", "media_type"),
        [
            (lambda: hostile.compressed_moov(300), "video/mp4"),
            (hostile.gigantic_atom, "video/mp4"),
            (hostile.webp_of_a_gigapixel, "image/webp"),
            (lambda: hostile.png_of(50_000, 50_000), "image/png"),
            (lambda: hostile.png_with_long_text(200), "image/png"),
            (lambda: hostile.png_with_a_large_chunk(150), "image/png"),
        ],
        ids=["compressed moov", "gigantic atom", "webp canvas", "png pixels", "png text", "png chunk"],
    )
    def test_none_takes_more_than_its_process_may(self, quick, make, media_type):
        content = make()
        measure(quick, picture(), "image/png")
        began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with contextlib.suppress(UnmeasuredError):
            measure(quick, content, media_type)
        assert time.monotonic() - began < 5 + 2
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024
        if quick._process is not None:
            assert peak_of(quick) < 2 * 96 * hostile.MIB
        assert measure(quick, picture(), "image/png") == {"width": 64, "height": 36}

    def test_one_that_takes_too_long_is_given_up(self):
        slow = Prober(seconds=0.3)

        class Endless(io.BytesIO):
            def read(self, size=-1):
                time.sleep(0.05)
                return bytes(16)

        with pytest.raises(UnmeasuredError, match=r"^it took more than 0\.3 s"):
            slow.measure(Endless(), 2**30, "video/mp4")
        slow.close()

    def test_closing_does_not_wait_for_who_is_looking(self, prober):
        reached, released = threading.Event(), threading.Event()

        class Held(io.BytesIO):
            def read(self, size=-1):
                reached.set()
                released.wait(10)
                return super().read(size)

        outcome = []

        def look():
            try:
                outcome.append(prober.measure(Held(picture()), 5000, "image/png"))
            except UnmeasuredError as unmeasured:
                outcome.append(str(unmeasured))

        thread = threading.Thread(target=look)
        thread.start()
        assert reached.wait(10)
        prober.close()
        released.set()
        thread.join(10)
        assert "ended" in outcome[0]
