"""What core raises carries facts; which kind they are is part of every expectation."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from airflow_runway.core.facts import CoreError


@contextmanager
def raises(kind, match=None):
    """Expect a :class:`CoreError` of one kind; its text is there afterwards, as with ``pytest.raises``."""
    with pytest.raises(CoreError, match=match) as caught:
        yield caught
    assert caught.value.facts.kind is kind
    assert str(caught.value) == caught.value.facts.message
