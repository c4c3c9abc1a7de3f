"""What a generation costs in the emulator: one perishable table (contracts §17).

Real money is only what ``cost.credits`` of a real task says; nobody should estimate a bill from here.
"""

from __future__ import annotations

import math

#: Credits per second of video. Ranges in the published table are taken at their lower end.
_PER_SECOND = {
    "gen4.5": 12,
    "gen4_turbo": 5,
    "act_two": 5,
    "gen4_aleph": 15,
    "aleph2": 28,
    "veo3": 40,
    "veo3.1": 20,
    "veo3.1_fast": 10,
    "seedance2": 36,
    "seedance2_5": 30,
    "hailuo3": 10,
}
_AT_LEAST = {"aleph2": 56, "seedance2_5": 80}
_PER_IMAGE = {"gen4_image": 5, "gen4_image_turbo": 2, "gemini_2.5_flash": 5}
_DEFAULT_PER_SECOND = 5
_DEFAULT_PER_IMAGE = 5
#: Sound is priced by characters or seconds of input; a flat figure does for an emulator.
_PER_SOUND = 2


def credits_for(kind: str, model: str, seconds: float) -> int:
    """The estimate, and for a success the charge.

    :param kind: ``video``, ``image`` or ``audio``: what comes out.
    :param model: the model named in the request; unknown ones cost the default.
    :param seconds: length of the output; only videos are priced by it.
    """
    if kind == "image":
        return _PER_IMAGE.get(model, _DEFAULT_PER_IMAGE)
    if kind == "audio":
        return _PER_SOUND
    price = math.ceil(_PER_SECOND.get(model, _DEFAULT_PER_SECOND) * seconds)
    return max(price, _AT_LEAST.get(model, 0))
