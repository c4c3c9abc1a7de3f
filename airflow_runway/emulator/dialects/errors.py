"""Error answers in the envelope of each gateway (contracts §1.3, contracts §3.6, contracts §6)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Link that Runway puts beside some errors (published API description).
DOC_URL = "https://docs.dev.runwayml.com/api"

#: What a gateway says for any 429 of Runway's (open-source gateway code): the upstream is saturated.
_SATURATED = "当前分组上游负载已饱和，请稍后再试"  # noqa: RUF001 - the text is theirs
#: The type that a gateway's own errors carry (contracts §3.6, contracts §6).
_KINDS = {"cometapi": "comet_api_error", "gptplus5": "new_api_error"}
#: Some texts of the gateways end in the id of the request.
_REQUEST_ID = "(request id: 20260313095246000000000)"


def plain_error(gateway: str, status: int, text: str) -> Response:
    """An error that is one sentence.

    :param gateway: gateway name; gateways carry Runway's body as text inside their own (contracts §6).
    :param status: HTTP status.
    :param text: what is wrong.
    """
    return _from_runway(gateway, status, {"error": text})


def validation_failed(gateway: str, issues: Sequence[Mapping[str, object]]) -> Response:
    """The 400 for a request that breaks the schema (contracts §1.3, contracts §6).

    :param gateway: gateway name.
    :param issues: all of them, each with ``code``, ``path`` and ``message``.
    """
    return _from_runway(
        gateway, 400, {"error": "Validation of body failed", "issues": issues, "docUrl": DOC_URL}
    )


def out_of_credits(gateway: str) -> Response:
    """No money: 400 on Runway, 403 where a gateway's own account is empty (seen in third-party clients).

    :param gateway: gateway name.
    """
    if gateway != "runway":
        return task_layer(403, "fail_to_fetch_task", "Insufficient account balance")
    body = {"error": "You do not have enough credits to run this task.", "docUrl": DOC_URL}
    return JSONResponse(body, 400)


def daily_limit(gateway: str) -> Response:
    """The 429 for a model whose rolling 24 hours are used up (contracts §1.3, contracts §6).

    :param gateway: gateway name.
    """
    if gateway != "runway":
        return task_layer(429, "fail_to_fetch_task", _SATURATED)
    return JSONResponse({"error": "You have exceeded the daily generation limit for this model."}, 429)


def unauthorized(gateway: str) -> Response:
    """The 401 (envelopes published, texts invented).

    :param gateway: gateway name.
    """
    if gateway == "runway":
        return JSONResponse({"error": "Unauthorized"}, 401)
    return JSONResponse(_error_object(_KINDS[gateway], f"invalid token {_REQUEST_ID}", ""), 401)


def no_channel(model: str) -> Response:
    """The 503 for a model that no channel of a gateway serves; nothing was sent upstream (contracts §6).

    :param model: the model asked for.
    """
    text = f"no available channel for model {model} under group default {_REQUEST_ID}"
    return JSONResponse(_error_object("new_api_error", text, "model_not_found"), 503)


def model_missing(gateway: str) -> Response:
    """The 400 for a request without a model (an earlier edition of CometAPI's error page).

    :param gateway: gateway name.
    """
    return JSONResponse(_error_object(_KINDS[gateway], f"model name is required {_REQUEST_ID}", ""), 400)


def malformed(gateway: str) -> Response:
    """The answer to a body that is no JSON object: 400 on Runway, 500 with this code on gateways (contracts §3.6).

    :param gateway: gateway name.
    """
    text = "The body must be a JSON object."
    if gateway == "runway":
        return JSONResponse({"error": text}, 400)
    return JSONResponse(_error_object(_KINDS[gateway], text, "invalid_request"), 500)


def invalid_url(method: str, path: str) -> Response:
    """The 404 of a gateway for a method and path that it does not have (contracts §6).

    :param method: HTTP method.
    :param path: path as it was asked for.
    """
    error = {
        "message": f"Invalid URL ({method} {path})",
        "type": "invalid_request_error",
        "param": "",
        "code": "",
    }
    return JSONResponse({"error": error}, 404)


def task_layer(status: int, code: str, message: str) -> Response:
    """The envelope of a gateway's task layer (contracts §6).

    :param status: HTTP status.
    :param code: one word.
    :param message: the word again, a sentence, or an upstream body as text.
    """
    return JSONResponse({"code": code, "message": message, "data": None}, status)


def refused_in_body(text: str) -> Response:
    """HTTP 200 with another code and no id: the reverse format's way to refuse (contracts §3.3, contracts §5).

    :param text: the reason.
    """
    return JSONResponse({"code": 400, "msg": text, "data": None, "exec_time": 0})


def not_found() -> Response:
    """Runway's 404 for a task or invocation that never existed, was cancelled or deleted (contracts §1.2)."""
    return JSONResponse({"error": "Task not found."}, 404)


def _from_runway(gateway: str, status: int, body: dict[str, object]) -> Response:
    if gateway == "runway":
        return JSONResponse(body, status)
    return task_layer(status, "fail_to_fetch_task", json.dumps(body, ensure_ascii=False))


def _error_object(kind: str, message: str, code: str) -> dict[str, object]:
    return {"error": {"message": message, "type": kind, "param": "", "code": code}}
