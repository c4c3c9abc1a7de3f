from __future__ import annotations

import pytest

from airflow_runway.core.protocol.gateways import GATEWAYS, is_task_id


def test_the_official_gateway_has_all_25_routes_and_workflows():
    official = GATEWAYS["runway"]
    assert len(official.creates) == 26
    assert official.create("workflows/w1").path == "/v1/workflows/w1"
    assert official.create("workflows/../tasks") is None
    assert official.create("image_to_video").path == "/v1/image_to_video"
    assert official.create("recipes/product_ad").path == "/v1/recipes/product_ad"
    assert official.create("no_such_route") is None


def test_cometapi_is_addressed_below_runwayml():
    assert GATEWAYS["cometapi"].create("image_to_video").path == "/runwayml/v1/image_to_video"
    assert GATEWAYS["cometapi"].reads[0].address("t1") == "/runwayml/v1/tasks/t1"


def test_an_id_cannot_leave_its_place_in_the_path():
    assert GATEWAYS["runway"].reads[0].address("../organization?x=1") == "/v1/tasks/..%2Forganization%3Fx%3D1"


@pytest.mark.parametrize(
    "good", ["17f20503-6c24-4c16-946b-35dbbce2af2f", "runway_task_abc123", "7", "x" * 200]
)
def test_ids_are_opaque(good):
    assert is_task_id(good)


@pytest.mark.parametrize("bad", ["", "a/b", "a\\b", "a b", "a\n", "..", ".", "x" * 201, None, 7, ["t1"]])
def test_what_cannot_be_an_id(bad):
    assert not is_task_id(bad)
