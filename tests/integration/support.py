"""What several integration tests use."""

from __future__ import annotations

KEY = "key_integration_0123456789abcdef"


def connection_to(emulator, **extra):
    """The connection that leads to an emulator, as Airflow takes it from the environment."""
    return {
        "conn_type": "runway",
        "host": emulator.url,
        "password": KEY,
        "extra": {"allow_insecure_http": True, **extra},
    }
