"""Bodies that the catalogue takes: for each of its variants the smallest one, made from its schema."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from .conftest import data_uri

DOCUMENT = json.loads((files("airflow_runway.emulator.checking") / "catalogue.json").read_text())
MEDIA = {
    "image": data_uri(),
    "video": "https://example.com/a.mp4",
    "audio": "https://example.com/a.mp3",
    "any_media": "https://example.com/a.mp3",
}


def value(schema: dict[str, Any]) -> Any:
    """The smallest value of a schema."""
    if "$ref" in schema:
        return MEDIA[schema["$ref"].rpartition("/")[2]]
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    if "anyOf" in schema:
        return value(schema["anyOf"][0])
    if schema["type"] == "object":
        return {name: value(schema["properties"][name]) for name in schema.get("required", ())}
    if schema["type"] == "array":
        return [value(schema["items"])] * schema.get("minItems", 0)
    if schema["type"] == "string":
        return "x" * max(1, schema.get("minLength", 1)) if "pattern" not in schema else "default-video"
    if schema["type"] == "boolean":
        return False
    return schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)


def smallest(variant: dict[str, Any]) -> dict[str, Any]:
    """The body with the required fields of a variant."""
    body = {name: value(variant["params"][name]) for name in variant["required"]}
    # An address that several kinds share is a plain string in the catalogue.
    return {name: MEDIA["image"] if name == "promptImage" else item for name, item in body.items()}


VARIANTS = [
    (endpoint["path"], variant["value"], smallest(variant))
    for endpoint in DOCUMENT["endpoints"]
    for variant in endpoint["variants"]
]
