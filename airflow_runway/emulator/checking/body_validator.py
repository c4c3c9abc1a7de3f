"""Checks a body against a JSON Schema, and tells the differences as Runway's ``issues``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from jsonschema.exceptions import ValidationError  # type: ignore[import-untyped]
from jsonschema.validators import extend  # type: ignore[import-untyped]

from airflow_runway.emulator.checking.issues import issue, wrong_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_runway.emulator.checking.issues import Issue, IssuePath

#: A JSON Schema, or a part of one.
Schema = Mapping[str, Any]

#: Our schemas say in this member that a length limit counts UTF-16 code units (contracts §1.1).
_LENGTH_UNIT = "x-lengthUnit"
_SHORTEST = {"minLength": ("string", "characters"), "minItems": ("array", "items")}
_LONGEST = {"maxLength": ("string", "characters"), "maxItems": ("array", "items")}
_BOUNDS = {
    "minimum": ("too_small", ">="),
    "exclusiveMinimum": ("too_small", ">"),
    "maximum": ("too_big", "<="),
    "exclusiveMaximum": ("too_big", "<"),
}


class BodyValidator:
    """A compiled schema.

    :param schema: JSON Schema 2020-12, where ``x-lengthUnit: utf16`` beside a length counts UTF-16 units.
    """

    def __init__(self, schema: Schema) -> None:
        self._validator = _Validator(schema)

    def issues(self, body: object) -> list[Issue]:
        """Everything that is wrong with a body.

        :param body: any JSON value.
        """
        errors = _without_consequences(self._validator.iter_errors(body))
        return [found for error in errors for found in _issues(error, [])]


def _without_consequences(errors: Iterable[ValidationError]) -> list[ValidationError]:
    """The errors without those that only follow from another: a number is no option of a list of words."""
    found = list(errors)
    mistyped = {tuple(error.relative_path) for error in found if error.validator == "type"}
    return [
        error
        for error in found
        if error.validator in ("type", "required") or tuple(error.relative_path) not in mistyped
    ]


def _issues(error: ValidationError, above: IssuePath) -> Iterator[Issue]:
    """The issues of one error.

    :param above: path of the value inside which the error's own path begins.
    """
    path = [*above, *error.relative_path]
    kind, limit, value = str(error.validator), error.validator_value, error.instance
    if kind == "anyOf":
        yield from _union(error, path)
    elif kind == "required":
        expected = str(_properties(error).get(path[-1], {}).get("type", "value"))
        yield wrong_type(path, expected, None, missing=True)
    elif kind == "type":
        yield wrong_type(path, str(limit), value, missing=False)
    elif kind == "additionalProperties":
        keys = [name for name in value if name not in _properties(error)]
        names = ", ".join(json.dumps(name) for name in keys)
        message = f"Unrecognized key{'s' * (len(keys) > 1)}: {names}"
        yield {**issue("unrecognized_keys", path, message), "keys": keys}
    else:
        yield _of_value(kind, limit, path)


def _properties(error: ValidationError) -> Mapping[str | int, Schema]:
    properties: Mapping[str | int, Schema] = error.schema.get("properties", {})
    return properties


def _of_value(kind: str, limit: Any, path: IssuePath) -> Issue:
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
        return {**issue("invalid_value", path, f"Invalid option: expected one of {choices}"), "values": limit}
    if kind == "const":
        return {
            **issue("invalid_value", path, f"Invalid input: expected {json.dumps(limit)}"),
            "values": [limit],
        }
    return issue("invalid_format", path, f"Invalid string: must match {kind} {limit}")


def _union(error: ValidationError, path: IssuePath) -> Iterator[Issue]:
    """The issues of the one option that was meant, or that none fits."""
    options: dict[object, list[ValidationError]] = {}
    for inner in error.context or ():
        options.setdefault(inner.relative_schema_path[0], []).append(inner)
    meant = [inner for inner in options.values() if not any(_is_other(one) for one in inner)]
    if len(meant) == 1:
        for inner_error in _without_consequences(meant[0]):
            yield from _issues(inner_error, path)
    else:
        yield issue("invalid_union", path, "Invalid input")


def _is_other(error: ValidationError) -> bool:
    """Whether an option of a union is not the one meant: another type, or another ``type`` member."""
    depth = len(error.relative_path)
    return (error.validator == "type" and depth == 0) or (error.validator == "const" and depth <= 1)


def _length(text: str, schema: Schema) -> int:
    # An emoji outside the basic plane counts twice.
    wide = schema.get(_LENGTH_UNIT) == "utf16"
    return len(text.encode("utf-16-le", "surrogatepass")) // 2 if wide else len(text)


def _min_length(_validator: object, limit: int, value: object, schema: Schema) -> Iterator[ValidationError]:
    if isinstance(value, str) and _length(value, schema) < limit:
        yield ValidationError("too short")


def _max_length(_validator: object, limit: int, value: object, schema: Schema) -> Iterator[ValidationError]:
    if isinstance(value, str) and _length(value, schema) > limit:
        yield ValidationError("too long")


def _required(
    _validator: object, names: list[str], value: object, _schema: Schema
) -> Iterator[ValidationError]:
    # The library tells the name of the missing field in its sentence only; here it ends the path.
    if isinstance(value, dict):
        for name in names:
            if name not in value:
                yield ValidationError("missing", path=(name,))


_Validator: Any = extend(
    Draft202012Validator, {"minLength": _min_length, "maxLength": _max_length, "required": _required}
)
