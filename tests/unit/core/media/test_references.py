from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest

import airflow_runway
from airflow_runway.core.media.references import (
    Reference,
    Source,
    as_inline,
    identity_of,
    identity_of_address,
    inline_length,
    inline_of,
    output_of,
    references_in,
    replaced,
)

CATALOGUE = json.loads(
    (Path(airflow_runway.__file__).parent / "emulator" / "checking" / "catalogue.json").read_text()
)


def fill(schema, name=""):
    """A value for a schema, with all optional parts, whose media are named ``media:<kind>``."""
    if "$ref" in schema:
        return f"media:{schema['$ref'].rpartition('/')[2]}"
    if "anyOf" in schema:
        best = max(schema["anyOf"], key=lambda choice: json.dumps(choice).count("$ref"))
        return fill(best, name)
    if "const" in schema:
        return schema["const"]
    if "properties" in schema:
        return {name: fill(part, name) for name, part in schema["properties"].items()}
    if schema.get("type") == "array":
        return [fill(schema["items"], name)]
    return "text" if schema.get("type") == "string" else 1


def variants():
    for endpoint in CATALOGUE["endpoints"]:
        for variant in endpoint["variants"]:
            yield pytest.param(variant["params"], id=f"{endpoint['path']}:{variant['value']}")


def media_in(body):
    text = json.dumps(body)
    return sorted(part.partition('"')[0] for part in text.split('"media:')[1:])


@pytest.mark.parametrize("params", list(variants()))
def test_every_media_field_of_every_route_is_found(params):
    body = {name: fill(schema, name) for name, schema in params.items()}
    found = list(references_in(body))
    # Newer variants describe some fields as any string.
    described = [reference for reference in found if reference.uri.startswith("media:")]
    assert sorted(reference.uri.removeprefix("media:") for reference in described) == media_in(body)
    for reference in described:
        wanted = reference.uri.removeprefix("media:")
        assert reference.kind in {wanted, ""}


def test_the_reverse_format_and_workflows():
    body = {
        "image": "a", "last_image": "", "video": "b",
        "nodeOutputs": {"n": {"k": {"type": "video", "uri": "c"}, "t": {"type": "primitive", "value": "d"}}},
    }  # fmt: skip
    assert [(one.uri, one.kind) for one in references_in(body)] == [
        ("a", "image"),
        ("b", "video"),
        ("c", "video"),
    ]


def test_prompts_are_left_alone():
    body = {
        "promptText": "s3://bucket/a.png",
        "prompt": "file:///etc/passwd",
        "style": "data:image/png;base64,AA==",
    }
    assert list(references_in(body)) == []


@pytest.mark.parametrize(
    ("uri", "source"),
    [
        ("https://e/a.jpg", Source.WEB), ("HTTP://e/a.jpg", Source.WEB), ("runway://abc", Source.UPLOAD),
        ("data:image/png;base64,AA==", Source.INLINE), ("s3://conn@bucket/a.png", Source.STORAGE),
        ("gs://bucket/a.png", Source.STORAGE), ("file:///a.png", Source.STORAGE), ("/a/b.png", Source.STORAGE),
        ("runway-task://t1#2", Source.OUTPUT), ("a.png", Source.NONE), ("", Source.NONE), ("c:a.png", Source.NONE),
        ("{{ params.image }}", Source.NONE),
    ],
)  # fmt: skip
def test_where_a_reference_leads(uri, source):
    assert Reference(uri, "image").source is source


@pytest.mark.parametrize(
    ("uri", "output"),
    [
        ("runway-task://t1", ("t1", 0)), ("runway-task://t1#3", ("t1", 3)), ("runway-task://a%20b", None),
        ("runway-task://", None), ("runway-task://a/b", None), ("runway-task://a%2Fb", None),
        ("runway-task://t1#x", None), ("runway-task://t1?x=1", None), ("runway-task://..", None),
        ("runway-task://" + "x" * 201, None),
    ],
)  # fmt: skip
def test_outputs_of_earlier_generations(uri, output):
    assert output_of(uri) == output


def test_replacing_leaves_the_original_as_it_is():
    body = {"promptImage": [{"uri": "a", "position": "first"}, {"uri": "b"}], "references": ({"uri": "c"},)}
    values = {one.place: one.uri.upper() for one in references_in(body)}
    assert replaced(body, values) == {
        "promptImage": [{"uri": "A", "position": "first"}, {"uri": "B"}],
        "references": [{"uri": "C"}],
    }
    assert body["promptImage"][0]["uri"] == "a"
    assert [one.field for one in references_in(body)] == [
        "promptImage[0].uri",
        "promptImage[1].uri",
        "references[0].uri",
    ]


@pytest.mark.parametrize("size", [0, 1, 2, 3, 1000])
def test_inline_there_and_back(size):
    content = bytes(range(256)) * 4
    uri = as_inline("image/png", content[:size])
    assert len(uri) == inline_length("image/png", size)
    assert inline_of(uri).content == content[:size]
    assert inline_of(uri).media_type == "image/png"


@pytest.mark.parametrize(
    "uri", ["data:", "data:image/png,AA", "data:image/png;base64,!", "data:image/png;base64"]
)
def test_broken_inline(uri):
    assert inline_of(uri) is None


class TestIdentity:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (
                "https://b.s3.amazonaws.com/a.png?X-Amz-Algorithm=A&X-Amz-Date=1&X-Amz-Signature=x",
                "https://b.s3.amazonaws.com/a.png?X-Amz-Algorithm=A&X-Amz-Date=2&X-Amz-Signature=y",
            ),
            (
                "https://e/a?AWSAccessKeyId=k&Signature=x&Expires=1",
                "https://e/a?Expires=2&Signature=y&AWSAccessKeyId=k",
            ),
            ("https://e/a?Policy=p&Key-Pair-Id=k&Signature=x", "https://e/a"),
            ("https://e/a?X-Goog-Date=1&X-Goog-Signature=x", "https://e/a?X-Goog-Date=2&X-Goog-Signature=y"),
            ("https://e/a?sv=2024&se=1&sp=r&sig=x", "https://e/a?sv=2024&se=2&sp=r&sig=y"),
            ("https://e/a?_jwt=x", "https://e/a?_jwt=y"),
            ("https://u:p@E/a#x", "https://e/a"),
        ],
    )
    def test_a_new_signature_is_the_same_address(self, one, other):
        assert identity_of_address(one) == identity_of_address(other)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("https://e/a?id=7", "https://e/a?id=8"),
            ("https://e/a?versionId=1&X-Amz-Signature=x", "https://e/a?versionId=2&X-Amz-Signature=x"),
            ("https://e/a?se=1", "https://e/a?se=2"),
            ("https://e/A", "https://e/a"),
            ("https://e/a?expires=1", "https://e/a?expires=2"),
        ],
    )
    def test_anything_else_counts(self, one, other):
        assert identity_of_address(one) != identity_of_address(other)

    def test_a_data_uri_is_its_content(self):
        content = b"\x89PNG"
        identity = f"sha256:{hashlib.sha256(content).hexdigest()}"
        assert identity_of(Reference(as_inline("image/png", content), "image")) == identity
        padded = "data:image/png;charset=x;base64," + base64.b64encode(content).decode()
        assert identity_of(Reference(padded, "image")) == identity

    def test_an_output_is_its_task_and_index(self):
        assert identity_of(Reference("runway-task://t1", "video")) == identity_of(
            Reference("runway-task://t1#0", "video")
        )
        assert identity_of(Reference("runway-task://t1", "video")) != identity_of(
            Reference("runway-task://t1#1", "video")
        )

    def test_a_stored_file_has_none_before_it_is_read(self):
        assert identity_of(Reference("s3://b/a.png", "image")) is None
