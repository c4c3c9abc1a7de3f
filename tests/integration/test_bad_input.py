"""Bad input and bad answers: one clear sentence each, and the ledger tells what was charged."""

from __future__ import annotations

import json
import socket

import pytest
import tenacity
from integration.support import KEY

from airflow_runway.exceptions import (
    RunwayAmbiguousSubmissionError,
    RunwayAuthenticationError,
    RunwayConfigurationError,
    RunwayNotAcceptedError,
    RunwayRequestRefusedError,
)
from airflow_runway.operators.runway import RunwayImageToVideoOperator


class TaskInstance:
    def __init__(self):
        self.xcoms = {}

    def xcom_push(self, key, value):
        self.xcoms[key] = value


@pytest.fixture
def submit(emulator, monkeypatch, picture):
    """Run the real operator over a connection; returns the id, or raises."""

    def run(*, host=emulator.url, password=KEY, extra=None, **fields):
        extra = {"allow_insecure_http": True} if extra is None else extra
        connection = {"conn_type": "runway", "host": host, "password": password, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_RUNWAY_DEFAULT", json.dumps(connection))
        operator = RunwayImageToVideoOperator(
            **{
                "task_id": "submit",
                "model": "gen4_turbo",
                "prompt_image": emulator.put_media("a.jpg", picture),
                "ratio": "1280:720",
                "duration": 5,
                **fields,
            }
        )
        operator.hook.pause_between_tries = tenacity.wait_none()
        return operator.execute({"ti": TaskInstance()})

    return run


def charges(emulator):
    return len(emulator.ledger()["charges"])


def test_good_input_for_comparison(submit, emulator):
    assert submit() == emulator.ledger()["charges"][0]["runway_task_id"]


@pytest.mark.parametrize(
    ("bad", "error", "cause", "remedy"),
    [
        ({"password": ""}, RunwayConfigurationError, "no API key", "into its Password field"),
        ({"extra": {"gateway": "comet"}}, RunwayConfigurationError, "unknown gateway 'comet'", "use one of"),
        ({"extra": {}}, RunwayConfigurationError, "insecure Base URL http://", '"allow_insecure_http": true'),
        ({"duration": "five"}, RunwayConfigurationError, "not a whole number", "duration"),
        ({"prompt_image": "http://example.com/a.jpg"}, RunwayRequestRefusedError, "HTTP 400", "Correct"),
        ({"duration": 99, "seed": -1}, RunwayRequestRefusedError, "duration: ", "Correct the request"),
    ],
)
def test_what_is_refused_costs_nothing(submit, emulator, bad, error, cause, remedy):
    with pytest.raises(error) as caught:
        submit(**bad)
    assert cause in str(caught.value)
    assert remedy in str(caught.value)
    assert KEY not in str(caught.value)
    assert charges(emulator) == 0


def test_every_issue_is_shown_by_field(submit, emulator):
    with pytest.raises(RunwayRequestRefusedError) as caught:
        submit(duration=99, seed=-1)
    assert "duration: " in str(caught.value)
    assert "seed: " in str(caught.value)


def test_an_unreachable_host(submit, emulator):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(RunwayNotAcceptedError) as caught:
            submit(host=f"http://127.0.0.1:{unused.getsockname()[1]}")
    assert "could not be reached" in str(caught.value)
    assert "Check the connection's Base URL" in str(caught.value)
    assert charges(emulator) == 0


def test_a_refused_key(submit, emulator):
    emulator.add_fault(on="create", kind="status", status=401, body={"error": "Unauthorized"})
    with pytest.raises(RunwayAuthenticationError, match="valid API key"):
        submit()
    assert charges(emulator) == 0


@pytest.mark.parametrize("kind", ["html", "empty", "drop", "truncated"])
@pytest.mark.parametrize("accepted", [False, True], ids=["not accepted", "accepted"])
def test_an_answer_without_an_id_says_that_the_generation_may_exist(submit, emulator, kind, accepted):
    emulator.add_fault(on="create", kind=f"{kind}_after_accept" if accepted else kind)
    with pytest.raises(RunwayAmbiguousSubmissionError) as caught:
        submit()
    assert "may exist and may be charged" in str(caught.value)
    assert "request history" in str(caught.value)
    assert charges(emulator) == (1 if accepted else 0)
    creates = [request for request in emulator.requests() if request["method"] == "POST"]
    assert len(creates) == 1
