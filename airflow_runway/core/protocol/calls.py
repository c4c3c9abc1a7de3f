"""The values of an exchange with a gateway: what is asked, and what comes of it when nothing is answered."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_runway.core.protocol.responses import Response

if TYPE_CHECKING:
    from airflow_runway.core.protocol.verdicts import Delivery

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """One request, without its credential."""

    method: str
    #: Below the Base URL.
    path: str
    json: Mapping[str, Any] | None = None
    #: Whether it asks for a generation, which costs: its delivery is observed, and nothing repeats it (decision 13).
    creates: bool = False


class NoAnswerError(Exception):
    """A request that got no readable response.

    :param delivery: of a create, how far it got, as observed; a read is harmless, whatever became of it.
    :param reason: the library's words, redacted.
    """

    def __init__(self, delivery: Delivery, reason: str) -> None:
        super().__init__(reason)
        self.delivery = delivery
        self.reason = reason


Exchange = Generator[Call, Response, T]


@dataclass(frozen=True, slots=True)
class UploadSlot:
    """A place for one file, for a while."""

    #: Where the form goes; without any credential of ours.
    url: str
    #: Form fields that must stand before the file.
    fields: Mapping[str, str]
    #: ``runway://...``: what a request names instead of the file.
    uri: str = field(repr=False)
