"""The demo when something is in its way: it says what, ends soon, and nothing is left running or lying about."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

#: What runs in the background of a script has Ctrl-C switched off, and would hand that down.
CTRL_C = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
DEMO = (
    CTRL_C + "import sys; from airflow_runway.cli import main; sys.exit(main(['demo', '--out', sys.argv[1]]))"
)
#: The same, with every port that it thinks free being one that somebody has.
ON_A_TAKEN_PORT = (
    "import sys; from airflow_runway.demo import local_airflow;"
    "port = int(sys.argv[2]); local_airflow.free_port = lambda *_: port;" + DEMO
)


@pytest.fixture
def demo(tmp_path):
    """A demo whose every file lies below a folder that nothing else names."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    started = []

    def start(code=DEMO, *arguments, folder=folder):
        command = [sys.executable, "-u", "-c", code, str(tmp_path / "out"), *map(str, arguments)]
        environment = {**os.environ, "TMPDIR": str(folder)}
        started.append(
            subprocess.Popen(
                command,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        )
        return started[-1]

    yield start
    for one in started:
        if one.poll() is None:
            one.kill()
        one.wait()
    assert left_running(folder) == []


def left_running(folder):
    """Processes that know the folder, by their words or their environment."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            known = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if process.name != str(os.getpid()) and str(folder).encode() in known:
            found.append((process.name, known[:200]))
    return found


def gone(folder):
    """Whether nothing of it runs any more; the kernel takes a moment."""
    until = time.monotonic() + 10
    while left_running(folder) and time.monotonic() < until:
        time.sleep(0.1)
    return left_running(folder) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "moment", ["starting the emulator", "creating a database", "the REST API answers", "RUNNING"]
)
def test_interrupted(demo, tmp_path, moment, number):
    process = demo()
    for line in process.stdout:
        if moment in line:
            break
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert gone(tmp_path / "tmp")
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_full_disk(demo, tmp_path):
    folder = tmp_path / "tmp"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=700k", "none", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root can make a small disk")
    try:
        process = demo()
        printed, _ = process.communicate(timeout=200)
        assert process.returncode == 1, printed
        assert f"There is no space left on the disk of {folder}" in printed
        assert gone(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def test_a_port_that_somebody_has(demo, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = demo(ON_A_TAKEN_PORT, taken.getsockname()[1])
        printed, _ = process.communicate(timeout=200)
    assert process.returncode == 1, printed
    assert "address already in use" in printed.lower()
    assert "Logs: " in printed
    assert gone(tmp_path / "tmp")
