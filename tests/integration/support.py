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


def saved_names(runway_task_id):
    """What is saved of a generation of one clip: the clip, its stills, its manifest."""
    clip = f"{runway_task_id}-0"
    return {f"{clip}.mp4", f"{clip}.poster.jpg", f"{clip}.sheet.jpg", f"{runway_task_id}.manifest.json"}
