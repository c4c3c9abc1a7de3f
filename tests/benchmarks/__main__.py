"""One command for all benchmarks: ``python -m tests.benchmarks NAME [options]``, from the root of the repository.

A benchmark is a module of this package with ``HELP``, ``options(parser)`` and ``run(args)``; add its name to
:data:`BENCHMARKS`.
"""

from __future__ import annotations

import argparse
from importlib import import_module

from tests.benchmarks.table import circumstances

BENCHMARKS = (
    "polls",
    "triggerer",
    "noticing",
    "parsing",
    "campaign",
    "transfer",
    "sizing",
    "journal",
    "budgets",
    "batch",
    "gallery",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for name in BENCHMARKS:
        module = import_module(f"tests.benchmarks.{name}")
        command = commands.add_parser(name, help=module.HELP, description=module.__doc__)
        module.options(command)
        command.set_defaults(run=module.run)
    args = parser.parse_args()
    print(circumstances())
    args.run(args)
    print(circumstances())


if __name__ == "__main__":
    main()
