"""What OpenLineage is told on a real Airflow, read back from its file transport by its own classes."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest
from integration.support import KEY, connection_to
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState

from airflow_runway.core.review.form import USE
from airflow_runway.demo.local_airflow import LocalAirflow

HERE = Path(__file__).parent
SECRETS = (KEY, "_jwt", "a secret lamp")


@pytest.fixture(scope="module", params=[False, True], ids=["without prompts", "with prompts"])
def told(request, running_emulator, tmp_path_factory):
    """Completed events by task, after a whole run."""
    running_emulator.reset()
    running_emulator.settings(seconds=2)
    folder = tmp_path_factory.mktemp("lineage")
    shutil.copytree(HERE / "dags", folder / "dags")
    log = folder / "events.jsonl"
    env = {
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(
            {"type": "file", "log_file_path": str(log), "append": True}
        ),
        "AIRFLOW__OPENLINEAGE__NAMESPACE": "studio",
        "AIRFLOW__RUNWAY__LINEAGE_PROMPTS": str(request.param),
    }
    connections = {"runway_default": connection_to(running_emulator)}
    with LocalAirflow(folder / "home", folder / "dags", connections, env) as airflow:
        airflow.wait_for_dag("lineage")
        picture = running_emulator.put_media("lamp.png", _picture())
        conf = {"folder": f"file://{folder}/clips", "picture": f"{picture}?_jwt=a-signature"}
        run_id = airflow.trigger_dag("lineage", conf)
        _choose(airflow, run_id)
        assert airflow.wait_for_run("lineage", run_id, 240) == "success"
        airflow.wait_until(lambda: len(_completed(log)) == 7, 60, "all events")
        return request.param, _completed(log), log.read_text(), folder


def _picture():
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.linear_gradient("L").resize((640, 360)).convert("RGB").save(file, "PNG")
    return file.getvalue()


def _choose(airflow, run_id):
    """Be the person, and no quicker than one."""
    task = f"/api/v2/dags/lineage/dagRuns/{run_id}/taskInstances/choose"
    seen = []

    def asked():
        if airflow.request("GET", task)["state"] in {"awaiting_input", "deferred"}:
            seen.append(time.monotonic())
        return bool(seen) and time.monotonic() - seen[0] > 3

    airflow.wait_until(asked, 120, "the question")
    said = {"chosen_options": [USE], "params_input": {"shot_001": "A"}}
    airflow.request("PATCH", f"{task}/-1/hitlDetails", said)


def _completed(log):
    found = {}
    for line in log.read_text().splitlines() if log.exists() else ():
        told = json.loads(line)
        if told.get("eventType") == "COMPLETE" and "." in told["job"]["name"]:
            event = RunEvent(
                eventType=RunState(told["eventType"]),
                eventTime=told["eventTime"],
                run=Run(told["run"]["runId"], told["run"]["facets"]),
                job=Job(told["job"]["namespace"], told["job"]["name"]),
                inputs=[InputDataset(one["namespace"], one["name"]) for one in told["inputs"]],
                outputs=[
                    OutputDataset(one["namespace"], one["name"], outputFacets=one.get("outputFacets"))
                    for one in told["outputs"]
                ],
                producer=told["producer"],
            )
            found[event.job.name.partition(".")[2]] = event
    return found


def names(datasets):
    return [(one.namespace, one.name) for one in datasets]


def test_what_was_read_and_made(told, running_emulator):
    _, events, _, folder = told
    assert set(events) == {"draw", "save_still", "choose", "film", "wait", "save", "reel"}
    facets = {name: event.run.facets["runway"] for name, event in events.items()}
    still, clip = facets["draw"]["runwayTaskIds"][0], facets["film"]["runwayTaskIds"][0]
    files = ("file", f"{folder}/clips/{still}-0.png"), ("file", f"{folder}/clips/{clip}-0.mp4")

    assert names(events["draw"].inputs) == [(running_emulator.url, "/_emulator/media/lamp.png")]
    assert names(events["draw"].outputs) == names(events["save_still"].inputs) == [("runway", f"{still}/0")]
    assert names(events["save_still"].outputs) == names(events["choose"].inputs) == [files[0]]
    assert names(events["film"].inputs) == [files[0]]
    assert names(events["film"].outputs) == names(events["wait"].inputs) == names(events["save"].inputs)
    assert names(events["film"].outputs) == [("runway", f"{clip}/0")]
    assert names(events["save"].outputs) == [files[1]]
    size = events["save"].outputs[0].outputFacets["outputStatistics"]["size"]
    assert size == Path(files[1][1]).stat().st_size
    assert len(names(events["reel"].outputs)) == 2

    assert facets["film"]["gateway"] == "runway"
    assert (facets["film"]["route"], facets["film"]["model"]) == ("image_to_video", "gen4_turbo")
    assert facets["film"]["credits"] == 10
    assert (facets["save"]["credits"], facets["save"]["model"]) == (10, "gen4_turbo")
    assert facets["choose"]["review"]["ending"] == "chosen"
    assert len(facets["reel"]["runwayTaskIds"]) == 2


def test_prompts_only_where_they_are_asked_for(told):
    has_prompts, events, _, _ = told
    for name in ("draw", "film", "reel"):
        prompts = events[name].run.facets["runway"]["prompts"]
        assert prompts[:1] == ([] if not has_prompts else [f"a secret lamp{' 0' * (name == 'reel')}"])


def test_no_secret_in_our_facets_and_datasets(told):
    has_prompts, events, _, _ = told
    for event in events.values():
        ours = json.dumps([event.run.facets["runway"], names(event.inputs), names(event.outputs)])
        assert not [one for one in SECRETS[: 2 if has_prompts else 3] if one in ours]
