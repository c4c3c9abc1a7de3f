"""Error bodies in the envelope of each gateway (contracts 1.3, 3.6)."""

from __future__ import annotations

from typing import Any

#: Link that Runway puts beside some errors (SPEC).
DOC_URL = "https://docs.dev.runwayml.com/api"

NOT_FOUND = {"error": "Task not found."}
OUT_OF_CREDITS = {"error": "You do not have enough credits to run this task.", "docUrl": DOC_URL}
#: Where a gateway's own account is empty (GW: task layer).
OUT_OF_CREDITS_COMETAPI = {
    "code": "fail_to_fetch_task",
    "message": "Insufficient account balance",
    "data": None,
}
#: contracts 2.4: word documented, envelope from the gateway source.
TASK_NOT_EXIST = {"code": "task_not_exist", "message": "task_not_exist", "data": None}


def unauthorized(gateway: str) -> dict[str, Any]:
    """The body of a 401 (envelopes published, texts invented).

    :param gateway: gateway name.
    """
    if gateway == "cometapi":
        return {
            "error": {"message": "invalid token", "type": "comet_api_error", "param": "", "code": ""},
        }
    return {"error": "Unauthorized"}


def validation_failed(issues: list[dict[str, Any]]) -> dict[str, Any]:
    """The body of a 400 for a request that breaks the schema (SPEC).

    :param issues: all of them, each with ``code``, ``path`` and ``message``.
    """
    return {"error": "Validation of body failed", "issues": issues, "docUrl": DOC_URL}
