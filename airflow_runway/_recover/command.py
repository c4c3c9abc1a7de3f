"""Runs ``airflow-runway recover``. Exit codes: 0 nothing is open, or done; 1 open, or refused; 2 not asked."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

from airflow_runway._check import NotUsableError, connection_of, quiet
from airflow_runway._recover.errors import NotAskedError, RefusedError
from airflow_runway._recover.saying import SENTENCE, clean, put, say, user

if TYPE_CHECKING:
    from airflow_runway._recover.arguments import Options
    from airflow_runway._recover.journals import Journals
    from airflow_runway._recover.listing import Found
    from airflow_runway._recover.states import MetadataDatabase
    from airflow_runway.hooks.runway import RunwayHook

SETTLED, OPEN, NOT_ASKED = 0, 1, 2


def run_recover(options: Options) -> int:
    """Do what was asked for, and print what came of it.

    :param options: what was asked for.
    :returns: the exit code.
    """
    with quiet():
        try:
            return _list(options) if options.action == "list" else _settle(options)
        except NotAskedError as error:
            return _ended(options, NOT_ASKED, "not asked", str(error))
        except RefusedError as error:
            return _ended(options, OPEN, "refused", str(error))


def _ended(options: Options, code: int, what: str, why: str) -> int:
    why = clean(why, limit=SENTENCE)
    if options.as_json:
        put(json.dumps({what.replace(" ", "_"): why}), sys.stdout)
    say(f"airflow-runway recover: {what}. {why}", sys.stderr)
    return code


def _journals(options: Options) -> tuple[Journals, MetadataDatabase | None]:
    try:
        from airflow_runway._recover.in_folder import InJournalFolder
        from airflow_runway._recover.in_stores import InStateStores
        from airflow_runway._recover.states import MetadataDatabase
    except ImportError as error:
        raise NotAskedError(
            f"Airflow cannot be imported ({error}). Run this where Airflow is installed."
        ) from None
    if not options.airflow:
        database = MetadataDatabase()
        return InJournalFolder(database), database

    from airflow_runway._recover.rest import AirflowApi, token_from

    api = AirflowApi(options.airflow, token_from(options.token_file))
    if api.is_readable:
        say("airflow-runway recover: warning: --airflow is http://: the token travels readably.", sys.stderr)
    return InJournalFolder(api) if options.journal_folder else InStateStores(api), None


def _hook(options: Options) -> RunwayHook:
    from airflow_runway.exceptions import RunwayConfigurationError
    from airflow_runway.hooks.runway import RunwayHook

    hook = RunwayHook(options.conn_id)
    try:
        hook.use(connection_of(options.conn_id))
    except NotUsableError as error:
        raise NotAskedError(f"Connection {options.conn_id!r}: {error}") from None
    except RunwayConfigurationError as error:
        raise NotAskedError(f"Connection {options.conn_id!r}: {error.message}") from None
    return hook


def _settle(options: Options) -> int:
    journals, _ = _journals(options)
    from airflow_runway._recover.changes import Settling
    from airflow_runway.core.journal.entries import TaskKey
    from airflow_runway.core.protocol.gateways import is_task_id

    if options.action != "forget" and not is_task_id(options.runway_task_id):
        raise NotAskedError(f"{clean(options.runway_task_id)!r} is no Runway task id.")
    task = TaskKey(options.dag or "", options.run or "", options.task, options.map_index)
    settling = Settling(journals, _hook(options), task, options, by=user(), now=time.time())
    done = {"attach": settling.attach, "forget": settling.forget, "cancel": settling.cancel}[options.action]()
    done = clean(done, limit=SENTENCE)
    if options.as_json:
        put(json.dumps({"done": done}), sys.stdout)
    else:
        say(done, sys.stdout)
    return SETTLED


def _list(options: Options) -> int:
    journals, database = _journals(options)
    from airflow_runway._recover.listing import found_in
    from airflow_runway._recover.states import airflow_keeps_records

    if options.run is not None and options.dag is None:
        raise NotAskedError("--run needs --dag.")
    troubles: dict[str, None] = {}

    def trouble(told: str) -> None:
        troubles.setdefault(clean(told, limit=SENTENCE))

    try:
        hook = _hook(options)
    except NotAskedError as error:
        hook = None
        trouble(f"{error} No generation was read.")
    unread = 0

    def count_folder(told: str) -> None:
        nonlocal unread
        unread += 1
        trouble(told)

    found = list(found_in(journals.all(options.dag, options.run, count_folder), hook, trouble))
    if database is not None and airflow_keeps_records():
        trouble(
            "This Airflow keeps the records of its tasks itself, in its task_state_store; the journal folder holds "
            "those of others, or of earlier days. Give its address to list them: --airflow URL."
        )
    if database is not None and database.trouble:
        trouble(f"Airflow's database could not be asked for states: {database.trouble}")
    if options.as_json:
        told = {
            "journal": clean(journals.place),
            "open": [one.as_json() for one in found],
            "troubles": list(troubles),
        }
        put(json.dumps(told, indent=2), sys.stdout)
    else:
        _print(found, journals.place)
        for one in troubles:
            say(f"airflow-runway recover: {one}", sys.stderr)
    return OPEN if found or unread else SETTLED


def _print(found: list[Found], place: str) -> None:
    runs: dict[tuple[str, str], list[Found]] = {}
    for one in found:
        runs.setdefault((one.task.dag_id, one.task.run_id), []).append(one)
    for (dag_id, run_id), those in runs.items():
        say(f"Dag {clean(dag_id)}, run {clean(run_id)}", sys.stdout)
        for one in those:
            first, second = one.lines()
            put(first, sys.stdout)
            say(second, sys.stdout, indent=" " * 6)
    if not found:
        say(f"Nothing is open in {place}.", sys.stdout)
        return
    say(f"{len(found)} open in {place}. To settle one:", sys.stdout)
    for words in ("attach ID", "forget", "cancel ID"):
        put(f"  airflow-runway recover {words} --dag D --run R --task T [--map-index N]", sys.stdout)
