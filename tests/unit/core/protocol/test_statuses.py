"""What a status means decides the words, and a wrong Base URL is named only where it may be that."""

from __future__ import annotations

import pytest

from airflow_runway.core.facts import ErrorKind
from airflow_runway.core.protocol import errors, read_errors
from airflow_runway.core.protocol.gateways import GATEWAYS
from airflow_runway.core.protocol.responses import Complaint, Response
from airflow_runway.core.protocol.statuses import words_of
from airflow_runway.core.reports import headline

COMET = GATEWAYS["cometapi"]
NOTHING = Complaint()
PAGE = b"<html><h1>413 Request Entity Too Large</h1>"


def refused(status, body=b"", complaint=NOTHING):
    return errors.create_without_id(COMET, "image_to_video", Response(status, {}, body), complaint)


def unread(status, body=b""):
    return read_errors.read_without_state(COMET, "t1", Response(status, {}, body), NOTHING)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (302, "CometAPI: it redirects elsewhere (HTTP 302). Correct the Base URL."),
        (404, "CometAPI: nothing is at that address (HTTP 404). Check route and Base URL."),
        (405, "CometAPI: the address takes no such call (HTTP 405). Check route and Base URL."),
        (407, "Lost answer (HTTP 407): a proxy wants a login. Look into the gateway's history first."),
        (408, "Lost answer: no whole request came in time. Look into the gateway's history first."),
        (413, "CometAPI: the body is too large (HTTP 413). Send media by URL or upload."),
        (415, "CometAPI: the type of the body is refused (HTTP 415). Check media and Base URL."),
        (421, "Lost answer: that host does not serve it. Look into the gateway's history first."),
        (429, "CometAPI: too many requests (HTTP 429). Wait for the retry, or clear this task."),
        (431, "Lost answer (HTTP 431): the headers are too large. Look into the gateway's history first."),
        (451, "Lost answer: it is blocked for legal reasons. Look into the gateway's history first."),
        (503, "Lost answer (HTTP 503): overloaded or down. Look into the gateway's history first."),
    ],
)
def test_the_first_line_of_a_create(status, words):
    assert headline(refused(status)) == words


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (402, "CometAPI: it wants to be paid first (HTTP 402). Settle the account, then clear."),
        (404, "CometAPI: nothing is at that address (HTTP 404). Check gateway and Base URL, then clear."),
        (407, "CometAPI: a proxy wants a login (HTTP 407). Correct the proxy."),
        (413, "CometAPI: the body is too large (HTTP 413). Ask who runs the proxy, then clear."),
        (451, "CometAPI: it is blocked for legal reasons (HTTP 451). Ask the gateway's support."),
        (502, "CometAPI: what stands behind it failed (HTTP 502). Wait for the retry, or clear this task."),
    ],
)
def test_the_first_line_of_a_read(status, words):
    assert headline(unread(status)) == words


@pytest.mark.parametrize("status", [402, 407, 408, 413, 431, 451, 500, 502, 503, 504, 522])
@pytest.mark.parametrize("body", [b"", PAGE])
def test_no_base_url_is_suspected_where_the_status_says_otherwise(status, body):
    for error in (refused(status, body), unread(status, body)):
        assert "Base URL" not in error.message + headline(error)


def test_a_body_that_is_too_large_is_told_how_large_media_travel():
    told = refused(413, PAGE).message
    assert "https:// URL" in told
    assert "runway:// upload" in told


def test_a_refusal_inside_a_200_has_the_words_of_its_own_status():
    assert "too large (HTTP 413)" in headline(refused(200, b"{}", Complaint("", "413")))


def test_the_gateways_own_words_are_the_first_line_of_a_request_that_is_wrong():
    told = headline(refused(400, b"{}", Complaint("duration must be 5 or 10")))
    assert told == "CometAPI: duration must be 5 or 10. Correct it, then clear this task."


@pytest.mark.parametrize("ask", [refused, unread])
def test_a_web_page_that_refuses_is_not_taken_for_the_gateways_word_on_the_key(ask):
    error = ask(403, b"<html>Access denied")
    assert "firewall" in error.message
    assert headline(error).startswith("CometAPI: a web page refuses access (HTTP 403). Check key, proxy")
    # What is done about it is the same: nobody knows whose word it is.
    assert error.kind in {ErrorKind.AUTHENTICATION, ErrorKind.READ_REFUSED}
    assert "firewall" not in ask(403).message


@pytest.mark.parametrize("status", range(100, 600))
def test_every_status_has_words(status):
    assert words_of(status).happened
    assert words_of(status).hint == "" or words_of(status).hint.endswith((".", "?"))
