"""What a connection of type ``runway`` says, checked.

Only the extra keys listed in :data:`EXTRA_KEYS` are read. People who may edit connections are trusted less
than Dag authors, so the rest is never passed on to headers or to an HTTP library.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_runway.core.facts import CoreError, ErrorKind, core_error
from airflow_runway.core.key_mask import KeyMask, mask_of
from airflow_runway.core.protocol.gateways import DEFAULT_API_VERSION, DEFAULT_GATEWAY, GATEWAYS, Gateway
from airflow_runway.core.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Every key of the extra that means something, and what.
EXTRA_KEYS: Mapping[str, str] = {
    "gateway": "whose dialect the Base URL speaks",
    "api_version": "value of X-Runway-Version",
    "callback_url": "where reverse-format gateways send results",
    "timeout": "seconds that one HTTP answer may take; default 60, for a create 120",
    "proxies": "proxy URL by scheme",
    "verify": "false, or the path of a CA bundle",
    "allow_insecure_http": "allow an http:// Base URL",
}

#: Seconds that the answer to a read may take.
DEFAULT_TIMEOUT = 60.0
#: A create may be slow, since the media are fetched during the call, and to give up on it costs a person's time.
DEFAULT_CREATE_TIMEOUT = 120.0


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """A checked connection."""

    conn_id: str
    gateway: Gateway
    #: No trailing slash.
    base_url: str
    api_key: str = field(repr=False)
    api_version: str = DEFAULT_API_VERSION
    callback_url: str | None = None
    #: Seconds that one HTTP answer may take.
    timeout: float = DEFAULT_TIMEOUT
    #: Seconds that the answer to a create may take in all, from when its body was handed over (contracts §12).
    create_timeout: float = DEFAULT_CREATE_TIMEOUT
    #: Proxy URL by scheme; empty = as the environment says.
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: ``False`` for no certificate check, or the path of a CA bundle.
    verify: bool | str = True
    #: Extra keys that were not read.
    ignored: tuple[str, ...] = ()

    @property
    def key_mask(self) -> KeyMask:
        """Replaces the key in whatever comes back."""
        return mask_of(self.api_key)

    @property
    def is_resold(self) -> bool:
        """Whether the Base URL is not the gateway's own: a look-alike, a relay, the emulator."""
        return self.base_url != self.gateway.base_url


def read_connection(
    conn_id: str,
    *,
    host: str | None = None,
    schema: str | None = None,
    port: int | None = None,
    password: str | None = None,
    extra: Mapping[str, Any] | None = None,
) -> ConnectionSettings:
    """Check the fields of an Airflow connection.

    :param conn_id: the connection's id, for messages.
    :param host: Base URL or host name; empty = the gateway's public address.
    :param schema: ``http`` or ``https`` where the host names none; default ``https``.
    :param port: appended to the host.
    :param password: the API key.
    :param extra: the extra, as a dict.
    :raises CoreError: with the field and the remedy; nothing has been sent.
    """
    extra = extra or {}
    gateway = _gateway(conn_id, extra.get("gateway"))
    key = (password or "").strip()
    timeout = _timeout(conn_id, extra.get("timeout"))
    if not key:
        raise _wrong(conn_id, f"has no API key: put your {gateway.title} key into its Password field")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise _wrong(conn_id, "has a blank or a non-ASCII character in its API key: paste it again")
    return ConnectionSettings(
        conn_id=conn_id,
        gateway=gateway,
        base_url=_base_url(
            conn_id, gateway, host, schema, port, allow_http=_flag(extra, "allow_insecure_http")
        ),
        api_key=key,
        api_version=_text(conn_id, extra, "api_version") or DEFAULT_API_VERSION,
        callback_url=_text(conn_id, extra, "callback_url") or None,
        timeout=timeout or DEFAULT_TIMEOUT,
        create_timeout=timeout or DEFAULT_CREATE_TIMEOUT,
        proxies=_proxies(conn_id, extra.get("proxies")),
        verify=_verify(extra.get("verify", True)),
        ignored=tuple(sorted(str(key) for key in extra if key not in EXTRA_KEYS)),
    )


def _wrong(conn_id: str, what: str) -> CoreError:
    return core_error(ErrorKind.CONFIGURATION, f"Connection {conn_id!r} {what}. Nothing was sent.")


def _gateway(conn_id: str, name: object) -> Gateway:
    text = str(name or DEFAULT_GATEWAY).strip().lower()
    if text not in GATEWAYS:
        known = ", ".join(sorted(GATEWAYS))
        raise _wrong(conn_id, f"names an unknown gateway {redact(text, limit=60)!r}: use one of {known}")
    return GATEWAYS[text]


def _base_url(
    conn_id: str,
    gateway: Gateway,
    host: str | None,
    schema: str | None,
    port: int | None,
    *,
    allow_http: bool,
) -> str:
    text = (host or "").strip().rstrip("/")
    if not text:
        return gateway.base_url
    if "://" not in text:
        text = f"{schema if schema in {'http', 'https'} else 'https'}://{text}"
    try:
        parts = urlsplit(text)
        has_port = parts.port is not None
    except ValueError:
        raise _wrong(conn_id, "has a Base URL that cannot be read: use https://host[:port][/path]") from None
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise _wrong(conn_id, "has a Base URL that is not http(s): use https://host[:port][/path]")
    if not _is_a_name(parts.hostname):
        raise _wrong(
            conn_id,
            f"has the host {redact(parts.hostname, limit=80)!r} in its Base URL, which can be no host name: a part "
            "between two dots is empty or longer than 63 characters",
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise _wrong(conn_id, "has a Base URL with a user, a query or a fragment: leave these out")
    if parts.scheme == "http" and not allow_http:
        raise _wrong(
            conn_id,
            f"has the insecure Base URL http://{parts.netloc}, over which the API key would travel readably: "
            'use https://, or set "allow_insecure_http": true in its extra (for an emulator on this machine)',
        )
    if port and not has_port:
        return f"{parts.scheme}://{parts.netloc}:{port}{parts.path}"
    return text


def _is_a_name(host: str) -> bool:
    """Whether a host can be asked for at all: resolvers raise errors of their own at anything else."""
    try:
        return bool(host.encode("idna"))
    except UnicodeError:
        return False


def _flag(extra: Mapping[str, Any], name: str) -> bool:
    return str(extra.get(name, "")).strip().lower() in {"true", "1", "yes", "on"}


def _text(conn_id: str, extra: Mapping[str, Any], name: str) -> str:
    value = extra.get(name)
    if value is None:
        return ""
    text = str(value).strip()
    if not text.isprintable() or not text.isascii():
        raise _wrong(conn_id, f"has an unreadable {name} in its extra")
    return text


def _timeout(conn_id: str, value: object) -> float | None:
    if value in (None, ""):
        return None
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 600:
        raise _wrong(conn_id, f"has the timeout {redact(value, limit=40)!r}: use seconds from 1 to 600")
    return seconds


def _proxies(conn_id: str, value: object) -> dict[str, str]:
    if value in (None, "", {}):
        return {}
    if not isinstance(value, dict) or not all(
        isinstance(key, str) and isinstance(url, str) for key, url in value.items()
    ):
        raise _wrong(conn_id, 'has unreadable proxies in its extra: use {"https": "http://proxy:3128"}')
    return dict(value)


def _verify(value: object) -> bool | str:
    text = str(value).strip()
    if text.lower() in {"false", "0", "no", "off"}:
        return False
    return True if text.lower() in {"", "none", "true", "1", "yes", "on"} else text


def doubts_about(settings: ConnectionSettings) -> list[str]:
    """What a person should look at before it matters: a key in the wrong place, a key that travels readably.

    :param settings: a checked connection.
    """
    gateway, doubts = settings.gateway, []
    if settings.ignored:
        names = redact(", ".join(settings.ignored), limit=200)
        doubts.append(f"Extra keys that mean nothing here are ignored: {names}.")
    if settings.base_url.startswith("http://"):
        doubts.append("The Base URL is http://: the API key travels readably.")
    if settings.verify is False:
        doubts.append('"verify" is false: whoever stands in between sees the API key.')
    others = [
        other.title
        for other in GATEWAYS.values()
        if other.name != gateway.name
        and urlsplit(other.base_url).hostname == urlsplit(settings.base_url).hostname
    ]
    if others:
        doubts.append(f"The Base URL is that of {others[0]}, and the gateway is set to {gateway.title}.")
    if doubt := doubt_about_key(settings):
        doubts.append(doubt)
    return doubts


def doubt_about_key(settings: ConnectionSettings) -> str:
    """A sentence where the key looks like another gateway's; empty where it does not.

    :param settings: a checked connection.
    """
    gateway, key = settings.gateway, settings.api_key
    if not key.startswith(gateway.key_prefix):
        return f"Keys of {gateway.title} begin with {gateway.key_prefix!r}, this one does not: another gateway's?"
    for other in GATEWAYS.values():
        if other.key_prefix and not gateway.key_prefix and key.startswith(other.key_prefix):
            return (
                f"The key begins with {other.key_prefix!r}, as those of {other.title} do: another gateway's?"
            )
    return ""


def origin_of(base_url: str) -> str:
    """Scheme, host and port of a Base URL: its path may be a secret.

    :param base_url: from a checked connection.
    """
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc}"
