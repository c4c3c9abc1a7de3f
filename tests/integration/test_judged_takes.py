"""The example in which a model judges contact sheets, on a real Airflow, with a stub in the model's place."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from airflow_runway.core.review.form import USE

SCENES = ["a lighthouse", "rain"]
TAKES = 4


class Judge(BaseHTTPRequestHandler):
    """Likes each picture better than the one before; of one scene it has trouble with any."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        sheet = Image.open(io.BytesIO(base64.b64decode(asked["picture"])))
        seen = self.server.seen
        with self.server.lock:
            if asked["prompt"] == self.server.refused:
                status, answer = 500, {}
            else:
                seen.append((asked["prompt"], sheet.format, sheet.width))
                status, answer = 200, {"score": len(seen)}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def judge(airflow):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Judge)
    server.seen, server.lock, server.refused = [], threading.Lock(), None
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    connection = {
        "connection_id": "judge", "conn_type": "http", "host": f"http://127.0.0.1:{server.server_port}",
    }  # fmt: skip
    airflow.request("POST", "/api/v2/connections", connection)
    yield server
    airflow.request("DELETE", "/api/v2/connections/judge")
    server.shutdown()
    thread.join()
    server.server_close()


def run(airflow, emulator, folder, scenes):
    """Run it to its question, and answer that; returns the run, scores by id, and what was offered."""
    emulator.settings(seconds=2)
    airflow.wait_for_dag("judged_takes")
    conf = {"scenes": scenes, "seconds": 2, "destination": f"file://{folder}/takes"}
    run_id = airflow.trigger_dag("judged_takes", conf)
    task = f"/api/v2/dags/judged_takes/dagRuns/{run_id}/taskInstances/choose"
    asked = []

    def is_asked():
        if airflow.request("GET", task)["state"] in {"awaiting_input", "deferred"}:
            asked.append(time.monotonic())
        return bool(asked) and time.monotonic() - asked[0] > 3

    airflow.wait_until(is_asked, 300, "the question")
    fields = {f"shot_{number:03}": "A" for number in range(1, len(scenes) + 1)}
    airflow.request("PATCH", f"{task}/-1/hitlDetails", {"chosen_options": [USE], "params_input": fields})
    assert airflow.wait_for_run("judged_takes", run_id, 120) == "success"
    offered = airflow.xcom("judged_takes", run_id, "best")["shots"]
    instances = [
        one for one in airflow.task_instances("judged_takes", run_id) if one["task_id"] == "take.judge"
    ]
    instances.sort(key=lambda one: one["map_index"])
    scores = {
        airflow.xcom("judged_takes", run_id, "take.save", map_index=one["map_index"])["runway_task_id"]: (
            airflow.xcom("judged_takes", run_id, "take.judge", map_index=one["map_index"])
            if one["state"] == "success"
            else None
        )
        for one in instances
    }
    return run_id, scores, [[manifest["runway_task_id"] for manifest in shot] for shot in offered]


def test_only_the_best_two_of_each_scene_reach_the_person(airflow, emulator, judge, tmp_path):
    run_id, scores, offered = run(airflow, emulator, tmp_path, SCENES)
    assert len(judge.seen) == len(scores) == TAKES * len(SCENES)
    assert {(kind, width > 300) for _, kind, width in judge.seen} == {("JPEG", True)}
    assert sorted(prompt for prompt, _, _ in judge.seen) == sorted(SCENES * TAKES)
    every = list(scores)
    for scene, shot in enumerate(offered):
        mine = every[scene * TAKES : (scene + 1) * TAKES]
        assert shot == sorted(mine, key=scores.__getitem__, reverse=True)[:2]
    review = airflow.xcom("judged_takes", run_id, "choose", "review")
    assert [shot["runway_task_id"] for shot in review["shots"]] == [shot[0] for shot in offered]
    # A model's opinion costs nothing of Runway's.
    assert emulator.ledger()["total_credits"] == TAKES * len(SCENES) * 2 * 12


def test_without_the_judge_a_person_sees_takes_all_the_same(airflow, emulator, judge, tmp_path):
    judge.refused = SCENES[0]
    _, scores, offered = run(airflow, emulator, tmp_path, SCENES[:1])
    assert set(scores.values()) == {None}
    assert len(offered[0]) == 2
    assert judge.seen == []
