"""Gathers what journal and manifests tell, has it summed up, and prints it.

Exit codes: 0 everything is counted; 1 something could not be read or understood, and is not counted; 2 there is
nothing to count from.
"""

from __future__ import annotations

import io
import sys
import textwrap
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, TextIO

from airflow_runway._check import quiet
from airflow_runway._costs.forms import as_csv, as_json, as_table, notes
from airflow_runway.core.journal.cost_sums import By, counted_once, selected, sum_of, sums_by
from airflow_runway.core.journal.costs import cost_of, costs_in
from airflow_runway.core.journal.entries import history_of
from airflow_runway.core.redaction import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from airflow_runway.core.journal.costs import Cost

COUNTED, IN_PART, NOTHING = 0, 1, 2
_WIDTH = 88
#: Complaints that are printed; the others are counted.
_MOST_TOLD = 5
#: Characters of one complaint.
_LONGEST = 600


@dataclass(frozen=True, slots=True)
class CostOptions:
    """What was asked for."""

    #: A word of :class:`~airflow_runway.core.journal.cost_sums.By`.
    by: str
    #: ``table``, ``json`` or ``csv``.
    form: str
    dag: str | None = None
    run: str | None = None
    since: date | None = None
    #: URLs of folders or files.
    manifests: tuple[str, ...] = ()


class _NothingToCountError(Exception):
    """A sentence that says why."""


def run_costs(options: CostOptions) -> int:
    """Sum up, and print.

    :param options: what was asked for.
    :returns: the exit code.
    """
    odd: list[str] = []
    # Airflow's structured log goes to standard output, where JSON or CSV is expected.
    with quiet(), redirect_stdout(io.StringIO()):
        try:
            costs = list(_gathered(options, odd))
        except _NothingToCountError as error:
            _complain(str(error))
            return NOTHING
    since = datetime.combine(options.since, time(), UTC).timestamp() if options.since else None
    counted = selected(counted_once(costs), dag_id=options.dag, run_id=options.run, since=since)
    rows, total = sums_by(counted, By(options.by)), sum_of(counted)
    if options.form == "json":
        asked = {"dag": options.dag, "run": options.run, "since": options.since and options.since.isoformat()}
        sys.stdout.write(as_json(options.by, asked, rows, total, not_counted=len(odd)) + "\n")
    elif options.form == "csv":
        sys.stdout.write(as_csv(options.by, rows))
    else:
        sys.stdout.write(as_table(options.by, rows, total) + "\n")
        for note in notes(total, undated=sum(cost.at is None for cost in counted) if options.since else 0):
            _say(note)
    for sentence in odd[:_MOST_TOLD]:
        _complain(f"not counted: {sentence}")
    if len(odd) > _MOST_TOLD:
        _complain(f"not counted: {len(odd) - _MOST_TOLD} more.")
    return IN_PART if odd else COUNTED


def _gathered(options: CostOptions, odd: list[str]) -> Iterator[Cost]:
    has_journal = False
    for cost in _in_journal(options, odd):
        has_journal = True
        if cost is not None:
            yield cost
    if not has_journal and not options.manifests:
        raise _NothingToCountError(
            "Airflow's configuration names no journal folder ([runway] journal), and no --manifests were given: "
            "there is nothing to count from."
        )
    for url in dict.fromkeys(options.manifests):
        yield from _in_manifests(url, odd)


def _in_journal(options: CostOptions, odd: list[str]) -> Iterator[Cost | None]:
    """What the journal folder tells; begins with ``None`` where there is one."""
    try:
        from airflow_runway.exceptions import RunwayConfigurationError
        from airflow_runway.stores.files import JournalFolderError
        from airflow_runway.stores.folder import configured_journal
    except ImportError as error:
        raise _NothingToCountError(
            f"Airflow cannot be imported ({error}). Run this where Airflow is installed."
        ) from None
    try:
        journal = configured_journal()
    except RunwayConfigurationError as error:
        raise _NothingToCountError(error.message) from None
    if journal is None:
        return
    yield None
    run = options.run if options.dag else None
    try:
        for folder in journal.tasks(options.dag, run, on_odd=lambda error: odd.append(f"{error}.")):
            try:
                history = history_of(folder.read())
            except JournalFolderError as error:
                odd.append(f"{error}.")
                continue
            for record in history.newest_first():
                yield cost_of(record, folder.task)
    except JournalFolderError as error:
        raise _NothingToCountError(f"{error}.") from None


def _in_manifests(url: str, odd: list[str]) -> Iterator[Cost]:
    from airflow_runway.stores.manifests import ManifestsError, documents_at

    try:
        for path, document in documents_at(url, lambda error: odd.append(str(error))):
            try:
                found = costs_in(document, path)
            except (ValueError, OverflowError) as error:
                odd.append(f"{path} holds what is no manifest of ours ({error}).")
                continue
            yield from found
    except ManifestsError as error:
        raise _NothingToCountError(str(error)) from None


def _complain(why: str) -> None:
    _say(f"airflow-runway costs: {printable(why, limit=_LONGEST)}", sys.stderr)


def _say(text: str, to: TextIO | None = None) -> None:
    lines = textwrap.wrap(text, _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    (to or sys.stdout).write("\n".join(lines) + "\n")
