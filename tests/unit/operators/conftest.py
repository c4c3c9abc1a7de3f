from __future__ import annotations

import pytest
from unit.operators.batch_tries import begin_batch
from unit.operators.tries import begin


@pytest.fixture
def tries(monkeypatch, set_connection):
    return lambda **fields: begin(monkeypatch, set_connection, **fields)


@pytest.fixture
def batch(monkeypatch, set_connection):
    return lambda **fields: begin_batch(monkeypatch, set_connection, **fields)
