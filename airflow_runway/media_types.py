from airflow_runway.core.media.types import *  # noqa: F403 - until the emulator is merged
