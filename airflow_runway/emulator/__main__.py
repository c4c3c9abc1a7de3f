"""``python -m airflow_runway.emulator``: command line of the emulator."""

from __future__ import annotations

import argparse
import os
import sys

_EXTRAS = frozenset({"anyio", "av", "jsonschema", "PIL", "starlette", "uvicorn"})


def main(arguments: list[str] | None = None) -> int:
    """Runs the emulator until it is told to stop.

    :param arguments: command line without the program; ``sys.argv`` by default.
    :returns: exit status: 0 after a signal, 2 if it cannot start.
    """
    options = _parser().parse_args(arguments)
    try:
        # Not at the top: without the extra packages a clear line is better than a traceback.
        from airflow_runway.emulator.server import run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRAS:
            raise
        return _fail(
            f"{error.name} is missing. Install it with: pip install 'airflow-provider-runway[emulator]'"
        )
    try:
        run(
            host=options.host,
            port=options.port,
            speed=options.speed,
            seconds=options.seconds,
            lenient=options.lenient,
            api_keys=options.api_key,
            hosts=options.allow_host,
            until_stdin_closes=options.until_stdin_closes,
        )
    except OSError as error:
        return _fail(f"cannot listen on {options.host}:{options.port}: {_reason(error)}")
    return 0


def _fail(message: str) -> int:
    sys.stderr.write(f"runway emulator: {message}\n")
    return 2


def _reason(error: OSError) -> str:
    # The error's own text repeats the address.
    number = error.errno or 0
    return os.strerror(number) if number > 0 else str(error.strerror or error)


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("must be greater than 0")
    return value


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError("must be from 0 to 65535")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_runway.emulator",
        description="A stateful stand-in for Runway and its gateways: no key, no bill, real files.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=8765, help="0 = any free port (default: %(default)s)")
    parser.add_argument("--speed", type=_positive, default=1.0, help="world seconds per second (default: 1)")
    parser.add_argument(
        "--seconds",
        type=_positive,
        default=30.0,
        help="length of a generation in world seconds (default: 30)",
    )
    parser.add_argument(
        "--lenient",
        action="store_true",
        help="accept models, fields and values that the catalogue does not know; wrong types stay refused",
    )
    parser.add_argument(
        "--api-key", action="append", default=[], help="key to let in, repeatable (default: any key)"
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="name by which control addresses may be asked for, beside localhost, repeatable",
    )
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="stop at the end of standard input (for parents)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
