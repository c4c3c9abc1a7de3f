"""The environment of a throw-away Airflow: everything it is told, and nothing of the caller's own Airflow."""

from __future__ import annotations

import base64
import json
import os
import secrets
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: What a Python process needs of its surroundings. Proxies are not among it: all talk is local.
_INHERITED = (
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "PYTHONPATH",
    "VIRTUAL_ENV",
    "LD_LIBRARY_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)


def airflow_environment(
    home: Path,
    dags: Path,
    port: int,
    execution_port: int,
    connections: Mapping[str, Mapping[str, Any]] | None = None,
    extra: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The complete environment of the components.

    :param home: the ``AIRFLOW_HOME``; the SQLite file lies in it.
    :param dags: folder of the DAG files.
    :param port: where the REST API listens.
    :param execution_port: where the workers' API listens.
    :param connections: connection id to the fields of the connection.
    :param extra: variables that are added and win over everything else.
    :returns: variables for :class:`subprocess.Popen`.
    """
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    environment["AIRFLOW_HOME"] = str(home)
    environment["NO_PROXY"] = environment["no_proxy"] = "127.0.0.1,localhost"
    for section, options in _configuration(home, dags, port, execution_port).items():
        for option, value in options.items():
            environment[f"AIRFLOW__{section}__{option}"] = str(value)
    for name, fields in (connections or {}).items():
        environment[f"AIRFLOW_CONN_{name.upper()}"] = json.dumps(fields)
    environment.update(extra or {})
    return environment


def _configuration(home: Path, dags: Path, port: int, execution_port: int) -> dict[str, dict[str, object]]:
    return {
        "CORE": {
            "EXECUTOR": "LocalExecutor",
            "PARALLELISM": 4,
            "LOAD_EXAMPLES": False,
            "DAGS_FOLDER": dags,
            "DAGS_ARE_PAUSED_AT_CREATION": False,
            "SIMPLE_AUTH_MANAGER_ALL_ADMINS": True,
            "EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{execution_port}/execution/",
            "FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        },
        "DATABASE": {"SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}"},
        "API": {
            "PORT": port,
            "BASE_URL": f"http://127.0.0.1:{port}",
            "WORKERS": 1,
            "SECRET_KEY": secrets.token_hex(32),
        },
        "API_AUTH": {"JWT_SECRET": secrets.token_hex(32)},
        "SCHEDULER": {"SCHEDULER_HEARTBEAT_SEC": 1, "SCHEDULER_IDLE_SLEEP_TIME": 0.5},
        "DAG_PROCESSOR": {"REFRESH_INTERVAL": 5, "MIN_FILE_PROCESS_INTERVAL": 5},
        # A slot stays occupied for so many seconds after its task has ended.
        "WORKERS": {"MIN_HEARTBEAT_INTERVAL": 1},
        "LOGGING": {"BASE_LOG_FOLDER": home / "logs" / "tasks"},
        "USAGE_DATA_COLLECTION": {"ENABLED": False},
    }
