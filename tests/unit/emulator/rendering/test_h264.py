"""Frame rates, as PyAV tells them: ``Fraction`` up to version 18, ``AVRational`` from 19 on."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import pytest

from airflow_runway.emulator.rendering.h264 import frame_rate


@dataclass(frozen=True)
class Rational:
    """As much as ``av.rational.AVRational`` and ``Fraction`` have in common."""

    numerator: int
    denominator: int

    def __float__(self) -> float:
        return self.numerator / self.denominator


@pytest.mark.parametrize(
    ("told", "rate"),
    [
        ((25, 1), Fraction(25)),
        ((24_000, 1001), Fraction(24_000, 1001)),
        ((60, 1), Fraction(60)),
        ((1, 1), Fraction(1)),
        # As phones write it: a little beside the rate that they mean.
        ((2_997_003, 100_000), Fraction(30_000, 1001)),
        # Neither a still nor a slow-motion clip may set the pace.
        ((1, 2), Fraction(24)),
        ((240, 1), Fraction(24)),
        ((0, 1), Fraction(24)),
    ],
)
def test_a_rate_is_taken_as_it_is_told(told: tuple[int, int], rate: Fraction) -> None:
    assert frame_rate(Rational(*told)) == rate
    assert frame_rate(Fraction(*told)) == rate


@pytest.mark.parametrize("told", [None, Rational(0, 0), Rational(1, 0)])
def test_a_file_without_a_rate_gets_the_usual_one(told: Rational | None) -> None:
    assert frame_rate(told) == Fraction(24)
