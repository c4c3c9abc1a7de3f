"""Checks of a request body: all issues at once, in Runway's shape (published API description)."""

from __future__ import annotations

from typing import Any

from airflow_runway.emulator.jobs import RATIO

_MAX_PROMPT_UNITS = 1000
_MAX_SEED = 4_294_967_295
_DURATIONS = (2, 10)
#: The routes whose prompt and duration limits are these (contracts 1.1).
_VIDEO_ROUTES = frozenset({"image_to_video", "text_to_video"})


def issues_of(gateway: str, route: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    """Everything that is wrong with a body; empty if nothing is.

    :param gateway: gateway name; CometAPI asks for less than Runway.
    :param route: route name.
    :param body: the JSON object that was sent.
    :returns: issues with ``code``, ``path`` and ``message``.
    """
    issues: list[dict[str, Any]] = []
    # generate/* and recipes/* choose the model themselves (contracts 1.1).
    if "/" not in route:
        _text(issues, body, "model", needed=True)
    _seed(issues, body)
    if route not in _VIDEO_ROUTES:
        return issues
    if route == "image_to_video":
        _prompt_image(issues, body)
        _ratio(issues, body, needed=gateway == "runway")
    _prompt_text(issues, body)
    _duration(issues, body)
    return issues


def _issue(issues: list[dict[str, Any]], code: str, path: list[str | int], message: str) -> None:
    issues.append({"code": code, "path": path, "message": message})


def _wrong_type(issues: list[dict[str, Any]], path: list[str | int], expected: str, value: object) -> None:
    _issue(issues, "invalid_type", path, f"Invalid input: expected {expected}, received {_json_type(value)}")


def _json_type(value: object) -> str:
    if value is None:
        return "undefined"
    if isinstance(value, bool):
        return "boolean"
    names: dict[type, str] = {str: "string", int: "number", float: "number", list: "array", dict: "object"}
    return names.get(type(value), "unknown")


def _text(issues: list[dict[str, Any]], body: dict[str, Any], name: str, *, needed: bool) -> str | None:
    value = body.get(name)
    if value is None and not needed:
        return None
    if not isinstance(value, str):
        _wrong_type(issues, [name], "string", value)
        return None
    if not value and needed:
        _issue(issues, "too_small", [name], "Too small: expected string to have >=1 characters")
    return value


def _prompt_text(issues: list[dict[str, Any]], body: dict[str, Any]) -> None:
    value = _text(issues, body, "promptText", needed=False)
    # Runway counts UTF-16 code units, so that one emoji counts twice (SPEC).
    if value is not None and len(value.encode("utf-16-le", "surrogatepass")) // 2 > _MAX_PROMPT_UNITS:
        _issue(
            issues,
            "too_big",
            ["promptText"],
            f"Too big: expected string to have <={_MAX_PROMPT_UNITS} characters",
        )


def _ratio(issues: list[dict[str, Any]], body: dict[str, Any], *, needed: bool) -> None:
    value = _text(issues, body, "ratio", needed=needed)
    if value and not RATIO.fullmatch(value):
        _issue(issues, "invalid_format", ["ratio"], "Invalid input: expected a ratio such as 1280:720")


def _prompt_image(issues: list[dict[str, Any]], body: dict[str, Any]) -> None:
    value = body.get("promptImage")
    if not isinstance(value, list):
        _text(issues, body, "promptImage", needed=True)
        return
    if not value:
        _issue(issues, "too_small", ["promptImage"], "Too small: expected array to have >=1 items")
    for index, item in enumerate(value):
        uri = item.get("uri") if isinstance(item, dict) else None
        if not isinstance(uri, str):
            _wrong_type(issues, ["promptImage", index, "uri"], "string", uri)


def _duration(issues: list[dict[str, Any]], body: dict[str, Any]) -> None:
    low, high = _DURATIONS
    _integer(issues, body, "duration", low, high)


def _seed(issues: list[dict[str, Any]], body: dict[str, Any]) -> None:
    _integer(issues, body, "seed", 0, _MAX_SEED)


def _integer(issues: list[dict[str, Any]], body: dict[str, Any], name: str, low: int, high: int) -> None:
    value = body.get(name)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        _wrong_type(issues, [name], "int", value)
    elif value < low:
        _issue(issues, "too_small", [name], f"Too small: expected number to be >={low}")
    elif value > high:
        _issue(issues, "too_big", [name], f"Too big: expected number to be <={high}")
