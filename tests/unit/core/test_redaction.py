from __future__ import annotations

import pytest

from airflow_runway.core.redaction import redact


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("see https://cdn.example/a.mp4?_jwt=eyJhbGciOi now", "see https://cdn.example/a.mp4?… now"),
        ("https://user:pass@host/x", "https://***@host/x"),
        ('url="http://user:a\'b<c@d@host:3128" no', 'url="http://***@host:3128" no'),
        ("bad data:image/png;base64,AAAABBBB here", "bad data:image/png,… here"),
        ("Authorization: Bearer abcdef0123456789", "Authorization: Bearer ***"),
        ("key_0123456789abcdef is wrong", "key_*** is wrong"),
        ("token sk-abcdefgh12345678", "token sk-***"),
        ("two\n lines\tand   blanks", "two lines and blanks"),
        (None, "None"),
    ],
)
def test_secrets_and_noise_are_cut_out(text, clean):
    assert redact(text) == clean


def test_a_secret_the_caller_knows_is_cut_out_whatever_it_looks_like():
    assert redact("token hunter2 refused", secret="hunter2") == "token *** refused"


def test_long_text_is_shortened():
    assert redact("x" * 1000, limit=10) == "x" * 9 + "…"
