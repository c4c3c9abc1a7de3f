"""``airflow-runway costs`` over journals and manifests on a file system and on an S3 server."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from airflow_runway.cli import main
from airflow_runway.core.journal.accounts import Account
from airflow_runway.core.journal.history import History
from airflow_runway.core.journal.record import Phase, Record
from airflow_runway.core.models import RunwayTask, TaskStatus
from airflow_runway.core.owner import Owner
from airflow_runway.core.saving.manifest import manifest_of
from airflow_runway.stores import folder as folder_module
from airflow_runway.stores.history import InFolder

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
DAY = 86_400.0
INTENT = Record(
    Phase.INTENT, "request", "runway", "image_to_video", sent_at=NOON, model="gen4_turbo", team_name="film",
    account=Account("https://api.dev.runwayml.com", "salt", "digest"),
)  # fmt: skip


@pytest.fixture
def spend(journal):
    """Writes down what a task instance did, as its worker does."""

    def spent(record, *others, **task):
        keeper, history = InFolder(journal(**task)), History()
        keeper.read()
        for one in (record, *others):
            history = history.followed_by(replace(one, phase=Phase.INTENT, runway_task_id=""))
            keeper.write(history)
            if one.runway_task_id:
                history = history.with_current(one)
                keeper.write(history)

    return spent


def generation(runway_task_id, estimated=25.0, charged=None, **fields):
    return replace(
        INTENT,
        **{
            "phase": Phase.SUBMITTED if charged is None else Phase.CLOSED, "runway_task_id": runway_task_id,
            "estimated_credits": estimated, "charged_credits": charged, "fingerprint": runway_task_id, **fields,
        },
    )  # fmt: skip


@pytest.fixture
def costs(capsys):
    def run(*words):
        code = main(["costs", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def a_week(spend):
    spend(generation("t1", charged=20.0, outcome="succeeded"), dag_id="campaign", map_index=0)
    spend(generation("t2", charged=5.0, outcome="failed"), dag_id="campaign", map_index=1)
    spend(generation("t3", sent_at=NOON + DAY, outcome="returned"), dag_id="campaign", run_id="second")
    spend(INTENT, dag_id="trailer", run_id="second")
    spend(
        generation("t4", None, sent_at=NOON + 2 * DAY, model="", team_name=""),
        generation("t5", charged=50.0, sent_at=NOON + 2 * DAY + 1, model="veo3", team_name="ads"),
        dag_id="trailer",
    )
    # The same generation once more, picked up by another task.
    spend(generation("t1", fingerprint="other", sent_at=NOON + DAY), dag_id="trailer", task_id="again")


@pytest.mark.usefixtures("a_week")
class TestJournal:
    def test_a_table(self, costs):
        code, out, err = costs()
        assert (code, err) == (0, "")
        assert out.splitlines() == [
            "dag       generations  charged  estimated only  unknown price  lost answers",
            "campaign            3       25              25              0             0",
            "trailer             2       50               -              1             1",
            "all                 5       75              25              1             1",
            "Estimated only: the most that 1 generation may cost, of which nobody was told a charge.",
            "Unknown price: 1 generation, in no sum.",
            "Lost answers: 1. Each may have been charged; in no sum.",
        ]

    @pytest.mark.parametrize(
        ("by", "charged"),
        [
            ("team", {"ads": 50.0, "film": 25.0, None: None}),
            ("model", {"gen4_turbo": 25.0, "veo3": 50.0, None: None}),
            ("route", {"image_to_video": 75.0}),
            ("day", {"2026-11-20": 25.0, "2026-11-21": None, "2026-11-22": 50.0}),
        ],
    )
    def test_by_everything(self, costs, by, charged):
        code, out, _ = costs("--by", by, "--json")
        document = json.loads(out)
        assert code == 0
        assert {row[by]: row["charged_credits"] for row in document["rows"]} == charged
        assert document["total"]["charged_credits"] == 75
        assert sum(row["generations"] for row in document["rows"]) == document["total"]["generations"] == 5
        assert sum(row["lost_answers"] for row in document["rows"]) == document["total"]["lost_answers"] == 1

    @pytest.mark.parametrize(
        ("words", "generations"),
        [
            (["--dag", "campaign"], 3),
            (["--dag", "campaign", "--run", "second"], 1),
            (["--run", "second"], 1),
            (["--since", "2026-11-21"], 3),
            (["--since", "2026-11-22"], 2),
            (["--since", "2026-11-23"], 0),
            (["--dag", "nobody"], 0),
        ],
    )
    def test_a_part_of_it(self, costs, words, generations):
        code, out, err = costs(*words, "--json")
        assert (code, err) == (0, "")
        assert json.loads(out)["total"]["generations"] == generations

    def test_csv(self, costs):
        code, out, err = costs("--csv")
        assert (code, err) == (0, "")
        rows = list(csv.DictReader(io.StringIO(out)))
        assert [(row["dag"], row["charged_credits"], row["estimated_credits"]) for row in rows] == [
            ("campaign", "25.0", "25.0"), ("trailer", "50.0", ""),
        ]  # fmt: skip

    def test_a_file_that_is_not_ours_is_named_and_the_rest_is_counted(self, costs, storage, journal):
        journal(dag_id="campaign", map_index=1).create("0003-closed.json", {"odd": "\x1b[2J"})
        code, out, err = costs()
        assert code == 1
        assert err.startswith("airflow-runway costs: not counted: 0003-closed.json in the journal folder")
        assert "\x1b" not in out + err
        assert out.splitlines()[1].split() == ["campaign", "2", "20", "25", "0", "0"]
        assert json.loads(costs("--json")[1])["not_counted"] == 1


class TestManifests:
    @pytest.fixture
    def saved(self, storage, journal):
        from airflow.sdk import ObjectStoragePath

        def write(name, text):
            path = ObjectStoragePath(f"{storage.url}/saved/{name}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            return str(path)

        return write

    @pytest.fixture
    def folder(self, storage):
        return f"{storage.url}/saved"

    @staticmethod
    def manifest(runway_task_id, cost):
        task = RunwayTask(runway_task_id, TaskStatus.SUCCEEDED, cost_credits=cost)
        owner = Owner("campaign", "run", "save", None, "film")
        return json.dumps(
            manifest_of(
                runway_task_id, task, [], gateway="runway", route=None, saved_at="2026-11-22T00:00:00+00:00",
                owner=owner,
            )
        )  # fmt: skip

    def test_a_manifest_tells_what_the_journal_does_not_know(self, costs, spend, saved, folder):
        spend(generation("t1", outcome="returned"), dag_id="campaign")
        saved("today/t1.manifest.json", self.manifest("t1", 20.0))
        saved("today/t2.manifest.json", self.manifest("t2", None))
        saved("today/t1-0.mp4", "no manifest")
        code, out, err = costs("--manifests", folder, "--by", "day", "--json")
        assert (code, err) == (0, "")
        rows = {row["day"]: row for row in json.loads(out)["rows"]}
        assert (rows["2026-11-20"]["charged_credits"], rows["2026-11-20"]["estimated_credits"]) == (
            20.0,
            None,
        )
        assert (rows["2026-11-22"]["charged_credits"], rows["2026-11-22"]["unknown_generations"]) == (None, 1)

    def test_without_a_journal_too(self, costs, saved, folder, monkeypatch):
        path = saved("t1.manifest.json", self.manifest("t1", 20.0))
        monkeypatch.delenv("AIRFLOW__RUNWAY__JOURNAL")
        for words in (
            ["--manifests", folder],
            ["--manifests", path],
            ["--manifests", folder, "--manifests", path],
        ):
            code, out, _ = costs(*words)
            assert (code, out.splitlines()[1].split()) == (0, ["campaign", "1", "20", "-", "0", "0"])

    def test_the_manifest_of_a_batch_under_any_name(self, costs, saved):
        line = {
            "index": 0, "state": "succeeded", "runway_task_id": "t1", "cost_credits": 20.0, "files": [],
            "note": "\u2028",
        }  # fmt: skip
        lost = {**line, "index": 1, "state": "intent", "runway_task_id": None, "cost_credits": None}
        text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in (line, lost))
        code, out, _ = costs("--manifests", saved("report.jsonl", text), "--json")
        assert code == 0
        found = json.loads(out)["total"]
        assert (found["charged_credits"], found["lost_answers"]) == (20.0, 1)

    def test_what_cannot_be_understood_is_named_and_the_rest_is_counted(self, costs, saved, folder):
        saved("t1.manifest.json", self.manifest("t1", 20.0))
        saved("t2.manifest.json", "{")
        saved("t3.manifest.json", '{"manifest_version": 9}')
        for number in range(5):
            saved(f"\x1b[31m{number}.manifest.json", "[" * 100_000)
        code, out, err = costs("--manifests", folder)
        assert code == 1
        assert out.splitlines()[1].split()[1:3] == ["1", "20"]
        assert "it is of a later version" in " ".join(err.split()) or "2 more" in err
        assert "not counted: 2 more." in err
        assert "\x1b" not in err

    @pytest.mark.parametrize("url", ["{folder}", "nowhere://x"])
    def test_where_there_is_none(self, costs, folder, url):
        code, out, err = costs("--manifests", url.format(folder=folder))
        assert (code, out) == (2, "")
        assert err.startswith("airflow-runway costs: ")
        assert "Traceback" not in err


def test_what_airflow_says_meanwhile_is_not_among_the_costs(costs, spend, monkeypatch):
    spend(generation("t1"))
    ask = folder_module.configured_journal
    monkeypatch.setattr(
        folder_module, "configured_journal", lambda: sys.stdout.write("a log line\n") and ask()
    )
    assert json.loads(costs("--json")[1])["total"]["generations"] == 1


def test_without_anything_to_count_from(costs, monkeypatch):
    monkeypatch.delenv("AIRFLOW__RUNWAY__JOURNAL", raising=False)
    code, out, err = costs()
    assert (code, out) == (2, "")
    assert "there is nothing to count from" in " ".join(err.split())


def test_a_journal_that_cannot_be_used(costs, monkeypatch):
    monkeypatch.setenv("AIRFLOW__RUNWAY__JOURNAL", "nowhere://x?secret=1")
    code, out, err = costs()
    assert (code, out) == (2, "")
    assert "[runway] journal is" in err
    assert "secret" not in err


@pytest.mark.parametrize("words", [["--since", "yesterday"], ["--by", "person"], ["--json", "--csv"]])
def test_a_wrong_call(costs, words):
    with pytest.raises(SystemExit) as ended:
        main(["costs", *words])
    assert ended.value.code == 2


@pytest.mark.slow
@pytest.mark.usefixtures("a_week")
def test_the_command_itself_prints_nothing_but_its_document(tmp_path):
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path)}
    words = [sys.executable, "-m", "airflow_runway.cli", "costs", "--json"]
    done = subprocess.run(words, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["total"]["charged_credits"] == 75
