"""What a batch leaves behind: saved files, lines of progress, a manifest, a summary, and an error if need be."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING

from airflow.sdk import ObjectStoragePath

from airflow_runway.core.journal.batch import Item, State, StopReason
from airflow_runway.core.limits import LARGEST_OUTPUT
from airflow_runway.core.saving.naming import FileName
from airflow_runway.exceptions import RunwayBatchError, RunwayBatchIncompleteError, runway_errors

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_runway.core.saving.manifest import FileEntry
    from airflow_runway.hooks.runway import RunwayHook
    from airflow_runway.operators._batch.manifest import BatchLine, BatchSummary
    from airflow_runway.operators._batch.options import BatchOptions
    from airflow_runway.operators._batch.phase import BatchPhase
    from airflow_runway.operators._batch.requests import Request
    from airflow_runway.telemetry import Log
    from airflow_runway.transfers._saving.outcome import SaveOutcome
    from airflow_runway.transfers._saving.saver import Saver

_ODD = re.compile(r"[^A-Za-z0-9._-]+")
#: Reasons that an error repeats.
_REASONS_TOLD = 3


class BatchReport:
    """Saves and reports for one phase of a batch.

    :param options: what the author asked for.
    :param hook: the connection.
    :param context: of the task that runs.
    :param phase: the items.
    :param log: the task's log.
    """

    def __init__(
        self, options: BatchOptions, hook: RunwayHook, context: Context, phase: BatchPhase, log: Log
    ) -> None:
        self._options, self._hook, self._context = options, hook, context
        self._phase, self._log = phase, log

    def check(self) -> None:
        """Find out before anything is sent whether outputs could be saved as the author wants.

        :raises RunwayConfigurationError: destination, file name or manifest are wrong.
        :raises RunwayTransferError: the destination cannot be reached now.
        """
        from airflow_runway.transfers._saving.destination import folder_at

        if self._options.destination:
            with runway_errors():
                FileName.parse(self._options.file_name).check_tasks(len(self._phase.requests))
            self._saver()
        if self._options.manifest:
            folder_at(self._options.manifest)

    def save(self) -> None:
        """Store the outputs of what has succeeded and is not stored yet; trouble leaves them for another try."""
        items = [item for item in self._phase.items() if item.state is State.UNSAVED]
        if not items or not self._options.destination or self._phase.stopped:
            return
        by_id = {item.runway_task_id: item for item in items}
        self._phase.put(*(self._saved(by_id[one.id], one) for one in self._saver().run(list(by_id))))

    def _saved(self, item: Item, outcome: SaveOutcome) -> Item:
        if outcome.error is None:
            return item.ended(State.SUCCEEDED)
        self._log.error("%s", outcome.error)
        return item.ended(State.UNSAVED, note=str(outcome.error))

    def _saver(self) -> Saver:
        from airflow_runway.transfers._saving.destination import Destination, folder_at
        from airflow_runway.transfers._saving.saver import Saver, SaverOptions

        with runway_errors():
            file_name = FileName.parse(self._options.file_name)
        saver = Saver(
            self._hook,
            Destination(folder_at(self._options.destination), LARGEST_OUTPUT),
            SaverOptions(
                file_name=file_name,
                route=self._options.route,
                max_bytes=LARGEST_OUTPUT,
                max_concurrency=4,
                pause=self._options.pause_between_tries,
            ),
            self._log,
        )
        self._phase.when_stopped = saver.stop
        return saver

    def tell_progress(self) -> None:
        """One line: how far it is, and what it has cost so far."""
        states = Counter(item.state for item in self._phase.items())
        self._log.info(
            "Batch: %d of %d succeeded, %d running, %d to come, %d ended otherwise; %g credits so far.",
            states[State.SUCCEEDED] + states[State.UNSAVED],
            len(self._phase.requests),
            states[State.RUNNING],
            len(self._phase.waiting()),
            states[State.FAILED] + states[State.MODERATED] + states[State.INTENT],
            sum(item.credits for item in self._phase.items()),
        )

    def conclude(self) -> BatchSummary:
        """Write the manifest, and return the summary or raise what it comes to.

        :raises RunwayBatchError: an item did not end well, and a retry would not help.
        :raises RunwayBatchIncompleteError: an item did not end well, and all such may do better another time.
        """
        lines = self._lines()
        manifest = self._write_manifest(lines)
        self._phase.conclude()
        words = Counter(line["state"] for line in lines)
        spent = sum(item.credits for item in self._phase.items())
        summary: BatchSummary = {
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
        self._log.info(
            "Batch: %s", {name: value for name, value in summary.items() if name != "runway_task_ids"}
        )
        bad = [line for line in lines if line["state"] != "succeeded"]
        if bad and self._options.on_partial_failure == "fail":
            raise self._error(summary, bad)
        return summary

    def _lines(self) -> list[BatchLine]:
        files = self._files()
        return [self._line(request, self._phase.item(request), files) for request in self._phase.requests]

    def _line(self, request: Request, item: Item | None, files: dict[str, list[FileEntry]]) -> BatchLine:
        """One item in the manifest."""
        unsent, may_pass = self._phase.unsent.get(request.index, (request.error, False))
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
        stop_reason = self._phase.result.stop_reason
        return f"Not submitted: {stop_reason}." if stop_reason else "Not submitted."

    def _files(self) -> dict[str, list[FileEntry]]:
        """The files of everything that is saved, from the manifests beside them; they are looked for once more."""
        if not self._options.destination:
            return {}
        ids = [item.runway_task_id for item in self._phase.items() if item.state is State.SUCCEEDED]
        if not ids:
            return {}
        saver = self._saver()
        outcomes = saver.run(list(dict.fromkeys(ids)))
        self._emit(saver, outcomes)
        return {one.id: one.manifest["files"] for one in outcomes if one.manifest}

    def _emit(self, saver: Saver, outcomes: list[SaveOutcome]) -> None:
        if self._options.outlets:
            from airflow_runway.transfers._saving.assets import emit_asset_events

            folder = ObjectStoragePath(self._options.destination or "")
            saved = [
                (one.manifest, str(folder / saver.manifest_name(one))) for one in outcomes if one.manifest
            ]
            emit_asset_events(self._options.outlets, self._context["outlet_events"], saved)

    def _write_manifest(self, lines: list[BatchLine]) -> str | None:
        from airflow_runway.transfers._saving.destination import Destination

        if self._options.manifest:
            path = ObjectStoragePath(self._options.manifest)
        elif self._options.destination:
            path = ObjectStoragePath(self._options.destination) / self._own_name()
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
        self, summary: BatchSummary, bad: list[BatchLine]
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
        stop_reason = self._phase.result.stop_reason
        if stop_reason is StopReason.MODERATION:
            return (
                f"Nothing more was submitted after {self._options.max_moderated} moderated items, since repeated "
                "hits can suspend the account: change or remove these requests, then clear this task. "
            )
        if stop_reason is StopReason.BUDGET:
            return "Nothing more was submitted, to keep to max_credits: raise it, then clear this task. "
        return "The batch's deadline has passed. " if stop_reason is StopReason.DEADLINE else ""
