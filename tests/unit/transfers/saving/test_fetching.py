from __future__ import annotations

import pytest

from airflow_runway.exceptions import RunwayTransferRefusedError
from airflow_runway.transfers._saving.fetching import _check_redirect, _same_origin


@pytest.mark.parametrize(
    ("url", "target"),
    [("http://a/x", "https://b/y"), ("https://a/x", "https://b/y"), ("http://a/x", "http://b/y")],
)
def test_redirects_may_keep_or_better_the_scheme(url, target):
    _check_redirect(url, target)


@pytest.mark.parametrize(
    "target", ["http://a/x", "ftp://a/x", "file:///x", "https:///x", "https://a:port/", ""]
)
def test_redirects_may_not_lead_to_another_scheme(target):
    with pytest.raises(RunwayTransferRefusedError, match="another scheme"):
        _check_redirect("https://a/x?_jwt=secret", target)


def test_the_very_same_origin():
    assert _same_origin("http://a/x", "http://A:80/y")
    assert not _same_origin("http://a/x", "http://a:81/x")
    assert not _same_origin("http://a/x", "https://a/x")
    assert not _same_origin("http://a/x", "file:///x")
