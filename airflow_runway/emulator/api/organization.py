"""The account: balance, limits and use (contracts §1.6); Runway only."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from airflow_runway.emulator.api.request_log import logged_json
from airflow_runway.emulator.checking import catalogue
from airflow_runway.emulator.checking.issues import issue
from airflow_runway.emulator.dialects import errors
from airflow_runway.emulator.world.ledger import used_credits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from airflow_runway.emulator.api.call import Gatekeeper
    from airflow_runway.emulator.checking.issues import Issue
    from airflow_runway.emulator.world.settings import SettingsStore
    from airflow_runway.emulator.world.world import World

_MONTHLY = 100_000
#: The longest span of a usage report, and what a date that is not given defaults to.
_LONGEST, _USUAL = timedelta(days=90), timedelta(days=30)


class OrganizationRoutes:
    """Shows the account.

    :param gatekeeper: looks at every call.
    :param settings: those in force.
    :param world: where charges and refunds are.
    """

    def __init__(self, gatekeeper: Gatekeeper, settings: SettingsStore, world: World) -> None:
        self._gatekeeper = gatekeeper
        self._settings = settings
        self._world = world

    async def organization(self, request: Request) -> Response:
        """``GET /v1/organization``.

        :param request: the request in hand.
        """
        call = self._gatekeeper.call(request, "runway", ("organization",))
        early = call.early_answer()
        if early is not None:
            return early
        settings = self._settings.current
        used = self._world.used_today("runway")
        # null means no limit (contracts §1.6).
        limits = {
            "maxConcurrentGenerations": settings.max_concurrent,
            "maxDailyGenerations": settings.max_daily,
        }
        body = {
            "tier": {
                "maxMonthlyCreditSpend": _MONTHLY,
                "models": {model: dict(limits) for model in sorted(catalogue.models() | set(used))},
            },
            "creditBalance": self._world.balance(settings.start_balance),
            "usage": {"models": {model: {"dailyGenerations": count} for model, count in used.items()}},
        }
        return call.answer(JSONResponse(body))

    async def usage(self, request: Request) -> Response:
        """``POST /v1/organization/usage``: a read, credits per day and model.

        :param request: the request in hand.
        """
        body = logged_json(request, await request.body() or b"{}")
        call = self._gatekeeper.call(request, "runway", ("organization",))
        early = call.early_answer()
        if early is not None:
            return early
        if not isinstance(body, dict):
            return errors.malformed("runway")
        today = datetime.fromtimestamp(self._world.clock(), UTC).date()
        issues: list[Issue] = []
        start = _day(issues, body, "startDate") or today - _USUAL
        before = _day(issues, body, "beforeDate") or start + _USUAL
        if not issues and not start < before <= start + _LONGEST:
            text = "Must be after startDate and at most 90 days after it"
            issues.append(issue("custom", ["beforeDate"], text))
        if issues:
            return errors.validation_failed("runway", issues)
        return call.answer(JSONResponse(self._usage(start, before)))

    def _usage(self, start: date, before: date) -> dict[str, object]:
        days = used_credits(self._world, "runway")
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


def _day(issues: list[Issue], body: Mapping[str, object], name: str) -> date | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    issues.append(issue("invalid_format", [name], "Invalid ISO date"))
    return None
