"""``hook.voices`` and its like over HTTP, blocking and in an event loop."""

from __future__ import annotations

import pytest
from unit.scripted import Scripted

from airflow_runway.core.limits import READ_ATTEMPTS
from airflow_runway.exceptions import RunwayConfigurationError, RunwayReadError, RunwayReadRefusedError
from airflow_runway.hooks.runway import RunwayHook

ROWS = Scripted(200, {"data": [{"id": "v1", "name": "Ada"}], "nextCursor": None})
ONE = Scripted(200, {"id": "v1", "name": "Ada", "status": "READY"})
KINDS = ["voices", "avatars", "documents", "routers"]


@pytest.fixture
def hook(connected):
    made = RunwayHook()
    made.pause_between_tries = lambda state: 0
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_list_get_and_find(kind, connected, hook):
    lookup = getattr(hook, kind)
    connected.answers(ROWS, ONE, ROWS)
    assert lookup.list() == [{"id": "v1", "name": "Ada"}]
    assert lookup.get("v1")["status"] == "READY"
    assert lookup.find("Ada")["id"] == "v1"
    assert [one.path for one in connected.arrived] == [
        f"/v1/{kind}?limit=50",
        f"/v1/{kind}/v1",
        f"/v1/{kind}?limit=50",
    ]


@pytest.mark.parametrize("kind", KINDS)
async def test_the_same_in_an_event_loop(kind, connected, hook):
    lookup = getattr(hook, kind)
    connected.answers(ROWS, ONE, ROWS)
    assert await lookup.alist() == [{"id": "v1", "name": "Ada"}]
    assert (await lookup.aget("v1"))["status"] == "READY"
    assert (await lookup.afind("Ada"))["id"] == "v1"


def test_a_workflow_is_found_with_the_version_that_a_route_names(connected, hook):
    versions = [{"id": "old", "version": 1}, {"id": "new", "version": 2}]
    connected.answers(Scripted(200, {"data": [{"name": "Poster", "versions": versions}]}))
    assert f"workflows/{hook.workflows.find('Poster')['id']}" == "workflows/new"


def test_trouble_that_passes_is_overcome(connected, hook):
    connected.answers(Scripted(503, {}), Scripted(503, {}), ROWS)
    assert len(hook.voices.list()) == 1


def test_what_is_not_there_is_told(connected, hook):
    connected.answers(*[Scripted(404, {"error": "not found"})] * READ_ATTEMPTS)
    with pytest.raises(RunwayReadError, match=r"did not tell about v2 of its voices \(HTTP 404: not found\)"):
        hook.voices.get("v2")


def test_a_key_that_is_refused_is_tried_once(connected, hook):
    connected.answers(Scripted(401, {"error": "no"}))
    with pytest.raises(RunwayReadRefusedError):
        hook.voices.get("v2")
    assert len(connected.arrived) == 1


def test_another_gateway_documents_none(connected, hook, set_connection):
    set_connection(connected.url, allow_insecure_http=True, gateway="cometapi")
    with pytest.raises(RunwayConfigurationError, match="CometAPI documents no list of voices"):
        hook.voices.list()
    assert connected.arrived == []
