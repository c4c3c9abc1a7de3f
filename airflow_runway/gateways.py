from airflow_runway.core.protocol.gateways import *  # noqa: F403 - until the emulator is merged
