"""What is written down of one submission."""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from airflow_runway.core.journal.accounts import Account, read_account
from airflow_runway.core.protocol.gateways import is_task_id
from airflow_runway.core.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+-]{0,63}")


class Phase(StrEnum):
    """How far a submission got."""

    #: About to be sent, or sent and never answered with an acceptance: it is *open*.
    INTENT = "intent"
    #: Accepted; the id is known.
    SUBMITTED = "submitted"
    #: The task ended of its own accord: returned, succeeded, failed, timed out.
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a submission. No prompt, key or URL: it is visible in UI and database."""

    phase: Phase
    #: Of the request; see :func:`fingerprint`.
    fingerprint: str
    gateway: str
    route: str
    #: Wall clock of the POST, seconds since the epoch.
    sent_at: float
    #: Of the generation. In an intent: the id that stood in an answer which was an error.
    runway_task_id: str = ""
    #: Of an id that stood in an error: whether that was a refusal, but for the id. It stays when the id is taken up.
    refused: bool = False
    #: Wall clock from which a deadline is counted: the POST, or a clear since.
    anchored_at: float = 0.0
    #: Airflow's ``max_tries`` at the time, which every clear changes and no retry does.
    max_tries: int | None = None
    #: The most it may cost, in credits.
    estimated_credits: float | None = None
    #: What it did cost, in credits; ``None`` where the gateway did not tell, or nobody has looked.
    charged_credits: float | None = None
    #: Random text in the callback URL, by which a lost answer can be recognised.
    token: str = ""
    #: Who was asked; ``None`` where 0.1.0 wrote the record, which did not note it.
    account: Account | None = None
    #: The account's figures before the POST: ``credits``, ``today``; empty where not known.
    evidence: Mapping[str, float] = field(default_factory=dict)
    #: How the task ended, once closed: ``returned``, ``succeeded``, ``failed``, ...
    outcome: str = ""
    #: Fingerprint of the request as its author wrote it, with the names of files in place of their content.
    as_written: str = ""
    #: Ids of generations to cancel once this one is accepted; taken off when that is done (decision 18).
    replaces: tuple[str, ...] = ()
    #: The model that the request names, see :func:`model_in`; empty where it names none.
    model: str = ""
    #: The team of the task, where Airflow has teams; else empty.
    team_name: str = ""
    #: What its price depends on, where room was reserved for it in a budget; else empty.
    kind: str = ""
    #: The router that it asks, by its slug, where the gateway lists a router's requests; else empty.
    router: str = ""
    #: Wall clock until which its POST may be under way, where it asks a router; seconds since the epoch.
    taken_until: float = 0.0

    @property
    def is_open(self) -> bool:
        """Whether nobody knows if it was accepted."""
        return self.phase is Phase.INTENT

    @property
    def is_doubtful(self) -> bool:
        """Whether only an error has named its id, so that the generation may be another task's."""
        return bool(self.runway_task_id) and (self.is_open or self.refused)

    def as_json(self) -> dict[str, Any]:
        """The record as plain JSON values."""
        return {**asdict(self), "phase": self.phase.value, "replaces": list(self.replaces)}


def read_one(value: Mapping[str, Any]) -> Record:
    """The record in a stored value of version 2.

    :param value: what :meth:`Record.as_json` gave.
    :raises KeyError: a part is missing.
    :raises TypeError: a part is of another kind.
    :raises ValueError: a word or number is none that is known.
    """
    return Record(
        **_common(value),
        refused=bool(value["refused"]),
        account=read_account(value["account"]),
        evidence=_figures(value["evidence"]),
        replaces=tuple(read_id(old) for old in value["replaces"]),
    )


def read_one_of_0_1_0(value: Mapping[str, Any]) -> Record:
    """The record in a stored value of version 1: its ``account`` held figures, not whose account it was.

    :param value: what 0.1.0 wrote.
    :raises KeyError: see :func:`read_one`.
    """
    return Record(**_common(value), evidence=_figures(value.get("account") or {}))


def _common(value: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "phase": Phase(value["phase"]),
        "fingerprint": str(value["fingerprint"]),
        "gateway": str(value["gateway"]),
        "route": str(value["route"]),
        "sent_at": read_number(value["sent_at"]),
        "runway_task_id": read_id(value.get("runway_task_id")),
        "anchored_at": read_number(value.get("anchored_at") or value["sent_at"]),
        "max_tries": value.get("max_tries"),
        **{
            name: None if value.get(name) is None else read_number(value[name])
            for name in ("estimated_credits", "charged_credits")
        },
        "token": str(value.get("token") or ""),
        "outcome": str(value.get("outcome") or ""),
        **{name: str(value.get(name) or "") for name in ("as_written", "model", "team_name", "kind")},
        "router": str(value.get("router") or ""),
        "taken_until": read_number(value.get("taken_until") or 0.0),
    }


def model_in(payload: Mapping[str, Any]) -> str:
    """The model that a request names, for whoever asks what it cost; empty where it names none.

    Only what looks like a model's name: a person may have put anything there.

    :param payload: the JSON body.
    """
    model = payload.get("model")
    is_name = isinstance(model, str) and _MODEL.fullmatch(model) and redact(model) == model
    return str(model) if is_name else ""


def _figures(value: Mapping[str, Any]) -> dict[str, float]:
    return {str(name): read_number(figure) for name, figure in value.items()}


def read_number(value: object) -> float:
    """A stored time or amount.

    :param value: what was stored, maybe by a person.
    :raises ValueError: no calculation can be made with it.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("no number")
    return value


def read_id(value: object) -> str:
    """A stored Runway task id; empty where there is none.

    :param value: what was stored, maybe by a person.
    :raises ValueError: nothing can be asked for under it.
    """
    if not value:
        return ""
    if not is_task_id(value):
        raise ValueError("no Runway task id")
    return str(value)


def fingerprint(gateway: str, conn_id: str, route: str, payload: Mapping[str, Any]) -> str:
    """What makes two requests the same: a hash, from which nothing can be read back.

    :param gateway: the gateway's name.
    :param conn_id: the connection's id.
    :param route: the route's name.
    :param payload: the JSON body, with names by content in place of its media.
    """
    canonical = json.dumps(
        [gateway, conn_id, route, payload], sort_keys=True, separators=(",", ":"), default=str
    )
    return hashlib.sha256(canonical.encode()).hexdigest()
