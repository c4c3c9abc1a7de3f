"""What a batch leaves behind: saved files, lines of progress, a manifest, a summary, and an error if need be."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from airflow.sdk import ObjectStoragePath

from airflow_runway.core.journal.item import Item, State
from airflow_runway.core.journal.settlement import stored
from airflow_runway.core.limits import LARGEST_OUTPUT
from airflow_runway.core.owner import owner_of
from airflow_runway.core.saving.naming import FileName
from airflow_runway.exceptions import RunwayBatchError, RunwayBatchIncompleteError, runway_errors
from airflow_runway.operators._batch.manifest import Fate, Origin, line_of, others_in, own_name
from airflow_runway.operators._batch.messages import next_step, no_longer_there, remedy, still_running

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_runway.core.saving.manifest import FileEntry
    from airflow_runway.hooks.runway import RunwayHook
    from airflow_runway.operators._batch.manifest import BatchLine, BatchSummary
    from airflow_runway.operators._batch.options import BatchOptions
    from airflow_runway.operators._batch.phase import BatchPhase
    from airflow_runway.telemetry import Log
    from airflow_runway.transfers._saving.outcome import SaveOutcome
    from airflow_runway.transfers._saving.saver import Saver

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
        self.lines: list[BatchLine] = []
        self._origin = Origin(hook.settings.gateway.name, options.route, owner_of(context["ti"]))

    def check(self) -> None:
        """Find out before anything is sent whether outputs could be saved as the author wants.

        :raises RunwayConfigurationError: destination or manifest are wrong.
        :raises RunwayTransferError: the destination cannot be reached now.
        """
        from airflow_runway.stores.landing import note_landing
        from airflow_runway.transfers._saving.destination import folder_at

        if self._options.destination:
            self._saver()
            note_landing(self._context, str(self._options.destination), self._options.file_name, ())
        if self._options.manifest:
            folder_at(self._options.manifest)

    def check_names(self, count: int) -> None:
        """Find out whether the file name gives each generation a name of its own.

        :param count: how many entries the list has.
        :raises RunwayConfigurationError: it does not.
        """
        if self._options.destination:
            with runway_errors():
                FileName.parse(self._options.file_name).check_tasks(count)

    def save(self) -> None:
        """Store the outputs of what has succeeded and is not stored yet; trouble leaves them for another try."""
        items = [item for item in self._phase.items() if item.state in {State.UNSAVED, State.GONE}]
        if not items or not self._options.destination or self._phase.stopped:
            return
        by_id = {item.runway_task_id: item for item in items}
        self._phase.put(*(self._saved(by_id[one.id], one) for one in self._saver().run(list(by_id))))

    def _saved(self, item: Item, outcome: SaveOutcome) -> Item:
        error = outcome.error
        if error is not None:
            self._log.error("%s", error)
        return stored(item, outcome.task, error.facts if error is not None else None)

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
                contact_sheet_frames=self._options.contact_sheet_frames,
                models=self._phase.models(),
                owner=self._origin.owner,
            ),
            self._log,
        )
        self._phase.when_stopped = saver.stop
        return saver

    def tell_progress(self) -> None:
        """One line: how far it is, and what it has cost so far."""
        phase, counts = self._phase, Counter[str]()
        for place in range(len(phase.pin)):
            item = phase.item(place)
            if phase.is_to_come(place):
                counts["to come"] += 1
            else:
                counts[item.state if item else "never sent"] += 1
        succeeded = counts[State.SUCCEEDED] + counts[State.UNSAVED]
        running, to_come = counts[State.RUNNING], counts["to come"]
        self._log.info(
            "Batch: %d of %d succeeded, %d running, %d to come, %d ended otherwise; %g credits so far.",
            succeeded,
            len(phase.pin),
            running,
            to_come,
            len(phase.pin) - succeeded - running - to_come,
            phase.credits(),
        )

    def conclude(self) -> BatchSummary:
        """Write the manifest, and return the summary or raise what it comes to.

        :raises RunwayBatchError: an item did not end well, and a retry would not help.
        :raises RunwayBatchIncompleteError: an item did not end well, and all such may do better another time.
        """
        lines = self.lines = self._lines()
        manifest = self._write_manifest(lines)
        self._phase.conclude()
        summary = self._summary(lines, manifest)
        self._log.info(
            "Batch has ended: %d of %d succeeded, %s%g credits. %s",
            summary["succeeded"],
            summary["total"],
            "".join(f"{count}, " for count in others_in(summary)),
            summary["credits"],
            f"All items: {manifest}." if manifest else "",
        )
        off_list = [item.runway_task_id for item in self._phase.off_list() if item.state is State.RUNNING]
        if off_list:
            self._log.warning("Requests have left the list.%s", still_running(off_list))
        bad = [line for line in lines if line["state"] != "succeeded"]
        if bad:
            error = self._error(summary, bad)
            if self._options.on_partial_failure == "fail":
                raise error
            self._log.error("%s", error)
        return summary

    def _summary(self, lines: list[BatchLine], manifest: str | None) -> BatchSummary:
        words = Counter(line["state"] for line in lines)
        summary: BatchSummary = {
            "total": len(lines),
            "succeeded": words["succeeded"],
            "failed": words["failed"] + words["unsaved"] + words["gone"],
            "moderated": words["moderated"],
            "lost_answers": words["intent"],
            "unfinished": words["running"],
            "not_submitted": words["not_submitted"],
            "credits": self._phase.credits(),
            "manifest": manifest,
        }
        if off_list := sum(item.credits for item in self._phase.off_list()):
            summary["credits_off_list"] = off_list
        if manifest is None:
            summary["runway_task_ids"] = [
                line["runway_task_id"] if line["state"] == "succeeded" else None for line in lines
            ]
        return summary

    def _lines(self) -> list[BatchLine]:
        files = self._files()
        return [self._line(place, files) for place in range(len(self._phase.pin))]

    def _line(self, place: int, files: dict[str, list[FileEntry]]) -> BatchLine:
        """One item in the manifest: what is recorded of it, and only else why nothing is."""
        item, unsent = self._phase.item(place), self._phase.unsent.get(place)
        never_sent = item is None or item.state is State.POSTPONED
        if never_sent and not self._phase.pin[place].key:
            unsent = unsent or ("It was no JSON object when the list was pinned.", False)
        if never_sent and unsent is None:
            state, note, may_pass = "not_submitted", self._why_not(item), self._may_be_sent(place)
        elif unsent is not None and (item is None or self._phase.is_to_come(place)):
            state, (note, may_pass) = "failed", unsent
        else:
            assert item is not None  # noqa: S101 - for the type checker
            state, note = item.state.value, item.note
            may_pass = item.may_pass or item.state is State.UNSAVED
            if item.state is State.RUNNING:
                note = f"Runway task {item.runway_task_id} is not known to have ended."
            elif item.state is State.INTENT and not note:
                note = "Its worker was lost while it was sent: it may exist, and may have been charged."
        saved = files.get(item.runway_task_id, []) if item and state == "succeeded" else []
        return line_of(
            place, item, Fate(state, note, may_pass, saved), self._origin, self._phase.model_of(place)
        )

    def _why_not(self, item: Item | None) -> str:
        if item is not None and item.note:
            return item.note
        stop_reason = self._phase.result.stop_reason
        if stop_reason:
            return f"Not submitted: {stop_reason}."
        return (
            "Not submitted: its body is no longer in the list."
            if self._phase.list_trouble
            else "Not submitted."
        )

    def _may_be_sent(self, place: int) -> bool:
        """Whether a retry may submit what this try could not."""
        trouble = self._phase.list_trouble
        return trouble is not None and trouble.may_pass and self._phase.result.stop_reason is None

    def _files(self) -> dict[str, list[FileEntry]]:
        """The files of everything that is saved, from the manifests beside them; they are looked for once more."""
        if not self._options.destination:
            return {}
        items = [self._phase.item(place) for place in range(len(self._phase.pin))]
        ids = [item.runway_task_id for item in items if item is not None and item.state is State.SUCCEEDED]
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
        return own_name(ti.dag_id, ti.task_id, ti.run_id, ti.map_index)

    def _error(
        self, summary: BatchSummary, bad: list[BatchLine]
    ) -> RunwayBatchError | RunwayBatchIncompleteError:
        counts = ", ".join(others_in(summary))
        reasons = " ".join(f"Item {line['index']}: {line['note']}" for line in bad[:_REASONS_TOLD])
        more = f" ({len(bad) - _REASONS_TOLD} more)" if len(bad) > _REASONS_TOLD else ""
        where = f" All items: {summary['manifest']}." if summary["manifest"] else ""
        running = still_running([line["runway_task_id"] or "" for line in bad if line["state"] == "running"])
        gone = no_longer_there([line["runway_task_id"] or "" for line in bad if line["state"] == "gone"])
        text = (
            f"{summary['succeeded']} of {summary['total']} items succeeded, {counts}; {summary['credits']:g} credits "
            f"so far. {self._remedy()}{reasons}{more}{running}{gone}{where}"
        )
        kind, rest = (
            (RunwayBatchIncompleteError, "A retry submits, and pays for, only what failed.")
            if all(line["may_pass"] for line in bad)
            else (RunwayBatchError, "A clear keeps what succeeded, and submits only what failed again.")
        )
        return kind(f"{text} {rest}", next_step=next_step(self._phase.result.stop_reason))

    def _remedy(self) -> str:
        trouble = self._phase.list_trouble
        missing = any(self._phase.is_to_come(place) for place in range(len(self._phase.pin)))
        said = remedy(
            self._phase.result.stop_reason,
            max_moderated=self._options.max_moderated,
            max_lost_answers=self._options.max_lost_answers,
        )
        return f"{said}{trouble.text} " if trouble is not None and missing else said
