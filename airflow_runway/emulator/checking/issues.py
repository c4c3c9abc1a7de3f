"""The ``issues`` of Runway's 400 for a body that breaks the schema (contracts §1.3; codes as zod 4 spells them)."""

from __future__ import annotations

from typing import NotRequired, TypedDict

#: Where in a body: names and positions from the outside in.
IssuePath = list[str | int]


class Issue(TypedDict):
    """One thing that is wrong with a body.

    ``keys`` comes with unknown members, ``values`` with a value that is not among the allowed ones.
    """

    code: str
    path: IssuePath
    message: str
    keys: NotRequired[list[str]]
    values: NotRequired[list[object]]


def issue(code: str, path: IssuePath, message: str) -> Issue:
    """One issue.

    :param code: zod's word for what is wrong.
    :param path: where in the body.
    :param message: the same for people.
    """
    return {"code": code, "path": path, "message": message}


def wrong_type(path: IssuePath, expected: str, value: object, *, missing: bool) -> Issue:
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


def _type_name(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    names: dict[type, str] = {str: "string", int: "number", float: "number", list: "array", dict: "object"}
    return names.get(type(value), "unknown")
