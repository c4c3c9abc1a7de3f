from __future__ import annotations

import pytest

from airflow_runway.emulator.files.signed_links import LinkSigner


def token_of(link: str) -> str:
    return link.partition("?_jwt=")[2]


def test_a_link_opens_its_path_until_it_expires() -> None:
    signer = LinkSigner()
    token = token_of(signer.sign("/_outputs/a/0.mp4", 100.0))
    assert signer.allows("/_outputs/a/0.mp4", token, 99.9)
    assert not signer.allows("/_outputs/a/0.mp4", token, 100.0)
    assert not signer.allows("/_outputs/b/0.mp4", token, 99.9)


@pytest.mark.parametrize("token", ["", ".", "x.y", "e30.e30", "\u20ac.\u20ac"])
def test_forged_tokens(token: str) -> None:
    assert not LinkSigner().allows("/", token, 0)


def test_another_process_signs_differently() -> None:
    token = token_of(LinkSigner().sign("/a", 100.0))
    assert not LinkSigner().allows("/a", token, 0)


def test_every_link_is_fresh() -> None:
    signer = LinkSigner()
    assert signer.sign("/a", 1.0) != signer.sign("/a", 1.0)


def test_a_revoked_link_is_refused_and_no_other() -> None:
    signer = LinkSigner(b"secret")
    one, other = (signer.sign("/_outputs/t/0.mp4", 10).partition("_jwt=")[2] for _ in range(2))
    signer.revoke(one)
    assert not signer.allows("/_outputs/t/0.mp4", one, 1)
    assert signer.allows("/_outputs/t/0.mp4", other, 1)
