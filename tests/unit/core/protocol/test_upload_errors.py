"""What is said of an upload that did not work."""

from __future__ import annotations

import pytest

from airflow_runway.core.facts import ErrorKind
from airflow_runway.core.protocol import upload_errors
from airflow_runway.core.protocol.gateways import GATEWAYS
from airflow_runway.core.protocol.responses import Complaint, Response
from airflow_runway.core.reports import headline

RUNWAY = GATEWAYS["runway"]


def responded(status, **headers):
    return Response(status, headers, b"")


class TestUpload:
    def test_no_answer_is_free(self):
        error = upload_errors.upload_without_answer(RUNWAY, "a.png", "reset")
        assert error.kind is ErrorKind.MEDIA
        assert "to upload a.png: reset. No generation was asked for and nothing was charged." in str(error)

    @pytest.mark.parametrize(
        ("status", "kind", "retry_after"),
        [(429, ErrorKind.MEDIA, 7.0), (503, ErrorKind.MEDIA, 7.0), (400, ErrorKind.MEDIA_REFUSED, None)],
    )
    def test_a_refusal_tells_if_another_try_may_help(self, status, kind, retry_after):
        error = upload_errors.upload_refused(
            RUNWAY, "a.png", responded(status, **{"Retry-After": "7"}), Complaint("no")
        )
        assert (error.kind, error.retry_after) == (kind, retry_after)
        assert "HTTP" in str(error)
        assert "nothing was charged" in str(error)

    def test_a_file_that_is_too_large_is_no_wrong_address(self):
        error = upload_errors.upload_refused(RUNWAY, "a.mp4", responded(413), Complaint())
        assert error.kind is ErrorKind.MEDIA_REFUSED
        assert headline(error) == (
            "Upload refused (HTTP 413): the body is too large. Give a smaller file, then clear."
        )
        assert "Base URL" not in error.message
