"""Where the pages are, and whether they are there at all."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from airflow.configuration import conf

#: Below the path of ``[api] base_url``.
PREFIX: Final = "/runway"


def is_on() -> bool:
    """Whether ``[runway] gallery`` lets the pages be there."""
    return bool(conf.getboolean("runway", "gallery", fallback=True))


def prefix() -> str:
    """The path below which the pages are, as a browser asks for it."""
    return root() + PREFIX


def root() -> str:
    """The path of ``[api] base_url``, below which Airflow's own pages are; empty for the root of its host."""
    return urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")
