"""What a batch leaves behind: saved files, lines of progress, a manifest, a summary, and an error if need be."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow.sdk import ObjectStoragePath

from airflow_runway import telemetry
from airflow_runway.core.journal.batch import Hindrance, Item, State
from airflow_runway.exceptions import RunwayBatchError, RunwayBatchIncompleteError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_runway.operators._batch.operator import RunwayBatchOperator
    from airflow_runway.operators._batch.phase import BatchRun
    from airflow_runway.operators._batch.requests import Request
    from airflow_runway.transfers._saving.outcome import Generation
    from airflow_runway.transfers._saving.saver import Saving

_ODD = re.compile(r"[^A-Za-z0-9._-]+")
#: Reasons that an error repeats.
_REASONS_TOLD = 3


class BatchReport:
    """Saves and reports for one phase of a batch.

    :param operator: whose arguments count.
    :param context: Airflow's.
    :param run: the items.
    """

    def __init__(self, operator: RunwayBatchOperator, context: Context, run: BatchRun) -> None:
        self._operator, self._context, self._run = operator, context, run

    def check(self) -> None:
        """Find out before anything is sent whether outputs could be saved as the author wants.

        :raises RunwayConfigurationError: destination, file name or manifest are wrong.
        :raises RunwayTransferError: the destination cannot be reached now.
        """
        from airflow_runway.core.saving.naming import FileName
        from airflow_runway.transfers._saving.destination import folder_at

        if self._operator.destination:
            FileName.parse(self._operator.file_name).check_tasks(len(self._run.requests))
            self._saving()
        if self._operator.manifest:
            folder_at(self._operator.manifest)

    def save(self) -> None:
        """Store the outputs of what has succeeded and is not stored yet; trouble leaves them for another try."""
        items = [item for item in self._run.items() if item.state is State.UNSAVED]
        if not items or not self._operator.destination or self._run.stopped:
            return
        by_id = {item.runway_task_id: item for item in items}
        self._run.put(*(self._saved(by_id[one.id], one) for one in self._saving().run(list(by_id))))

    def _saved(self, item: Item, generation: Generation) -> Item:
        if generation.error is None:
            return item.ended(State.SUCCEEDED)
        self._operator.log.error("%s", generation.error)
        return item.ended(State.UNSAVED, note=str(generation.error))

    def _saving(self) -> Saving:
        from airflow_runway.core.saving.naming import FileName
        from airflow_runway.transfers._saving.destination import Destination, folder_at
        from airflow_runway.transfers._saving.saver import Saving
        from airflow_runway.transfers.runway_to_object_storage import LARGEST_FILE

        operator = self._operator
        saving = Saving(
            operator.hook,
            Destination(folder_at(operator.destination), LARGEST_FILE),
            FileName.parse(operator.file_name),
            route=operator.route,
            max_bytes=LARGEST_FILE,
            max_concurrency=4,
            pauses=operator.pause_between_tries,
            log=operator.log,
        )
        self._run.when_stopped = saving.stop
        return saving

    def tell_progress(self) -> None:
        """One line: how far it is, and what it has cost so far."""
        states = Counter(item.state for item in self._run.items())
        self._operator.log.info(
            "Batch: %d of %d succeeded, %d running, %d to come, %d ended otherwise; %g credits so far.",
            states[State.SUCCEEDED] + states[State.UNSAVED],
            len(self._run.requests),
            states[State.RUNNING],
            len(self._run.waiting()),
            states[State.FAILED] + states[State.MODERATED] + states[State.INTENT],
            sum(item.credits for item in self._run.items()),
        )

    def conclude(self) -> dict[str, Any]:
        """Write the manifest, and return the summary or raise what it comes to.

        :raises RunwayBatchError: an item did not end well, and a retry would not help.
        :raises RunwayBatchIncompleteError: an item did not end well, and all such may do better another time.
        """
        lines = self._lines()
        manifest = self._write_manifest(lines)
        self._run.conclude()
        words = Counter(line["state"] for line in lines)
        spent = sum(item.credits for item in self._run.items())
        summary: dict[str, Any] = {
            "total": len(lines),
            "succeeded": words["succeeded"],
            "failed": words["failed"] + words["unsaved"],
            "moderated": words["moderated"],
            "lost_answers": words["intent"],
            "unfinished": words["running"],
            "not_submitted": words["not_submitted"],
            "credits": spent,
            "manifest": manifest,
        }
        if manifest is None:
            summary["runway_task_ids"] = [
                line["runway_task_id"] if line["state"] == "succeeded" else None for line in lines
            ]
        self._operator.log.info(
            "Batch: %s", {name: value for name, value in summary.items() if name != "runway_task_ids"}
        )
        self._count(words, spent)
        bad = [line for line in lines if line["state"] != "succeeded"]
        if bad and self._operator.on_partial_failure == "fail":
            raise self._error(summary, bad)
        return summary

    def _lines(self) -> list[dict[str, Any]]:
        files = self._files()
        return [self._line(request, self._run.item(request), files) for request in self._run.requests]

    def _line(
        self, request: Request, item: Item | None, files: dict[str, list[dict[str, Any]]]
    ) -> dict[str, Any]:
        """One item in the manifest."""
        unsent, may_pass = self._run.unsent.get(request.index, (request.error, False))
        if item is None or item.state is State.POSTPONED:
            note = unsent or (item.note if item else "") or self._why_not()
            known = "failed" if unsent else "not_submitted"
            return {
                "index": request.index,
                "state": known,
                "runway_task_id": None,
                "cost_credits": None,
                "note": note or None,
                "may_pass": may_pass,
                "files": [],
            }
        return {
            "index": request.index,
            "state": item.state.value,
            "runway_task_id": item.runway_task_id or None,
            "cost_credits": item.charged,
            "note": item.note or None,
            "may_pass": item.may_pass or item.state is State.UNSAVED,
            "files": files.get(item.runway_task_id, []),
        }

    def _why_not(self) -> str:
        hindrance = self._run.phase.hindrance
        return f"Not submitted: {hindrance}." if hindrance else "Not submitted."

    def _files(self) -> dict[str, list[dict[str, Any]]]:
        """The files of everything that is saved, from the manifests beside them; they are looked for once more."""
        if not self._operator.destination:
            return {}
        ids = [item.runway_task_id for item in self._run.items() if item.state is State.SUCCEEDED]
        if not ids:
            return {}
        saving = self._saving()
        generations = saving.run(list(dict.fromkeys(ids)))
        self._emit(saving, generations)
        return {one.id: one.manifest["files"] for one in generations if one.manifest}

    def _emit(self, saving: Saving, generations: list[Generation]) -> None:
        if self._operator.outlets:
            from airflow_runway.transfers._saving.assets import emit

            folder = ObjectStoragePath(self._operator.destination or "")
            saved = [
                (one.manifest, str(folder / saving.manifest_name(one))) for one in generations if one.manifest
            ]
            emit(self._operator.outlets, self._context["outlet_events"], saved)

    def _write_manifest(self, lines: list[dict[str, Any]]) -> str | None:
        from airflow_runway.transfers._saving.destination import Destination

        operator = self._operator
        if operator.manifest:
            path = ObjectStoragePath(operator.manifest)
        elif operator.destination:
            path = ObjectStoragePath(operator.destination) / self._own_name()
        else:
            return None
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        Destination(path.parent, len(text)).write(path.name, text.encode(), "application/jsonl")
        return str(path)

    def _own_name(self) -> str:
        ti = self._context["ti"]
        parts = [
            ti.dag_id,
            ti.task_id,
            ti.run_id,
            *([str(ti.map_index)] if (ti.map_index or -1) >= 0 else []),
        ]
        return ".".join(_ODD.sub("_", part)[:80] for part in parts) + ".manifest.jsonl"

    def _error(
        self, summary: dict[str, Any], bad: list[dict[str, Any]]
    ) -> RunwayBatchError | RunwayBatchIncompleteError:
        counts = ", ".join(
            f"{summary[name]} {name.replace('_', ' ')}"
            for name in ("failed", "moderated", "lost_answers", "unfinished", "not_submitted")
            if summary[name]
        )
        reasons = " ".join(f"Item {line['index']}: {line['note']}" for line in bad[:_REASONS_TOLD])
        more = f" ({len(bad) - _REASONS_TOLD} more)" if len(bad) > _REASONS_TOLD else ""
        where = f" All items: {summary['manifest']}." if summary["manifest"] else ""
        text = (
            f"{summary['succeeded']} of {summary['total']} items succeeded, {counts}; {summary['credits']:g} credits "
            f"so far. {self._remedy()}{reasons}{more}{where}"
        )
        if all(line["may_pass"] for line in bad):
            return RunwayBatchIncompleteError(f"{text} A retry submits, and pays for, only what failed.")
        return RunwayBatchError(
            f"{text} When this task is cleared, what succeeded is kept, and only what failed is submitted again."
        )

    def _remedy(self) -> str:
        hindrance = self._run.phase.hindrance
        if hindrance is Hindrance.MODERATION:
            return (
                f"Nothing more was submitted after {self._operator.max_moderated} moderated items, since repeated "
                "hits can suspend the account: change or remove these requests, then clear this task. "
            )
        if hindrance is Hindrance.BUDGET:
            return "Nothing more was submitted, to keep to max_credits: raise it, then clear this task. "
        return "The batch's deadline has passed. " if hindrance is Hindrance.DEADLINE else ""

    @staticmethod
    def _count(words: Counter[str], spent: float) -> None:
        for word, number in words.items():
            telemetry.count(telemetry.IN_WORKER, "runway.finished", number, status=word.upper())
        if spent:
            telemetry.count(telemetry.IN_WORKER, "runway.credits", spent, status="BATCH")
