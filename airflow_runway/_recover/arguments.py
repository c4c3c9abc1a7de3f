"""The words of ``airflow-runway recover``. Imports nothing heavy."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Holds the token for Airflow's REST API: a command line is there for everybody to read.
TOKEN_VARIABLE = "AIRFLOW_RUNWAY_TOKEN"  # noqa: S105 - a name, no token
_DESCRIPTION = (
    "Lists submissions whose answer was lost, and generations that run without a task waiting for them, out of the "
    "journal folder ([runway] journal), or with --airflow out of the task state store of an Airflow 3.3. Nothing is "
    "changed but by attach, forget and cancel, and by these only while the task is in no worker and no trigger. Exit "
    "code 0: nothing is open, or it is done; 1: something is open, or it was refused; 2: not asked."
)


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for."""

    #: ``list``, ``attach``, ``forget`` or ``cancel``.
    action: str
    dag: str | None = None
    run: str | None = None
    task: str = ""
    map_index: int | None = None
    runway_task_id: str = ""
    #: Which of several open submissions of the task, as the list names it.
    intent: str = ""
    conn_id: str = "runway_default"
    airflow: str = ""
    token_file: Path | None = None
    #: Whether only states are asked over the REST API, and records are in the journal folder.
    journal_folder: bool = False
    yes: bool = False
    #: Whether the person has looked that the task is over, where Airflow cannot be asked.
    task_is_over: bool = False
    as_json: bool = False


def options_in(words: argparse.Namespace) -> Options:
    """What was asked for.

    :param words: parsed by what :func:`add_to` added.
    """
    known = {name: value for name, value in vars(words).items() if name in Options.__dataclass_fields__}
    return Options(**{**known, "action": words.action or "list"})


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command.

    :param commands: of ``airflow-runway``.
    """
    recover = commands.add_parser(
        "recover",
        help="list lost answers and generations without a task; settle them",
        description=_DESCRIPTION,
    )
    _add_common(recover, "--dag", "--run")
    actions = recover.add_subparsers(dest="action", metavar="{attach,forget,cancel}")
    attach = _add_action(
        actions,
        "attach",
        "a lost answer's generation was found: the next try of its task picks it up and pays nothing",
        "Reads the generation, compares account and time of creation, claims it, and writes it down.",
    )
    attach.add_argument("runway_task_id", metavar="ID", help="the generation's id")
    _add_intent(attach)
    forget = _add_action(
        actions,
        "forget",
        "a lost answer's generation was looked for and does not exist: the next try sends again",
        "If the generation exists all the same, the next try pays for a second one.",
    )
    _add_intent(forget)
    cancel = _add_action(
        actions,
        "cancel",
        "cancel a generation that runs without a task",
        "Reads it first. A refund is never promised.",
    )
    cancel.add_argument("runway_task_id", metavar="ID", help="the generation's id")


def _add_common(parser: argparse.ArgumentParser, *names: str, is_sub: bool = False) -> None:
    """In a parser below another one, a default would undo what was said before it."""

    def default(value: Any) -> Any:
        return argparse.SUPPRESS if is_sub else value

    for name in names:
        parser.add_argument(name, metavar="ID", default=default(None), help=f"of this {name[2:]} only")
    parser.add_argument(
        "--conn-id",
        default=default("runway_default"),
        metavar="ID",
        help="the Runway connection (runway_default)",
    )
    parser.add_argument(
        "--airflow",
        default=default(""),
        metavar="URL",
        help=f"ask the REST API of that Airflow 3.3, with the token in {TOKEN_VARIABLE} or --token-file",
    )
    parser.add_argument(
        "--journal-folder",
        action="store_true",
        default=default(False),
        help="with --airflow: ask for states only, of 3.1 and 3.2 too; what is open is in the journal folder",
    )
    parser.add_argument(
        "--token-file", type=Path, default=default(None), metavar="FILE", help="holds the token"
    )
    parser.add_argument(
        "--json", dest="as_json", action="store_true", default=default(False), help="for machines"
    )


def _add_action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, what: str, more: str
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}. {more}")
    for one in ("dag", "run", "task"):
        parser.add_argument(f"--{one}", required=True, metavar="ID", help=f"Airflow's {one} id")
    parser.add_argument("--map-index", type=int, default=None, metavar="N", help="of a mapped task")
    _add_common(parser, is_sub=True)
    parser.add_argument("--yes", action="store_true", help="do it, after what is said without")
    parser.add_argument(
        "--task-is-over",
        action="store_true",
        help="I have looked: no worker and no trigger has this task (where Airflow cannot be asked)",
    )
    return parser


def _add_intent(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--intent", default="", metavar="NAME", help="which one, if several of the task are open, as listed"
    )
