from __future__ import annotations

import pytest
from unit.operators.batch_story import begin_batch
from unit.operators.story import begin


@pytest.fixture
def story(monkeypatch, set_connection):
    return lambda **fields: begin(monkeypatch, set_connection, **fields)


@pytest.fixture
def batch(monkeypatch, set_connection):
    return lambda **fields: begin_batch(monkeypatch, set_connection, **fields)
