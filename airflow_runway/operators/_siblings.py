"""A mapped task of a cleared run takes up what a sibling has paid for, where the list has moved (decision 22)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from airflow_runway.core.journal.accounts import AccountMatch
from airflow_runway.core.journal.siblings import Hold, Standing, standing_of
from airflow_runway.core.journal.submission import Reattach, Remote, Reuse, Submit
from airflow_runway.core.redaction import redact
from airflow_runway.exceptions import RunwayError, RunwayJournalError
from airflow_runway.operators._recorded_generation import remote_state
from airflow_runway.stores.folder import configured_journal, task_of
from airflow_runway.stores.siblings import Siblings
from airflow_runway.triggers import _task_instance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow.sdk import Context

    from airflow_runway.core.journal.record import Record
    from airflow_runway.core.journal.siblings import Candidate
    from airflow_runway.core.journal.submission import Policy, SubmissionDecision
    from airflow_runway.hooks._ports import SubmittingHook
    from airflow_runway.operators._recorded_generation import LooksAtTask
    from airflow_runway.stores.submission import SubmissionStore
    from airflow_runway.telemetry import Log

#: Seconds that siblings are waited for which have begun, and have not said yet what they stand for.
LONGEST_WAIT: Final = 60.0
_PAUSE: Final = 3.0


class SiblingsOf:
    """Settles with the siblings of one mapped task instance. Does nothing for others, nor without a journal folder.

    :param context: of the task that runs.
    :param hook: the connection.
    :param store: the task's journal.
    :param look: reads a wait's task once and decides.
    :param pause: waits for some seconds; may raise where the task is told to stop.
    :param is_dry_run: whether nothing is asked or written.
    :param log: the task's log.
    """

    def __init__(
        self,
        context: Context,
        hook: SubmittingHook,
        store: SubmissionStore,
        look: LooksAtTask,
        *,
        pause: Callable[[float], None],
        is_dry_run: bool = False,
        log: Log,
    ) -> None:
        self._mine = int(getattr(context["ti"], "map_index", -1))
        self._ti, self._hook, self._store, self._look = context["ti"], hook, store, look
        self._pause, self._log = pause, log
        run = context.get("dag_run")
        self._is_cleared = bool(getattr(run, "clear_number", 0))
        began = getattr(run, "start_date", None)
        self._round_began = began.timestamp() if began is not None else None
        self._siblings: Siblings | None = None
        journal = configured_journal() if store.is_mapped and store.is_kept and not is_dry_run else None
        if journal is not None:
            self._siblings = Siblings(journal.files, task_of(context), is_index=store.folder is None)

    def settle(
        self, decision: SubmissionDecision, request: str, policy: Policy
    ) -> SubmissionDecision | Record:
        """What becomes of a decision: as it was; to submit, where a sibling has taken what was one's own; or the
        record of a sibling's generation, which is this task's from now on.

        :param decision: by what this task itself has recorded.
        :param request: fingerprint of what is asked for now.
        :param policy: the author's wishes.
        :raises RunwayJournalError: nobody knows whose the recorded generation is; nothing was sent.
        """
        if self._siblings is None or not self._is_cleared:
            return decision
        if isinstance(decision, Reattach | Reuse):
            if self._keeps(self._siblings, decision.record.runway_task_id):
                return decision
            self._log.warning(
                "Runway task %s, which this task has recorded, was taken up by another map index, whose request it "
                "is too.",
                decision.record.runway_task_id,
            )
        elif not isinstance(decision, Submit) or policy.regenerate:
            return decision
        else:
            self._let_go(self._siblings, request)
        found = self._taken(self._siblings, request)
        return (Submit() if isinstance(decision, Reattach | Reuse) else decision) if found is None else found

    def tell(self) -> None:
        """Let siblings read what this task stands for; trouble is logged."""
        if self._siblings is None:
            return
        try:
            self._siblings.tell(self._store.history)
        except Exception as error:
            self._log.warning("Siblings cannot read what this task has paid for: %s", redact(error))

    def _keeps(self, siblings: Siblings, runway_task_id: str) -> bool:
        try:
            hold = siblings.holds().get(runway_task_id, Hold(0, self._mine))
            if hold.map_index not in {self._mine, None}:
                return False
            began = self._round_began
            has_said = hold.map_index is not None and began is not None and hold.at >= began
            return has_said or siblings.take(runway_task_id, hold, now=time.time())
        except Exception as error:
            raise RunwayJournalError(
                f"Whose Runway task {runway_task_id} is could not be found out in the journal folder "
                f"({redact(error, limit=200)}). Nothing was sent, and nothing was charged. A retry looks again.",
                summary=f"Whose Runway task {runway_task_id} is nobody can tell",
            ) from error

    def _let_go(self, siblings: Siblings, request: str) -> None:
        """The list has moved: what this task stands for may be what a sibling is asked for now."""
        current = self._store.record
        if current is None or current.is_open or current.fingerprint == request:
            return
        try:
            hold = siblings.holds().get(current.runway_task_id, Hold(0, self._mine))
            if hold.map_index == self._mine:
                siblings.take(current.runway_task_id, hold, now=time.time(), lets_go=True)
        except Exception as error:
            self._log.warning(
                "Siblings do not know that Runway task %s is free: %s", current.runway_task_id, redact(error)
            )

    def _taken(self, siblings: Siblings, request: str) -> Record | None:
        until = time.time() + LONGEST_WAIT
        while True:
            try:
                candidates = [one for one in siblings.candidates(request) if self._is_usable(one)]
                states = _task_instance.states_of_siblings(self._ti) if candidates else {}
                standings = [(one, self._standing(one, states)) for one in candidates]
                for candidate in _those(standings, Standing.FREE):
                    runway_task_id = candidate.record.runway_task_id
                    if self._is_there(candidate.record) and siblings.take(
                        runway_task_id, candidate.holder, now=time.time()
                    ):
                        self._log.warning(
                            "Taking up Runway task %s of map index %s: it was made from this very request, and that "
                            "index has another one now. Nothing is sent and nothing is charged.",
                            runway_task_id,
                            candidate.submitted_by,
                        )
                        return candidate.record
            except RunwayError:
                raise
            except Exception as error:
                self._log.warning("What siblings have paid for could not be read: %s", redact(error))
                return None
            if not list(_those(standings, Standing.PENDING)) or time.time() >= until:
                return None
            self._pause(_PAUSE)

    def _standing(self, candidate: Candidate, states: dict[int, str]) -> Standing:
        holder = candidate.holder.map_index
        if holder is None or holder == self._mine:
            return Standing.FREE
        return standing_of(candidate, states.get(holder), self._round_began)

    def _is_usable(self, candidate: Candidate) -> bool:
        account = candidate.record.account
        return self._hook.account.compared_with(account) is AccountMatch.SAME

    def _is_there(self, record: Record) -> bool:
        return remote_state(self._hook, self._look, record) in {Remote.ALIVE, Remote.DONE}


def _those(standings: Iterable[tuple[Candidate, Standing]], wanted: Standing) -> Iterable[Candidate]:
    return (candidate for candidate, standing in standings if standing is wanted)
