"""How each service answers the body of a creation that it does not take.

Runway judges by the catalogue, gateways by schemas of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_runway.emulator.checking import catalogue, gateway_schemas
from airflow_runway.emulator.checking.cross_field_rules import broken_rules
from airflow_runway.emulator.dialects import errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response


def refusal_of_body(
    gateway: str, route: str, body: Mapping[str, object], *, lenient: bool
) -> Response | None:
    """The answer to a body that the gateway does not take; ``None`` if it does.

    :param gateway: gateway name.
    :param route: route name.
    :param body: the JSON object that was sent.
    :param lenient: accept models, fields and values that the catalogue does not know.
    """
    if gateway == "runway":
        return _by_catalogue(route, body, lenient=lenient)
    if route.startswith("pro/"):
        return _reverse(gateway, route, body, lenient=lenient)
    if not body.get("model"):
        return errors.model_missing(gateway)
    issues = gateway_schemas.issues_of(gateway, route, body)
    if issues:
        return errors.validation_failed(gateway, issues)
    if route == "text_to_image" and not body.get("referenceImages"):
        return errors.task_layer(400, "reference_images_empty", "reference_images_empty")
    return _unsold(body["model"], lenient=lenient)


def _by_catalogue(route: str, body: Mapping[str, object], *, lenient: bool) -> Response | None:
    issues = catalogue.issues_of(f"/v1/{route}", body, lenient=lenient)
    if not issues and not lenient:
        issues = broken_rules(route, body)
    return errors.validation_failed("runway", issues) if issues else None


def _reverse(gateway: str, route: str, body: Mapping[str, object], *, lenient: bool) -> Response | None:
    if not body.get("callback_url"):
        return errors.task_layer(400, "callback_url_empty", "callback_url_empty")
    issues = gateway_schemas.issues_of(gateway, route, body)
    if issues:
        lines = (f"{'.'.join(map(str, issue['path']))}: {issue['message']}" for issue in issues)
        return errors.refused_in_body("; ".join(lines))
    # pro/act_one has no model (contracts §3.2).
    return _unsold(body["model"], lenient=lenient) if "model" in body else None


def _unsold(model: object, *, lenient: bool) -> Response | None:
    return None if lenient or gateway_schemas.sells(str(model)) else errors.no_channel(str(model))
