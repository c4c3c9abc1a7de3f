from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_runway.core.protocol.gateways import GATEWAYS
from airflow_runway.emulator.checking import catalogue
from airflow_runway.emulator.checking.cross_field_rules import broken_rules

from ..bodies import DOCUMENT, VARIANTS
from ..conftest import body, data_uri

if TYPE_CHECKING:
    from starlette.testclient import TestClient

URL = "/v1/image_to_video"
MODERATION = ("contentModeration", "publicFigureThreshold")


def issues(client: TestClient, path: str = URL, **changes: Any) -> list[dict[str, Any]]:
    answer = client.post(path, json=body(**changes))
    assert answer.status_code == 400, answer.text
    found: list[dict[str, Any]] = answer.json()["issues"]
    return found


def test_the_catalogue_has_every_route() -> None:
    assert {e["path"] for e in DOCUMENT["endpoints"]} == {c.path for c in GATEWAYS["runway"].creates.values()}


@pytest.mark.parametrize(("path", "variant", "smallest"), VARIANTS, ids=lambda item: str(item)[:40])
def test_every_variant_is_taken(
    client: TestClient, path: str, variant: str | None, smallest: dict[str, Any]
) -> None:
    answer = client.post(path.replace("{id}", "wf"), json=smallest)
    assert answer.status_code == 200, answer.text
    assert answer.json()["id"]
    for lenient in (False, True):
        assert catalogue.issues_of(path, smallest, lenient=lenient) == []
        for name in smallest:
            assert catalogue.issues_of(path, {**smallest, name: None}, lenient=lenient), name


def test_unknown_models_and_fields(client: TestClient) -> None:
    (found,) = issues(client, model="gen5")
    assert (found["code"], found["path"]) == ("invalid_union", ["model"])
    assert '"gen4_turbo"' in found["message"]
    (found,) = issues(client, model=...)
    assert (found["code"], found["path"]) == ("invalid_type", ["model"])
    (found,) = issues(client, promtText="x", watermark=False)
    assert (found["code"], found["path"], found["keys"]) == (
        "unrecognized_keys",
        [],
        ["promtText", "watermark"],
    )
    (found,) = issues(client, contentModeration={"publicFigureTreshold": "low"})
    assert (found["code"], found["path"]) == ("unrecognized_keys", ["contentModeration"])


def test_lenient_takes_what_is_newer_than_the_catalogue(client: TestClient) -> None:
    client.post("/_emulator/settings", json={"lenient": True})
    taken: list[dict[str, Any]] = [
        {"model": "gen5"},
        {"model": "gen5", "newField": {"a": 1}, "ratio": "16:10"},
        {"ratio": "16:10", "newField": True, "duration": 60},
    ]
    for changes in taken:
        answer = client.post(URL, json=body(**changes))
        assert answer.status_code == 200, answer.text
    for changes in ({"duration": "5"}, {"model": "gen5", "seed": "1"}, {"promptText": 5}, {"model": 5}):
        (found,) = issues(client, **changes)
        assert found["code"] == "invalid_type"
    assert issues(client, promptImage=5)[0]["path"] == ["promptImage"]
    assert issues(client, ratio=...)[0]["path"] == ["ratio"]


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"duration": "5"}, "invalid_type", ["duration"]),
        ({"duration": 5.5}, "invalid_type", ["duration"]),
        ({"duration": True}, "invalid_type", ["duration"]),
        ({"duration": 11}, "too_big", ["duration"]),
        ({"duration": 1}, "too_small", ["duration"]),
        ({"promptText": ""}, "too_small", ["promptText"]),
        ({"promptText": "\U0001f600" * 501}, "too_big", ["promptText"]),
        ({"ratio": "16:9"}, "invalid_value", ["ratio"]),
        ({"promptImage": 5}, "invalid_union", ["promptImage"]),
        ({"promptImage": []}, "too_small", ["promptImage"]),
        ({"promptImage": [{"uri": data_uri(), "position": "last"}]}, "invalid_value", ["promptImage", 0, "position"]),
        ({"promptImage": [{"position": "first"}]}, "invalid_type", ["promptImage", 0, "uri"]),
        ({"contentModeration": {"publicFigureThreshold": 1}}, "invalid_type", [*MODERATION]),
    ],
)  # fmt: skip
def test_codes_and_paths(client: TestClient, changes: dict[str, Any], code: str, path: list[Any]) -> None:
    (found,) = issues(client, **changes)
    assert (found["code"], found["path"]) == (code, path)
    assert found["message"]


def test_utf16_units_count(client: TestClient) -> None:
    assert client.post(URL, json=body(promptText="\U0001f600" * 500)).status_code == 200


def test_a_union_of_objects_names_the_field_of_the_option_meant() -> None:
    wrong = {"model": "act_two", "reference": {"type": "video", "uri": "https://a.b/c"}}
    path = "/v1/character_performance"
    (found,) = catalogue.issues_of(path, wrong | {"character": {"type": "image"}})
    assert (found["code"], found["path"]) == ("invalid_type", ["character", "uri"])
    (found,) = catalogue.issues_of(path, wrong | {"character": {"type": "audio", "uri": "x"}})
    assert (found["code"], found["path"]) == ("invalid_union", ["character"])


@pytest.mark.parametrize(
    ("route", "fields", "path"),
    [
        ("image_to_video", {"proresProfile": "422"}, ["proresProfile"]),
        ("image_to_video", {"proresProfile": "422", "outputFormat": "prores"}, None),
        ("image_to_video", {"proresProfile": "422 LT", "outputFormat": "hdr_prores"}, ["proresProfile"]),
        ("video_to_video", {"proresProfile": "422", "outputFormat": "hdr_prores"}, ["proresProfile"]),
        ("image_to_video", {"promptImage": [{"position": "first"}, {}]}, ["promptImage"]),
        ("image_to_video", {"promptImage": [{}, {}]}, None),
        ("image_to_video", {"model": "h3_max", "promptImage": [{"position": "last"}]}, ["promptImage"]),
        (
            "image_to_video",
            {"model": "wan3", "promptImage": [{"position": "first"}], "ratio": "x"},
            ["ratio"],
        ),
        ("video_to_video", {"keyframes": [{"range": {}}, {"range": {"a": 1}}]}, ["keyframes"]),
        ("text_to_video", {"ratio": "adaptive"}, ["ratio"]),
        ("text_to_video", {"ratio": "adaptive", "references": [1]}, None),
        ("video_to_video", {"mode": "extend"}, ["promptText"]),
        ("video_to_video", {"mode": "edit", "promptText": "x", "duration": 5}, ["duration"]),
        ("video_to_video", {"mode": "extend", "promptText": "x", "ratio": "1:1"}, ["ratio"]),
        ("text_to_video", {"model": "m", "draftTaskId": "x", "seed": 1}, ["draftTaskId"]),
        ("text_to_image", {"proresProfile": "422"}, None),
    ],
)
def test_rules_across_fields(route: str, fields: dict[str, Any], path: list[str] | None) -> None:
    assert [found["path"] for found in broken_rules(route, fields)] == ([path] if path else [])
