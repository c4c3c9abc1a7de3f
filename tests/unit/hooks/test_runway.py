from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
import tenacity
from unit.scripted import KEY, Scripted

from airflow_runway.core.journal.accounts import AccountInUse
from airflow_runway.exceptions import (
    RunwayAmbiguousSubmissionError,
    RunwayAuthenticationError,
    RunwayConfigurationError,
    RunwayNotAcceptedError,
    RunwayReadError,
    RunwayReadRefusedError,
    RunwayRequestRefusedError,
)
from airflow_runway.hooks.runway import RunwayHook
from airflow_runway.models import CancelOutcome, Submission, TaskStatus

PAYLOAD = {"model": "gen4_turbo", "promptImage": "https://example.com/a.jpg", "ratio": "1280:720"}


class Twin:
    """The hook's sync face, or its async one under the same names."""

    def __init__(self, mode):
        self.hook = RunwayHook()
        self.hook.pause_between_tries = tenacity.wait_none()
        self._mode = mode

    def __getattr__(self, name):
        if self._mode == "sync":
            return getattr(self.hook, name)
        return lambda *args: asyncio.run(getattr(self.hook, f"a{name}")(*args))


@pytest.fixture(params=["sync", "async"])
def twin(request, connected):
    return Twin(request.param)


class TestSubmit:
    def test_the_id_and_the_estimate_come_back(self, twin, connected):
        connected.answers(Scripted(200, {"id": "t1", "estimatedCost": {"credits": 25}}))
        assert twin.submit("image_to_video", PAYLOAD) == Submission("t1", "image_to_video", 25)
        (arrived,) = connected.arrived
        assert arrived.body == PAYLOAD
        assert arrived.headers["x-runway-version"] == "2024-11-06"

    @pytest.mark.parametrize(
        ("scripted", "error"),
        [
            (Scripted(400, {"error": "Validation of body failed"}), RunwayRequestRefusedError),
            (Scripted(401, {"error": "Unauthorized"}), RunwayAuthenticationError),
            (Scripted(429, {"error": "daily limit"}), RunwayNotAcceptedError),
            (Scripted(429, {"error": "limit"}, {"Retry-After": "3600"}), RunwayNotAcceptedError),
            (Scripted(200, {}), RunwayAmbiguousSubmissionError),
            (Scripted(502, b"<html>"), RunwayAmbiguousSubmissionError),
            (Scripted(307, {}, {"Location": "/elsewhere"}), RunwayRequestRefusedError),
            (Scripted(drop=True), RunwayAmbiguousSubmissionError),
        ],
    )
    def test_it_is_sent_once(self, twin, connected, scripted, error):
        connected.answers(scripted)
        with pytest.raises(error) as caught:
            twin.submit("image_to_video", PAYLOAD)
        assert len(connected.arrived) == 1
        assert KEY not in str(caught.value)

    def test_no_connection_is_tried_three_times(self, twin, set_connection):
        set_connection("http://127.0.0.1:9", allow_insecure_http=True)
        with pytest.raises(RunwayNotAcceptedError, match="could not be reached"):
            twin.submit("image_to_video", PAYLOAD)


def test_a_short_retry_after_is_waited_for_in_the_worker(connected, monkeypatch):
    naps = []
    monkeypatch.setattr("tenacity.nap.time.sleep", naps.append)
    connected.answers(Scripted(429, {"error": "busy"}, {"Retry-After": "2"}), Scripted(200, {"id": "t1"}))
    hook = RunwayHook()
    hook.pause_between_tries = tenacity.wait_none()
    assert hook.submit("image_to_video", PAYLOAD).runway_task_id == "t1"
    assert naps == [2]
    assert len(connected.arrived) == 2


class TestReadAndCancel:
    def test_get_task(self, twin, connected):
        connected.answers(Scripted(200, {"id": "t1", "status": "RUNNING", "progress": 0.2}))
        task = twin.get_task("t1")
        assert (task.status, task.progress) == (TaskStatus.RUNNING, 0.2)
        assert connected.arrived[0].path == "/v1/tasks/t1"

    def test_get_task_tries_once_unless_asked(self, twin, connected):
        connected.answers(Scripted(503, {"error": "busy"}))
        with pytest.raises(RunwayReadError):
            twin.get_task("t1")
        assert len(connected.arrived) == 1

    def test_cancel_reads_first(self, twin, connected):
        connected.answers(Scripted(200, {"id": "t1", "status": "RUNNING"}), Scripted(204))
        assert twin.cancel_task("t1") is CancelOutcome.CANCELLED
        assert [arrived.method for arrived in connected.arrived] == ["GET", "DELETE"]

    def test_cancel_leaves_a_result_alone(self, twin, connected):
        connected.answers(Scripted(200, {"id": "t1", "status": "SUCCEEDED", "output": ["https://e/x.mp4"]}))
        assert twin.cancel_task("t1") is CancelOutcome.ALREADY_FINISHED
        assert len(connected.arrived) == 1


def test_several_attempts_at_reading(connected):
    connected.answers(Scripted(503, {}), Scripted(200, {"id": "t1", "status": "PENDING"}))
    hook = RunwayHook()
    hook.pause_between_tries = tenacity.wait_none()
    assert hook.get_task("t1", attempts=2).status is TaskStatus.PENDING


def test_several_attempts_do_not_repeat_a_refusal(connected):
    connected.answers(Scripted(401, {"error": "Unauthorized"}))
    with pytest.raises(RunwayReadRefusedError):
        RunwayHook().get_task("t1", attempts=5)
    assert len(connected.arrived) == 1


class TestConnection:
    def test_a_good_one(self, connected):
        connected.answers(Scripted(200, {"creditBalance": 12}))
        assert RunwayHook().test_connection() == (True, "Runway accepts the key. Balance: 12 credits.")

    def test_a_bad_key(self, connected):
        connected.answers(Scripted(401, {"error": f"Unauthorized {KEY}"}))
        good, said = RunwayHook().test_connection()
        assert not good
        assert "valid API key" in said
        assert KEY not in said

    def test_a_key_of_somebody_else(self, connected, set_connection):
        set_connection(connected.url, password="sk-0123456789abcdef", allow_insecure_http=True)
        connected.answers(Scripted(401, {"error": "Unauthorized"}))
        good, said = RunwayHook().test_connection()
        assert not good
        assert "begin with 'key_', this one does not" in said
        assert "sk-0123" not in said

    def test_a_missing_key(self, set_connection):
        set_connection(password="")
        good, said = RunwayHook().test_connection()
        assert not good
        assert "no API key" in said

    def test_another_gateway(self, gateway_server, set_connection):
        set_connection(gateway_server.url, allow_insecure_http=True, gateway="cometapi")
        gateway_server.answers(Scripted(400, {"code": "task_not_exist", "message": "x", "data": None}))
        good, said = RunwayHook().test_connection()
        assert (good, said.split(".")[0]) == (True, "CometAPI accepts the key")
        assert gateway_server.arrived[0].path.startswith("/runwayml/v1/tasks/")

    def test_extras_never_become_headers(self, gateway_server, set_connection, capsys):
        set_connection(
            gateway_server.url, allow_insecure_http=True, **{"X-Evil": "1", "check_response": False}
        )
        gateway_server.answers(Scripted(200, {"id": "t1"}))
        RunwayHook().submit("image_to_video", PAYLOAD)
        assert "x-evil" not in gateway_server.arrived[0].headers
        assert "X-Evil, check_response" in capsys.readouterr().out

    def test_the_environment_can_be_a_uri(self, gateway_server, monkeypatch):
        host = gateway_server.url.removeprefix("http://")
        monkeypatch.setenv("AIRFLOW_CONN_STUDIO", f"runway://:{KEY}@{host}/http?allow_insecure_http=true")
        gateway_server.answers(Scripted(200, {"id": "t1"}))
        assert RunwayHook("studio").submit("image_to_video", PAYLOAD).runway_task_id == "t1"
        assert gateway_server.arrived[0].headers["authorization"] == f"Bearer {KEY}"

    def test_http_needs_to_be_allowed(self, twin, gateway_server, set_connection):
        set_connection(gateway_server.url)
        with pytest.raises(RunwayConfigurationError, match="allow_insecure_http"):
            twin.submit("image_to_video", PAYLOAD)
        assert not gateway_server.arrived

    def test_where_a_person_looks(self, connected, set_connection):
        assert RunwayHook().task_url("t1") == f"{connected.url}/v1/tasks/t1"
        set_connection()
        assert RunwayHook().task_url("t1") == "https://dev.runwayml.com/"


class TestWithoutARequest:
    @pytest.fixture
    def hook(self, connected):
        yield RunwayHook()
        assert not connected.arrived

    def test_a_route_that_the_gateway_has(self, hook):
        hook.check_route("image_to_video")

    def test_a_route_that_it_has_not(self, hook):
        with pytest.raises(RunwayConfigurationError, match=r"no route 'nothing'; it has: .*image_to_video"):
            hook.check_route("nothing")

    def test_a_fingerprint_names_gateway_connection_route_and_payload(self, hook, connected, set_connection):
        same = hook.fingerprint("image_to_video", PAYLOAD)
        assert hook.fingerprint("image_to_video", dict(reversed(PAYLOAD.items()))) == same
        assert hook.fingerprint("text_to_video", PAYLOAD) != same
        assert hook.fingerprint("image_to_video", {**PAYLOAD, "ratio": "720:1280"}) != same
        set_connection(connected.url, conn_id="other", allow_insecure_http=True)
        assert RunwayHook("other").fingerprint("image_to_video", PAYLOAD) != same
        set_connection(connected.url, allow_insecure_http=True, gateway="cometapi")
        assert RunwayHook().fingerprint("image_to_video", PAYLOAD) != same

    def test_the_connection_is_looked_up_once(self, hook, set_connection):
        settings = hook.settings
        set_connection(password="key_another_0123456789")
        assert hook.settings is settings

    @pytest.mark.parametrize(("asked", "granted"), [(3.0, 3.0), (600.0, 60.0)])
    def test_a_detached_hook_has_the_same_connection_and_less_patience(
        self, hook, set_connection, asked, granted
    ):
        assert hook.settings.timeout == 60.0
        set_connection(password="")  # not looked up again
        other = hook.detached(asked)
        assert type(other) is RunwayHook
        assert other.settings == replace(hook.settings, timeout=granted)
        assert hook.settings.timeout == 60.0


def test_after_a_refused_key_the_next_call_reads_the_connection_anew(connected, set_connection):
    connected.answers(
        Scripted(401, {"error": "Unauthorized"}), Scripted(200, {"id": "t1", "status": "PENDING"})
    )
    hook = RunwayHook()
    with pytest.raises(RunwayReadRefusedError) as caught:
        hook.get_task("t1")
    assert caught.value.key_refused
    set_connection(connected.url, password="key_new_0123456789", allow_insecure_http=True)
    assert hook.get_task("t1").status is TaskStatus.PENDING
    keys = [arrived.headers["authorization"] for arrived in connected.arrived]
    assert keys == [f"Bearer {KEY}", "Bearer key_new_0123456789"]


def test_after_any_other_refusal_it_is_not(connected):
    connected.answers(Scripted(400, {"error": "no"}))
    hook = RunwayHook()
    settings = hook.settings
    with pytest.raises(RunwayReadRefusedError):
        hook.get_task("t1")
    assert hook.settings is settings


class TestAccount:
    def test_it_is_origin_and_key_of_the_connection(self, set_connection):
        set_connection("https://relay.example:8443/runwayml", password=KEY)
        account = RunwayHook().account
        assert account.origin == "https://relay.example:8443"
        assert account == AccountInUse("https://relay.example:8443/runwayml", KEY)
        assert KEY not in repr(account)


class TestAccountFigures:
    def test_balance_and_todays_count(self, connected):
        connected.answers(
            Scripted(200, {"creditBalance": 12, "usage": {"models": {"m": {"dailyGenerations": 3}}}})
        )
        assert RunwayHook().account_figures("m") == {"credits": 12.0, "today": 3.0}

    @pytest.mark.parametrize(
        ("scripted", "figures"),
        [
            (Scripted(200, {"creditBalance": 12, "usage": []}), {"credits": 12.0}),
            (Scripted(200, {"creditBalance": "12", "usage": {"models": {"m": None}}}), {}),
            (Scripted(503, {}), {}),
            (Scripted(401, {"error": "Unauthorized"}), {}),
            (Scripted(drop=True), {}),
        ],
    )
    def test_what_is_not_told_is_left_out_and_trouble_is_no_error(self, connected, scripted, figures):
        connected.answers(scripted)
        assert RunwayHook().account_figures("m") == figures

    def test_a_gateway_without_an_account_is_not_asked(self, gateway_server, set_connection):
        set_connection(gateway_server.url, allow_insecure_http=True, gateway="cometapi")
        assert RunwayHook().account_figures("m") == {}
        assert not gateway_server.arrived
