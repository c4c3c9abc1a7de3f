"""How long the first end waits for others."""

from __future__ import annotations

import pytest

from airflow_runway.core.polling.lingering import linger_of


@pytest.mark.parametrize(
    ("took", "share", "seconds"),
    [
        (10, 0.25, 2.5),
        (45, 0.25, 11.25),
        (600, 0.25, 150),
        (7200, 0.25, 300),  # never longer than the longest
        (0, 0.25, 0),
        (-5, 0.25, 0),  # a clock that was set back
        (10, 0.0, 300),  # no room is empty, or 0.1.0 stored it
    ],
)
def test_it_is_a_share_of_what_the_first_took(took, share, seconds):
    assert linger_of(took, longest=300, share=share) == seconds
