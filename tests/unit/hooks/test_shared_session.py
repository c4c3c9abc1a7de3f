from __future__ import annotations

import asyncio

import pytest
from unit.scripted import KEY, Scripted

from airflow_runway.core.protocol.connection import read_connection
from airflow_runway.core.protocol.exchanges import Call
from airflow_runway.hooks import _shared_session as shared_client_module
from airflow_runway.hooks import _transport
from airflow_runway.hooks._shared_session import shared_client

READ = Call("GET", "/v1/tasks/t1")


@pytest.fixture
def sessions(monkeypatch):
    """Every aiohttp session that was opened."""
    opened = []
    real = _transport.open_session

    def remember(*args):
        opened.append(real(*args))
        return opened[-1]

    monkeypatch.setattr(_transport, "open_session", remember)
    return opened


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


async def test_many_users_share_one_session_and_one_look_up(gateway_server, sessions):
    gateway_server.answers(Scripted(200, {}))
    look_up = LookUp(gateway_server.url)

    async def user():
        async with shared_client("studio", look_up) as client:
            return (await client.send(READ)).status

    assert await asyncio.gather(*(user() for _ in range(50))) == [200] * 50
    assert look_up.count == 1
    assert len(sessions) == 1
    assert sessions[0].closed


async def test_the_last_user_closes_it_and_the_next_opens_another(gateway_server, sessions):
    gateway_server.answers(Scripted(200, {}))
    look_up = LookUp(gateway_server.url)
    async with shared_client("studio", look_up) as first:
        await first.send(READ)
        async with shared_client("studio", look_up) as second:
            assert second is first
        assert not sessions[0].closed
    assert sessions[0].closed
    async with shared_client("studio", look_up) as third:
        await third.send(READ)
    assert len(sessions) == 2


async def test_connections_are_kept_apart(gateway_server, sessions):
    look_up = LookUp(gateway_server.url)
    async with shared_client("a", look_up) as one, shared_client("b", look_up) as other:
        assert one is not other


async def test_a_failed_look_up_is_tried_again_by_the_next_call(gateway_server):
    gateway_server.answers(Scripted(200, {}))
    look_up = LookUp(gateway_server.url, failures=1)
    async with shared_client("studio", look_up) as client:
        with pytest.raises(ConnectionError):
            await client.send(READ)
        assert (await client.send(READ)).status == 200


async def test_a_cancelled_user_does_not_take_the_others_look_up_with_it(gateway_server):
    gateway_server.answers(Scripted(200, {}))
    gate = asyncio.Event()
    look_up = LookUp(gateway_server.url, gate=gate)

    async def user():
        async with shared_client("studio", look_up) as client:
            return (await client.send(READ)).status

    first, second = asyncio.create_task(user()), asyncio.create_task(user())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    gate.set()
    assert await second == 200
    assert look_up.count == 1
    assert first.cancelled()


async def test_a_refused_key_is_looked_up_again_once_for_all(gateway_server, sessions):
    gateway_server.answers(Scripted(200, {}))
    look_up = LookUp(gateway_server.url)
    async with shared_client("studio", look_up) as client:
        outdated = await client.settings()
        for _ in range(50):
            client.renew(outdated)
        await asyncio.gather(*(client.send(READ) for _ in range(50)))
        client.renew(outdated)
        assert await client.settings() is not outdated
    assert look_up.count == 2
    assert len(sessions) == 2
    assert all(session.closed for session in sessions)


@pytest.fixture
def later():
    """Let the look-ups of a client be older than they are."""

    def age(client, seconds):
        client._current.fresh_until -= seconds

    return age


async def settled(client):
    """Wait for a look-up behind the users' backs."""
    while client._refreshing is not None:
        await asyncio.wait([client._refreshing])


async def test_an_old_look_up_is_repeated_behind_the_users_backs(gateway_server, sessions, later):
    gateway_server.answers(Scripted(200, {}))
    look_up = LookUp(gateway_server.url)
    async with shared_client("studio", look_up) as client:
        await client.send(READ)
        later(client, shared_client_module.LOOK_UP_LIFETIME - 5)
        await client.send(READ)
        assert look_up.count == 1
        later(client, 10)
        await asyncio.gather(*(client.send(READ) for _ in range(20)))
        await settled(client)
        assert look_up.count == 2
        await client.send(READ)
    assert look_up.count == 2
    assert len(sessions) == 1, "nothing has changed: the session stays"


async def test_an_old_look_up_that_cannot_be_repeated_goes_on_serving(gateway_server, later):
    gateway_server.answers(Scripted(200, {}))
    look_up = LookUp(gateway_server.url)
    async with shared_client("studio", look_up) as client:
        await client.send(READ)
        later(client, 10_000)
        look_up._failures = 100
        for _ in range(5):
            assert (await client.send(READ)).status == 200
            await settled(client)
        assert look_up.count == 2, "and it is not asked all the time"


async def test_a_connection_that_has_changed_gets_a_new_session_and_the_old_calls_their_answer(
    gateway_server, sessions, later
):
    gateway_server.answers(Scripted(200, {}))
    look_up = LookUp(gateway_server.url)
    async with shared_client("studio", look_up) as client:
        await client.send(READ)
        old = client._current
        old.calls += 1  # one of them is on its way
        later(client, 10_000)
        look_up._url = gateway_server.url + "/other"
        await client.send(READ)
        await settled(client)
        assert len(sessions) == 2
        assert not sessions[0].closed
        await client._send(old, READ)
        old.calls -= 1
        await client.send(READ)
        assert gateway_server.arrived[-1].path == "/other/v1/tasks/t1"
    assert all(session.closed for session in sessions)


async def test_a_session_out_of_use_is_closed_while_others_go_on(gateway_server, sessions):
    gateway_server.answers(Scripted(200, {}))
    async with shared_client("studio", LookUp(gateway_server.url)) as client:
        client.renew(await client.settings())
        await client.send(READ)
        await asyncio.gather(*client._closings)
        assert [session.closed for session in sessions] == [True, False]


async def test_leaving_while_it_opens_leaves_nothing_behind(gateway_server, sessions):
    gate = asyncio.Event()

    async def user():
        async with shared_client("studio", LookUp(gateway_server.url, gate=gate)) as client:
            await client.send(READ)

    only = asyncio.create_task(user())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    only.cancel()
    with pytest.raises(asyncio.CancelledError):
        await only
    gate.set()
    await asyncio.sleep(0)
    assert not sessions


def test_each_event_loop_has_its_own(gateway_server, sessions):
    gateway_server.answers(Scripted(200, {}))
    look_up = LookUp(gateway_server.url)

    async def user():
        async with shared_client("studio", look_up) as client:
            return (await client.send(READ)).status

    assert asyncio.run(user()) == asyncio.run(user()) == 200
    assert len(sessions) == 2
