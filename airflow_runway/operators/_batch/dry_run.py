"""The dry run of a batch; see :mod:`airflow_runway.operators._dry_run`."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NoReturn

from airflow_runway.core.journal.forecast import (
    MOST_LISTED,
    BatchForecast,
    BrokenEntry,
    KindForecast,
    Planned,
    PriceBook,
    kind_of,
    limits_met,
    spent_on,
)
from airflow_runway.core.journal.item import State
from airflow_runway.exceptions import RunwayConfigurationError, RunwayMediaError, RunwayMediaRefusedError
from airflow_runway.operators._callback_token import with_token
from airflow_runway.operators._dry_run import credits_in_words, end, read_only

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from airflow_runway.core.media.shape import Shape
    from airflow_runway.hooks._read_only import ReadOnlyHook
    from airflow_runway.operators._batch.phase import BatchPhase
    from airflow_runway.operators._batch.requests import Request
    from airflow_runway.operators._batch.steps import BatchSteps

#: Files read at the same time.
_FILES_AT_ONCE: Final = 8
#: What a real run does about a recorded item that it does not submit.
_FATES: Final = {
    State.SUCCEEDED: "keep",
    State.UNSAVED: "save",
    State.RUNNING: "wait",
    State.MODERATED: "moderated",
    State.INTENT: "lost_answers",
    State.GONE: "failed",
    State.FAILED: "failed",
    State.POSTPONED: "submit",
}
_NO_PRICE = (
    "Dry run: no price for %d of them: a gateway tells its estimate only in the answer to a submission, and this "
    "task's journal holds none of their kind."
)


@dataclass(frozen=True, slots=True)
class _Looked:
    """A request that was looked at."""

    request: Request
    #: ``submit``, ``broken``, or what becomes of what is recorded.
    fate: str
    shape: Shape = field(default_factory=dict)
    broken: BrokenEntry | None = None


def dry_run_of(operator: BatchSteps, context: Context) -> NoReturn:
    """Find out what the batch would do, say so, and end the task as skipped.

    Also after a deferral that began as a real run: what runs then is on record, and the next clear waits for it.

    :param operator: the task, its templates rendered.
    :param context: of the task that runs.
    :raises AirflowSkipException: with the findings.
    :raises RunwayError: what would stop the real run before it sends anything, in the real run's words.
    """
    hook, safe = read_only(operator, context)
    phase, _ = operator._begin(safe)
    report = operator._report(safe, phase)
    report.check()
    phase.budget.check()
    phase.settle_all(to_be_saved=bool(operator.destination), counts=False)
    requests = operator._requests()
    report.check_names(len(requests))
    phase.pin_list(requests, regenerate=operator.on_clear == "regenerate")
    found = _BatchDryRun(
        operator.route, phase, hook, requests, is_mapped=operator._runs_mapped(context)
    ).forecast()
    log = operator.log
    headline = (
        f"Dry run: {found['submit']} of {found['total']} would be submitted "
        f"{credits_in_words(found['estimated_credits'])}."
    )
    log.info("%s", headline)
    log.info(
        "Dry run: %d kept, %d to be saved, %d waited for, %d moderated, %d lost answers, %d failed, %d broken.",
        *(found["keep"], found["save"], found["wait"]),
        *(found["moderated"], found["lost_answers"], found["failed"], found["broken"]),
    )
    if found["without_estimate"]:
        log.warning(_NO_PRICE, found["without_estimate"])
    for limit in found["limits"]:
        if limit["strikes"] is not False:
            log.warning(
                "Dry run: %s.",
                _limit_in_words(limit["name"], limit["bound"], limit["strikes"], limit["after"]),
            )
    if found["cancel"]:
        log.warning(
            "Dry run: %d generations run for requests that are no longer in the list; a real run would cancel "
            "what has not ended.",
            found["cancel"],
        )
    for entry in found["broken_entries"]:
        log.error("Item %d: %s", entry["index"], entry["reason"])
    end(context, found, headline)


def _limit_in_words(name: str, bound: float, strikes: bool | None, after: int | None) -> str:
    if strikes is None:
        return f"nobody knows whether {name}={bound:g} would strike"
    when = "sooner or later" if after is None else f"after {after}"
    return f"{name}={bound:g} would strike {when}" + (", then more follow" if name == "max_in_flight" else "")


class _BatchDryRun:
    def __init__(
        self,
        route: str,
        phase: BatchPhase,
        hook: ReadOnlyHook,
        requests: Sequence[Request],
        *,
        is_mapped: bool,
    ) -> None:
        self._route, self._phase, self._hook, self._requests = route, phase, hook, requests
        self._is_mapped = is_mapped

    def forecast(self) -> BatchForecast:
        waiting = set(self._phase.waiting())
        items = self._phase.items()
        prices = PriceBook.of(
            (kind_of(self._route, request.payload), item)
            for request in self._requests
            if request.payload is not None and (item := self._phase.item(request.index)) is not None
        ).by_kind
        with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
            looked = list(pool.map(lambda one: self._look(one, waits=one.index in waiting), self._requests))
        fates = Counter(one.fate for one in looked)
        sent = [one for one in looked if one.fate == "submit"]
        kinds = [kind_of(self._route, one.request.payload or {}) for one in sent]
        costs = [prices.get(kind) for kind in kinds]
        known = [cost for cost in costs if cost is not None]
        settings = self._hook.settings
        return {
            "gateway": settings.gateway.name,
            "route": self._route,
            "total": len(looked),
            "submit": len(sent),
            "keep": fates["keep"],
            "save": fates["save"],
            "wait": fates["wait"],
            "moderated": fates["moderated"],
            "lost_answers": fates["lost_answers"],
            "failed": fates["failed"],
            "broken": fates["broken"],
            "cancel": len(self._phase.unwanted(is_mapped=self._is_mapped)),
            "estimated_credits": sum(known) if len(known) == len(costs) else None,
            "known_credits": sum(known),
            "without_estimate": len(costs) - len(known),
            "spent_credits": spent_on(items),
            "limits": limits_met(
                self._phase.limits,
                items,
                self._planned(sent, costs),
                excused=self._phase.excused,
                now=time.time(),
            ),
            "kinds": _kinds(kinds, costs, sent),
            "broken_entries": [one.broken for one in looked if one.broken is not None][:MOST_LISTED],
        }

    def _planned(self, sent: list[_Looked], costs: list[float | None]) -> list[Planned]:
        return [
            Planned(self._phase.pin[place].key, self._phase.kind(place), cost)
            for place, cost in zip((one.request.index for one in sent), costs, strict=True)
        ]

    def _look(self, request: Request, *, waits: bool) -> _Looked:
        if request.payload is None:
            return _broken(request, request.error)
        if not waits:
            return self._recorded(request)
        try:
            prepared = self._hook.prepare(request.payload)
            _, body = with_token(self._hook.settings, self._route, prepared.body())
            self._hook.prepare_create(self._route, body)
            return _Looked(request, "submit", self._hook.shape(prepared, body))
        except RunwayMediaError as error:
            return _broken(request, error.message, may_pass=not isinstance(error, RunwayMediaRefusedError))
        except RunwayConfigurationError as error:
            return _broken(request, error.message, stops=True)

    def _recorded(self, request: Request) -> _Looked:
        item = self._phase.item(request.index)
        assert item is not None  # noqa: S101 - for the type checker; what does not wait is recorded
        return _Looked(request, _FATES[item.state])


def _broken(request: Request, reason: str, *, may_pass: bool = False, stops: bool = False) -> _Looked:
    return _Looked(
        request,
        "broken",
        broken={
            "index": request.index,
            "reason": reason,
            "may_pass": may_pass,
            "stops_the_batch": stops,
        },
    )


def _kinds(kinds: list[str], costs: list[float | None], sent: list[_Looked]) -> list[KindForecast]:
    found: dict[str, KindForecast] = {}
    for kind, cost, one in zip(kinds, costs, sent, strict=True):
        entry = found.setdefault(kind, {"requests": 0, "estimated_credits": cost, "fields": one.shape})
        entry["requests"] += 1
    return list(found.values())[:MOST_LISTED]
