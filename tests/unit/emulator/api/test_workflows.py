from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ..conftest import FakeClock, data_uri, sample

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from starlette.testclient import TestClient

RUN = "/v1/workflow_invocations"
NODES = {
    "nodeOutputs": {
        "n1": {
            "prompt": {"type": "primitive", "value": "a boat"},
            "image": {"type": "image", "uri": data_uri()},
        }
    }
}


def run(client: TestClient, body: Any = None) -> str:
    answer = client.post("/v1/workflows/wf-1", json=NODES if body is None else body)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"id"}
    identifier: str = answer.json()["id"]
    return identifier


def test_nodes_finish_one_after_the_other(client: TestClient, clock: FakeClock) -> None:
    path = f"{RUN}/{run(client)}"
    pending = client.get(path).json()
    assert (pending["status"], set(pending)) == ("PENDING", {"id", "status", "createdAt"})
    clock.pass_seconds(8)
    assert client.get(path).json()["output"] == {}
    clock.pass_seconds(12)
    partial = client.get(path).json()
    assert set(partial) == set(sample("runway.workflow_invocations.read.running_partial"))
    assert (partial["status"], len(partial["output"])) == ("RUNNING", 1)
    (link,) = next(iter(partial["output"].values()))
    assert client.get(link).headers["content-type"] == "image/png"
    clock.pass_seconds(11)
    done = client.get(path).json()
    assert set(done) == set(sample("runway.workflow_invocations.read.succeeded")) | {"cost"}
    links = [links[0] for links in done["output"].values()]
    assert [client.get(link).headers["content-type"] for link in links] == ["image/png", "video/mp4"]
    assert set(partial["output"]) < set(done["output"])


def test_a_partial_result(client: TestClient, clock: FakeClock) -> None:
    client.post("/_emulator/faults", json={"on": "create", "kind": "node_errors", "route": "workflows/{id}"})
    path = f"{RUN}/{run(client, {})}"
    clock.pass_seconds(31)
    done = client.get(path).json()
    documented = sample("runway.workflow_invocations.read.succeeded_with_node_errors")
    assert set(done) == set(documented)
    assert (done["status"], len(done["output"]), len(done["nodeErrors"])) == ("SUCCEEDED", 1, 1)
    assert set(done["output"]).isdisjoint(done["nodeErrors"])
    (error,) = done["nodeErrors"].values()
    assert set(error) == set(next(iter(documented["nodeErrors"].values())))


def test_tasks_and_invocations_do_not_know_each_other(client: TestClient, create: Any) -> None:
    invocation, task = run(client), create()
    for path in (f"/v1/tasks/{invocation}", f"{RUN}/{task}", f"{RUN}/nothing"):
        assert client.get(path).status_code == 404
    assert client.delete(f"/v1/tasks/{invocation}").status_code == 404
    assert client.delete(f"{RUN}/{invocation}").status_code == 405
    assert client.get(f"{RUN}/{invocation}").status_code == 200


def test_node_outputs_are_checked(client: TestClient) -> None:
    wrong = {"nodeOutputs": {"n1": {"x": {"type": "image"}}}}
    answer = client.post("/v1/workflows/wf-1", json=wrong)
    assert answer.status_code == 400
    assert answer.json()["issues"][0]["path"] == ["nodeOutputs", "n1", "x", "uri"]
