"""Files that somebody names who is not the Dag's author, judged by whether anything was opened."""

from __future__ import annotations

import contextlib
import os

import fsspec
import pytest
from airflow.sdk.io.store import attach
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from airflow_runway.exceptions import (
    RunwayConfigurationError,
    RunwayMediaError,
    RunwayMediaRefusedError,
)
from airflow_runway.hooks._media_from import MediaFrom
from airflow_runway.hooks.runway import RunwayHook

CONFIGURED = "AIRFLOW__RUNWAY__MEDIA_FROM"


@pytest.fixture(autouse=True)
def nothing_is_configured(monkeypatch):
    monkeypatch.delenv(CONFIGURED)


@pytest.fixture
def briefs(tmp_path):
    """A folder whose content may be sent, with a file that may not beside it."""
    folder = tmp_path / "briefs"
    folder.mkdir()
    Image.new("RGB", (64, 64)).save(folder / "a.png")
    Image.new("RGB", (64, 64)).save(tmp_path / "secret.png")
    return folder


def opened(uri, prefixes=None):
    file, size = MediaFrom(prefixes).opened(str(uri), "promptImage (it)")
    with file:
        return size


def refusal(uri, prefixes=None):
    with pytest.raises(RunwayMediaError, match=r"(?m)^What: promptImage \(it\) cannot be had") as caught:
        opened(uri, prefixes)
    assert not isinstance(caught.value, RunwayMediaRefusedError)
    return str(caught.value)


class TestLocalFiles:
    def test_are_refused_without_a_prefix(self, briefs):
        refusal(briefs / "a.png")
        refusal(f"file://{briefs}/a.png")
        refusal("/etc/hostname")

    @pytest.mark.parametrize("form", ["{}", "file://{}", "local://{}/", "file://c@{}"])
    def test_below_a_prefix(self, briefs, form):
        assert opened(briefs / "a.png", [form.format(briefs)]) == (briefs / "a.png").stat().st_size
        assert opened(f"file://{briefs}/a.png", [form.format(briefs)])

    def test_a_prefix_may_be_a_file(self, briefs):
        assert opened(briefs / "a.png", f"{briefs}/a.png")

    def test_a_sibling_whose_name_begins_alike(self, briefs, tmp_path):
        (tmp_path / "briefs-old").mkdir()
        (tmp_path / "briefs-old" / "a.png").write_bytes(b"x")
        refusal(tmp_path / "briefs-old" / "a.png", [str(briefs)])

    def test_a_way_out_by_dots(self, briefs):
        refusal(f"{briefs}/../secret.png", [str(briefs)])
        assert opened(f"{briefs}/../briefs/a.png", [str(briefs)])

    def test_a_link_out_of_the_prefix(self, briefs):
        (briefs / "b.png").symlink_to("../secret.png")
        (briefs / "out").symlink_to("..")
        refusal(briefs / "b.png", [str(briefs)])
        refusal(briefs / "out" / "secret.png", [str(briefs)])

    def test_a_link_within_it(self, briefs):
        (briefs / "b.png").symlink_to("a.png")
        assert opened(briefs / "b.png", [str(briefs)])

    def test_a_prefix_that_is_a_link(self, briefs, tmp_path):
        (tmp_path / "current").symlink_to(briefs)
        assert opened(tmp_path / "current" / "a.png", [f"file://{tmp_path}/current/"])

    def test_a_folder_that_becomes_a_link_between_judging_and_opening(self, briefs, tmp_path, monkeypatch):
        (briefs / "x").mkdir()
        (briefs / "x" / "secret.png").write_bytes(b"mine")
        real = os.path.realpath

        def exchanged(path, *, strict=False):
            found = real(path, strict=strict)
            if str(path).endswith("secret.png"):
                (briefs / "x").rename(briefs / "y")
                (briefs / "x").symlink_to(tmp_path)
            return found

        monkeypatch.setattr("airflow_runway._local_files.os.path.realpath", exchanged)
        refusal(briefs / "x" / "secret.png", [str(briefs)])

    def test_only_regular_files_and_no_waiting(self, briefs):
        os.mkfifo(briefs / "pipe.png")
        (briefs / "folder.png").mkdir()
        refusal(briefs / "pipe.png", [str(briefs)])
        refusal(briefs / "folder.png", [str(briefs)])
        refusal("/dev/zero", ["/"])
        refusal("/dev/stdin", ["/dev"])

    def test_nobody_learns_whether_a_file_is_there(self, briefs, tmp_path):
        (briefs / "locked.png").write_bytes(b"x")
        (briefs / "locked.png").chmod(0)
        (briefs / "dangling.png").symlink_to("../nowhere.png")
        (briefs / "outside.png").symlink_to("../secret.png")
        uris = [
            tmp_path / "secret.png", tmp_path / "nowhere.png", briefs / "nowhere.png", briefs / "dangling.png",
            briefs / "outside.png", briefs / "a.png" / "x", "/etc/shadow", "file://host/etc/passwd", "\0",
            "/" + "x" * 5_000,
        ]  # fmt: skip
        if os.geteuid():
            uris.append(briefs / "locked.png")
        assert len({refusal(uri, [str(briefs)]) for uri in uris}) == 1

    def test_no_descriptor_stays_open(self, briefs):
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            opened(briefs / "a.png", [str(briefs)])
            refusal(briefs, [str(briefs)])
            refusal(briefs / "no" / "a.png", [str(briefs)])
        assert len(os.listdir("/proc/self/fd")) == before

    @settings(max_examples=200, deadline=None)
    @given(
        steps=st.lists(st.sampled_from(["..", ".", "", "briefs", "a.png", "out", "secret.png"]), max_size=7)
    )
    def test_no_way_leads_out(self, tmp_path_factory, steps):
        top = tmp_path_factory.getbasetemp() / "ways"
        if not top.is_dir():
            (top / "briefs").mkdir(parents=True)
            (top / "briefs" / "a.png").write_bytes(b"allowed")
            (top / "secret.png").write_bytes(b"secret")
            (top / "briefs" / "out").symlink_to(top)
        with contextlib.suppress(RunwayMediaError):
            file, _ = MediaFrom([str(top / "briefs")]).opened("/".join([str(top / "briefs"), *steps]), "it")
            with file:
                assert file.read() == b"allowed"


def test_lineage_hears_of_what_is_read_and_of_nothing_else(briefs, monkeypatch):
    heard = []

    class Collector:
        def add_input_asset(self, context, uri):
            heard.append(uri)

    monkeypatch.setattr("airflow_runway.hooks._media_from.get_hook_lineage_collector", Collector)
    opened(f"{briefs}/../briefs/a.png", [str(briefs)])
    refusal("/etc/hostname", [str(briefs)])
    refusal(briefs, [str(briefs)])
    assert heard == [f"file://{os.path.realpath(briefs)}/a.png"]


class TestTheConfiguration:
    def test_allows_by_itself(self, briefs, monkeypatch):
        monkeypatch.setenv(CONFIGURED, f"s3://x@y/, file://{briefs}/")
        assert opened(briefs / "a.png")

    def test_is_only_narrowed_by_the_argument(self, briefs, tmp_path, monkeypatch):
        monkeypatch.setenv(CONFIGURED, f"file://{briefs}/")
        refusal(tmp_path / "secret.png", [str(tmp_path)])
        refusal(briefs / "a.png", [str(tmp_path / "elsewhere")])
        assert opened(briefs / "a.png", [str(tmp_path)])

    def test_of_object_storage_alone_leaves_no_local_file(self, briefs, monkeypatch):
        monkeypatch.setenv(CONFIGURED, "s3://x@y/")
        refusal(briefs / "a.png", [str(briefs)])

    def test_that_is_wrong_is_named(self, briefs, monkeypatch):
        monkeypatch.setenv(CONFIGURED, "keyframes")
        with pytest.raises(
            RunwayConfigurationError, match=r"(?m)^What: \[runway\] media_from must be prefixes.*Nothing was"
        ):
            opened(briefs / "a.png")


@pytest.fixture
def bucket():
    """Object storage in this process, under the scheme ``s3``."""
    storage = MemoryFileSystem()
    storage.pipe("/briefs/a.png", b"x" * 7)
    storage.pipe("/other/a.png", b"x" * 9)
    attach("s3", "studio", fs=storage)
    yield storage
    storage.store.clear()


class TestObjectStorage:
    def test_is_free_where_nothing_is_said(self, bucket):
        assert opened("s3://studio@briefs/a.png") == 7
        assert opened("s3://studio@other/a.png") == 9

    def test_is_confined_by_the_argument(self, bucket):
        assert opened("s3://studio@briefs/a.png", ["s3://studio@briefs/"]) == 7
        refusal("s3://studio@other/a.png", ["s3://studio@briefs/"])
        refusal("s3://studio@other/a.png", ["/srv"])

    def test_is_confined_by_the_configuration(self, bucket, monkeypatch):
        monkeypatch.setenv(CONFIGURED, "s3://studio@briefs/")
        refusal("s3://studio@other/a.png", ["s3://studio@other/"])
        assert opened("s3://studio@briefs/a.png", ["s3://studio@"]) == 7

    def test_what_is_not_there_is_said_in_the_same_words(self, bucket):
        prefixes = ["s3://studio@briefs/"]
        assert refusal("s3://studio@briefs/b.png", prefixes) == refusal("s3://studio@other/a.png", prefixes)

    def test_one_that_does_not_answer_says_why(self, bucket, monkeypatch):
        def fails(self, *args, **kwargs):
            raise TimeoutError("no answer from https://x/?X-Amz-Signature=secret")

        monkeypatch.setattr(MemoryFileSystem, "info", fails)
        with pytest.raises(RunwayMediaError, match="could not be read: TimeoutError") as caught:
            opened("s3://studio@briefs/a.png")
        assert "secret" not in str(caught.value)

    def test_a_scheme_that_nobody_knows(self):
        with pytest.raises(RunwayMediaRefusedError, match="Is the provider of that storage installed"):
            opened("nothing-known://b/a.png")

    def test_a_scheme_that_leads_to_the_disk_after_all(self, briefs, monkeypatch):
        attach("gs", "trick", fs=fsspec.filesystem("file"))
        monkeypatch.chdir("/")
        refusal(f"gs://trick@{str(briefs)[1:]}/a.png")


def test_the_hook_refuses_before_anything_is_sent(runway_emulator, briefs):
    body = {"model": "gen4_turbo", "promptText": "go", "ratio": "1280:720", "duration": 2}
    for call in (
        lambda hook: hook.submit("image_to_video", {**body, "promptImage": str(briefs / "a.png")}),
        lambda hook: hook.prepare({"referenceImages": [{"uri": str(briefs / "a.png")}]}),
        lambda hook: hook.upload(str(briefs / "a.png")),
    ):
        with pytest.raises(RunwayMediaError, match=r"cannot be had.*nothing was charged"):
            call(RunwayHook())
    RunwayHook(media_from=[str(briefs)]).submit(
        "image_to_video", {**body, "promptImage": str(briefs / "a.png")}
    )
    assert len(runway_emulator.ledger()["charges"]) == 1
