"""Why something was not done, in a sentence."""

from __future__ import annotations


class NotAskedError(Exception):
    """The call is wrong, or there is nobody to ask."""


class RefusedError(Exception):
    """It was not done."""
