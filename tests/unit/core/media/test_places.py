from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk import ObjectStoragePath
from hypothesis import given
from hypothesis import strategies as st

from airflow_runway.core.media.places import AllowedPlaces, Place, not_had, place_of, read_prefixes

STEPS = st.lists(
    st.sampled_from(["", ".", "..", "briefs", "briefs-old", "a.png", "%2e%2e", "...", "\\.."]), max_size=6
)


def admitted(uri, *lists):
    place = place_of(uri)
    return place is not None and AllowedPlaces(tuple(read_prefixes("x", one) for one in lists)).admits(place)


@pytest.mark.parametrize(
    "uri",
    [
        "s3://c@b/briefs/a.png", "S3://c@b/briefs/x/a.png", "s3://c@b/briefs", "s3://c@b/briefs//a",
        "s3://c@b/briefs/a?versionId=1",
    ],
)  # fmt: skip
def test_below_a_prefix(uri):
    assert admitted(uri, "s3://c@b/briefs/")
    assert admitted(uri, "s3://c@b/briefs")
    assert admitted(uri, "s3://c@b/")
    assert admitted(uri, "s3://c@")
    assert admitted(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "s3://c@b/briefs-old/a.png", "s3://c@b/", "s3://c@b/x/briefs/a", "s3://other@b/briefs/a", "s3://b/briefs/a",
        "s3://c@b2/briefs/a", "gs://c@b/briefs/a", "s3://c@b/briefs/../a", "s3://c@b/briefs/./a", "s3://c@b//briefs/a/..",
        "s3a://c@b/briefs/a",
    ],
)  # fmt: skip
def test_elsewhere(uri):
    assert not admitted(uri, "s3://c@b/briefs/")
    assert not admitted(uri, "s3://c@b/briefs/", "s3://")
    assert not admitted(uri, [])


def test_every_list_that_is_given_counts():
    assert not admitted("s3://c@b/briefs/a", "s3://c@b/", "s3://c@other/")
    assert admitted("s3://c@b/briefs/a", "s3://c@b/, s3://c@other/", ["s3://c@b/briefs/"])


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("/a/b", "/a/b"),
        ("file:///a/b", "/a/b"),
        ("FILE:///a", "/a"),
        ("local:///a", "/a"),
        ("file://c@/a", "/a"),
    ],
)
def test_local_places(uri, path):
    assert place_of(uri) == Place("", "", path)


@pytest.mark.parametrize(
    "uri",
    [
        "", "a/b", "file:/a", "file://host/a", "file:////a", "file://", "simplecache::file:///a", "zip://a::file:///b",
        "/a\x00", "s3://b/a\nb", "s3:b/a", "~/a",
    ],
)  # fmt: skip
def test_what_is_never_opened(uri):
    place = place_of(uri)
    assert place is None or (place.scheme not in {"s3"} and not place.is_local)


@pytest.mark.parametrize("given", ["/a, s3://b", ["/a", "s3://b"], (Path("/a"), ObjectStoragePath("s3://b"))])
def test_lists_in_every_form(given):
    local, remote = read_prefixes("media_from", given)
    assert (local, remote.scheme, remote.authority) == (Place("", "", "/a"), "s3", "b")


@pytest.mark.parametrize(
    "given",
    ["a", "{{ params.x }}", "file://host/a", "/a/../b", "s3://b/../c", [1], {"a": 1}, 7, [None], b"x"],
)
def test_lists_that_are_none(given):
    with pytest.raises(ValueError, match=r"^media_from must be prefixes such as 's3://"):
        read_prefixes("media_from", given)


def test_text_of_a_place():
    assert [str(place) for place in read_prefixes("x", "file:///a, s3://c@b/x/")] == ["/a", "s3://c@b/x/"]


@given(steps=STEPS)
def test_no_path_leaves_its_prefix(steps):
    uri = "/".join(["s3://c@b", *steps])
    if admitted(uri, "s3://c@b/briefs"):
        assert uri.startswith(("s3://c@b/briefs/", "s3://c@b//")) or uri == "s3://c@b/briefs"
        assert not {".", ".."} & set(steps)
        assert "/".join(steps).strip("/").split("/")[0] == "briefs"


def test_the_sentence_begins_with_the_file_and_does_not_tell_which():
    said = not_had("promptImage (file:///x)")
    assert said.startswith(
        "promptImage (file:///x) cannot be had: it is not below a prefix of media_from, or not there"
    )
