from __future__ import annotations

import pytest
from unit.clocks import of_the_main_thread
from unit.stores.state_store import MemoryStateStore


@pytest.fixture
def memory():
    return MemoryStateStore()


@pytest.fixture
def naps(monkeypatch):
    """Pauses, which take no time."""
    taken = []
    monkeypatch.setattr("time.sleep", of_the_main_thread(taken.append))
    return taken
