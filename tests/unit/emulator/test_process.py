"""The real program: ready line, signals, connections that break."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from airflow_runway.emulator.process import EmulatorProcess, emulator_process

from .conftest import HEADERS, body, picture

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = [sys.executable, "-m", "airflow_runway.emulator"]


@pytest.fixture(scope="module")
def process() -> Iterator[EmulatorProcess]:
    with emulator_process(speed=1000, api_keys=["key_test"]) as process:
        yield process


@pytest.fixture
def fresh(process: EmulatorProcess) -> EmulatorProcess:
    process.reset()
    return process


def post(process: EmulatorProcess, image: str) -> httpx.Response:
    url = f"{process.url}/v1/image_to_video"
    return httpx.post(url, headers=HEADERS, json=body(promptImage=image), trust_env=False)


def download(link: str, received: bytearray) -> None:
    with httpx.stream("GET", link, trust_env=False) as answer:
        for piece in answer.iter_raw():
            received += piece


@pytest.mark.parametrize(
    ("kind", "error", "charges"),
    [
        ("drop", "without sending a response", 0),
        ("drop_after_accept", "without sending a response", 1),
        ("truncated", "complete message body", 0),
        ("truncated_after_accept", "complete message body", 1),
    ],
)
def test_connections_break(fresh: EmulatorProcess, kind: str, error: str, charges: int) -> None:
    image = fresh.put_media("a.png", picture())
    fresh.add_fault(on="create", kind=kind)
    with pytest.raises(httpx.RemoteProtocolError, match=error):
        post(fresh, image)
    assert len(fresh.ledger()["charges"]) == charges
    assert post(fresh, image).status_code == 200


def test_not_one_byte_is_sent(fresh: EmulatorProcess) -> None:
    fresh.add_fault(on="organization", kind="drop")
    host, port = fresh.url.removeprefix("http://").split(":")
    head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(f"GET /v1/organization HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode())
        assert connection.recv(100) == b""


def test_a_download_breaks_off(fresh: EmulatorProcess) -> None:
    task = post(fresh, fresh.put_media("a.png", picture())).json()["id"]
    shown = {"status": ""}
    while shown["status"] != "SUCCEEDED":
        shown = httpx.get(f"{fresh.url}/v1/tasks/{task}", headers=HEADERS, trust_env=False).json()
    link = shown["output"][0]
    fresh.add_fault(on="output", kind="drop", bytes=1000)
    received = bytearray()
    with pytest.raises(httpx.RemoteProtocolError):
        download(link, received)
    assert len(received) == 1000
    assert len(httpx.get(link, trust_env=False).content) > 1000


def test_the_helper_refuses_what_the_emulator_refuses(fresh: EmulatorProcess) -> None:
    with pytest.raises(ValueError, match="kind"):
        fresh.add_fault(on="create", kind="nonsense")
    with pytest.raises(ValueError, match="nonsense"):
        fresh.settings(nonsense=1)
    assert fresh.settings(seconds=7)["seconds"] == 7
    assert fresh.tasks() == []
    fresh.clear_faults()
    assert fresh.requests() == []


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_one_line_and_a_clean_end(how: signal.Signals) -> None:
    with subprocess.Popen([*PROGRAM, "--port", "0"], stdout=-1, stderr=-1, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline().startswith("runway emulator listening on http://127.0.0.1:")
        child.send_signal(how)
        rest, errors = child.communicate(timeout=10)
    assert (child.returncode, rest, errors) == (0, "", "")


def test_it_ends_with_its_parent() -> None:
    arguments = [*PROGRAM, "--port", "0", "--until-stdin-closes"]
    with subprocess.Popen(arguments, stdin=-1, stdout=-1, text=True) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        child.stdout.readline()
        child.stdin.close()
        assert child.wait(10) == 0


def test_a_port_in_use(process: EmulatorProcess) -> None:
    port = process.url.rpartition(":")[2]
    done = subprocess.run([*PROGRAM, "--port", port], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Address already in use" in done.stderr
    assert done.stderr.count("\n") == 1
    with (
        pytest.raises(RuntimeError, match="already in use"),
        emulator_process(port=int(port)),
    ):
        pass


def test_missing_packages_are_named() -> None:
    code = (
        "import sys; sys.modules['uvicorn'] = None\n"
        "from airflow_runway.emulator.__main__ import main; sys.exit(main([]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'airflow-provider-runway[emulator]'" in done.stderr


def test_airflow_stays_outside() -> None:
    code = (
        "import sys, airflow_runway.emulator.server, airflow_runway.emulator.process\n"
        "sys.exit('airflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_connections_are_refused_for_a_while(fresh: EmulatorProcess) -> None:
    fresh.settings(seconds=9)
    with httpx.Client(trust_env=False) as kept:
        assert kept.get(f"{fresh.url}/_emulator/health").status_code == 200
        with pytest.raises(ValueError, match="seconds"):
            fresh.refuse(-1)
        fresh.refuse(0.5)
        time.sleep(0.1)
        with pytest.raises(httpx.ConnectError):
            kept.get(f"{fresh.url}/_emulator/health")
    time.sleep(0.6)
    assert fresh.settings()["seconds"] == 9


def test_callbacks_come_by_themselves(fresh: EmulatorProcess) -> None:
    asked = {"callback_url": "http://127.0.0.1:1/", "model": "gen4", "prompt": "x"}
    answer = httpx.post(f"{fresh.url}/runway/pro/generate", headers=HEADERS, json=asked, trust_env=False)
    deadline = time.monotonic() + 5
    while not (sent := fresh.callbacks()) or sent[0]["error"] == "still being sent":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert (sent[0]["runway_task_id"], sent[0]["status"]) == (answer.json()["data"]["task_id"], None)


def test_lenient_from_the_command_line() -> None:
    with emulator_process(lenient=True) as process:
        assert process.settings()["lenient"] is True
        process.settings(lenient=False)
        process.reset()
        assert process.settings()["lenient"] is True


def test_a_large_upload_stays_out_of_memory(fresh: EmulatorProcess, tmp_path: Path) -> None:
    slot = httpx.post(
        f"{fresh.url}/v1/uploads",
        headers=HEADERS,
        json={"filename": "a.mp4", "type": "ephemeral"},
        trust_env=False,
    ).json()
    before = memory(fresh.pid)
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(120 * 1024 * 1024)
    with large.open("rb") as file:
        answer = httpx.post(slot["uploadUrl"], data=slot["fields"], files={"file": file}, trust_env=False)
    assert answer.status_code == 204
    assert memory(fresh.pid) - before < 40 * 1024


def memory(pid: int) -> int:
    """The most memory that a process ever held, in kB."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmHWM:")[2].split()[0])
