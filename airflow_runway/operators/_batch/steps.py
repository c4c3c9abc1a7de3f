"""The steps of which a phase of RunwayBatchOperator consists: begin, find the bodies, report, wait, close."""

from __future__ import annotations

import time
from datetime import timedelta
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NoReturn

from airflow_runway._base_operator import RunwayOperatorBase
from airflow_runway.core.journal.limits import Limits, StopReason
from airflow_runway.core.journal.rest import rest_of
from airflow_runway.core.limits import DEFER_TIMEOUT_MARGIN, SHORTEST_ABSENCE, SHORTEST_INTERVAL
from airflow_runway.core.owner import Owner, owner_of
from airflow_runway.exceptions import RunwayError, RunwayNotAcceptedError
from airflow_runway.operators._dry_run import is_asked_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from airflow.sdk import Context

    from airflow_runway.operators._batch.phase import BatchPhase
    from airflow_runway.operators._batch.report import BatchReport
    from airflow_runway.operators._batch.requests import Request
    from airflow_runway.operators._stopping import StopSignal
    from airflow_runway.stores.batch import BatchStore
    from airflow_runway.triggers._events import ErrorEvent

#: Generations that a worker looks at together, between two rounds of submissions.
LOOKED_AT_TOGETHER: Final = 16
#: Seconds after which a phase begins no further round: others wait for its worker too.
LONGEST_PHASE: Final = 300.0


class BatchSteps(RunwayOperatorBase):
    """What :class:`~airflow_runway.operators.runway.RunwayBatchOperator` does in a phase, step by step."""

    requests: str | Iterable[Mapping[str, Any]]
    route: str
    item_key: str | None
    label_field: str | bool | None
    destination: str | None
    file_name: str
    manifest: str | None
    max_in_flight: int | None
    max_credits: float | None
    max_credits_per_run: float | None
    max_lost_answers: int
    submissions_at_once: int
    max_moderated: int
    on_partial_failure: str
    on_ambiguous_submit: str
    poll_interval: float
    timeout: float
    cancel_on_timeout: bool
    cancel_on_kill: bool
    is_dry_run: bool | str
    on_clear: str
    posters: bool
    contact_sheet_frames: int
    pause_between_tries: Callable[[int], float]
    _phase: BatchPhase | None
    #: The report of this phase, and the list as it was read in it.
    _told: BatchReport | None = None
    _listed: Sequence[Request] = ()
    _signal: StopSignal | None

    def _begin(self, context: Context) -> tuple[BatchPhase, BatchStore]:
        from airflow_runway.operators._batch.accounts import confirm_account
        from airflow_runway.operators._batch.phase import BatchPhase
        from airflow_runway.operators._budgets import Budget
        from airflow_runway.stores.batch import BatchStore
        from airflow_runway.stores.routers import router_notes

        store = BatchStore(context)
        # The connection is looked up here, in the main thread, for all threads.
        self.hook.check_route(self.route)
        store.load()
        # A dry run looks ahead to the next clear.
        is_cleared = store.is_cleared or is_asked_for(self.is_dry_run)
        confirm_account(self.hook, store, self.log, gives_up=is_cleared and self.on_clear == "regenerate")
        owner = owner_of(context["ti"]) or Owner("", "", "")
        budget = Budget(
            owner,
            self.hook.settings.gateway.name,
            per_run=self.max_credits_per_run,
            pause=self._pause_for_room,
            is_dry_run=is_asked_for(self.is_dry_run),
            log=self.log,
        )
        self._phase = BatchPhase(
            self.hook,
            store,
            self.route,
            resubmit=self.on_ambiguous_submit == "resubmit",
            limits=Limits(
                self.max_in_flight, self.max_credits, self.max_moderated, self.max_lost_answers, self.timeout
            ),
            budget=budget,
            notes_on=partial(router_notes, context, is_dry_run=is_asked_for(self.is_dry_run)),
            submissions_at_once=self.submissions_at_once,
            log=self.log,
        )
        return self._phase, store

    def _pause_for_room(self, seconds: float) -> None:
        if self._signal is None:
            time.sleep(seconds)
        elif self._signal.wait(seconds):
            raise RunwayNotAcceptedError(
                "This task was told to stop before the request was sent.",
                summary="Told to stop before the request was sent",
            )

    @staticmethod
    def _runs_mapped(context: Context) -> bool:
        map_index = getattr(context["ti"], "map_index", None)
        return map_index is not None and map_index >= 0

    def _requests(self) -> list[Request]:
        from airflow_runway.operators._batch.requests import read_requests

        self._listed = read_requests(self.requests, self.hook.media_from, self.item_key, self.label_field)
        return self._listed

    def _find_bodies(self, phase: BatchPhase) -> None:
        """The list as it is now, as far as it is there: what is recorded needs none."""
        from airflow_runway.operators._batch.list_trouble import ListTrouble

        try:
            requests = self._requests()
        except RunwayError as error:
            if not phase.pin:
                if not phase.items():
                    raise
                phase.match_list([])  # begun by 0.1.0: what it recorded is all that is known
            phase.list_trouble = ListTrouble.unreadable(error)
        else:
            phase.match_list(requests)

    def _report(self, context: Context, phase: BatchPhase) -> BatchReport:
        from airflow_runway.operators._batch.options import BatchOptions
        from airflow_runway.operators._batch.report import BatchReport

        options = BatchOptions(
            route=self.route,
            destination=self.destination,
            file_name=self.file_name,
            manifest=self.manifest,
            on_partial_failure=self.on_partial_failure,
            max_moderated=self.max_moderated,
            max_lost_answers=self.max_lost_answers,
            contact_sheet_frames=self.contact_sheet_frames if self.posters else None,
            outlets=self.outlets,
            pause_between_tries=self.pause_between_tries,
        )
        return BatchReport(options, self.hook, context, phase, self.log)

    def _submit(self, phase: BatchPhase, report: BatchReport, deadline: float) -> None:
        """Submit, and look what has ended meanwhile and makes room: no worker leaves while there is work for it."""
        now = time.time()
        until = min(now + LONGEST_PHASE, deadline)
        # What runs was looked at just before, by the trigger or when the try began.
        looked_at = {item.runway_task_id: now for item in phase.running()}
        phase.submit(deadline)
        rounds = 0
        while self._is_full(phase) and time.time() < until and self._finds_room(phase, looked_at):
            rounds += 1
            phase.submit(deadline)
        if rounds:
            report.tell_progress()
            report.save()

    def _finds_room(self, phase: BatchPhase, looked_at: dict[str, float]) -> bool:
        """Whether anything has ended, or does so within a few seconds, much less than a deferral takes.

        It waits only where generations have ended in this phase: then more may be about to.

        :param looked_at: when each was looked at, wall clock; kept up to date.
        """
        if self._look_at_the_oldest(phase, looked_at):
            return True
        if not phase.result.has_ended:
            return False
        self._pause(SHORTEST_INTERVAL)
        return self._is_full(phase) and self._look_at_the_oldest(phase, looked_at)

    def _pause(self, seconds: float) -> None:
        """Wait in the worker, unless the task is told to stop.

        :param seconds: for so long.
        """
        if self._signal is not None:
            self._signal.wait(seconds)

    @staticmethod
    def _is_full(phase: BatchPhase) -> bool:
        """Whether only ``max_in_flight`` stands in the way of what is still to be submitted."""
        result = phase.result
        in_the_way = phase.stopped or result.trouble is not None or result.pause is not None
        return result.stop_reason is StopReason.IN_FLIGHT and not in_the_way

    def _look_at_the_oldest(self, phase: BatchPhase, looked_at: dict[str, float]) -> bool:
        """Settle what has ended of the oldest; whether anything has.

        A few at once: of thousands that run, few are read in vain. None is read that was sent, or read, a moment ago.

        :param looked_at: see :meth:`_finds_room`.
        """
        now = time.time()
        due = [
            item
            for item in phase.running()
            if now - looked_at.get(item.runway_task_id, item.sent_at) >= SHORTEST_INTERVAL
        ]
        oldest = sorted(due, key=attrgetter("sent_at"))[:LOOKED_AT_TOGETHER]
        ids = [item.runway_task_id for item in oldest]
        if not ids:
            return False
        looked_at.update(dict.fromkeys(ids, now))
        phase.settle(dict.fromkeys(ids), to_be_saved=bool(self.destination), attempts=1)
        return not {item.runway_task_id for item in phase.running()}.issuperset(ids)

    def _close(self, phase: BatchPhase, report: BatchReport, deadline: float) -> None:
        """The deadline has passed: what has ended counts, what has not is cancelled."""
        if self.cancel_on_timeout:
            phase.cancel_at_deadline(deadline)
        left: dict[str, ErrorEvent | None] = {item.runway_task_id: None for item in phase.running()}
        phase.settle(left, to_be_saved=bool(self.destination))
        report.save()

    @staticmethod
    def _may_go_on_later(phase: BatchPhase) -> bool:
        result = phase.result
        stopped = result.stop_reason is not None and result.stop_reason.is_final
        return result.pause is not None and result.trouble is None and not stopped

    @staticmethod
    def _frees_at(phase: BatchPhase, deadline: float) -> float | None:
        """Wall clock at which a lost answer gives room to others before the deadline; ``None`` = none does."""
        frees_at = phase.frees_at() if phase.result.stop_reason is StopReason.IN_FLIGHT else None
        return None if frees_at is None or frees_at >= deadline else frees_at

    def _wait(self, phase: BatchPhase, deadline: float, pauses: int) -> NoReturn:
        from airflow_runway.triggers.batch import RunwayBatchTrigger

        now = time.time()
        rest = rest_of(
            now=now,
            deadline=deadline,
            pauses=pauses,
            asks_again=self._may_go_on_later(phase),
            pause=phase.result.pause,
            frees_at=self._frees_at(phase, deadline),
            room=self.max_in_flight if phase.waiting() else None,
            saves=bool(self.destination),
        )
        if rest.pauses and rest.resume_at is not None:
            self.log.info("The gateway takes no more now; it is asked again in %.0f s.", rest.resume_at - now)
        left = max(deadline - now, SHORTEST_ABSENCE)
        running = phase.running()
        self.defer(
            trigger=RunwayBatchTrigger(
                runway_task_ids=[item.runway_task_id for item in running],
                runway_conn_id=self.runway_conn_id,
                deadline=deadline,
                poll_interval=self.poll_interval,
                resume_at=rest.resume_at,
                enough=rest.enough,
                linger=rest.linger,
                pauses=rest.pauses,
                cancel_on_kill=self.cancel_on_kill,
                sent_at=[round(item.sent_at, 1) for item in running],
                linger_share=rest.linger_share,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=left + DEFER_TIMEOUT_MARGIN),
        )
