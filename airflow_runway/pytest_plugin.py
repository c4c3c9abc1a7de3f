"""A pytest fixture for authors of Dags: ``runway_emulator``, Runway on the laptop, and a connection to it.

.. code-block:: python

    def test_my_dag(runway_emulator):
        dag_run = my_dag.test()
        assert dag_run.state == "success"
        assert runway_emulator.ledger()["total_credits"] <= 50

The connection ``runway_default`` leads to the emulator while the test runs; nothing is billed and no key is
needed. ``@pytest.mark.runway_emulator(...)`` changes one test: ``speed`` (world seconds per second), ``gateway``
(``cometapi``, ``gptplus5``) and any setting of the emulator (``lenient``, ``seconds``, ``max_concurrent``, ...).

This module is loaded by every pytest run where the provider is installed: it imports nothing until a test asks
for the fixture. The emulator itself needs the extra ``emulator``.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_runway.emulator.process import EmulatorProcess

#: A generation of 30 world seconds takes 0.3 s.
DEFAULT_SPEED = 100.0
#: The key in the connection; the emulator takes any.
KEY = "key_emulator"
#: The environment variable in which Airflow looks for the connection ``runway_default``.
VARIABLE = "AIRFLOW_CONN_RUNWAY_DEFAULT"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the ini option ``runway_emulator_speed``."""
    parser.addini(
        "runway_emulator_speed",
        f"world seconds per second in the emulator of the fixture runway_emulator (default: {DEFAULT_SPEED:g})",
        default=str(DEFAULT_SPEED),
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declares the marker."""
    config.addinivalue_line(
        "markers",
        "runway_emulator(speed=..., gateway=..., **settings): how the emulator of this test behaves "
        "(lenient, seconds, max_concurrent, cometapi_reads, ...)",
    )


@pytest.fixture(scope="session")
def _runway_emulators() -> Iterator[Callable[[float], EmulatorProcess]]:
    """Emulators by speed, started when first asked for."""
    from airflow_runway.emulator.process import emulator_process

    with contextlib.ExitStack() as stack:
        running: dict[float, EmulatorProcess] = {}

        def at(speed: float) -> EmulatorProcess:
            if speed not in running:
                running[speed] = stack.enter_context(emulator_process(speed=speed))
            return running[speed]

        yield at


@pytest.fixture
def runway_emulator(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    _runway_emulators: Callable[[float], EmulatorProcess],
) -> EmulatorProcess:
    """An empty emulator, and the connection ``runway_default`` that leads to it.

    :returns: its handle: ``url``, ``ledger()``, ``tasks()``, ``requests()``, ``callbacks()``,
        ``put_media()``, ``settings()``, ``add_fault()``.
    """
    options = _options(request.node)
    speed = float(options.pop("speed", request.config.getini("runway_emulator_speed")))
    gateway = options.pop("gateway", "runway")
    emulator = _runway_emulators(speed)
    emulator.reset()
    if gateway == "gptplus5":
        options.setdefault("runwayml_gateway", "gptplus5")
    if options:
        emulator.settings(**options)
    monkeypatch.setenv(VARIABLE, json.dumps(connection(emulator.url, gateway)))
    return emulator


def connection(url: str, gateway: str = "runway") -> dict[str, Any]:
    """An Airflow connection to an emulator, as its JSON form has it.

    :param url: where the emulator listens.
    :param gateway: whom it is to stand for.
    """
    extra = {"gateway": gateway, "allow_insecure_http": True}
    return {"conn_type": "runway", "host": url, "password": KEY, "extra": extra}


def _options(node: Any) -> dict[str, Any]:
    """What the markers of a test say; the nearest one wins."""
    options: dict[str, Any] = {}
    for marker in node.iter_markers("runway_emulator"):
        options = {**marker.kwargs, **options}
    return options
