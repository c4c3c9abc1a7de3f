"""Storage that is neither a folder nor S3: a temporary name, then a move."""

from __future__ import annotations

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_runway.exceptions import (
    RunwayConfigurationError,
    RunwayTransferError,
    RunwayTransferRefusedError,
)
from airflow_runway.transfers._saving.destination import Destination


def names(fs):
    return sorted(fs.store)


def test_a_file_appears_when_it_is_whole(destination, fs):
    file = destination.open("a/b.mp4", "a/b", "video/mp4")
    file.write(b"one")
    assert destination.size("a/b.mp4") is None
    file.write(b"two")
    file.commit(6)
    file.discard()
    assert names(fs) == ["/clips/today/a/b.mp4"]
    assert destination.size("a/b.mp4") == 6
    assert destination.begins_with("a/b.mp4", b"one")
    assert not destination.begins_with("a/b.mp4", b"two")


def test_a_file_that_is_thrown_away_leaves_nothing(destination, fs):
    file = destination.open("b.mp4", "b", "video/mp4")
    file.write(b"one")
    file.discard()
    file.discard()
    assert names(fs) == []


def test_a_file_that_storage_has_cut_short_is_not_shown(destination, fs):
    file = destination.open("b.mp4", "b", "video/mp4")
    file.write(b"one")
    with pytest.raises(RunwayTransferError, match="3 of 4 bytes"):
        file.commit(4)
    file.discard()
    assert names(fs) == []


def test_an_older_file_is_replaced_at_once(destination, fs):
    for content in (b"old one", b"new"):
        file = destination.open("b.mp4", "b", "video/mp4")
        file.write(content)
        file.commit(len(content))
    assert names(fs) == ["/clips/today/b.mp4"]
    assert fs.cat("/clips/today/b.mp4") == b"new"


def test_documents(destination, fs):
    assert destination.read_document("x.json") is None
    destination.write_document("x.json", {"é": [1, None]})
    assert destination.read_document("x.json") == {"é": [1, None]}
    fs.pipe("/clips/today/x.json", b"\xff{")
    assert destination.read_document("x.json") is None
    fs.pipe("/clips/today/x.json", b"[" * 100_000)
    assert destination.read_document("x.json") is None


def test_leftovers(destination, fs):
    for name in (".b.0123.partial", "d/.c.0123.partial", ".bb.0123.partial", ".b.partial.mp4", "b.partial"):
        fs.pipe(f"/clips/today/{name}", b"x")
    assert destination.sweep(["b", "d/c", "gone/e"]) == 2
    assert names(fs) == [
        f"/clips/today/{name}" for name in (".b.partial.mp4", ".bb.0123.partial", "b.partial")
    ]


def test_a_folder_is_no_file(destination, fs):
    fs.pipe("/clips/today/b.mp4/inside", b"x")
    with pytest.raises(RunwayTransferRefusedError, match="is a folder"):
        destination.size("b.mp4")


def test_a_store_without_its_provider():
    with pytest.raises(RunwayConfigurationError, match="provider of that storage"):
        Destination(ObjectStoragePath("memory://nobody@bucket/x"), 1)
