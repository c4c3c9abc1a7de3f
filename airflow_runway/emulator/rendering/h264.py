"""How videos are encoded, and how fast their frames follow each other."""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol

#: A throw-away video should be there soon: this preset takes half the time of "veryfast" for larger files.
#: Players take untagged HD video for BT.709, so frames are converted and tagged as such.
X264 = {
    "preset": "ultrafast",
    "crf": "20",
    "x264-params": "colorprim=bt709:transfer=bt709:colormatrix=bt709:log-level=none",
}
_USUAL_RATE = Fraction(24)
_HIGHEST_RATE = 60
#: Of the rates that television knows (24000/1001 and its like).
_LARGEST_DENOMINATOR = 1001


class Ratio(Protocol):
    """A rate as PyAV tells it: a ``Fraction`` up to version 18, an ``AVRational`` from 19 on.

    The latter cannot round itself, and its denominator may be 0.
    """

    @property
    def numerator(self) -> int:
        """The upper number."""

    @property
    def denominator(self) -> int:
        """The lower number."""


def frame_rate(told: Ratio | None) -> Fraction:
    """The frames per second to encode with.

    :param told: what a file says of itself, if anything.
    """
    if told is None or not told.denominator:
        return _USUAL_RATE
    rate = Fraction(told.numerator, told.denominator)
    return rate.limit_denominator(_LARGEST_DENOMINATOR) if 1 <= rate <= _HIGHEST_RATE else _USUAL_RATE
