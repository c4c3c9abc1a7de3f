"""How long the first of many generations to end waits for others, so that they are told together. Pure."""

from __future__ import annotations


def linger_of(took: float, *, longest: float, share: float) -> float:
    """Seconds for which the first end waits for others; for the reason see :mod:`airflow_runway.core.journal.rest`.

    :param took: seconds from its submission to its end, as far as they are known.
    :param longest: seconds.
    :param share: of ``took``; 0 = ``longest``, whatever it took.
    """
    return min(longest, share * max(took, 0.0)) if share else longest
