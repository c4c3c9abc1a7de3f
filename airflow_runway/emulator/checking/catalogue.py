"""The task-creating endpoints of the official API and the schemas of their bodies (``catalogue.json``).

The file is made from the types of the official SDK 5.24.0 and Runway's published API description. Model names
and enum values change within weeks: it is for the emulator alone, the provider never refuses by it.
"""

from __future__ import annotations

import json
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, TypedDict

from airflow_runway.emulator.checking.body_validator import BodyValidator
from airflow_runway.emulator.checking.issues import issue, wrong_type

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from airflow_runway.emulator.checking.body_validator import Schema
    from airflow_runway.emulator.checking.issues import Issue


class _Variant(TypedDict):
    """A body for one value of the discriminator, usually a model."""

    value: str | None
    params: dict[str, Schema]
    required: list[str]


class _Endpoint(TypedDict):
    path: str
    #: The field that tells the variants apart; ``None`` if there is one variant only.
    discriminator: str | None
    variants: list[_Variant]


#: What stays of a schema in lenient mode: which fields there are, and of which type.
_TYPES_ONLY = frozenset({"type", "anyOf", "properties", "required", "items", "additionalProperties"})
#: What stands for a media reference. What it leads to is judged by whoever opens it: Runway answers a bad
#: address with a sentence and without ``issues`` (contracts §1.3), and the emulator's own addresses are plain HTTP.
_REFERENCE: Schema = {"type": "string", "minLength": 1}


def issues_of(path: str, body: Mapping[str, object], *, lenient: bool = False) -> list[Issue]:
    """Everything that is wrong with a body; empty if nothing is.

    :param path: path of the endpoint, e.g. ``/v1/image_to_video``.
    :param body: the JSON object that was sent.
    :param lenient: accept unknown models, fields and values; refuse only missing fields and wrong types.
    :returns: issues with ``code``, ``path`` and ``message`` at least.
    """
    endpoint = _endpoints()[path]
    field = endpoint["discriminator"]
    if field is None:
        return _validator(path, None, lenient).issues(body)
    value = body.get(field)
    if not isinstance(value, str):
        return [wrong_type([field], "string", value, missing=field not in body)]
    if value in {variant["value"] for variant in endpoint["variants"]}:
        return _validator(path, value, lenient).issues(body)
    if lenient:
        return _validator_of_any(path).issues(body)
    known = " | ".join(json.dumps(variant["value"]) for variant in endpoint["variants"])
    return [issue("invalid_union", [field], f"Invalid discriminator value. Expected {known}")]


def models() -> frozenset[str]:
    """All model names of all endpoints."""
    return frozenset(
        variant["value"]
        for endpoint in _endpoints().values()
        if endpoint["discriminator"] == "model"
        for variant in endpoint["variants"]
        if variant["value"] is not None
    )


@cache
def _endpoints() -> dict[str, _Endpoint]:
    text = (files(__package__) / "catalogue.json").read_text("utf-8")
    return {endpoint["path"]: endpoint for endpoint in json.loads(text)["endpoints"]}


@lru_cache(maxsize=512)
def _validator(path: str, value: str | None, lenient: bool) -> BodyValidator:
    variants = _endpoints()[path]["variants"]
    (variant,) = (variant for variant in variants if variant["value"] == value)
    schema = {"type": "object", "properties": variant["params"], "required": variant["required"]}
    return BodyValidator(_objects(schema, _TYPES_ONLY if lenient else None))


@cache
def _validator_of_any(path: str) -> BodyValidator:
    """For a model that nobody knows: a field has one of the types that it has in the known models."""
    properties: dict[str, list[Schema]] = {}
    for variant in _endpoints()[path]["variants"]:
        for name, schema in variant["params"].items():
            simple = _shallow(schema)
            if simple not in properties.setdefault(name, []):
                properties[name].append(simple)
    return BodyValidator(
        {
            "type": "object",
            "properties": {
                name: kinds[0] if len(kinds) == 1 else {"anyOf": kinds} for name, kinds in properties.items()
            },
        }
    )


def _shallow(schema: Schema) -> Schema:
    """The types that a value may have, without what may be inside it."""
    if "$ref" in schema:
        return {"type": _REFERENCE["type"]}
    if "anyOf" in schema:
        options = [_shallow(option) for option in schema["anyOf"]]
        return {"anyOf": [{"type": option["type"]} for option in options if "type" in option]}
    return {"type": schema["type"]} if "type" in schema else {}


def _objects(schema: Schema, kept: Collection[str] | None) -> Schema:
    """A schema without references to others, whose objects are closed or relaxed.

    :param schema: a schema of the catalogue.
    :param kept: the members that stay; ``None`` = all of them, and objects have no fields but those named.
    """
    if "$ref" in schema:
        return _REFERENCE if kept is None else {"type": _REFERENCE["type"]}
    result: dict[str, object] = {}
    for name, value in schema.items():
        if kept is not None and name not in kept:
            continue
        if name == "properties":
            result[name] = {key: _objects(item, kept) for key, item in value.items()}
        elif name == "anyOf":
            result[name] = [_objects(item, kept) for item in value]
        elif name in ("items", "additionalProperties") and isinstance(value, dict):
            result[name] = _objects(value, kept)
        else:
            result[name] = value
    if kept is None and "properties" in schema:
        result.setdefault("additionalProperties", False)
    return result
