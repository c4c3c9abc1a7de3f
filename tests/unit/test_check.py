"""``airflow-runway check``: what it prints, and its exit code."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest
from unit.scripted import KEY, Scripted

from airflow_runway.cli import main
from airflow_runway.emulator.process import emulator_process

ACCOUNT = {
    "creditBalance": 12,
    "tier": {
        "maxMonthlyCreditSpend": 5_000,
        "models": {
            "free": {"maxConcurrentGenerations": None, "maxDailyGenerations": None},
            "gen4_turbo": {"maxConcurrentGenerations": 2, "maxDailyGenerations": 500},
            "used": {"maxConcurrentGenerations": None, "maxDailyGenerations": None},
        },
    },
    "usage": {"models": {"gen4_turbo": {"dailyGenerations": 7}, "used": {"dailyGenerations": 3}}},
}


@pytest.fixture
def check(capsys):
    """Exit code, standard output and standard error."""

    def run(*words):
        code = main(["check", *words])
        said = capsys.readouterr()
        assert KEY not in said.out + said.err
        return code, said.out, said.err

    return run


class TestAccepted:
    def test_gateway_address_balance_and_limits(self, connected, check):
        connected.answers(Scripted(200, ACCOUNT))
        code, out, err = check()
        assert (code, err) == (0, "")
        assert out.splitlines() == [
            "runway_default: Runway accepts the key.",
            "  gateway   Runway (runway)",
            f"  Base URL  {connected.url}",
            "  account   Balance: 12 credits.",
            "  account   Most per month: 5000 credits.",
            "  account   gen4_turbo: 2 at once, 7 of 500 made today.",
            "  account   used: 3 made today.",
            "  warning   The Base URL is http://: the API key travels readably.",
        ]

    def test_it_only_reads(self, connected, check):
        connected.answers(Scripted(200, ACCOUNT))
        check()
        assert [(one.method, one.path) for one in connected.arrived] == [("GET", "/v1/organization")]

    def test_a_gateway_without_accounts(self, gateway_server, set_connection, check):
        set_connection(gateway_server.url, conn_id="comet", gateway="cometapi", allow_insecure_http=True)
        gateway_server.answers(Scripted(400, {"code": "task_not_exist", "data": None}))
        code, out, _ = check("comet")
        assert code == 0
        assert "shows no balance" in out
        assert "The key begins with 'key_', as those of Runway do" in out

    def test_what_is_long_is_folded(self, gateway_server, set_connection, check):
        set_connection(
            gateway_server.url, allow_insecure_http=True, **{f"key_number_{n}": 1 for n in range(20)}
        )
        gateway_server.answers(Scripted(200, ACCOUNT))
        _, out, _ = check()
        assert max(map(len, out.splitlines())) <= 88

    def test_of_the_base_url_only_the_origin_is_shown(self, gateway_server, set_connection, check):
        set_connection(f"{gateway_server.url}/tenant-secret", allow_insecure_http=True)
        gateway_server.answers(Scripted(200, ACCOUNT))
        _, out, _ = check()
        assert "tenant-secret" not in out
        assert f"{gateway_server.url}\n" in out


class TestRefusedOrUnreachable:
    def test_a_refused_key(self, gateway_server, set_connection, check):
        set_connection(gateway_server.url, password="sk-0123456789", allow_insecure_http=True)
        gateway_server.answers(Scripted(401, {"error": "Unauthorized"}))
        code, out, err = check()
        assert code == 1
        assert err.startswith("airflow-runway check: runway_default: refused. Runway ")
        assert "401" in err
        assert "Keys of Runway begin with 'key_', this one does not" in out
        assert "sk-0123456789" not in out + err

    def test_nobody_there(self, set_connection, check):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1]
        set_connection(f"http://127.0.0.1:{port}", allow_insecure_http=True)
        code, out, err = check()
        assert code == 1
        assert err.startswith("airflow-runway check: runway_default: no answer. ")
        assert f"http://127.0.0.1:{port}" in out

    @pytest.mark.parametrize(
        "answer", [Scripted(500), Scripted(200, b"<html>"), Scripted(302), Scripted(drop=True)]
    )
    def test_no_sense(self, connected, check, answer):
        connected.answers(answer)
        assert check()[0] == 1


class TestNotAsked:
    def test_an_unknown_connection(self, check):
        code, out, err = check("nowhere")
        assert (code, out) == (2, "")
        assert err.startswith("airflow-runway check: nowhere: not checked. ")
        assert "AIRFLOW_CONN_NOWHERE" in err

    def test_a_database_that_does_not_answer_is_no_empty_one(self, check):
        # The Airflow home of the tests has no database.
        assert "metadata database could not be asked" in " ".join(check("nowhere")[2].split())

    def test_a_variable_that_airflow_cannot_read(self, monkeypatch, check):
        monkeypatch.setenv("AIRFLOW_CONN_BROKEN", '{"conn_type": "runway", "password": "hush"')
        code, _, err = check("broken")
        assert code == 2
        assert "AIRFLOW_CONN_BROKEN is set in the" in err
        assert "hush" not in err

    def test_a_connection_without_a_key(self, set_connection, check):
        set_connection(password="")
        code, _, err = check()
        assert code == 2
        assert "has no API key" in " ".join(err.split())

    def test_the_password_of_another_service_is_sent_to_nobody(self, connected, monkeypatch, check):
        connected.answers(Scripted(200, ACCOUNT))
        monkeypatch.setenv(
            "AIRFLOW_CONN_AWS_DEFAULT",
            json.dumps(
                {
                    "conn_type": "aws",
                    "host": connected.url,
                    "password": "hush",
                    "extra": {"allow_insecure_http": 1},
                }
            ),
        )
        code, _, err = check("aws_default")
        assert code == 2
        assert "of type 'aws', not 'runway'" in err
        assert connected.arrived == []

    def test_too_many_words(self, capsys):
        with pytest.raises(SystemExit) as caught:
            main(["check", "one", "two"])
        assert caught.value.code == 2


def test_it_leaves_the_process_as_it_found_it(connected, check):
    connected.answers(Scripted(200, ACCOUNT))
    before = dict(os.environ)
    check()
    check("nowhere")
    assert dict(os.environ) == before


IN_THE_DATABASE = """
import sys
from airflow import settings
from airflow.models.connection import Connection
from airflow.utils.session import create_session
import airflow.models.team
Connection.metadata.create_all(settings.engine, [Connection.metadata.tables["team"], Connection.__table__])
with create_session() as session:
    session.add(Connection(conn_id="stored", conn_type="runway", host=sys.argv[1], password=sys.argv[2],
                           extra='{"allow_insecure_http": true, "old_key": 1}'))
"""


@pytest.fixture(scope="module")
def emulator():
    with emulator_process(api_keys=[KEY]) as emulator:
        yield emulator


@pytest.mark.slow
class TestTheRealCommand:
    @pytest.fixture
    def run(self, tmp_path):
        def run(*words, **variables):
            environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path), **variables}
            return subprocess.run([sys.executable, *words], capture_output=True, text=True, env=environment)

        return run

    def test_a_connection_of_the_metadata_database(self, emulator, run):
        assert run("-c", IN_THE_DATABASE, emulator.url, KEY).returncode == 0
        done = run("-m", "airflow_runway.cli", "check", "stored")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[:4] == [
            "stored: Runway accepts the key.",
            "  gateway   Runway (runway)",
            f"  Base URL  {emulator.url}",
            "  account   Balance: 10000 credits.",
        ]
        assert "  warning   Extra keys that mean nothing here are ignored: old_key." in done.stdout
        missing = run("-m", "airflow_runway.cli", "check", "nowhere")
        assert missing.returncode == 2
        assert "There is no such connection" in missing.stderr
        assert len(missing.stderr.splitlines()) < 7

    def test_a_key_that_the_emulator_does_not_know(self, emulator, run):
        extra = {"allow_insecure_http": True}
        wrong = {
            "conn_type": "runway",
            "host": emulator.url,
            "password": "key_wrong_0123456789",
            "extra": extra,
        }
        done = run("-m", "airflow_runway.cli", "check", AIRFLOW_CONN_RUNWAY_DEFAULT=json.dumps(wrong))
        assert done.returncode == 1
        assert done.stderr.startswith("airflow-runway check: runway_default: refused.")
        assert emulator.ledger()["total_credits"] == 0
