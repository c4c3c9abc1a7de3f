"""What is said of a bad answer, or of none: what happened, to which id, what it cost, what to do."""

from __future__ import annotations

import json

import pytest

from airflow_runway.core.facts import ErrorKind
from airflow_runway.core.protocol import errors, read_errors
from airflow_runway.core.protocol.gateways import GATEWAYS
from airflow_runway.core.protocol.responses import Complaint, Response
from airflow_runway.core.protocol.verdicts import Delivery

RUNWAY, COMET = GATEWAYS["runway"], GATEWAYS["cometapi"]
NOTHING = Complaint()


def responded(status, body=b"", **headers):
    return Response(status, headers, body if isinstance(body, bytes) else json.dumps(body).encode())


class TestCreate:
    def test_what_never_left_was_not_accepted(self):
        error = errors.create_without_answer(RUNWAY, "image_to_video", Delivery.NOT_SENT, "no route")
        assert error.kind is ErrorKind.NOT_ACCEPTED
        assert "Runway could not be reached for image_to_video: no route. Nothing was accepted" in str(error)
        assert error.status is None

    def test_what_may_have_been_read_may_be_charged(self):
        error = errors.create_without_answer(RUNWAY, "image_to_video", Delivery.UNKNOWN, "reset")
        assert error.kind is ErrorKind.AMBIGUOUS_SUBMISSION
        assert "reset" in str(error)
        assert f"request history at {RUNWAY.portal}; sending it again could pay twice" in str(error)

    @pytest.mark.parametrize(
        ("status", "complaint", "kind", "remedy"),
        [
            (400, NOTHING, ErrorKind.REQUEST_REFUSED, "Correct the request"),
            (401, NOTHING, ErrorKind.AUTHENTICATION, "Put a valid API key"),
            (402, NOTHING, ErrorKind.OUT_OF_CREDITS, "Buy credits"),
            (307, NOTHING, ErrorKind.REQUEST_REFUSED, "Base URL is most likely wrong"),
            (429, NOTHING, ErrorKind.NOT_ACCEPTED, "after some minutes"),
            (503, Complaint("none", "model_not_found"), ErrorKind.NOT_ACCEPTED, "no channel is free"),
        ],
    )
    def test_a_refusal_names_the_status_and_the_remedy(self, status, complaint, kind, remedy):
        error = errors.create_without_id(RUNWAY, "r", responded(status), complaint)
        assert (error.kind, error.status) == (kind, status)
        assert "Nothing was accepted and nothing was charged." in str(error)
        assert remedy in str(error)

    @pytest.mark.parametrize(
        ("status", "words"), [(200, "without a task id"), (500, "an error that leaves open if it was taken")]
    )
    def test_anything_else_leaves_it_open(self, status, words):
        error = errors.create_without_id(RUNWAY, "r", responded(status), NOTHING)
        assert error.kind is ErrorKind.AMBIGUOUS_SUBMISSION
        assert words in str(error)

    def test_a_refusal_inside_a_200_counts_and_keeps_the_status_that_came(self):
        error = errors.create_without_id(COMET, "r", responded(200), Complaint("bad image", "400"))
        assert (error.kind, error.status) == (ErrorKind.REQUEST_REFUSED, 200)


class TestRead:
    def test_no_answer_harms_nothing(self):
        error = read_errors.read_without_answer(RUNWAY, "t1", "timeout")
        assert error.kind is ErrorKind.READ
        assert "about task t1: timeout. The generation itself is untouched" in str(error)

    def test_of_an_account_no_generation_is_spoken(self):
        error = read_errors.read_without_answer(RUNWAY, None, "timeout")
        assert "about the account: timeout. Another look costs nothing." in str(error)

    @pytest.mark.parametrize("status", [429, 500, 503, 524])
    def test_trouble_keeps_what_the_server_asked_for(self, status):
        error = read_errors.read_without_state(
            RUNWAY, "t1", responded(status, **{"Retry-After": "7"}), NOTHING
        )
        assert (error.kind, error.retry_after, error.key_refused) == (ErrorKind.READ, 7.0, False)

    @pytest.mark.parametrize(
        ("status", "key_refused", "remedy"),
        [
            (401, True, "Put a valid API key for this gateway into the connection"),
            (403, True, "Put a valid API key for this gateway into the connection"),
            (400, False, "Check gateway and Base URL of the connection"),
        ],
    )
    def test_a_refusal_says_whether_it_is_the_key(self, status, key_refused, remedy):
        error = read_errors.read_without_state(RUNWAY, "t1", responded(status), NOTHING)
        assert (error.kind, error.key_refused) == (ErrorKind.READ_REFUSED, key_refused)
        assert f"{remedy}; a task that waits resumes when it is cleared." in str(error)


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (responded(404, b"<html>"), "a web page instead of JSON; is the Base URL right?"),
        (
            responded(502, b"<html>"),
            "a web page instead of JSON; a proxy or a firewall in between may have sent it",
        ),
        (responded(502, b"  "), "HTTP 502, empty"),
        (responded(502, b"[1]"), "(HTTP 502)"),
        (Response(200, {}, b'{"id": "17f2', truncated=True), "cut short after {"),
    ],
)
def test_an_answer_that_says_nothing_is_described(response, words):
    assert words in str(errors.create_without_id(RUNWAY, "r", response, NOTHING))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("12", 12.0), ("1.5", 1.5), ("-5", 0.0), ("1e9", 86_400.0), ("soon", None), ("", None), ("nan", None),
        ("1e400", None), ("Thu, 99 Foo 2026", None), ("Wed, 21 Oct 2026 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2026 07:27:00 GMT", 0.0),
    ],
)  # fmt: skip
def test_retry_after(value, seconds):
    headers = {"Date": "Wed, 21 Oct 2026 07:28:00 GMT", "Retry-After": value}
    assert errors.retry_after(responded(429, **headers)) == seconds


def test_a_date_without_the_servers_clock_is_not_guessed():
    assert errors.retry_after(responded(429, **{"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT"})) is None
