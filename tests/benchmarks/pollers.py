"""One way to wait for many tasks, as a process of its own, which measures its own CPU.

``python -m tests.benchmarks.pollers WAY COUNT URL CERTIFICATE SECONDS`` prints CPU seconds and reads,
from when there has been a read per task on.
Everybody waits 8 to 12 seconds between two reads of a task. Time runs faster than that, by as much as a way can
bear without falling behind: a client that is late all the time is measured in its worst condition.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import ssl
import sys
import time
import urllib.request
from collections.abc import Callable, Coroutine

#: How fast time runs.
HURRIES = {"limit": 4.0, "ours": 4.0, "session per poll": 1.5, "SDK": 2.0}
HURRY = HURRIES[sys.argv[1]] if len(sys.argv) > 1 and sys.argv[1] in HURRIES else 1.0
KEY = "key_0123456789abcdef0123456789abcdef"
HEADERS = {"Authorization": f"Bearer {KEY}", "X-Runway-Version": "2024-11-06", "Accept": "application/json"}

Look = Callable[[str], Coroutine[None, None, object]]


async def _rounds(runway_task_id: str, look: Look) -> None:
    """What a straightforward trigger does."""
    await asyncio.sleep(random.uniform(5, 15) / HURRY)
    while True:
        await look(runway_task_id)
        await asyncio.sleep(random.uniform(8, 12) / HURRY)


def _tls(certificate: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate)


async def limit(ids: list[str], url: str, certificate: str) -> None:
    """Bare aiohttp, one session: nobody polls cheaper in Python."""
    import aiohttp

    connector = aiohttp.TCPConnector(limit=100, ssl=_tls(certificate))
    async with aiohttp.ClientSession(connector=connector, headers=HEADERS) as session:

        async def look(runway_task_id: str) -> object:
            async with session.get(f"{url}/v1/tasks/{runway_task_id}") as answer:
                return await answer.json()

        await asyncio.gather(*(_rounds(runway_task_id, look) for runway_task_id in ids))


async def session_per_poll(ids: list[str], url: str, certificate: str) -> None:
    """As the HTTP provider's async hook does it."""
    import aiohttp

    tls = _tls(certificate)

    async def look(runway_task_id: str) -> object:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{url}/v1/tasks/{runway_task_id}", headers=HEADERS, ssl=tls) as answer,
        ):
            return await answer.json()

    await asyncio.gather(*(_rounds(runway_task_id, look) for runway_task_id in ids))


async def sdk(ids: list[str], url: str, certificate: str) -> None:
    """The official SDK, one client for all."""
    import httpx
    from runwayml import AsyncRunwayML

    http = httpx.AsyncClient(verify=_tls(certificate), trust_env=False)
    async with AsyncRunwayML(base_url=url, api_key=KEY, http_client=http, max_retries=0) as client:

        async def look(runway_task_id: str) -> object:
            return await client.tasks.retrieve(runway_task_id)

        await asyncio.gather(*(_rounds(runway_task_id, look) for runway_task_id in ids))


async def ours(ids: list[str], url: str, certificate: str) -> None:
    """The very triggers that a triggerer runs."""
    from airflow_runway.triggers._poll_hub import Clock
    from airflow_runway.triggers.runway import RunwayTaskTrigger

    class Hurried(Clock):
        def now(self):
            return super().now() * HURRY

        def call_at(self, when, callback):
            return super().call_at(when / HURRY, callback)

        async def sleep(self, seconds):
            await super().sleep(seconds / HURRY)

    extra = {"verify": certificate, "allow_insecure_http": True}
    fields = {"conn_type": "runway", "host": url, "password": KEY, "extra": extra}
    os.environ["AIRFLOW_CONN_RUNWAY_DEFAULT"] = json.dumps(fields)

    async def wait(runway_task_id: str) -> None:
        trigger = RunwayTaskTrigger(runway_task_id, deadline=time.time() + 1e6)
        trigger._clock = Hurried()
        async for _ in trigger.run():
            pass

    await asyncio.gather(*(wait(runway_task_id) for runway_task_id in ids))


WAYS = {"limit": limit, "ours": ours, "session per poll": session_per_poll, "SDK": sdk}


async def _measured(way: str, count: int, url: str, certificate: str, seconds: float) -> None:
    ids = [f"17f20503-6c24-4c16-946b-{number:012d}" for number in range(count)]
    polling = asyncio.create_task(WAYS[way](ids, url, certificate))
    began = _reads(url, certificate)
    while not polling.done() and _reads(url, certificate) - began < count:
        await asyncio.wait([polling], timeout=1.0)
    reads, cpu = _reads(url, certificate), time.process_time()
    await asyncio.wait([polling], timeout=seconds)
    cpu = time.process_time() - cpu
    reads = _reads(url, certificate) - reads
    if polling.done():
        polling.result()
        raise RuntimeError(f"{way} ended by itself")
    print(json.dumps([cpu, reads]), flush=True)
    # Thousands of waits need not be taken down one by one.
    os._exit(0)


def _reads(url: str, certificate: str) -> int:
    handlers = [urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=_tls(certificate))]
    with urllib.request.build_opener(*handlers).open(f"{url}/count", timeout=30) as answer:
        return json.load(answer)[0]


if __name__ == "__main__":
    way, count, url, certificate, seconds = sys.argv[1:]
    asyncio.run(_measured(way, int(count), url, certificate, float(seconds)))
