"""What may be repeated of other people's text: no key, no signed query, no inline media, no flood."""

from __future__ import annotations

import re

_QUERY = re.compile(r"(\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s?#\"'<>]*)[?#][^\s\"'<>]*")
#: To the last ``@``, quotes and all: a password may hold any of them.
_USER_INFO = re.compile(r"(\b[a-zA-Z][a-zA-Z0-9+.-]*://)[^\s/]+@")
_DATA_URI = re.compile(r"data:([\w.+-]+/[\w.+-]+)?[^\s,\"']{0,100},[^\s\"']*")
_KEY = re.compile(r"(?i)\b(bearer\s+|key_|sk-)[\w.~+/-]{6,}=*")
#: A signature outside a URL, e.g. in a storage library's complaint about a path.
_SIGNATURE = re.compile(r"(?i)([?&][\w.-]*(?:signature|sig|jwt|token|credential)=)[^\s&\"'<>]+")
_BLANKS = re.compile(r"\s+")
#: Words and times, of which most of what we see consists; no key, URL or data: URI looks like that.
_HARMLESS = re.compile(r"(?:[A-Za-z0-9:.]|(?<=[0-9])-(?=[0-9]))*")


def redact(text: object, *, limit: int = 500, secret: str = "") -> str:
    """Foreign text, fit for a log line or an error message.

    Queries and fragments of URLs, user parts, ``data:`` URIs and everything that looks like an API key are
    cut out; white space is folded, what cannot be printed replaced; the rest is shortened.

    :param text: what the server, a library or a user said; not a string is turned into one.
    :param limit: the most characters to keep.
    :param secret: a key known to the caller, cut out wherever it stands.
    """
    if isinstance(text, str) and not secret and len(text) <= limit and _HARMLESS.fullmatch(text):
        return text
    # Patterns run over a bounded piece: a hostile body must not cost seconds.
    clean = _spoken(text)[: limit * 20]
    if secret:
        clean = clean.replace(secret, "***")
    clean = _DATA_URI.sub(lambda found: f"data:{found[1] or ''},…", clean)
    clean = _QUERY.sub(r"\1?…", clean)
    clean = _SIGNATURE.sub(r"\1***", clean)
    clean = _USER_INFO.sub(r"\1***@", clean)
    clean = _KEY.sub(r"\1***", clean)
    clean = _BLANKS.sub(" ", clean).strip()
    if not clean.isprintable():
        # It moves a cursor, turns what follows, cannot be encoded, or is no character at all.
        clean = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in clean)
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def _spoken(value: object) -> str:
    """Anything as a text, also what has no text: too deep, too long, or made to fail."""
    try:
        return str(value)
    except Exception:
        return f"a Python {type(value).__name__}"


def printable(text: str, *, limit: int = 60) -> str:
    """Foreign text, fit for one line of a terminal: nothing in it moves the cursor, colours or turns what follows.

    :param text: e.g. a name out of a file.
    :param limit: the most characters to keep.
    """
    clean = "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text[: limit + 1]
    )
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
