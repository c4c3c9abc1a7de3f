"""From a JSON Schema to the ``issues`` of Runway's 400 (published API description; codes as zod 4 spells them)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from jsonschema.exceptions import ValidationError  # type: ignore[import-untyped]
from jsonschema.validators import extend  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Our schemas say in this member that a length limit counts UTF-16 code units (SPEC).
_LENGTH_UNIT = "x-lengthUnit"
_SHORTEST = {"minLength": ("string", "characters"), "minItems": ("array", "items")}
_LONGEST = {"maxLength": ("string", "characters"), "maxItems": ("array", "items")}
_BOUNDS = {
    "minimum": ("too_small", ">="),
    "exclusiveMinimum": ("too_small", ">"),
    "maximum": ("too_big", "<="),
    "exclusiveMaximum": ("too_big", "<"),
}


def issue(code: str, path: list[str | int], message: str, **more: Any) -> dict[str, Any]:
    """One issue.

    :param code: zod's word for what is wrong.
    :param path: where in the body.
    :param message: the same for people.
    :param more: further members that zod gives with this code.
    """
    return {"code": code, "path": path, "message": message, **more}


def wrong_type(path: list[str | int], expected: str, value: object, *, missing: bool) -> dict[str, Any]:
    """The issue of a field that is of another type, or not there.

    :param path: where in the body.
    :param expected: JSON Schema's name of the type that it should have.
    :param value: what is there.
    :param missing: nothing is there.
    """
    received = "undefined" if missing else _type_name(value)
    if expected == "integer":
        expected = "int" if received == "number" else "number"
    return issue("invalid_type", path, f"Invalid input: expected {expected}, received {received}")


class BodyValidator:
    """A compiled schema.

    :param schema: JSON Schema 2020-12, where ``x-lengthUnit: utf16`` beside a length counts UTF-16 units.
    """

    def __init__(self, schema: dict[str, Any]) -> None:
        self._validator = _Validator(schema)

    def errors(self, body: object) -> Iterator[ValidationError]:
        """Everything in which a body differs from the schema.

        :param body: any JSON value.
        """
        return iter(self._validator.iter_errors(body))


def as_issues(validator: BodyValidator, body: object) -> list[dict[str, Any]]:
    """Everything that is wrong with a body, in Runway's shape.

    :param validator: its schema.
    :param body: any JSON value.
    """
    return [found for error in _telling(validator.errors(body)) for found in _issues(error, [])]


def _telling(errors: Iterable[ValidationError]) -> list[ValidationError]:
    """The errors without those that only follow from another: a number is no option of a list of words."""
    found = list(errors)
    mistyped = {tuple(error.relative_path) for error in found if error.validator == "type"}
    return [
        error
        for error in found
        if error.validator in ("type", "required") or tuple(error.relative_path) not in mistyped
    ]


def _issues(error: ValidationError, above: list[str | int]) -> Iterator[dict[str, Any]]:
    """The issues of one error.

    :param above: path of the value inside which the error's own path begins.
    """
    path = [*above, *error.relative_path]
    kind, limit, value = str(error.validator), error.validator_value, error.instance
    if kind == "anyOf":
        yield from _union(error, path)
    elif kind == "required":
        properties: Any = error.schema["properties"] if isinstance(error.schema, dict) else {}
        yield wrong_type(path, properties.get(path[-1], {}).get("type", "value"), None, missing=True)
    elif kind == "type":
        yield wrong_type(path, str(limit), value, missing=False)
    elif kind == "additionalProperties":
        known: Any = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
        keys = [name for name in value if name not in known]
        names = ", ".join(json.dumps(name) for name in keys)
        yield issue("unrecognized_keys", path, f"Unrecognized key{'s' * (len(keys) > 1)}: {names}", keys=keys)
    else:
        yield _of_value(kind, limit, path)


def _of_value(kind: str, limit: Any, path: list[str | int]) -> dict[str, Any]:
    if kind in _SHORTEST:
        what, unit = _SHORTEST[kind]
        return issue("too_small", path, f"Too small: expected {what} to have >={limit} {unit}")
    if kind in _LONGEST:
        what, unit = _LONGEST[kind]
        return issue("too_big", path, f"Too big: expected {what} to have <={limit} {unit}")
    if kind in _BOUNDS:
        code, sign = _BOUNDS[kind]
        size = "small" if code == "too_small" else "big"
        return issue(code, path, f"Too {size}: expected number to be {sign}{limit}")
    if kind == "enum":
        choices = "|".join(json.dumps(choice) for choice in limit)
        return issue("invalid_value", path, f"Invalid option: expected one of {choices}", values=limit)
    if kind == "const":
        return issue("invalid_value", path, f"Invalid input: expected {json.dumps(limit)}", values=[limit])
    return issue("invalid_format", path, f"Invalid string: must match {kind} {limit}")


def _union(error: ValidationError, path: list[str | int]) -> Iterator[dict[str, Any]]:
    """The issues of the one option that was meant, or that none fits."""
    options: dict[Any, list[ValidationError]] = {}
    for inner in error.context or ():
        options.setdefault(inner.relative_schema_path[0], []).append(inner)
    meant = [inner for inner in options.values() if not any(_is_other(one) for one in inner)]
    if len(meant) == 1:
        for inner_error in _telling(meant[0]):
            yield from _issues(inner_error, path)
    else:
        yield issue("invalid_union", path, "Invalid input")


def _is_other(error: ValidationError) -> bool:
    """Whether an option of a union is not the one meant: another type, or another ``type`` member."""
    depth = len(error.relative_path)
    return (error.validator == "type" and depth == 0) or (error.validator == "const" and depth <= 1)


def _type_name(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    names: dict[type, str] = {str: "string", int: "number", float: "number", list: "array", dict: "object"}
    return names.get(type(value), "unknown")


def _length(text: str, schema: dict[str, Any]) -> int:
    # An emoji outside the basic plane counts twice.
    wide = schema.get(_LENGTH_UNIT) == "utf16"
    return len(text.encode("utf-16-le", "surrogatepass")) // 2 if wide else len(text)


def _min_length(_v: Any, limit: int, value: object, schema: dict[str, Any]) -> Iterator[ValidationError]:
    if isinstance(value, str) and _length(value, schema) < limit:
        yield ValidationError("too short")


def _max_length(_v: Any, limit: int, value: object, schema: dict[str, Any]) -> Iterator[ValidationError]:
    if isinstance(value, str) and _length(value, schema) > limit:
        yield ValidationError("too long")


def _required(_v: Any, names: list[str], value: object, _schema: Any) -> Iterator[ValidationError]:
    # The library tells the name of the missing field in its sentence only; here it ends the path.
    if isinstance(value, dict):
        for name in names:
            if name not in value:
                yield ValidationError("missing", path=(name,))


_Validator: Any = extend(
    Draft202012Validator, {"minLength": _min_length, "maxLength": _max_length, "required": _required}
)
