from __future__ import annotations

from types import SimpleNamespace

import airflow.sdk
import pytest
from airflow.providers.common.compat.sdk import Asset, AssetAlias
from airflow.sdk.execution_time.context import OutletEventAccessors

from airflow_runway.exceptions import RunwayConfigurationError
from airflow_runway.transfers._saving.assets import asset_uri


def test_an_event_per_file_on_an_alias(save, world, context, tmp_path):
    alias = AssetAlias("clips")
    context["outlet_events"] = OutletEventAccessors()
    world.outputs = 2
    manifests = save(runway_task_id=["t1", "t2"], outlets=[alias])
    events = context["outlet_events"][alias].asset_alias_events
    assert [event.dest_asset_key.uri for event in events] == [
        f"file://{tmp_path}/clips/today/{name}" for name in ("t1-0.mp4", "t1-1.mp4", "t2-0.mp4", "t2-1.mp4")
    ]
    extra = events[3].extra
    assert extra["runway_task_id"] == "t2"
    assert extra["sha256"] == manifests[1]["files"][1]["sha256"]
    assert extra["manifest"] == f"file://{tmp_path}/clips/today/t2.manifest.json"
    assert "secret" not in str(events)


def test_one_event_on_an_asset(save, world, context):
    asset = Asset("clips", uri="x-clips://all")
    context["outlet_events"] = OutletEventAccessors()
    world.outputs = 2
    save(outlets=[asset])
    files = context["outlet_events"][asset].extra["files"]
    assert [file["runway_task_id"] for file in files] == ["t1", "t1"]


HAS_PARTITIONS = hasattr(airflow.sdk, "PartitionedAssetTimetable")


@pytest.mark.skipif(not HAS_PARTITIONS, reason="Partitions of assets came with Airflow 3.3.")
def test_the_event_of_an_asset_is_one_of_a_partition(save, context):
    asset, alias = Asset("clips", uri="x-clips://all"), AssetAlias("clips")
    context["outlet_events"] = OutletEventAccessors()
    save(outlets=[asset, alias], partition_key="shot-7")
    assert set(context["outlet_events"][asset].partition_keys) == {"shot-7"}
    assert len(context["outlet_events"][alias].asset_alias_events) == 1


@pytest.mark.skipif(not HAS_PARTITIONS, reason="Partitions of assets came with Airflow 3.3.")
@pytest.mark.parametrize("key", ["", "  ", "x" * 251, 7])
def test_what_is_no_key_is_told_before_anything_is_fetched(key, save, world, context):
    context["outlet_events"] = OutletEventAccessors()
    with pytest.raises(RunwayConfigurationError, match="partition_key is"):
        save(outlets=[Asset("clips", uri="x-clips://all")], partition_key=key)


@pytest.mark.skipif(HAS_PARTITIONS, reason="This Airflow has partitions of assets.")
def test_before_3_3_it_is_told_when_the_dag_is_parsed(save):
    with pytest.raises(ValueError, match=r"needs Airflow 3\.3"):
        save(partition_key="shot-7")


def test_an_event_says_what_its_clip_cost_and_whose_money_it_was(save, context):
    asset = Asset("clips", uri="x-clips://all")
    context["outlet_events"] = OutletEventAccessors()
    context["ti"] = SimpleNamespace(
        dag_id="campaign", run_id="manual__1", task_id="save", map_index=3, try_number=1, max_tries=0,
        stats_tags={"dag_id": "campaign", "task_id": "save", "team_name": "film"},
    )  # fmt: skip
    manifest = save(outlets=[asset], model="gen4_turbo", route="image_to_video")
    (extra,) = context["outlet_events"][asset].extra["files"]
    assert extra["owner"] == manifest["owner"] == {
        "dag_id": "campaign", "run_id": "manual__1", "task_id": "save", "map_index": 3, "team_name": "film",
    }  # fmt: skip
    assert (extra["cost_credits"], extra["route"], extra["model"]) == (25, "image_to_video", "gen4_turbo")


def test_running_again_tells_again(save, context):
    alias = AssetAlias("clips")
    context["outlet_events"] = OutletEventAccessors()
    save(outlets=[alias])
    save(outlets=[alias])
    assert len(context["outlet_events"][alias].asset_alias_events) == 2


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("s3://aws_conn@bucket/a/b.mp4", "s3://bucket/a/b.mp4"),
        ("s3://bucket/a b/é.mp4", "s3://bucket/a%20b/%C3%A9.mp4"),
        ("file:///data/x@y/b.mp4", "file:///data/x@y/b.mp4"),
        ("/data/b.mp4", "file:///data/b.mp4"),
        ("s3://bucket/b.mp4?versionId=7", "s3://bucket/b.mp4%3FversionId%3D7"),
    ],
)
def test_uris_of_assets(path, uri):
    assert asset_uri(path) == uri
