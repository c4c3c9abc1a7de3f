"""The task-creating endpoints of the official API and the schemas of their bodies (``catalogue.json``).

The file is made from the types of the official SDK 5.24.0 and Runway's published API description. Model names
and enum values change within weeks: it is for the emulator alone, the provider never refuses by it.
"""

from __future__ import annotations

import json
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from airflow_runway.emulator.issues import BodyValidator, as_issues, issue, wrong_type

if TYPE_CHECKING:
    from collections.abc import Iterable

#: What stays of a schema in lenient mode: which fields there are, and of which type.
_TYPES_ONLY = frozenset({"type", "anyOf", "properties", "required", "items", "additionalProperties"})


def issues_of(path: str, body: dict[str, Any], *, lenient: bool = False) -> list[dict[str, Any]]:
    """Everything that is wrong with a body; empty if nothing is.

    :param path: path of the endpoint, e.g. ``/v1/image_to_video``.
    :param body: the JSON object that was sent.
    :param lenient: accept unknown models, fields and values; refuse only missing fields and wrong types.
    :returns: issues with ``code``, ``path`` and ``message`` at least.
    """
    endpoint = _endpoints()[path]
    field = endpoint["discriminator"]
    if field is None:
        return as_issues(_validator(path, None, lenient), body)
    value = body.get(field)
    if not isinstance(value, str):
        return [wrong_type([field], "string", value, missing=field not in body)]
    if value in {variant["value"] for variant in endpoint["variants"]}:
        return as_issues(_validator(path, value, lenient), body)
    if lenient:
        return as_issues(_validator_of_any(path), body)
    known = " | ".join(json.dumps(variant["value"]) for variant in endpoint["variants"])
    return [issue("invalid_union", [field], f"Invalid discriminator value. Expected {known}")]


def models() -> frozenset[str]:
    """All model names of all endpoints."""
    return frozenset(
        variant["value"]
        for endpoint in _endpoints().values()
        if endpoint["discriminator"] == "model"
        for variant in endpoint["variants"]
    )


@cache
def _endpoints() -> dict[str, dict[str, Any]]:
    text = (files(__package__) / "catalogue.json").read_text("utf-8")
    return {endpoint["path"]: endpoint for endpoint in json.loads(text)["endpoints"]}


@lru_cache(maxsize=512)
def _validator(path: str, value: str | None, lenient: bool) -> BodyValidator:
    variants = _endpoints()[path]["variants"]
    (variant,) = (variant for variant in variants if variant["value"] == value)
    schema = {"type": "object", "properties": variant["params"], "required": variant["required"]}
    return BodyValidator(relaxed(_plain(schema)) if lenient else closed(_plain(schema)))


@cache
def _validator_of_any(path: str) -> BodyValidator:
    """For a model that nobody knows: a field has one of the types that it has in the known models."""
    properties: dict[str, list[Any]] = {}
    for variant in _endpoints()[path]["variants"]:
        for name, schema in variant["params"].items():
            simple = {key: value for key, value in _shallow(schema).items() if key in ("type", "anyOf")}
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


def _shallow(schema: dict[str, Any]) -> dict[str, Any]:
    plain = _plain(schema)
    if "anyOf" in plain:
        return {"anyOf": [{"type": option["type"]} for option in plain["anyOf"] if "type" in option]}
    return {"type": plain["type"]} if "type" in plain else {}


def _plain(schema: Any) -> Any:
    """A schema whose media references are strings: :mod:`~airflow_runway.emulator.sources` judges those.

    Runway answers a bad address with a sentence and without ``issues`` (RD/errors/troubleshooting), and the
    emulator takes its own plain HTTP addresses besides.
    """
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"type": "string", "minLength": 1}
    return {name: _plain(value) for name, value in schema.items()}


def closed(schema: Any) -> Any:
    """A schema whose objects have no fields but those named.

    :param schema: a schema without references.
    """
    return _objects(schema, None)


def relaxed(schema: Any) -> Any:
    """A schema that asks for fields and types alone.

    :param schema: a schema without references.
    """
    return _objects(schema, _TYPES_ONLY)


def _objects(schema: Any, kept: Iterable[str] | None) -> Any:
    if not isinstance(schema, dict):
        return schema
    result: dict[str, Any] = {}
    for name, value in schema.items():
        if kept is not None and name not in kept:
            continue
        if name == "properties":
            result[name] = {key: _objects(item, kept) for key, item in value.items()}
        elif name == "anyOf":
            result[name] = [_objects(item, kept) for item in value]
        elif name in ("items", "additionalProperties"):
            result[name] = _objects(value, kept)
        else:
            result[name] = value
    if kept is None and "properties" in schema:
        result.setdefault("additionalProperties", False)
    return result
