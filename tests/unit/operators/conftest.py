from __future__ import annotations

import pytest
from unit.operators.story import begin


@pytest.fixture
def story(monkeypatch, set_connection):
    return lambda **fields: begin(monkeypatch, set_connection, **fields)
