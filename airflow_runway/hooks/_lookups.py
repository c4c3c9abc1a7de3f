"""``hook.voices`` and its like: what a payload names, looked up by id or by the name that people gave it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import tenacity

from airflow_runway.core.limits import READ_ATTEMPTS
from airflow_runway.core.protocol import lookups
from airflow_runway.hooks._connection import ConnectionHook
from airflow_runway.hooks._retries import reread

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_runway.core.protocol.calls import Exchange
    from airflow_runway.core.protocol.gateways import Gateway


_Found = TypeVar("_Found")


class Lookup:
    """One kind of what Runway keeps for an account. Reads only, free; rows are as the gateway gives them.

    Every method has a twin for event loops, with an ``a`` before its name. Blocking ones try a few times, with
    growing pauses.

    :param hook: the connection.
    :param kind: e.g. ``voices``.
    """

    def __init__(self, hook: LooksUp, kind: str) -> None:
        self._hook, self._kind = hook, kind

    def list(self) -> list[dict[str, Any]]:
        """All of them.

        :raises RunwayConfigurationError: on a gateway without such a list.
        :raises RunwayReadError: it could not be read to its end; "could not read" is never "nothing there".
        """
        return self._read(lambda gateway: lookups.read_all(gateway, self._kind))

    def get(self, identifier: str) -> dict[str, Any]:
        """One, by its id.

        :param identifier: as the API gave it.
        :raises RunwayConfigurationError: it can be no id, or on a gateway without such a list.
        :raises RunwayReadError: there is none of that id, or it could not be read.
        """
        return self._read(lambda gateway: lookups.read_one(gateway, self._kind, identifier))

    def find(self, name: str) -> dict[str, Any]:
        """The one of that name; of a workflow its newest version, whose ``id`` stands in a route.

        :param name: as people gave it; of a router also its slug.
        :raises RunwayConfigurationError: none is called so, or several are.
        :raises RunwayReadError: the list could not be read.
        """
        return self._read(lambda gateway: lookups.find(gateway, self._kind, name))

    async def alist(self) -> list[dict[str, Any]]:  # type: ignore[valid-type]
        """:meth:`list`, in an event loop; one try."""
        return await self._hook.arun_exchange(lambda settings: lookups.read_all(settings.gateway, self._kind))

    async def aget(self, identifier: str) -> dict[str, Any]:
        """:meth:`get`, in an event loop; one try.

        :param identifier: as the API gave it.
        """
        return await self._hook.arun_exchange(
            lambda settings: lookups.read_one(settings.gateway, self._kind, identifier)
        )

    async def afind(self, name: str) -> dict[str, Any]:
        """:meth:`find`, in an event loop; one try.

        :param name: as people gave it.
        """
        return await self._hook.arun_exchange(
            lambda settings: lookups.find(settings.gateway, self._kind, name)
        )

    def _read(self, begin: Callable[[Gateway], Exchange[_Found]]) -> _Found:
        again = tenacity.Retrying(**reread(self._hook, READ_ATTEMPTS))
        found: _Found = again(lambda: self._hook.run_exchange(begin(self._hook.settings.gateway)))
        return found


class LooksUp(ConnectionHook):
    """A hook that finds what a payload names."""

    #: Pause between tries, in seconds.
    pause_between_tries: Callable[[tenacity.RetryCallState], float]

    @cached_property
    def voices(self) -> Lookup:
        """Custom voices."""
        return Lookup(self, "voices")

    @cached_property
    def avatars(self) -> Lookup:
        """Avatars."""
        return Lookup(self, "avatars")

    @cached_property
    def documents(self) -> Lookup:
        """Documents of avatars."""
        return Lookup(self, "documents")

    @cached_property
    def routers(self) -> Lookup:
        """Routers of ``generate/*``; a request names one by its ``slug``."""
        return Lookup(self, "routers")

    @cached_property
    def workflows(self) -> Lookup:
        """Published workflows; a route names a version of one by its ``id``."""
        return Lookup(self, "workflows")
