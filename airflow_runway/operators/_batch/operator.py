"""The operator for a campaign: many generations as one task."""

from __future__ import annotations

import random
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_runway._base_operator import checked_prefixes, one_of, reported, seconds, whole_number
from airflow_runway.core.limits import (
    DEFAULT_INTERVAL,
)
from airflow_runway.core.polling.backoff import backoff
from airflow_runway.core.saving.naming import DEFAULT_PATTERN
from airflow_runway.exceptions import RunwayReadRefusedError
from airflow_runway.links.runway import RunwayClipsLink
from airflow_runway.operators._batch.stoppable import StoppableBatch
from airflow_runway.operators._budgeted import most_credits
from airflow_runway.operators._dry_run import checked_flag, is_asked_for
from airflow_runway.operators._lineage import lineage_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow.sdk import Context

    from airflow_runway.core.saving.lineage import Lineage
    from airflow_runway.operators._batch.manifest import BatchSummary
    from airflow_runway.operators._batch.phase import BatchPhase
    from airflow_runway.operators._batch.report import BatchReport
    from airflow_runway.stores.batch import BatchStore
    from airflow_runway.triggers._events import BatchEvent

_chance = random.Random()  # noqa: S311 - jitter, not cryptography


class RunwayBatchOperator(StoppableBatch):
    """Makes many generations as one task: submits, waits in one trigger, saves, and reports. This spends money.

    Items are independent: one that is wrong, or fails, fails alone. Each is journalled before it is sent, and sent
    once: a retry, or a clear, goes on where the batch stopped. What succeeded is kept, what runs is waited for, what
    failed is submitted, and paid for, again; items that were moderated, answers that were lost, and results that
    were deleted before they were saved, are left alone (see :mod:`airflow_runway.core.journal.batch` for the
    table). A limit of the account (429) is waited for without a worker, as are throttled generations. Needs
    Airflow 3.3.

    The first try *pins* the list: it writes down which items it has, before anything is sent. Retries keep that pin,
    a clear pins anew. Airflow renders templates anew after each deferral: whatever the list is then, nothing but what
    was pinned is sent, and what was sent is settled, saved and reported without it. Pinning reads each file in
    storage that the list names, eight at a time, and sending it reads it once more: 1,000 keyframes of 2 MB on S3
    are 2 GB, some 20 s at 100 MB/s, before the first POST. Links (``https://``) are not fetched.

    Errors: ``RunwayBatchError`` (not retried) and ``RunwayBatchIncompleteError`` (retried: everything that failed may
    do better) are raised at the end, when all that could be done is done and saved; a refused key, an empty balance
    or a journal that cannot be written as soon as nothing runs any more.

    :param requests: a list of JSON bodies with the API's own field names, e.g. the output of an upstream task, or
        the URL of a JSON-lines file on object storage; templated. Media as in
        :class:`~airflow_runway.operators.runway.RunwaySubmitOperator`.
    :param item_key: name of a member of each body that says which item it is, e.g. ``"shot"``: a text or a whole
        number, different in each. It is not sent. Without it, an item is known by its content (body, and content of
        the files it names), so a body that is rendered otherwise is another item. With it, the key alone counts: what
        succeeded under it is kept, whatever its body is by now.
    :param label_field: what an item is called on the pages *Clips* and *Gallery*, for all who may read the Dag: the
        name of a member of each body, e.g. ``"promptText"``, which is sent all the same; ``True`` = the name of the
        body's first file, else the first words of its prompt; ``None`` = its ``item_key``, where there is one;
        ``False`` = its number only.
    :param route: the route of all of them, e.g. ``image_to_video``; templated.
    :param destination: a folder on object storage where outputs are saved; templated. ``None`` = they are not.
    :param file_name: how files are named, see
        :class:`~airflow_runway.transfers.runway_to_object_storage.RunwayToObjectStorageOperator`; templated.
    :param manifest: URL of the report, JSON lines, one per item in the order of ``requests``; templated. Default: in
        ``destination``, under Dag id, task id and run id; none without a destination.
    :param runway_conn_id: id of a connection of type ``runway``; templated.
    :param max_in_flight: how many generations may be unfinished at the same time; ``None`` = any number, the
        account's own limit then holds them back (THROTTLED). Where it holds submissions back, a worker stays as long
        as generations end every few seconds and so make room, five minutes at most, before it defers.
    :param max_credits: the most that the whole batch may cost over all tries, by the gateway's own figures: nothing
        is submitted that might exceed it; ``None`` = no bound. The first item of each kind (model, duration, ratio)
        goes alone to learn its price: only that one can exceed the bound, and is cancelled at once, which may cost
        something all the same. A lost answer counts as the dearest price known; while none is known, one may be
        open. A gateway that tells no prices is not bounded by this. What an earlier try has submitted is not
        cancelled because the bound was lowered since.
    :param max_credits_per_run: as in :class:`~airflow_runway.operators.runway.RunwaySubmitOperator`: together with
        the other tasks of the run. Where it leaves no room, what runs is waited for, and then ``RunwayBudgetError``
        raised.
    :param max_lost_answers: answers lost, over all tries of the task, after which nothing more is submitted, since
        each may have been charged; 0 = any number.
    :param submissions_at_once: how many submissions may be under way at the same time. A worker that is killed leaves
        the answers of as many behind, each of which may be charged and is left to a person: with 1, at most one.
        More are faster where a gateway takes long to answer (at 1 s each, 1,000 items take 17 minutes to submit).
    :param max_moderated: moderated items of the list, over all tries of the task, after which nothing more is
        submitted, since repeated hits can suspend the account; 0 = any number. Remove or change them, then clear.
    :param on_partial_failure: ``"fail"`` the task at the end if an item did not end well, or let it ``"succeed"``.
    :param on_ambiguous_submit: after an answer that was lost: ``"fail"`` that item, or ``"resubmit"`` it in another
        try, at the risk of paying twice.
    :param on_clear: after a clear, ``"reuse"`` what succeeded, or ``"regenerate"`` it: pay for the whole list again,
        but for what still runs, is moderated, or waits to be saved. Where nothing of the list is recorded although
        something was paid for, ``"reuse"`` sends nothing and says so.
    :param poll_interval: seconds between looks at one generation, at least 5.
    :param timeout: seconds, or a ``timedelta``, for the whole batch, from its first try or from a clear.
    :param cancel_on_timeout: cancel what is unfinished at the deadline.
    :param cancel_on_kill: cancel what is unfinished when somebody ends the task, which Airflow is asked; what a pod's
        eviction or a deployment interrupts runs on, and a retry waits for it.
    :param media_from: as in :class:`~airflow_runway.operators.runway.RunwaySubmitOperator`, for the media of every
        item and for the file of ``requests``.
    :param posters: as in :class:`~airflow_runway.transfers.runway_to_object_storage.RunwayToObjectStorageOperator`.
    :param contact_sheet_frames: likewise.
    :param dry_run: as in :class:`~airflow_runway.operators.runway.RunwaySubmitOperator`, for the whole list.
    :returns: ``{"total", "succeeded", "failed", "moderated", "lost_answers", "unfinished", "not_submitted",
        "credits", "manifest"}``, numbers but for the last; the parts add up to the total. Where requests have left
        the list, also ``"credits_off_list"``, which ``"credits"`` include. Without a manifest also
        ``"runway_task_ids"``, in the order of the list, ``None`` for what did not succeed.
    """

    template_fields: Sequence[str] = (
        "requests", "route", "item_key", "destination", "file_name", "manifest", "runway_conn_id", "is_dry_run",
    )  # fmt: skip
    template_fields_renderers: ClassVar[dict[str, str]] = {"requests": "json"}
    operator_extra_links = (RunwayClipsLink(),)

    def __init__(
        self,
        *,
        requests: str | Iterable[Mapping[str, Any]],
        route: str,
        item_key: str | None = None,
        label_field: str | bool | None = None,
        destination: str | None = None,
        file_name: str = DEFAULT_PATTERN,
        manifest: str | None = None,
        runway_conn_id: str = "runway_default",
        max_in_flight: int | None = None,
        max_credits: float | None = None,
        max_credits_per_run: float | None = None,
        max_lost_answers: int = 3,
        submissions_at_once: int = 1,
        max_moderated: int = 5,
        on_partial_failure: Literal["fail", "succeed"] = "fail",
        on_ambiguous_submit: Literal["fail", "resubmit"] = "fail",
        on_clear: Literal["reuse", "regenerate"] = "reuse",
        poll_interval: timedelta | float = DEFAULT_INTERVAL,
        timeout: timedelta | float = timedelta(days=1),
        cancel_on_timeout: bool = True,
        cancel_on_kill: bool = True,
        media_from: Sequence[str] | str | None = None,
        posters: bool = True,
        contact_sheet_frames: int = 9,
        dry_run: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.requests = requests
        self.route = route
        self.item_key = item_key
        if label_field is not None and not isinstance(label_field, str | bool):
            raise ValueError("label_field must be the name of a member, True, False or None.")
        self.label_field = label_field
        self.destination = destination
        self.file_name = file_name
        self.manifest = manifest
        self.runway_conn_id = runway_conn_id
        if max_in_flight is not None:
            whole_number("max_in_flight", max_in_flight, least=1)
        self.max_in_flight = max_in_flight
        self.max_credits = most_credits("max_credits", max_credits)
        self.max_credits_per_run = most_credits("max_credits_per_run", max_credits_per_run)
        self.max_lost_answers = whole_number("max_lost_answers", max_lost_answers, least=0)
        self.submissions_at_once = whole_number("submissions_at_once", submissions_at_once, least=1)
        self.max_moderated = whole_number("max_moderated", max_moderated, least=0)
        self.on_partial_failure = one_of("on_partial_failure", on_partial_failure, "fail", "succeed")
        self.on_ambiguous_submit = one_of("on_ambiguous_submit", on_ambiguous_submit, "fail", "resubmit")
        self.on_clear = one_of("on_clear", on_clear, "reuse", "regenerate")
        self.poll_interval = seconds("poll_interval", poll_interval)
        self.timeout = seconds("timeout", timeout)
        self.cancel_on_timeout = cancel_on_timeout
        self.cancel_on_kill = cancel_on_kill
        self.media_from = checked_prefixes(media_from)
        self.posters = posters
        self.contact_sheet_frames = whole_number(
            "contact_sheet_frames", contact_sheet_frames, least=0, most=36
        )
        self.is_dry_run = checked_flag(dry_run)
        self._phase = None

    @staticmethod
    def pause_between_tries(tries: int) -> float:
        """Seconds before the next try of one file; tests put no pause here.

        :param tries: how many in a row have brought nothing.
        """
        return backoff(tries, chance=_chance)

    def _only_look(self, context: Context) -> None:
        if is_asked_for(self.is_dry_run):
            from airflow_runway.operators._batch.dry_run import dry_run_of

            dry_run_of(self, context)

    @reported
    def execute(self, context: Context) -> BatchSummary:
        """Find out what earlier tries did, submit what is left, and wait."""
        self._only_look(context)
        with self._stoppable(context):
            phase, store = self._begin(context)
            self._told = report = self._report(context, phase)
            report.check()
            phase.settle_all(to_be_saved=bool(self.destination))
            report.save()
            if store.is_new or store.is_cleared:
                cleared = store.is_cleared
                requests = self._requests()
                report.check_names(len(requests))
                phase.pin_list(requests, regenerate=self.on_clear == "regenerate")
                if cleared:
                    phase.cancel_others(is_mapped=self._runs_mapped(context))
            else:
                store.begin_retry()
                self._find_bodies(phase)
            return self._go_on(phase, report, store, pauses=0)

    def execute_complete(self, context: Context, event: BatchEvent) -> BatchSummary:
        """Settle what has ended, submit what may be submitted now, and wait on or come to the end.

        :param event: what the trigger tells, see ``airflow_runway.triggers._events``.
        """
        self._only_look(context)
        with self._stoppable(context):
            phase, store = self._begin(context)
            self._told = report = self._report(context, phase)
            # None of it is there in an event of another task (airflow-facts §3).
            phase.settle(event.get("ended", {}), to_be_saved=bool(self.destination))
            report.save()
            self._find_bodies(phase)
            return self._go_on(phase, report, store, pauses=event.get("pauses", 0))

    def lineage(self) -> Lineage:
        """The media of all requests, and what is saved of them."""
        lines = self._told.lines if self._told is not None else []
        return lineage_of(
            self,
            [one.payload for one in self._listed if one.payload is not None],
            [line["runway_task_id"] or "" for line in lines],
            cost=sum(line["credits"] for line in lines),
            files=[file for line in lines for file in line["files"]],
        )

    def deferral_expired(self, context: Context) -> BatchSummary:
        """Our own deadline: as if the trigger had reported that nothing more has ended."""
        return self.execute_complete(context, {"ended": {}, "pauses": 0})

    def _go_on(
        self, phase: BatchPhase, report: BatchReport, store: BatchStore, *, pauses: int
    ) -> BatchSummary:
        deadline = store.header.began_at + self.timeout
        report.tell_progress()
        if phase.result.trouble is None:
            self._submit(phase, report, deadline)
        if phase.stopped:
            self._end_stopped(phase)
        if isinstance(phase.result.trouble, RunwayReadRefusedError):
            raise phase.result.trouble
        if time.time() >= deadline:
            self._close(phase, report, deadline)
        elif phase.running() or self._may_go_on_later(phase) or self._frees_at(phase, deadline):
            self._wait(phase, deadline, pauses)
        if phase.result.trouble is not None:
            raise phase.result.trouble
        return report.conclude()
