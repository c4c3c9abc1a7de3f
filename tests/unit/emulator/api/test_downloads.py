from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from ..conftest import FakeClock, body

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from starlette.testclient import TestClient


@pytest.fixture
def finished(create: Any, clock: FakeClock) -> str:
    path = f"/v1/tasks/{create()}"
    clock.pass_seconds(31)
    return path


def link_of(client: TestClient, path: str) -> str:
    link: str = client.get(path).json()["output"][0]
    return link


def test_whole_and_in_parts(client: TestClient, finished: str) -> None:
    link = link_of(client, finished)
    client.headers.pop("authorization")
    whole = client.get(link)
    assert (whole.status_code, whole.headers["content-type"]) == (200, "video/mp4")
    size = len(whole.content)
    assert whole.headers["content-length"] == str(size)
    assert whole.headers["etag"]
    head = client.head(link)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(size))
    part = client.get(link, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{size}"
    beyond = client.get(link, headers={"Range": f"bytes={size}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")


def test_expiry_and_renewal(client: TestClient, finished: str, clock: FakeClock) -> None:
    link = link_of(client, finished)
    clock.pass_seconds(24 * 3600 + 1)
    refused = client.get(link)
    assert (refused.status_code, refused.headers["content-type"]) == (403, "application/xml")
    assert "AccessDenied" in refused.text
    fresh = link_of(client, finished)
    assert fresh != link
    assert client.get(fresh).status_code == 200
    client.post("/_emulator/settings", json={"link_lifetime": 5})
    link = link_of(client, finished)
    clock.pass_seconds(6)
    assert client.get(link).status_code == 403


def test_forged_links(client: TestClient, finished: str) -> None:
    link = link_of(client, finished)
    assert client.get(link.partition("?")[0]).status_code == 403
    assert client.get(link[:-3] + "AAA").status_code == 403


def test_the_log_shows_whether_a_key_was_sent(client: TestClient, finished: str) -> None:
    link = link_of(client, finished)
    client.get(link)
    client.headers.pop("authorization")
    client.get(link)
    entries = [e for e in client.get("/_emulator/requests").json() if e["path"].startswith("/_outputs/")]
    assert [("authorization" in entry["headers"]) for entry in entries] == [True, False]
    assert "_jwt" not in str(entries)


def test_an_output_can_be_the_next_prompt_image(client: TestClient, clock: FakeClock) -> None:
    made = client.post(
        "/v1/text_to_image", json=body(promptImage=..., duration=..., model="gen4_image")
    ).json()["id"]
    clock.pass_seconds(31)
    link = link_of(client, f"/v1/tasks/{made}")
    assert client.get(link).headers["content-type"] == "image/png"
    assert client.post("/v1/image_to_video", json=body(promptImage=link)).status_code == 200


def test_faults_of_downloads(client: TestClient, finished: str) -> None:
    link = link_of(client, finished)
    whole = client.get(link).content
    client.post("/_emulator/faults", json={"on": "output", "kind": "status", "status": 503, "body": "busy"})
    answer = client.get(link)
    assert (answer.status_code, answer.text) == (503, "busy")
    client.post("/_emulator/faults", json={"on": "output", "kind": "drop", "bytes": 100})
    with pytest.raises(ConnectionAbortedError):
        client.get(link)
    rule = {"on": "output", "kind": "slow", "bytes_per_second": len(whole) * 10}
    client.post("/_emulator/faults", json=rule)
    assert client.get(link).content == whole


def rule(client: TestClient, **fields: Any) -> None:
    answer = client.post("/_emulator/faults", json={"on": "output", **fields})
    assert answer.status_code == 200, answer.text


def digest_of(answer: Any) -> bytes:
    return base64.b64decode(answer.headers["repr-digest"].removeprefix("sha-256=:").removesuffix(":"))


def test_a_download_that_lies(client: TestClient, finished: str) -> None:
    link = link_of(client, finished)
    whole = client.get(link)
    right = hashlib.sha256(whole.content).digest()
    rule(client, kind="wrong_digest")
    wrong = client.get(link)
    assert (wrong.content, digest_of(wrong) != right) == (whole.content, True)
    rule(client, kind="corrupt", bytes=70_000 % len(whole.content))
    corrupt = client.get(link)
    assert digest_of(corrupt) == right
    same = 70_000 % len(whole.content)
    assert corrupt.content[:same] == whole.content[:same]
    assert all(one != other for one, other in zip(corrupt.content[same:], whole.content[same:], strict=True))
    rule(client, kind="ignore_range")
    ignored = client.get(link, headers={"Range": "bytes=10-"})
    assert (ignored.status_code, ignored.content) == (200, whole.content)
    rule(client, kind="wrong_length", more=7)
    with pytest.raises(ConnectionAbortedError):
        client.get(link)


def test_a_faulty_download_can_be_gone_on_with(client: TestClient, finished: str) -> None:
    """It looks like the right one: entity tag, ranges, length."""
    link = link_of(client, finished)
    whole = client.get(link)
    rule(client, kind="slow", bytes_per_second=len(whole.content) * 10)
    part = client.get(link, headers={"Range": "bytes=10-"})
    assert (part.status_code, part.content) == (206, whole.content[10:])
    size = len(whole.content)
    assert part.headers["content-range"] == f"bytes 10-{size - 1}/{size}"
    assert part.headers["etag"] == whole.headers["etag"]


@pytest.mark.parametrize("kind", ["stall", "expire"])
def test_a_download_that_ends_early(kind: str, client: TestClient, finished: str) -> None:
    link = link_of(client, finished)
    rule(client, kind=kind, bytes=100, **({"seconds": 0} if kind == "stall" else {}))
    with pytest.raises(ConnectionAbortedError):
        client.get(link)
    assert client.get(link).status_code == (403 if kind == "expire" else 200)
    assert client.get(link_of(client, finished)).status_code == 200


def test_a_download_that_leads_elsewhere(client: TestClient, finished: str) -> None:
    rule(client, kind="redirect", location="http://169.254.169.254/", status=302)
    answer = client.get(link_of(client, finished))
    assert (answer.status_code, answer.headers["location"]) == (302, "http://169.254.169.254/")
