"""A server that drips: whatever part it is, a read ends with its time-out, with requests and with aiohttp.

Each would go on for ever; that the call ends at all, with an error that says so, is what is tested.
"""

from __future__ import annotations

import asyncio
import threading

import pytest
from unit.dripping import DRIPS

from airflow_runway.exceptions import RunwayReadError
from airflow_runway.hooks.runway import RunwayHook

PATIENCE = 0.3


@pytest.fixture
def hook(set_connection):
    def made(url, **extra):
        set_connection(url, allow_insecure_http=True, **extra)
        return RunwayHook().detached(PATIENCE)

    return made


def read(hook, library):
    if library == "requests":
        return hook.get_task("t1")

    async def impatient():
        return hook.settings

    # An event loop looks the connection up anew.
    hook.asettings = impatient
    return asyncio.run(hook.aget_task("t1"))


LIBRARIES = pytest.mark.parametrize("library", ["requests", "aiohttp"])


@LIBRARIES
@pytest.mark.parametrize("drip", DRIPS)
def test_it_ends(dripping, hook, drip, library):
    server = dripping(*DRIPS[drip])
    with pytest.raises(RunwayReadError):
        read(hook(f"http://127.0.0.1:{server.port}"), library)


@LIBRARIES
def test_it_says_why(dripping, hook, library):
    server = dripping(*DRIPS["header"])
    with pytest.raises(RunwayReadError, match=r"not there within 0\.3 s"):
        read(hook(f"http://127.0.0.1:{server.port}"), library)


def test_on_a_connection_that_was_used_before(dripping, hook):
    server = dripping(*DRIPS["body"], proper=2)
    one = hook(f"http://127.0.0.1:{server.port}")
    assert one.get_task("t1").status == one.get_task("t1").status == "RUNNING"
    with pytest.raises(RunwayReadError):
        one.get_task("t1")


@LIBRARIES
@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 Connection established\r\nX: "])
def test_through_a_proxy(dripping, hook, library, answer):
    proxy = dripping(answer, b"x")
    with pytest.raises(RunwayReadError):
        read(hook("https://gateway.example", proxies={"https": f"http://127.0.0.1:{proxy.port}"}), library)


@LIBRARIES
@pytest.mark.parametrize("answer", [b"", b"\x16\x03\x03\x40\x00\x02", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_in_the_handshake(dripping, hook, library, answer):
    """Silence, a ServerHello without end, and no TLS at all."""
    server = dripping(answer, b"\x00" if answer[:1] == b"\x16" else b"")
    with pytest.raises(RunwayReadError):
        read(hook(f"https://127.0.0.1:{server.port}"), library)


def test_no_thread_is_left(dripping, hook):
    server = dripping(*DRIPS["body"])
    with pytest.raises(RunwayReadError):
        hook(f"http://127.0.0.1:{server.port}").get_task("t1")
    assert not [one for one in threading.enumerate() if one.name == "runway-deadline"]
