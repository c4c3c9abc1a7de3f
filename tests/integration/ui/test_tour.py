"""A tour of the pages on a real Airflow: who sees what, and what nobody sees."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from html import unescape
from urllib.parse import quote, urlencode

import pytest


class Visitor:
    """Somebody with a browser, or without a login."""

    def __init__(self, base, token):
        self._base, self._token = base, token

    def get(self, path, **headers):
        if self._token:
            headers["Cookie"] = f"_token={self._token}"
        request = urllib.request.Request(self._base + path, headers=headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def status(self, path):
        return self.get(path)[0]


@pytest.fixture(scope="session")
def visitor(guarded, tokens):
    return lambda name=None: Visitor(guarded.base_url, tokens.get(name))


def gallery(dag_id, run_id):
    return f"/runway/gallery/{dag_id}?run_id={quote(run_id, safe='')}"


def clips(dag_id, run_id, task_id, map_index):
    query = {"run_id": run_id, "task_id": task_id, "map_index": map_index}
    return f"/runway/clips/{dag_id}?{urlencode(query)}"


def links(html, kind):
    return [unescape(one) for one in re.findall(rf'"(/runway/file/[^"]*kind={kind}[^"]*)"', html.decode())]


def test_who_sees_what(finished, visitor):
    for dag_id, seen in (("ours", {"admin": 200, "guest": 200}), ("theirs", {"admin": 200, "guest": 403})):
        page = gallery(dag_id, finished[dag_id])
        (_, _, html) = visitor("admin").get(page)
        paths = [page, clips(dag_id, finished[dag_id], "shot.save", 0), links(html, "output")[0]]
        for path in paths:
            assert visitor().status(path) == 401
            assert {name: visitor(name).status(path) for name in seen} == seen
    assert visitor().status("/runway/static/gallery.js") == 401
    assert visitor("guest").status("/runway/static/gallery.js") == 200
    assert visitor("guest").status("/runway/static/../_routes.py") == 404


@pytest.mark.parametrize("dag_id", ["~", "", "nowhere", "ours?dag_id=theirs", "..", "%2e%2e%2ftheirs"])
def test_no_way_around(dag_id, finished, visitor):
    status, _, body = visitor("guest").get(
        f"/runway/gallery/{dag_id}?run_id={quote(finished['theirs'], safe='')}"
    )
    assert status in {200, 401, 403, 404}
    assert b"/runway/file/" not in body
    assert b"lighthouse" not in body


def test_a_gallery(finished, visitor):
    status, headers, html = visitor("guest").get(gallery("ours", finished["ours"]))
    assert status == 200
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    text = html.decode()
    assert re.findall(r'class="tile (\w+)"', text) == ["saved", "saved"]
    assert re.findall(r"<h3>([^<]*)</h3>", text) == ["a lighthouse", "夜の東京"]
    for words in ("1280 x 720", "2 s", "gen4.5", "text_to_video", "credits"):
        assert words in text
    assert "http://" not in re.sub(r'value="[^"]*"|data-top href="[^"]*"', "", text)


@pytest.mark.parametrize("task_id", ["shot.film", "shot.save"])
def test_the_clips_of_a_task_instance(task_id, finished, visitor):
    html = visitor("guest").get(clips("ours", finished["ours"], task_id, 1))[2].decode()
    assert re.findall(r"<h3>([^<]*)</h3>", html) == ["夜の東京"]


def test_airflow_3_1_encodes_nothing(finished, visitor):
    path = f"/runway/clips/ours?run_id={finished['ours']}&task_id=shot.save&map_index=0"
    assert b"a lighthouse" in visitor("guest").get(path)[2]
    status, _, html = visitor("guest").get(
        f"/runway/clips/ours?run_id={finished['ours']}&task_id=x&map_index={{MAP_INDEX}}"
    )
    assert (status, b"Nothing of Runway" in html) == (200, True)


def test_files(finished, visitor, guarded):
    guest = visitor("guest")
    html = guest.get(gallery("ours", finished["ours"]))[2]
    clip = links(html, "output")[0]
    status, headers, whole = guest.get(clip)
    assert (status, headers["Content-Type"], headers["Accept-Ranges"]) == (200, "video/mp4", "bytes")
    status, headers, part = guest.get(clip, Range="bytes=10-19")
    assert (status, part, headers["Content-Range"]) == (206, whole[10:20], f"bytes 10-19/{len(whole)}")
    for kind in ("poster", "contact_sheet"):
        status, headers, picture = guest.get(links(html, kind)[0])
        assert (status, headers["Content-Type"], picture[:3]) == (200, "image/jpeg", b"\xff\xd8\xff")


def test_files_of_another_dag_in_the_same_folder(finished, visitor):
    """Their generation, asked for as one of ours."""
    theirs = links(visitor("admin").get(gallery("theirs", finished["theirs"]))[2], "output")[0]
    generation = re.search(r"generation=([^&]*)", theirs)[1]
    ours = links(visitor("guest").get(gallery("ours", finished["ours"]))[2], "output")[0]
    assert visitor("guest").status(ours) == 200
    assert visitor("guest").status(re.sub(r"generation=[^&]*", f"generation={generation}", ours)) == 404
    assert (
        visitor("guest").status(re.sub(r"run_id=[^&]*", f"run_id={quote(finished['theirs'])}", ours)) == 404
    )
    assert visitor("guest").status(theirs.replace("/theirs?", "/ours?")) == 404
    assert visitor("guest").status(ours.replace("map_index=0", "map_index=1")) == 404
    for edit in ("index=7", "index=-1", "kind=owner", "kind=../../etc/passwd"):
        name = edit.partition("=")[0]
        assert visitor("guest").status(re.sub(rf"(?<![a-z_]){name}=[^&]*", edit, ours)) == 404


def test_what_was_edited_leads_nowhere_else(finished, visitor, guarded):
    """In XCom by a person, in the folder by whoever writes there; manifests are edited in the unit tests."""
    guest, run_id = visitor("guest"), finished["ours"]
    clip = links(guest.get(gallery("ours", run_id))[2], "output")[0]
    generation = re.search(r"generation=([^&]*)", clip)[1]
    path = (
        f"/api/v2/dags/ours/dagRuns/{quote(run_id, safe='')}/taskInstances/shot.save/xcomEntries/return_value"
    )
    forged = {"runway_task_id": generation, "files": [{"index": 0, "path": "file:///etc/hostname.mp4"}]}
    guarded.request("PATCH", path, {"value": forged, "map_index": 0})
    assert guest.get(clip)[1]["Content-Type"] == "video/mp4"
    poster = guarded.folder / f"{generation}-0.poster.jpg"
    poster.rename(guarded.folder / "kept.jpg")
    try:
        poster.symlink_to("/etc/passwd")
        status, _, body = guest.get(clip.replace("kind=output", "kind=poster"))
        assert (status, b"root:" in body) == (404, False)
    finally:
        poster.unlink()
        (guarded.folder / "kept.jpg").rename(poster)
