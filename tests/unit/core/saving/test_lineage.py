"""How what a task names is called as a dataset: the same thing by the same name, and nothing secret in it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_runway.core.saving.lineage import (
    MOST,
    DatasetName,
    dataset_of,
    facts_of,
    generations,
    media_of,
    saved_files,
)


@pytest.mark.parametrize(
    ("uri", "namespace", "name"),
    [
        ("s3://bucket/a/b c.png", "s3://bucket", "a/b c.png"),
        ("s3://conn@Bucket/a.png", "s3://Bucket", "a.png"),
        ("s3://key:secret@bucket/a.png?token=x", "s3://bucket", "a.png"),
        ("gs://bucket/a.png", "gs://bucket", "a.png"),
        ("file:///a/b%20c.png", "file", "/a/b c.png"),
        ("/a/b.png", "file", "/a/b.png"),
        ("https://Host.example:8443/a.png?_jwt=secret#x", "https://host.example:8443", "/a.png"),
        ("https://user:pw@host.example", "https://host.example", "/"),
        ("runway-task://id-1#2", "runway", "id-1/2"),
        ("runway-task://id-1", "runway", "id-1/0"),
        ("runway://abc/def", "runway", "uploads/abc/def"),
    ],
)
def test_names(uri, namespace, name):
    assert dataset_of(uri) == DatasetName(namespace, name)


@pytest.mark.parametrize(
    "uri",
    ["", "words", None, 7, [], "data:image/png;base64,AAAA", "runway-task://a b", "https://[", "mailto:x"],
)
def test_what_has_no_name(uri):
    assert dataset_of(uri) is None


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_query_and_no_password_is_in_a_name(path, secret):
    for uri in (f"https://user:pw-{secret}@host/{path}?sig-{secret}", f"s3://pw-{secret}@bucket/{path}"):
        named = dataset_of(uri)
        if named is not None and secret:
            assert f"pw-{secret}" not in named.namespace
            assert "?sig-" not in named.name or "?" in path


def test_the_media_of_requests_each_once():
    bodies = [
        {"promptImage": [{"uri": "s3://b/a.png", "position": "first"}], "promptText": "s3://b/no.png"},
        {"promptImage": "s3://b/a.png", "referenceImages": [{"uri": "runway-task://t1", "tag": "x"}]},
    ]
    assert media_of(bodies) == (DatasetName("s3://b", "a.png"), DatasetName("runway", "t1/0"))


def test_saved_files_have_sizes():
    files = [{"path": "file:///clips/a.mp4", "bytes": 7}, {"path": "odd", "bytes": 1}]
    assert saved_files(files) == (DatasetName("file", "/clips/a.mp4", 7),)


def test_there_are_not_too_many():
    assert len(generations(f"t{number}" for number in range(2 * MOST))) == MOST


@pytest.mark.parametrize("prompts", [True, False])
def test_facts(prompts):
    bodies = [{"promptText": "a fox"}, {"prompt": "rain", "promptText": 7}]
    facts = facts_of(
        ["t1"], gateway="runway", route="r", model=None, cost=0.0, bodies=bodies, prompts=prompts
    )
    wanted = {"runwayTaskIds": ["t1"], "gateway": "runway", "route": "r", "credits": 0.0}
    assert facts == wanted | ({"prompts": ["a fox", "rain"]} if prompts else {})
    json.dumps(facts)
