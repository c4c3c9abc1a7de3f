"""``airflow-runway check``: whether a connection would work tonight, found out now, for free.

Does what the connection form's *Test* does, which Airflow switches off by default (airflow-facts §11), and says more.
The connection is looked up as ``airflow connections get`` does: environment variables, secrets backends, the
metadata database. Exit codes: 0 the key is accepted; 1 it is refused, or nobody answered; 2 nobody was asked, since
there is no such connection or it cannot be used.
"""

from __future__ import annotations

import logging
import os
import sys
import textwrap
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from airflow_runway.core.protocol.connection import doubts_about, origin_of
from airflow_runway.core.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCEPTED, REFUSED, NOT_ASKED = 0, 1, 2
#: What Airflow's own commands set, so that the metadata database is among the places that are asked.
_CONTEXT = "_AIRFLOW_PROCESS_CONTEXT"
_TYPE = "runway"
_WIDTH = 88


class NotUsableError(Exception):
    """A sentence that says why nobody was asked."""


def run_check(conn_id: str) -> int:
    """Check a connection, and print what was found.

    :param conn_id: its id.
    :returns: the exit code.
    """
    with quiet():
        try:
            return _checked(conn_id)
        except NotUsableError as error:
            _complain(conn_id, "not checked", str(error))
            return NOT_ASKED


def _checked(conn_id: str) -> int:
    connection = connection_of(conn_id)

    from airflow_runway.exceptions import RunwayConfigurationError, RunwayError, RunwayReadRefusedError
    from airflow_runway.hooks.runway import RunwayHook

    hook = RunwayHook(conn_id)
    try:
        settings = hook.use(connection)
    except RunwayConfigurationError as error:
        raise NotUsableError(error.message) from None
    code = ACCEPTED
    account: tuple[str, ...] = ()
    try:
        account = hook.check_account()
    except RunwayReadRefusedError as error:
        code = REFUSED
        _complain(conn_id, "refused", error.message)
    except RunwayError as error:
        code = REFUSED
        _complain(conn_id, "no answer", error.message)
    else:
        _say(f"{conn_id}: {account[0]}")
    _say(f"  gateway   {settings.gateway.title} ({settings.gateway.name})")
    _say(f"  Base URL  {origin_of(settings.base_url)}")
    for sentence in account[1:]:
        _say(f"  account   {sentence}")
    for doubt in doubts_about(settings):
        _say(f"  warning   {doubt}")
    return code


def connection_of(conn_id: str) -> Any:
    """A connection of type ``runway``, looked up as Airflow's own commands do; within :func:`quiet`.

    :param conn_id: its id.
    :raises NotUsableError: there is none, or it cannot be looked up.
    """
    try:
        from airflow.models.connection import Connection
    except ImportError as error:
        raise NotUsableError(
            f"Airflow cannot be imported ({error}). Run this where Airflow is installed."
        ) from None
    try:
        connection = Connection.get_connection_from_secrets(conn_id)
    except Exception as error:
        if type(error).__name__ != "AirflowNotFoundException":
            raise NotUsableError(
                f"It could not be looked up: {type(error).__name__}: {redact(error, limit=200)}"
            ) from None
        raise NotUsableError(_missing(conn_id)) from None
    if connection.conn_type not in {_TYPE, "", None}:
        # Whatever lies in its password field is a secret of somebody else's.
        raise NotUsableError(
            f"It is of type {redact(connection.conn_type, limit=40)!r}, not {_TYPE!r}: its password was sent "
            "to nobody."
        )
    return connection


def _missing(conn_id: str) -> str:
    variable = f"AIRFLOW_CONN_{conn_id.upper()}"
    if variable in os.environ:
        return f"{variable} is set in the environment, but Airflow cannot read it: is it a URI or JSON?"
    trouble = _trouble_of_the_database()
    if trouble:
        return (
            f"Neither the environment ({variable}) nor a secrets backend has it, and Airflow's metadata database "
            f"could not be asked: {trouble} Is AIRFLOW_HOME set, and Airflow's configuration the right one?"
        )
    return (
        f"There is no such connection: not in the environment ({variable}), in no secrets backend, and not in the "
        f"metadata database. Add one of type {_TYPE!r} in Airflow's UI, or by "
        f"airflow connections add {conn_id} --conn-type {_TYPE} --conn-password KEY."
    )


def _trouble_of_the_database() -> str:
    """Airflow takes a database that does not answer for one that holds nothing."""
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session

    try:
        with create_session() as session:
            session.query(Connection.conn_id).first()
    except Exception as error:
        first = str(error).splitlines() or [""]
        return f"{type(error).__name__}: {redact(first[0], limit=160)}."
    return ""


def _complain(conn_id: str, what: str, why: str) -> None:
    _say(f"airflow-runway check: {conn_id}: {what}. {why}", "  ", sys.stderr)


def _say(text: str, indent: str = " " * 12, to: TextIO | None = None) -> None:
    # Long sentences are folded: terminals and log views cut what stands far to the right.
    lines = textwrap.wrap(text, _WIDTH, subsequent_indent=indent, break_on_hyphens=False)
    print("\n".join(lines), file=to or sys.stdout, flush=True)


@contextmanager
def quiet() -> Iterator[None]:
    """Airflow's own log lines and warnings left out, and its context put back."""
    before, disabled = os.environ.get(_CONTEXT), logging.root.manager.disable
    os.environ[_CONTEXT] = "server"
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        if before is None:
            del os.environ[_CONTEXT]
        else:
            os.environ[_CONTEXT] = before
