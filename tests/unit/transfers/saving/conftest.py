"""A store that is neither a folder nor S3."""

from __future__ import annotations

import pytest
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem

from airflow_runway.transfers._saving.destination import Destination


class Kept(MemoryFileSystem):
    """A store of its own, not shared with everybody in this process."""

    cachable = False
    protocol = "kept"

    def __init__(self):
        super().__init__()
        self.store, self.pseudo_dirs = {}, [""]


@pytest.fixture
def fs():
    fs = Kept()
    attach("memory", "kept", alias="memory-kept").fs = fs
    return fs


@pytest.fixture
def destination(fs):
    return Destination(ObjectStoragePath("memory://kept@clips/today"), 2**30)
