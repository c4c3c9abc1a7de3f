"""What the api-server can read, and what it says of the rest."""

from __future__ import annotations

import json
import os

import pytest

from airflow_runway.core.gallery.saved import SavedFile
from airflow_runway.plugins import _storage
from airflow_runway.plugins._storage import Storage, UnavailableError


@pytest.fixture
def clips(tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    (folder / "t1-0.mp4").write_bytes(b"clip")
    (folder / "t1.manifest.json").write_text(json.dumps({"a": 1}))
    (tmp_path / "secret.mp4").write_bytes(b"secret")
    return folder


def read(folder, name, storage=None):
    file, size = (storage or Storage()).opened(SavedFile(f"file://{folder}", name))
    with file:
        content = file.read()
    assert len(content) == size
    return content


def test_a_file_of_its_own(clips):
    assert read(clips, "t1-0.mp4") == b"clip"


@pytest.mark.parametrize(
    "name", ["../secret.mp4", "x/../../secret.mp4", "./t1-0.mp4", "..", "/../secret.mp4"]
)
def test_names_do_not_climb(clips, name):
    with pytest.raises(UnavailableError):
        read(clips, name)


def test_a_link_out_of_the_folder_is_not_followed(clips, tmp_path):
    (clips / "t2-0.mp4").symlink_to(tmp_path / "secret.mp4")
    (clips / "below").symlink_to(tmp_path)
    for name in ("t2-0.mp4", "below/secret.mp4"):
        with pytest.raises(UnavailableError, match="is not there"):
            read(clips, name)


def test_a_folder_that_is_a_link_itself(clips, tmp_path):
    (tmp_path / "nas").symlink_to(clips)
    assert read(tmp_path / "nas", "t1-0.mp4") == b"clip"


@pytest.mark.parametrize("kind", ["fifo", "folder"])
def test_only_files(clips, kind):
    (os.mkfifo if kind == "fifo" else os.mkdir)(clips / "odd.mp4")
    with pytest.raises(UnavailableError):
        read(clips, "odd.mp4")


def test_a_folder_of_the_workers(tmp_path):
    with pytest.raises(UnavailableError, match="api-server does not see"):
        read(tmp_path / "elsewhere", "t1-0.mp4")


@pytest.mark.parametrize("folder", ["file://host/x", "relative", "", "file:////etc", "http\x00://x"])
def test_no_folder(folder):
    with pytest.raises(UnavailableError):
        Storage().opened(SavedFile(folder, "t1-0.mp4"))


class TestDocuments:
    def test_one(self, clips):
        assert Storage().document(SavedFile(f"file://{clips}", "t1.manifest.json")) == {"a": 1}

    @pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
    def test_none(self, clips, content):
        (clips / "t1.manifest.json").write_bytes(content)
        assert Storage().document(SavedFile(f"file://{clips}", "t1.manifest.json")) is None

    def test_what_is_too_large_is_not_read(self, clips, monkeypatch):
        monkeypatch.setattr(_storage, "_LARGEST_DOCUMENT", 3)
        assert Storage().document(SavedFile(f"file://{clips}", "t1.manifest.json")) is None

    def test_it_is_believed_for_some_seconds(self, clips, monkeypatch):
        now = [0.0]
        monkeypatch.setattr(_storage.time, "monotonic", lambda: now[0])
        storage, file = Storage(), SavedFile(f"file://{clips}", "t1.manifest.json")
        storage.document(file)
        (clips / "t1.manifest.json").write_text("7")
        assert storage.document(file) == {"a": 1}
        now[0] = 31.0
        assert storage.document(file) == 7

    def test_so_many_are_kept(self, clips, monkeypatch):
        monkeypatch.setattr(_storage, "_MOST_DOCUMENTS", 2)
        storage = Storage()
        for number in range(5):
            (clips / f"{number}.json").write_text(str(number))
            storage.document(SavedFile(f"file://{clips}", f"{number}.json"))
        assert len(storage._documents) == 2


class TestObjectStorage:
    @pytest.fixture
    def stores(self, monkeypatch):
        """Airflow's registry of stores, with one in memory; says how often it was asked."""
        from fsspec.implementations.memory import MemoryFileSystem

        asked = []

        def get_fs(scheme, conn_id=None, storage_options=None):
            asked.append((scheme, conn_id))
            if conn_id == "broken":
                raise PermissionError("no credentials")
            return MemoryFileSystem()

        monkeypatch.setattr("airflow.sdk.io.get_fs", get_fs)
        MemoryFileSystem().pipe("/bucket/clips/t1-0.mp4", b"clip")
        yield asked
        MemoryFileSystem.store.clear()

    def opened(self, storage, conn_id="aws", name="t1-0.mp4"):
        file, size = storage.opened(SavedFile(f"memory://{conn_id}@bucket/clips", name))
        with file:
            return file.read(), size

    def test_a_store_is_made_anew_after_a_while(self, stores, monkeypatch):
        now = [1000.0]
        monkeypatch.setattr(_storage.time, "monotonic", lambda: now[0])
        storage = Storage()
        for seconds in (0, 299, 2, 0):
            now[0] += seconds
            assert self.opened(storage) == (b"clip", 4)
        assert stores == [("memory", "aws")] * 2

    def test_one_without_credentials_says_so_and_is_asked_again(self, stores):
        storage = Storage()
        for _ in range(2):
            with pytest.raises(UnavailableError, match=r"cannot be read by the api-server \(PermissionError"):
                self.opened(storage, "broken")
        assert stores == [("memory", "broken")] * 2

    def test_a_file_that_is_gone(self, stores):
        with pytest.raises(UnavailableError, match="is not there"):
            self.opened(Storage(), name="t2-0.mp4")

    def test_a_store_that_leads_to_the_own_disk(self, stores, monkeypatch, tmp_path):
        from fsspec.implementations.local import LocalFileSystem

        monkeypatch.setattr("airflow.sdk.io.get_fs", lambda *_: LocalFileSystem())
        with pytest.raises(UnavailableError, match="own disk"):
            self.opened(Storage())
