"""Where the pages are, and whether they are there at all."""

from __future__ import annotations

from airflow.configuration import conf

from airflow_runway.core.gallery.addresses import prefix_of, root_of


def is_on() -> bool:
    """Whether ``[runway] gallery`` lets the pages be there."""
    return bool(conf.getboolean("runway", "gallery", fallback=True))


def prefix() -> str:
    """The path below which the pages are, as a browser asks for it."""
    return prefix_of(_base_url())


def root() -> str:
    """The path of ``[api] base_url``, below which Airflow's own pages are; empty for the root of its host."""
    return root_of(_base_url())


def _base_url() -> str:
    return conf.get("api", "base_url", fallback="") or ""
