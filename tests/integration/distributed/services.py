"""A PostgreSQL and a Redis of our own: free ports of 127.0.0.1, a folder that goes away, ended by process id.

Both ask for a random password, since whoever may write to them may run code as us. PostgreSQL refuses to run
as root, so root gives both to an unprivileged user of the system.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from airflow_runway.demo.components import free_port

_START_SECONDS = 30.0
_STOP_SECONDS = 10.0
_PAUSE_SECONDS = 0.05
#: PR_SET_PDEATHSIG of prctl(2): a service does not outlive the test, however that ends.
_DIE_WITH_PARENT = 1
#: What a distributed Airflow imports, and the distribution that brings it.
_MODULES = {
    "airflow.providers.celery": "apache-airflow-providers-celery",
    "redis": "celery[redis]",
    "psycopg2": "psycopg2-binary",
    "asyncpg": "asyncpg",
}
#: Nothing that is written here has to survive a power cut.
_POSTGRES_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
}


def missing() -> list[str]:
    """What this machine lacks for a distributed Airflow; empty when all is there."""
    lacks = [f"the Python package {name}" for module, name in _MODULES.items() if find_spec(module) is None]
    if _postgres_bin() is None:
        lacks.append("PostgreSQL's server (Debian package postgresql)")
    if shutil.which("redis-server") is None:
        lacks.append("redis-server (Debian package redis-server)")
    if sys.platform != "linux":
        lacks.append("Linux")
    return lacks


def _postgres_bin() -> Path | None:
    """The folder of PostgreSQL's programs; Debian keeps one per major version, none of them in the PATH."""
    if found := shutil.which("postgres"):
        return Path(found).resolve().parent
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    return max(folders, key=lambda folder: int(folder.parent.name), default=None)


class Services:
    """Both services, running while in the ``with`` block."""

    def __init__(self) -> None:
        self._password = secrets.token_hex(16)
        self._postgres_port, self._redis_port = free_port(), free_port()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._owner = _unprivileged_user()

    @property
    def database(self) -> str:
        """The URL of an empty database, as SQLAlchemy takes it."""
        return f"postgresql+psycopg2://airflow:{self._password}@127.0.0.1:{self._postgres_port}/postgres"

    @property
    def broker(self) -> str:
        """The URL of the message queue, as Celery takes it."""
        return f"redis://:{self._password}@127.0.0.1:{self._redis_port}/0"

    def database_processes(self) -> list[int]:
        """The process ids of PostgreSQL: the server's, a few helpers', and one per connection."""
        psutil = import_module("psutil")  # a dependency of Airflow, without type hints
        server = psutil.Process(self._processes[-1].pid)
        return [server.pid, *(child.pid for child in server.children(recursive=True))]

    def __enter__(self) -> Self:
        # Not below pytest's folders, which only their owner may enter.
        self._folder = Path(tempfile.mkdtemp(prefix="runway-services-"))
        try:
            if self._owner is not None:
                os.chown(self._folder, *self._owner)
            self._start_redis()
            self._start_postgres()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *details: object) -> None:
        self._stop()

    def _start_redis(self) -> None:
        import redis

        # On standard input, for a command line can be read by everybody.
        settings = (
            f"bind 127.0.0.1\nport {self._redis_port}\nrequirepass {self._password}\n"
            'save ""\nappendonly no\n'
            f"dir {self._folder}\n"
        )
        process = self._run("redis", ["redis-server", "-"], stdin=subprocess.PIPE)
        assert process.stdin is not None
        with process.stdin as stdin:
            stdin.write(settings.encode())
        client = redis.Redis.from_url(self.broker)
        self._wait_for("redis", process, client.ping, redis.RedisError)
        client.close()

    def restart_database(self, pause: float) -> None:
        """End PostgreSQL, every connection with it, and start it again.

        :param pause: seconds in between.
        """
        server = self._processes.pop()
        server.send_signal(signal.SIGINT)  # end now and in order
        server.wait(_STOP_SECONDS)
        time.sleep(pause)
        self._run_postgres()

    def _start_postgres(self) -> None:
        programs, data, password = _postgres_bin(), self._folder / "data", self._folder / "password"
        assert programs is not None
        password.touch(0o600)
        password.write_text(self._password)
        if self._owner is not None:
            os.chown(password, *self._owner)
        initdb = [str(programs / "initdb"), "--no-sync", "--no-instructions", "--locale=C", "--encoding=UTF8"]
        initdb += [f"--pgdata={data}", "--username=airflow", "--auth=scram-sha-256", f"--pwfile={password}"]
        if self._run("initdb", initdb).wait(_START_SECONDS) != 0:
            raise RuntimeError(f"initdb failed:\n{self._log('initdb')}")
        self._run_postgres()

    def _run_postgres(self) -> None:
        import psycopg2

        programs = _postgres_bin()
        assert programs is not None
        settings = {**_POSTGRES_SETTINGS, "port": str(self._postgres_port)}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        process = self._run(
            "postgres", [str(programs / "postgres"), "-D", str(self._folder / "data"), *options]
        )
        address = self.database.replace("+psycopg2", "")
        self._wait_for("postgres", process, lambda: psycopg2.connect(address).close(), psycopg2.Error)

    def _run(self, name: str, command: list[str], **options: object) -> subprocess.Popen[bytes]:
        owner = {}
        if self._owner is not None:
            owner = {"user": self._owner[0], "group": self._owner[1], "extra_groups": []}
        libc = ctypes.CDLL(None)
        with (self._folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C"},
                start_new_session=True,
                preexec_fn=lambda: libc.prctl(_DIE_WITH_PARENT, signal.SIGINT, 0, 0, 0),
                **owner,
                **options,
            )
        self._processes.append(process)
        return process

    def _wait_for(self, name, process, answers, refused) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended with code {process.returncode}:\n{self._log(name)}")
            try:
                answers()
            except refused:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE_SECONDS)
            else:
                return

    def _log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text(errors="replace")[-4000:]

    def _stop(self) -> None:
        # SIGINT: to PostgreSQL, end now and in order; to Redis, end.
        for number in (signal.SIGINT, signal.SIGKILL):
            for process in self._processes:
                if process.poll() is None:
                    process.send_signal(number)
            for process in self._processes:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_STOP_SECONDS)
        shutil.rmtree(self._folder, ignore_errors=True)


def _unprivileged_user() -> tuple[int, int] | None:
    """User and group id for the services; ``None``: our own."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            return user.pw_uid, user.pw_gid
    raise RuntimeError("PostgreSQL does not run as root, and there is no user postgres or nobody.")
