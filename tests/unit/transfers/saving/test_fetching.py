from __future__ import annotations

import logging

import pytest
from unit.scripted import KEY, Scripted
from unit.transfers.conftest import GOOD

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


def test_the_key_stays_at_home(save, connected, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    save()
    read, download = connected.arrived
    assert read.headers["authorization"] == f"Bearer {KEY}"
    assert "authorization" not in download.headers


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/",
        "//169.254.169.254/x",
        "http://127.0.0.1:1/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
    ],
)
def test_redirects_to_where_nobody_may_go(location, save, saved):
    with pytest.raises(RunwayTransferRefusedError):
        save(Scripted(302, b"", {"Location": location}))
    assert saved() == []


def test_redirects_on_the_same_host_are_followed(save, world, saved):
    world.files["/out/elsewhere"].append(GOOD)
    save(Scripted(302, b"", {"Location": "/out/elsewhere"}))
    assert saved() == ["t1-0.mp4", "t1.manifest.json"]


def test_redirects_in_a_circle(save, world):
    with pytest.raises(RunwayTransferRefusedError, match="more than 3 times"):
        save(Scripted(302, b"", {"Location": "/out/t1/0"}))
    assert len(world.downloads()) == 4


def test_no_signature_is_in_what_the_library_says_at_debug_level(save, caplog):
    caplog.set_level(logging.DEBUG)
    save()
    said = [one.getMessage() for one in caplog.records if one.name == "urllib3.connectionpool"]
    assert any('"GET /out/t1/0?\u2026' in one for one in said)
    assert "secret" not in caplog.text


def test_what_it_says_of_others_stays_as_it_is(caplog):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3.connectionpool").debug('"%s %s"', "GET", "/x?a=b")
    assert "/x?a=b" in caplog.text
