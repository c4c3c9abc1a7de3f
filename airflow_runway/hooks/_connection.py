"""What a hook's calls travel on: one checked connection, its sessions, and exchanges run over them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, TypeVar

from airflow.providers.common.compat.connection import get_async_connection, get_async_extra_dejson
from airflow.providers.common.compat.sdk import AirflowNotFoundException
from airflow.providers.http.hooks.http import HttpHook

from airflow_runway.core.protocol.calls import Exchange, NoAnswerError
from airflow_runway.core.protocol.connection import ConnectionSettings, read_connection
from airflow_runway.core.redaction import redact
from airflow_runway.exceptions import RunwayConfigurationError, RunwayReadRefusedError, runway_errors
from airflow_runway.hooks import _network, _transport
from airflow_runway.hooks._deadline import WatchedAdapter
from airflow_runway.hooks._shared_session import shared_session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    import requests
    from airflow.sdk import Connection

    from airflow_runway.hooks._shared_session import SharedSession

T = TypeVar("T")


class ConnectionHook(HttpHook):
    """Runs exchanges over one connection of type ``runway``, blocking or in an event loop.

    Built on the HTTP provider's hook, with three differences that money and secrets ask for: of the
    connection's extra only known keys are read (none becomes a header), redirects are never followed, and
    ``https`` is the default.

    :param runway_conn_id: the connection's id.
    """

    def __init__(self, runway_conn_id: str) -> None:
        super().__init__(http_conn_id=runway_conn_id)
        self.runway_conn_id = runway_conn_id
        self._settings: ConnectionSettings | None = None
        self._session: requests.Session | None = None

    @property
    def settings(self) -> ConnectionSettings:
        """The checked connection, looked up once per hook, and again after its key was refused.

        :raises RunwayConfigurationError: naming the field and the remedy.
        """
        if self._settings is None:
            self._check_id()
            connection = self.get_connection(self.runway_conn_id)
            self._settings = self._checked(connection, connection.extra_dejson)
        return self._settings

    def _check_id(self) -> None:
        if not isinstance(self.runway_conn_id, str) or not self.runway_conn_id.strip():
            told = redact(self.runway_conn_id, limit=60)
            raise RunwayConfigurationError(
                f"runway_conn_id is {told!r}, which is no id of a connection. Nothing was sent."
            )

    def use(self, connection: Connection) -> ConnectionSettings:
        """Work over a connection that is at hand, instead of looking one up; nothing is logged.

        :param connection: an Airflow connection.
        :raises RunwayConfigurationError: naming the field and the remedy.
        """
        self._settings = self._read(connection, connection.extra_dejson)
        return self._settings

    def detached(self, timeout: float) -> Self:
        """A hook with the same, already checked connection, a session of its own, and less patience.

        :param timeout: seconds that one HTTP answer may take.
        """
        other = type(self)(self.runway_conn_id)
        other._settings = replace(self.settings, timeout=min(timeout, self.settings.timeout))
        return other

    async def asettings(self) -> ConnectionSettings:
        """:attr:`settings` for an event loop, not cached."""
        self._check_id()
        try:
            connection = await get_async_connection(self.runway_conn_id, hook=type(self))
        except AirflowNotFoundException:
            # ``dag.test()`` sees connections of the database only on this way.
            from asgiref.sync import sync_to_async

            connection = await sync_to_async(self.get_connection)(self.runway_conn_id)
        return self._checked(connection, await get_async_extra_dejson(connection))

    def _checked(self, connection: Connection, extra: Mapping[str, Any]) -> ConnectionSettings:
        settings = self._read(connection, extra)
        if settings.ignored:
            self.log.warning(
                "Connection %r: extra keys that mean nothing here are ignored: %s.",
                self.runway_conn_id,
                ", ".join(settings.ignored),
            )
        return settings

    @runway_errors()
    def _read(self, connection: Connection, extra: Mapping[str, Any]) -> ConnectionSettings:
        return read_connection(
            self.runway_conn_id,
            host=connection.host,
            schema=connection.schema,
            port=connection.port,
            password=connection.password,
            extra=extra,
        )

    def get_conn(
        self, headers: dict[Any, Any] | None = None, extra_options: dict[str, Any] | None = None
    ) -> requests.Session:
        """A requests session with this connection's credential, version header and proxies.

        :param headers: further headers.
        :param extra_options: not read: what the HTTP provider takes from here is fixed on purpose.
        :raises RunwayConfigurationError: its CA bundle or its proxy cannot be used.
        """
        settings = self.settings
        with runway_errors():
            _network.check(settings)
        session = _network.UnredirectedSession()
        self.base_url = settings.base_url
        self._base_url_initialized = True
        self.merged_extra = {"allow_redirects": False, "timeout": settings.timeout}
        session.auth = _network.BearerKey(settings.api_key)
        session.headers.update(_network.standard_headers(settings))
        session.headers.update(headers or {})
        session.proxies.update(settings.proxies)
        session.verify = settings.verify
        configured: requests.Session = self._configure_session_from_mount_adapters(session)
        for scheme in ("https://", "http://"):
            configured.mount(scheme, WatchedAdapter())
        return configured

    def run_exchange(self, exchange: Exchange[T]) -> T:
        """Run an exchange with requests; see :mod:`airflow_runway.core.protocol.exchanges`.

        :param exchange: what is to be said.
        """
        try:
            with runway_errors():
                return self._run(exchange)
        except RunwayReadRefusedError as error:
            if error.key_refused:
                # The next call reads the connection anew: somebody may have changed the key.
                self._session = self._settings = None
            raise

    def _run(self, exchange: Exchange[T]) -> T:
        if self._session is None:
            self._session = self.get_conn()
        try:
            call = next(exchange)
            while True:
                try:
                    response = _transport.send(self._session, self.settings, call)
                except NoAnswerError as silence:
                    call = exchange.throw(silence)
                else:
                    call = exchange.send(response)
        except StopIteration as end:
            result: T = end.value
            return result

    async def arun_exchange(self, begin: Callable[[ConnectionSettings], Exchange[T]]) -> T:
        """Run an exchange with aiohttp; see :meth:`run_exchange`.

        :param begin: makes the exchange, once the connection is known.
        """
        async with self.kept_open() as session:
            return await session.run(begin)

    @asynccontextmanager
    async def kept_open(self) -> AsyncIterator[SharedSession]:
        """Keep the event loop's shared session for this connection open over several async calls."""
        async with shared_session(self.runway_conn_id, self.asettings) as session:
            yield session
