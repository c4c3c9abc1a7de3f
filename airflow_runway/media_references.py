from airflow_runway.core.media.references import *  # noqa: F403 - until the emulator is merged
