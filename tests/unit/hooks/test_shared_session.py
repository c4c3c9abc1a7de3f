from __future__ import annotations

import asyncio

import pytest
from unit.scripted import KEY, Scripted

from airflow_runway.core.protocol.calls import Call
from airflow_runway.core.protocol.connection import read_connection
from airflow_runway.core.protocol.responses import Response
from airflow_runway.hooks import _shared_session, _transport
from airflow_runway.hooks._shared_session import shared_session

READ = Call("GET", "/v1/tasks/t1")


@pytest.fixture
def opened(monkeypatch):
    """Every aiohttp session that was opened."""
    found = []
    real = _transport.open_session

    def remember(*args):
        found.append(real(*args))
        return found[-1]

    monkeypatch.setattr(_transport, "open_session", remember)
    return found


@pytest.fixture
def answered_at_once(monkeypatch):
    """Every call is answered without a network; which settings it went out with is kept."""
    used = []

    async def asend(session, settings, call):
        used.append(settings)
        await asyncio.sleep(0)
        return Response(200, {}, b"{}")

    monkeypatch.setattr(_transport, "asend", asend)
    return used


class LookUp:
    """Counts look-ups of the connection."""

    def __init__(self, url, *, failures=0, gate=None):
        self.count = 0
        self._url, self._failures, self._gate = url, failures, gate

    async def __call__(self):
        self.count += 1
        if self._gate:
            await self._gate.wait()
        if self.count <= self._failures:
            raise ConnectionError("the metadata database is away")
        return read_connection("studio", host=self._url, password=KEY, extra={"allow_insecure_http": True})


async def test_many_users_share_one_session_and_one_look_up(gateway_server, opened):
    gateway_server.answers(Scripted(200, {}))
    look_up = LookUp(gateway_server.url)

    async def user():
        async with shared_session("studio", look_up) as session:
            return (await session.send(READ)).status

    assert await asyncio.gather(*(user() for _ in range(50))) == [200] * 50
    assert look_up.count == 1
    assert len(opened) == 1
    assert opened[0].closed


async def test_the_last_user_closes_it_and_the_next_opens_another(gateway_server, opened):
    gateway_server.answers(Scripted(200, {}))
    look_up = LookUp(gateway_server.url)
    async with shared_session("studio", look_up) as first:
        await first.send(READ)
        async with shared_session("studio", look_up) as second:
            assert second is first
        assert not opened[0].closed
    assert opened[0].closed
    async with shared_session("studio", look_up) as third:
        await third.send(READ)
    assert len(opened) == 2


async def test_connections_are_kept_apart(gateway_server, opened):
    look_up = LookUp(gateway_server.url)
    async with shared_session("a", look_up) as one, shared_session("b", look_up) as other:
        assert one is not other


async def test_a_failed_look_up_is_tried_again_by_the_next_call(gateway_server):
    gateway_server.answers(Scripted(200, {}))
    look_up = LookUp(gateway_server.url, failures=1)
    async with shared_session("studio", look_up) as session:
        with pytest.raises(ConnectionError):
            await session.send(READ)
        assert (await session.send(READ)).status == 200


async def test_a_cancelled_user_does_not_take_the_others_look_up_with_it(gateway_server):
    gateway_server.answers(Scripted(200, {}))
    gate = asyncio.Event()
    look_up = LookUp(gateway_server.url, gate=gate)

    async def user():
        async with shared_session("studio", look_up) as session:
            return (await session.send(READ)).status

    first, second = asyncio.create_task(user()), asyncio.create_task(user())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    gate.set()
    assert await second == 200
    assert look_up.count == 1
    assert first.cancelled()


async def test_a_refused_key_is_looked_up_again_once_for_all(opened, answered_at_once):
    look_up = LookUp("http://127.0.0.1:9")
    async with shared_session("studio", look_up) as session:
        outdated = await session.settings()
        for _ in range(50):
            session.renew(outdated)
        await asyncio.gather(*(session.send(READ) for _ in range(50)))
        session.renew(outdated)
        assert await session.settings() is not outdated
        assert len(answered_at_once) == 50
        assert all(settings is not outdated for settings in answered_at_once)
    assert look_up.count == 2
    assert len(opened) == 2
    assert all(one.closed for one in opened)


@pytest.fixture
def later():
    """Let the look-ups of a session be older than they are."""

    def age(session, seconds):
        session._current.fresh_until -= seconds

    return age


async def settled(session):
    """Wait for a look-up behind the users' backs."""
    while session._refreshing is not None:
        await asyncio.wait([session._refreshing])


async def test_an_old_look_up_is_repeated_behind_the_users_backs(gateway_server, opened, later):
    gateway_server.answers(Scripted(200, {}))
    look_up = LookUp(gateway_server.url)
    async with shared_session("studio", look_up) as session:
        await session.send(READ)
        later(session, _shared_session.LOOK_UP_LIFETIME - 5)
        await session.send(READ)
        assert look_up.count == 1
        later(session, 10)
        await asyncio.gather(*(session.send(READ) for _ in range(20)))
        await settled(session)
        assert look_up.count == 2
        await session.send(READ)
    assert look_up.count == 2
    assert len(opened) == 1, "nothing has changed: the session stays"


async def test_an_old_look_up_that_cannot_be_repeated_goes_on_serving(gateway_server, later):
    gateway_server.answers(Scripted(200, {}))
    look_up = LookUp(gateway_server.url)
    async with shared_session("studio", look_up) as session:
        await session.send(READ)
        later(session, 10_000)
        look_up._failures = 100
        for _ in range(5):
            assert (await session.send(READ)).status == 200
            await settled(session)
        assert look_up.count == 2, "and it is not asked all the time"


async def test_a_connection_that_has_changed_gets_a_new_session_and_the_old_calls_their_answer(
    gateway_server, opened, later
):
    gateway_server.answers(Scripted(200, {}))
    look_up = LookUp(gateway_server.url)
    async with shared_session("studio", look_up) as session:
        await session.send(READ)
        old = session._current
        old.calls += 1  # one of them is on its way
        later(session, 10_000)
        look_up._url = gateway_server.url + "/other"
        await session.send(READ)
        await settled(session)
        assert len(opened) == 2
        assert not opened[0].closed
        await session._send(old, READ)
        old.calls -= 1
        await session.send(READ)
        assert gateway_server.arrived[-1].path == "/other/v1/tasks/t1"
    assert all(one.closed for one in opened)


async def test_a_session_out_of_use_is_closed_while_others_go_on(gateway_server, opened):
    gateway_server.answers(Scripted(200, {}))
    async with shared_session("studio", LookUp(gateway_server.url)) as session:
        session.renew(await session.settings())
        await session.send(READ)
        await asyncio.gather(*session._closings)
        assert [one.closed for one in opened] == [True, False]


async def test_leaving_while_it_opens_leaves_nothing_behind(gateway_server, opened):
    gate = asyncio.Event()

    async def user():
        async with shared_session("studio", LookUp(gateway_server.url, gate=gate)) as session:
            await session.send(READ)

    only = asyncio.create_task(user())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    only.cancel()
    with pytest.raises(asyncio.CancelledError):
        await only
    gate.set()
    await asyncio.sleep(0)
    assert not opened


def test_each_event_loop_has_its_own(gateway_server, opened):
    gateway_server.answers(Scripted(200, {}))
    look_up = LookUp(gateway_server.url)

    async def user():
        async with shared_session("studio", look_up) as session:
            return (await session.send(READ)).status

    assert asyncio.run(user()) == asyncio.run(user()) == 200
    assert len(opened) == 2
