"""The command ``airflow-runway``. Imports nothing heavy: help and version answer at once."""

from __future__ import annotations

import argparse
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_runway import __version__
from airflow_runway._recover.arguments import add_to, options_in

if TYPE_CHECKING:
    from collections.abc import Sequence

_PROMPT = "A slow push in, soft evening light"
_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    :param argv: the words after the command's name; those of the process by default.
    :returns: the exit code: 0 done, 1 failed, 2 wrong call, 130 interrupted.
    """
    options = _parser().parse_args(argv)
    if options.command == "costs":
        return _costs(options)
    if options.command == "recover":
        return _recover(options)
    return _check(options.conn_id) if options.command == "check" else _demo(options)


def _recover(options: argparse.Namespace) -> int:
    from airflow_runway._recover.command import run_recover

    try:
        return run_recover(options_in(options))
    except KeyboardInterrupt:
        print("airflow-runway recover: interrupted", file=sys.stderr)
        return _INTERRUPTED


def _check(conn_id: str) -> int:
    from airflow_runway._check import run_check

    try:
        return run_check(conn_id)
    except KeyboardInterrupt:
        print("airflow-runway check: interrupted", file=sys.stderr)
        return _INTERRUPTED


def _costs(options: argparse.Namespace) -> int:
    from airflow_runway._costs.command import CostOptions, run_costs

    try:
        return run_costs(
            CostOptions(
                options.by, options.form, options.dag, options.run, options.since, tuple(options.manifests)
            )
        )
    except KeyboardInterrupt:
        print("airflow-runway costs: interrupted", file=sys.stderr)
        return _INTERRUPTED


def _demo(options: argparse.Namespace) -> int:
    from airflow_runway.demo.errors import DemoError
    from airflow_runway.demo.run import DemoOptions, run_demo

    try:
        run_demo(DemoOptions(options.image, options.out, options.prompt, options.seconds, options.keep))
    except DemoError as error:
        print(f"airflow-runway demo: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("airflow-runway demo: interrupted, everything is stopped", file=sys.stderr)
        return _INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="airflow-runway", description="Runway video generation in Airflow.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    _add_demo(commands)
    _add_costs(commands)
    check = commands.add_parser(
        "check",
        help="ask a connection's gateway whether it accepts the key; free",
        description="Looks a connection up as Airflow does, and asks its gateway whether it accepts the key: "
        "balance, limits, and what looks wrong. Costs nothing. Exit code 0: accepted; 1: refused, or no answer; "
        "2: not asked, e.g. because there is no such connection.",
    )
    check.add_argument(
        "conn_id",
        nargs="?",
        default="runway_default",
        metavar="CONN_ID",
        help="an Airflow connection of type runway (default: %(default)s)",
    )
    add_to(commands)
    return parser


def _add_demo(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    demo = commands.add_parser(
        "demo",
        help="turn a picture into a clip: emulator, real throw-away Airflow, no key, no bill",
        description="Starts an emulator of Runway's API and a throw-away Airflow, runs the example DAG "
        "image_to_video in it and leaves a playable MP4. Needs no key and costs nothing.",
    )
    demo.add_argument(
        "image", nargs="?", type=Path, metavar="IMAGE", help="JPEG, PNG or WebP; left out: one is drawn"
    )
    demo.add_argument(
        "--out",
        type=Path,
        default=Path("runway-demo"),
        metavar="DIR",
        help="for the clip (default: %(default)s)",
    )
    demo.add_argument(
        "--prompt", default=_PROMPT, metavar="TEXT", help="what should happen (default: %(default)s)"
    )
    demo.add_argument(
        "--seconds",
        type=int,
        default=5,
        choices=range(2, 11),
        metavar="N",
        help="length, 2 to 10 (default: 5)",
    )
    demo.add_argument("--keep", action="store_true", help="keep the Airflow home, its database and logs")


def _add_costs(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    costs = commands.add_parser(
        "costs",
        help="who spent what, from the journal folder and from manifests",
        description="Sums up what generations cost, in credits, each counted once: from the journal folder that "
        "Airflow's configuration names ([runway] journal), and from manifests. What was charged, what is only "
        "estimated, and of how many generations the price is unknown are told apart. Asks no gateway. Exit code 0: "
        "all counted; 1: something could not be understood, and is not counted; 2: nothing to count from.",
    )
    costs.add_argument("--dag", metavar="DAG_ID", help="of this Dag only")
    costs.add_argument("--run", metavar="RUN_ID", help="of this run only")
    costs.add_argument(
        "--since", type=date.fromisoformat, metavar="DATE", help="sent on that day or later, UTC: 2026-11-01"
    )
    costs.add_argument(
        "--by",
        choices=("dag", "team", "model", "route", "day"),
        default="dag",
        help="what they are told apart by (default: %(default)s); days are of UTC",
    )
    costs.add_argument(
        "--manifests",
        action="append",
        default=[],
        metavar="URL",
        help="a folder of saved files, or one manifest, as ObjectStoragePath takes it; may be given several times",
    )
    form = costs.add_mutually_exclusive_group()
    for name in ("json", "csv"):
        form.add_argument(
            f"--{name}", dest="form", action="store_const", const=name, help=f"as {name.upper()}"
        )
    costs.set_defaults(form="table")


if __name__ == "__main__":
    sys.exit(main())
