"""Hosts that drip: a download ends, and goes on from where it was over another connection."""

from __future__ import annotations

from dataclasses import replace

import pytest
from unit.dripping import DRIPS
from unit.scripted import Scripted
from unit.transfers.conftest import CLIP, MP4

from airflow_runway.exceptions import RunwayConfigurationError, RunwayTransferError
from airflow_runway.hooks import _least_speed
from airflow_runway.hooks.runway import RunwayHook
from airflow_runway.transfers._saving.fetching import BrokenOffError, Fetcher

PATIENCE = 0.3
BEFORE_THE_BODY = [name for name in DRIPS if not name.startswith(("body", "chunk"))]
OF_THE_BODY = ["body", "chunk", "body without end"]


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(_least_speed, "OVER", PATIENCE)


@pytest.fixture
def fetcher(connected):
    made = []

    def make(timeout):
        made.append(Fetcher(replace(RunwayHook().settings, timeout=timeout), lambda: None))
        return made[-1]

    yield make
    for one in made:
        one.close()


def fetch(fetcher, server):
    with fetcher.open(f"http://127.0.0.1:{server.port}/clip.mp4", {}, 0) as response:
        return b"".join(response.pieces())


@pytest.mark.parametrize("drip", BEFORE_THE_BODY)
def test_what_comes_before_a_file_has_the_time_of_a_request(fetcher, dripping, drip):
    with pytest.raises(BrokenOffError, match=r"^the host could not be asked"):
        fetch(fetcher(PATIENCE), dripping(*DRIPS[drip]))


@pytest.mark.parametrize("drip", OF_THE_BODY)
def test_a_file_has_a_least_speed(fetcher, dripping, drip):
    with pytest.raises(
        BrokenOffError, match=r"slower than 10240 bytes per second \(\[runway\] least_speed\)"
    ) as caught:
        fetch(fetcher(60), dripping(*DRIPS[drip]))
    assert caught.value.is_slow


def test_it_can_be_set_or_done_without(fetcher, dripping, monkeypatch):
    monkeypatch.setenv("AIRFLOW__RUNWAY__LEAST_SPEED", "7.5")
    with pytest.raises(BrokenOffError, match=r"slower than 7\.5 bytes"):
        fetch(fetcher(60), dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b""))
    monkeypatch.setenv("AIRFLOW__RUNWAY__LEAST_SPEED", "0")
    with pytest.raises(BrokenOffError, match=r"broke off \(ReadTimeoutError\)"):
        fetch(fetcher(2 * PATIENCE), dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b""))


@pytest.mark.parametrize("value", ["fast", "-1", "nan", "inf"])
def test_one_that_is_no_number_is_said_before_anything_is_fetched(save, world, monkeypatch, value):
    monkeypatch.setenv("AIRFLOW__RUNWAY__LEAST_SPEED", value)
    with pytest.raises(
        RunwayConfigurationError, match=r"(?m)^What: \[runway\] least_speed is .*Nothing was sent"
    ):
        save()
    assert world.downloads() == []


def head(length):
    return f'HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: {length}\r\nETag: "a"\r\n\r\n'.encode()


def test_it_goes_on_from_where_it_was(save, world, dripping, tmp_path):
    slow = dripping(head(len(CLIP)) + CLIP[:5000], b"")
    succeeded = world.succeeded

    def fresh_link(runway_task_id):
        answer = succeeded(runway_task_id)
        if len(world.reads()) == 1:
            answer.body["output"] = [f"http://127.0.0.1:{slow.port}/clip.mp4"]
        return answer

    world.succeeded = fresh_link
    part = {"Content-Range": f"bytes 5000-{len(CLIP) - 1}/{len(CLIP)}", "ETag": '"a"', **MP4}
    world.files["/out/t1/0"].append(Scripted(206, CLIP[5000:], part))
    save()
    assert [one.headers["range"] for one in world.downloads()] == ["bytes=5000-"]
    assert (tmp_path / "clips/today/t1-0.mp4").read_bytes() == CLIP


def test_one_that_stays_slow_is_an_error_that_a_retry_may_mend(save, world, dripping, saved):
    slow = dripping(head(10**6) + CLIP[:1000], b"x")
    world.succeeded = lambda one: Scripted(
        200, {"id": one, "status": "SUCCEEDED", "output": [f"http://127.0.0.1:{slow.port}/x?_jwt=secret"]}
    )
    with pytest.raises(RunwayTransferError, match=r"slower than 10240.*a retry reads it") as caught:
        save()
    assert "secret" not in str(caught.value)
    assert saved() == []


class FakeDeadline:
    expired = False

    def __init__(self):
        self.set_to = []

    def set(self, seconds):
        self.set_to.append(seconds)


def test_what_storage_takes_does_not_count(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(_least_speed.time, "monotonic", lambda: now[0])
    deadline = FakeDeadline()
    speed = _least_speed.LeastSpeed(deadline, 1000)
    for _ in range(3):
        speed.begin()
        now[0] += PATIENCE / 4
        speed.moved(10)
        now[0] += 3600
    speed.begin()
    left = [seconds for seconds in deadline.set_to if seconds < 1000]
    assert left == pytest.approx([PATIENCE, PATIENCE * 3 / 4, PATIENCE / 2, PATIENCE / 4])
    speed.moved(10_000)
    speed.begin()
    assert deadline.set_to[-1] == PATIENCE
