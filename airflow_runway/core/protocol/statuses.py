"""What an HTTP status says of a request, in words: a 413 is a body that is too large, and no wrong Base URL.

Words only. What is accepted, charged or tried again :mod:`airflow_runway.core.protocol.verdicts` decides.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StatusWords:
    """What a status means, and what mends it."""

    #: With the gateway's name and a colon before it.
    happened: str
    #: After a refused create, in few words; empty = what the kind of the error says.
    next_step: str = ""
    #: The same for a read, where the id is known and the generation untouched.
    read_step: str = ""
    #: What there is to say at length: why, and how it is mended. A whole sentence, or empty.
    hint: str = ""
    #: Whether it may come from another service than the gateway, so that a web page speaks of a wrong Base URL.
    may_be_the_address: bool = False


_ADDRESS = "Check gateway and Base URL"
_SENT_ELSEWHERE = StatusWords(
    "it redirects elsewhere",
    "Correct the Base URL",
    "Correct the Base URL",
    "Redirects are not followed: the connection's Base URL is most likely wrong.",
    may_be_the_address=True,
)
#: A 403 that is a web page.
FIREWALL = StatusWords(
    "a web page refuses access",
    "Check key, proxy and firewall",
    "Check key, proxy and firewall",
    "A web page says so, and no gateway: a firewall or a proxy in between may refuse this machine, whatever the key.",
)
_CDN = StatusWords(
    "the network before it cannot reach it",
    hint="Such a status comes from the network in front of a gateway, not from the gateway itself.",
)

_WORDS = {
    400: StatusWords("it refuses the request", may_be_the_address=True),
    401: StatusWords("it refuses the API key"),
    402: StatusWords("it wants to be paid first", read_step="Settle the account", hint="It is the account's "
        "balance or plan, not the connection's address."),
    403: StatusWords("it refuses the API key"),
    404: StatusWords(
        "nothing is at that address",
        "Check route and Base URL",
        _ADDRESS,
        "Either gateway, Base URL or route is wrong, or what the request names is not there, say a workflow.",
        may_be_the_address=True,
    ),
    405: StatusWords(
        "the address takes no such call",
        "Check route and Base URL",
        _ADDRESS,
        "Something answers there that has no such call: most likely the Base URL leads elsewhere.",
        may_be_the_address=True,
    ),
    407: StatusWords(
        "a proxy wants a login",
        "Correct the proxy",
        "Correct the proxy",
        "A proxy in between says so, not the gateway: it needs user and password, in the extra's proxies or in the "
        "environment.",
    ),
    408: StatusWords("no whole request came in time", hint="The way there is slow, or the body large for it."),
    410: StatusWords("the address is no more", "Check route and Base URL", _ADDRESS, may_be_the_address=True),
    411: StatusWords("a length is missing", hint="A proxy in between most likely took the length away."),
    413: StatusWords(
        "the body is too large",
        "Send media by URL or upload",
        "Ask who runs the proxy",
        "The request is too large for the gateway or a proxy in between. Large media do not travel inside a request: "
        "name them by an https:// URL, which the gateway fetches, or on a gateway with uploads as a file in storage "
        "or as a runway:// upload.",
    ),
    414: StatusWords("the address is too long", "Check route and id", "Check id and Base URL"),
    415: StatusWords(
        "the type of the body is refused",
        "Check media and Base URL",
        _ADDRESS,
        "The body is JSON and says so. If the complaint speaks of a file, give one of another type; else something "
        "answers there that is not the gateway.",
    ),
    421: StatusWords(
        "that host does not serve it",
        "Check Base URL and proxy",
        "Check Base URL and proxy",
        "The request reached a host that does not answer for this name: a proxy or a DNS entry leads it astray.",
    ),
    422: StatusWords("it refuses the request", read_step="Check the id"),
    425: StatusWords("it came too early", hint="The connection was too new for the server."),
    429: StatusWords("too many requests", hint="A rate or daily limit of the account is reached."),
    431: StatusWords(
        "the headers are too large",
        "Check the API key",
        "Check the API key",
        "Only the API key makes them long: is something else in the connection's Password?",
    ),
    451: StatusWords(
        "it is blocked for legal reasons",
        "Ask the gateway's support",
        "Ask the gateway's support",
        "Neither key nor address can mend that; the country of this machine, or the content, may be the reason.",
    ),
    500: StatusWords("an internal error"),
    501: StatusWords("it cannot do that"),
    502: StatusWords("what stands behind it failed"),
    503: StatusWords("overloaded or down"),
    504: StatusWords("what stands behind it was too slow"),
    529: StatusWords("overloaded"),
}  # fmt: skip


def words_of(status: int, *, is_web_page: bool = False) -> StatusWords:
    """The words for a status.

    :param status: HTTP status, or the one inside a body.
    :param is_web_page: whether HTML came where JSON is spoken.
    """
    if status == 403 and is_web_page:
        return FIREWALL
    if status in _WORDS:
        return _WORDS[status]
    if 300 <= status < 400:
        return _SENT_ELSEWHERE
    if 520 <= status <= 527:
        return _CDN
    if 200 <= status < 300:
        return StatusWords("its answer cannot be used", may_be_the_address=True)
    if 400 <= status < 500:
        return StatusWords("it refuses the request", may_be_the_address=True)
    return StatusWords("it has trouble of its own" if status >= 500 else "its answer is none")
