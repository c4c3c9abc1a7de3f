"""The account: balance, limits and use (contracts 1.6); Runway only."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

from airflow_runway.emulator import catalogue, errors, strictjson
from airflow_runway.emulator.issues import issue
from airflow_runway.emulator.requestlog import entry_of, shortened
from airflow_runway.emulator.serving import Call

if TYPE_CHECKING:
    from starlette.requests import Request

    from airflow_runway.emulator.state import Emulator

_MONTHLY = 100_000
#: SPEC; what is not given defaults to this many days (SDK).
_LONGEST, _USUAL = timedelta(days=90), timedelta(days=30)


def organization(emulator: Emulator, request: Request) -> Response:
    """``GET /v1/organization``.

    :param request: the request in hand.
    """
    call = Call(emulator, request, "runway", ("organization",))
    refused = call.hindrance()
    if refused is not None:
        return refused
    settings = emulator.settings
    used = emulator.world.used_today("runway")
    # null means no limit (SDK).
    limits = {"maxConcurrentGenerations": settings.max_concurrent, "maxDailyGenerations": settings.max_daily}
    body: dict[str, Any] = {
        "tier": {
            "maxMonthlyCreditSpend": _MONTHLY,
            "models": {model: dict(limits) for model in sorted(catalogue.models() | set(used))},
        },
        "creditBalance": emulator.world.balance(settings.start_balance),
        "usage": {"models": {model: {"dailyGenerations": count} for model, count in used.items()}},
    }
    return call.answer(JSONResponse(body))


async def usage(emulator: Emulator, request: Request) -> Response:
    """``POST /v1/organization/usage``: a read, credits per day and model.

    :param request: the request in hand.
    """
    content = await request.body()
    try:
        body = strictjson.loads(content or b"{}")
    except ValueError:
        body = None
    entry_of(request.scope).body = shortened(body)
    call = Call(emulator, request, "runway", ("organization",))
    refused = call.hindrance()
    if refused is not None:
        return refused
    if not isinstance(body, dict):
        return errors.malformed("runway")
    today = datetime.fromtimestamp(emulator.world.clock(), UTC).date()
    issues: list[dict[str, Any]] = []
    start = _day(issues, body, "startDate") or today - _USUAL
    before = _day(issues, body, "beforeDate") or start + _USUAL
    if not issues and not start < before <= start + _LONGEST:
        text = "Must be after startDate and at most 90 days after it"
        issues.append(issue("custom", ["beforeDate"], text))
    if issues:
        return errors.validation_failed("runway", issues)
    return call.answer(JSONResponse(_usage(emulator, start, before)))


def _usage(emulator: Emulator, start: date, before: date) -> dict[str, Any]:
    days: dict[date, dict[str, float]] = {}
    for task in emulator.world.tasks():
        if task.gateway != "runway":
            continue
        shot = emulator.world.observe(task)
        _book(days, task.created_at, task.model, task.credits)
        if shot.refunded:
            # A day with more refunds than charges has a negative amount (SDK).
            _book(days, shot.finished_at, task.model, -shot.refunded)
    shown = [day for day in sorted(days) if start <= day < before]
    results = [
        {
            "date": day.isoformat(),
            "usedCredits": [{"model": model, "amount": amount} for model, amount in days[day].items()],
        }
        for day in shown
    ]
    models = {model for day in shown for model in days[day]}
    return {"results": results, "models": sorted(models)}


def _book(days: dict[date, dict[str, float]], epoch: float, model: str, amount: float) -> None:
    day = days.setdefault(datetime.fromtimestamp(epoch, UTC).date(), {})
    day[model] = day.get(model, 0) + amount


def _day(issues: list[dict[str, Any]], body: dict[str, Any], name: str) -> date | None:
    value = body.get(name)
    if value is None:
        return None
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        issues.append(issue("invalid_format", [name], "Invalid ISO date"))
        return None
