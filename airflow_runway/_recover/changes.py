"""What a person settles: each is checked first, and done only while no worker and no trigger has the task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_runway._recover import others
from airflow_runway._recover.errors import RefusedError
from airflow_runway._recover.journals import told
from airflow_runway._recover.saying import clean, clock, credits_told, words_for
from airflow_runway.core.journal import recovery
from airflow_runway.core.journal.accounts import AccountMatch
from airflow_runway.core.limits import READ_ATTEMPTS
from airflow_runway.core.models import CancelOutcome
from airflow_runway.exceptions import RunwayError

if TYPE_CHECKING:
    from airflow_runway._recover.arguments import Options
    from airflow_runway._recover.journals import Journals, Kept
    from airflow_runway.core.journal.entries import Change, TaskKey
    from airflow_runway.core.journal.record import Record
    from airflow_runway.core.models import RunwayTask
    from airflow_runway.hooks.runway import RunwayHook


class Settling:
    """Settles what is open in one task instance.

    :param journals: where it is kept.
    :param hook: the connection.
    :param task: the task instance.
    :param options: what was asked for.
    :param by: who asks.
    :param now: wall clock, seconds since the epoch.
    """

    def __init__(
        self, journals: Journals, hook: RunwayHook, task: TaskKey, options: Options, *, by: str, now: float
    ) -> None:
        self._journals, self._hook, self._task, self._options = journals, hook, task, options
        self._by, self._now = by, now

    def attach(self) -> str:
        """Let the next try pick up a generation that was found.

        :returns: what was done.
        :raises RefusedError: why it was not.
        """
        kept, runway_task_id = self._untouched(), self._options.runway_task_id
        record = self._open(kept)
        task = self._seen(runway_task_id, record)
        account = self._hook.account.compared_with(record.account)
        doubts = recovery.doubts(record, task.created_at, account, task.action)
        if doubts:
            raise RefusedError(
                f"{runway_task_id} is not the generation of the request to {record.route} at "
                f"{clock(record.sent_at)}: {' and '.join(doubts)} ({clean(task.created_at or 'not told')}). Nothing "
                "was written."
            )
        self._alone(runway_task_id, kept, record)
        unproven = recovery.unproven(record, task.created_at, account)
        if unproven and not self._options.yes:
            raise RefusedError(
                f"Nobody can tell {' and '.join(unproven)}. If {runway_task_id} is it all the same, add --yes. "
                "Nothing was written."
            )
        claimed = self._journals.claims(self._task, record, runway_task_id)
        if claimed is False:
            raise RefusedError(f"{runway_task_id} was claimed for another submission. Nothing was written.")
        if claimed is None and not self._options.yes:
            raise RefusedError(
                "Without a journal folder ([runway] journal) nothing makes sure that this id is attached once: if "
                "nobody else attaches it, add --yes. Nothing was written."
            )
        change = recovery.attached(record, runway_task_id, now=self._now, estimated=task.estimated_credits)
        self._write(kept, change)
        untold = others.tell_attached(self._task, record, runway_task_id, task.estimated_credits)
        return (
            f"Attached {runway_task_id} ({task.status}, {credits_told(change.record)}) to {self._where()}: clear "
            f"the task, and its next try picks it up and pays nothing.{untold}"
        )

    def forget(self) -> str:
        """Take back a submission that was never accepted.

        :returns: what was done.
        :raises RefusedError: why it was not.
        """
        kept = self._untouched()
        record = self._open(kept)
        what = f"the request to {record.route} at {clock(record.sent_at)} ({credits_told(record)})"
        if record.runway_task_id:
            self._not_there(record)
            what += f", whose answer named {record.runway_task_id}"
        self._agreed(
            f"This forgets {what}, of {self._where()}. If its generation exists all the same, it is paid for, "
            "nobody waits for it, and the next try pays for a second one."
        )
        self._write(kept, recovery.forgotten(record))
        untold = others.tell_forgotten(self._task, record)
        return (
            f"Forgot {what}, of {self._where()}: clear the task, and its next try sends it, and pays, again."
            f"{untold}"
        )

    def cancel(self) -> str:
        """Cancel a generation that runs without a task.

        :returns: what was done.
        :raises RefusedError: why it was not.
        """
        kept, runway_task_id = self._untouched(), self._options.runway_task_id
        record = next(
            (one for one in kept.history.newest_first() if one.runway_task_id == runway_task_id), None
        )
        if record is None:
            raise RefusedError(f"{self._where()} has no record of {runway_task_id}. Nothing was cancelled.")
        if record.is_doubtful:
            raise RefusedError(
                f"Only an error has named {runway_task_id}, so it may be another task's. Nothing was cancelled. If "
                "it is this one's, attach it first."
            )
        task = self._seen(runway_task_id, record)
        if task.status.is_final:
            raise RefusedError(f"{runway_task_id} has ended: {task.status}. There is nothing to cancel.")
        self._alone(runway_task_id, kept, record)
        cost = credits_told(record)
        waits = "" if kept.states.run in recovery.RUN_OVER else " A sensor of its run may wait for it."
        self._agreed(
            f"This cancels {runway_task_id} ({task.status}, {cost}) of {self._where()}. A refund is never "
            f"promised.{waits}"
        )
        self._untouched()
        outcome = self._hook.cancel_task(runway_task_id)
        if outcome is not CancelOutcome.CANCELLED:
            raise RefusedError(f"{runway_task_id} was not cancelled: {outcome.value.replace('_', ' ')}.")
        try:
            self._write(kept, recovery.cancelled(record))
        except RefusedError as error:
            raise RefusedError(f"{runway_task_id} is cancelled. That was not written down: {error}") from None
        return f"Cancelled {runway_task_id} of {self._where()}; {cost}, less what the gateway refunds."

    def _where(self) -> str:
        return f"{self._task.dag_id} {self._task.run_id} {told(self._task)}"

    def _untouched(self) -> Kept:
        """What is kept of the task, if nobody else is about to write to it."""
        kept = self._journals.one(self._task)
        if kept.states.may_write:
            raise RefusedError(
                f"{self._where()} is {kept.states.task}: a worker or a trigger may write to its journal. Nothing was "
                "changed. Wait until it has ended, or mark it failed."
            )
        if kept.states.task is None and not self._options.task_is_over:
            raise RefusedError(
                f"Airflow does not tell the state of {self._where()}: its database cannot be asked from here, or "
                "does not know it. Nothing was changed. Look whether the task is over; if it is, add --task-is-over."
            )
        if kept.is_batch:
            raise RefusedError(
                f"{self._where()} is a batch, whose items cannot be settled one by one. Clear it: what succeeded is "
                'kept, what runs is waited for, and on_ambiguous_submit="resubmit" sends lost answers again.'
            )
        return kept

    def _open(self, kept: Kept) -> Record:
        records = kept.history.open()
        wanted = self._options.intent
        found = [one for one in records if not wanted or recovery.handle_of(one) == wanted]
        if not found:
            raise RefusedError(
                f"{self._where()} has no open submission{' of that name' if wanted else ''}. Nothing was changed."
            )
        if len(found) > 1:
            names = ", ".join(f"{recovery.handle_of(one)} ({clock(one.sent_at)})" for one in found)
            raise RefusedError(
                f"{self._where()} has {len(found)} open submissions: {names}. Say which one: --intent NAME."
            )
        return found[0]

    def _seen(self, runway_task_id: str, record: Record) -> RunwayTask:
        task = self._read(runway_task_id, record)
        if not task.status.is_sighting:
            raise RefusedError(
                f"{self._hook.settings.gateway.title} does not know {runway_task_id} on the account of connection "
                f"{self._hook.runway_conn_id!r}. Nothing was changed."
            )
        return task

    def _read(self, runway_task_id: str, record: Record) -> RunwayTask:
        settings = self._hook.settings
        if record.gateway != settings.gateway.name:
            raise RefusedError(
                f"The request was sent to {record.gateway}, and connection {self._hook.runway_conn_id!r} is one to "
                f"{settings.gateway.name}. Nothing was changed."
            )
        try:
            return self._hook.get_task(runway_task_id, attempts=READ_ATTEMPTS)
        except RunwayError as error:
            raise RefusedError(f"{error.message} Nothing was changed.") from None

    def _not_there(self, record: Record) -> None:
        """Make sure that an id which an error named is no reason to keep the submission."""
        task = self._read(record.runway_task_id, record)
        if task.status.is_sighting and not record.refused:
            raise RefusedError(
                f"{record.runway_task_id}, which the answer named, exists ({task.status}): attach it instead. "
                "Nothing was changed."
            )
        is_ours = self._hook.account.compared_with(record.account) is AccountMatch.SAME
        if not task.status.is_sighting and not is_ours:
            raise RefusedError(
                f"{record.runway_task_id} is not known on the account of connection {self._hook.runway_conn_id!r}, "
                "which is not the one that the request was sent to. Nothing was changed."
            )

    def _alone(self, runway_task_id: str, kept: Kept, record: Record) -> None:
        others = [one for one in kept.history.newest_first() if one is not record]
        holders = self._journals.holders(self._task, runway_task_id) - {self._task}
        if holders or any(one.runway_task_id == runway_task_id for one in others):
            whose = words_for(next(iter(holders))) if holders else "another submission of this task"
            raise RefusedError(f"{runway_task_id} is recorded for {whose}. Nothing was changed.")

    def _agreed(self, consequence: str) -> None:
        if not self._options.yes:
            raise RefusedError(f"{consequence} Nothing was changed. If you want it, add --yes.")

    def _write(self, kept: Kept, change: Change) -> None:
        if self._journals.one(self._task).states.task != kept.states.task:
            raise RefusedError(f"{self._where()} was taken up meanwhile. Nothing was written.")
        self._journals.settle(kept, change, self._by, self._now)
