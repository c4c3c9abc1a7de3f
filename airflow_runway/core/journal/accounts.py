"""Which account accepted a generation: recorded, so that "unknown id" is taken for "gone" only there (decision 16).

A record keeps the origin of the Base URL, and a salted digest of the key and of the Base URL's path: enough to tell
whether those of today are those of then, and nothing from which either could be had. The salt is chance, and
comes from outside.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Bytes of the salt.
SALT_BYTES: Final = 8
#: Characters of a digest that are kept: 64 bits.
_DIGEST_LENGTH = 16
_DEFAULT_PORTS = {"https": 443, "http": 80}


class AccountMatch(Enum):
    """Whether an account is that of a record."""

    SAME = "same"
    #: Another Base URL, or another key: a new key of the same account looks like this too.
    OTHER = "other"
    #: The record says nothing about it: it was written by 0.1.0.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Account:
    """An account as a record keeps it."""

    #: ``scheme://host[:port]`` of the Base URL: no user, path or query.
    origin: str
    #: Random text, without which equal keys would have equal digests.
    salt: str
    #: Of the key, and of the path of the Base URL.
    digest: str

    def as_json(self) -> dict[str, str]:
        """The account as plain JSON values."""
        return asdict(self)


def read_account(value: Mapping[str, Any] | None) -> Account | None:
    """The account in a stored value.

    :param value: what :meth:`Account.as_json` gave; ``None`` where it is not known.
    :raises KeyError: a part is missing.
    :raises TypeError: it is no object.
    """
    if value is None:
        return None
    return Account(str(value["origin"]), str(value["salt"]), str(value["digest"]))


@dataclass(frozen=True, slots=True)
class AccountInUse:
    """The account of the connection as it is now."""

    base_url: str
    api_key: str = field(repr=False)

    @property
    def origin(self) -> str:
        """``scheme://host[:port]`` of the Base URL; a port that goes without saying is left out."""
        parts = urlsplit(self.base_url)
        host = (parts.hostname or "").lower()
        host = f"[{host}]" if ":" in host else host
        port = parts.port
        return f"{parts.scheme}://{host}" + (
            "" if port in {None, _DEFAULT_PORTS.get(parts.scheme)} else f":{port}"
        )

    def sealed(self, salt: str) -> Account:
        """The account as a record keeps it.

        :param salt: random text.
        """
        parts = urlsplit(self.base_url)
        # The path too: behind a relay it may say whose account it is. It may be secret, so it is not kept.
        secret = json.dumps([self.api_key, parts.path.rstrip("/"), parts.query])
        digest = hmac.new(salt.encode(), secret.encode(), hashlib.sha256).hexdigest()
        return Account(self.origin, salt, digest[:_DIGEST_LENGTH])

    def compared_with(self, recorded: Account | None) -> AccountMatch:
        """Whether this is the account of a record.

        :param recorded: what it keeps.
        """
        if recorded is None:
            return AccountMatch.UNKNOWN
        return AccountMatch.SAME if self.sealed(recorded.salt) == recorded else AccountMatch.OTHER
