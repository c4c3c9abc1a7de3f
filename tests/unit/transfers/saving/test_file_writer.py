"""A file that is being written: under a temporary name, and on storage that commits."""

from __future__ import annotations

import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFile, MemoryFileSystem

from airflow_runway.exceptions import RunwayTransferError
from airflow_runway.transfers._saving.file_writer import FileWriter
from airflow_runway.transfers._saving.storage import Storage


class CommittingFile(MemoryFile):
    """Like a multipart upload: committed once, or thrown away."""

    thrown_away = False

    def commit(self):
        assert not self.thrown_away
        super().commit()

    def discard(self):
        self.thrown_away = True


class CommittingFileSystem(MemoryFileSystem):
    """Shows a file when it is committed, as S3 does."""

    cachable = False
    protocol = "s3"

    def __init__(self):
        super().__init__()
        self.store, self.pseudo_dirs = {}, [""]
        self.opened = []

    def _open(self, path, mode="rb", **options):
        if mode != "wb":
            return super()._open(path, mode, **options)
        self.opened.append(CommittingFile(self, self._strip_protocol(path)))
        return self.opened[-1]


class TestUnderATemporaryName:
    @pytest.fixture
    def storage(self):
        return Storage(LocalFileSystem(), "file:///clips", commits=False, is_local=True)

    @pytest.fixture
    def writer(self, storage, tmp_path):
        path = f"{tmp_path}/today/b.mp4"
        return FileWriter(storage, path, f"{tmp_path}/today/.b.0123.partial", "file:///clips/b.mp4", {})

    def names(self, tmp_path):
        return sorted(path.name for path in (tmp_path / "today").iterdir())

    def test_it_appears_when_it_is_committed(self, writer, tmp_path):
        writer.write(b"one")
        assert self.names(tmp_path) == [".b.0123.partial"]
        writer.write(b"two")
        writer.commit(6)
        writer.discard()
        assert (tmp_path / "today/b.mp4").read_bytes() == b"onetwo"
        assert self.names(tmp_path) == ["b.mp4"]

    def test_it_leaves_nothing_when_it_is_discarded(self, writer, tmp_path):
        writer.write(b"one")
        writer.discard()
        writer.discard()
        assert self.names(tmp_path) == []

    def test_an_older_file_stays_until_then(self, writer, tmp_path):
        older = tmp_path / "today/b.mp4"
        older.write_bytes(b"older")
        writer.write(b"new")
        assert older.read_bytes() == b"older"
        writer.discard()
        assert older.read_bytes() == b"older"

    def test_a_file_that_was_cut_short_never_appears(self, writer, tmp_path):
        writer.write(b"one")
        with pytest.raises(RunwayTransferError, match=r"shows 3 of 4 bytes .* file:///clips/b.mp4"):
            writer.commit(4)
        writer.discard()
        assert self.names(tmp_path) == []


class TestOnStorageThatCommits:
    @pytest.fixture
    def fs(self):
        return CommittingFileSystem()

    @pytest.fixture
    def writer(self, fs):
        storage = Storage(fs, "s3://clips", commits=True, is_local=False)
        return FileWriter(storage, "/clips/b.mp4", "/clips/b.mp4", "s3://clips/b.mp4", {"autocommit": False})

    def test_it_appears_when_it_is_committed(self, writer, fs):
        writer.write(b"one")
        assert fs.store == {}
        writer.commit(3)
        writer.discard()
        assert fs.cat("/clips/b.mp4") == b"one"
        assert not fs.opened[0].thrown_away

    def test_it_leaves_nothing_when_it_is_discarded(self, writer, fs):
        writer.write(b"one")
        writer.discard()
        assert fs.store == {}
        assert fs.opened[0].thrown_away

    def test_a_file_that_was_cut_short_is_removed(self, writer, fs):
        writer.write(b"one")
        with pytest.raises(RunwayTransferError, match="shows 3 of 4 bytes"):
            writer.commit(4)
        assert fs.store == {}


class TestTrouble:
    def test_it_is_told_without_secrets(self, destination, fs, monkeypatch):
        def broken(*_, **__):
            raise PermissionError("https://store.example/b?signature=secret says no")

        monkeypatch.setattr(fs, "open", broken)
        with pytest.raises(RunwayTransferError, match="could not be written: PermissionError") as caught:
            destination.open("b.mp4", "b", "video/mp4")
        assert "secret" not in str(caught.value)

    def test_a_piece_that_is_not_taken(self, destination, monkeypatch):
        def full(*_):
            raise OSError(28, "No space left on device")

        file = destination.open("b.mp4", "b", "video/mp4")
        monkeypatch.setattr(MemoryFile, "write", full)
        with pytest.raises(RunwayTransferError, match=r"could not be written: .*No space left"):
            file.write(b"x")
        file.discard()
        assert destination.size("b.mp4") is None
