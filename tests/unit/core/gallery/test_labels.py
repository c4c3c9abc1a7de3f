from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_runway.core.gallery.labels import LONGEST, label_of

BODY = {"shot": "12b", "promptText": "a long walk along the sea on a day without wind", "seed": 7}


@pytest.mark.parametrize(
    ("field", "item_key", "label"),
    [
        (None, None, ""),
        (None, "shot", "12b"),
        (False, "shot", ""),
        ("promptText", "shot", "a long walk along the sea on a day without wind"),
        ("seed", None, "7"),
        ("nowhere", None, ""),
        (True, "shot", "a long walk along the sea on a…"),
    ],
)
def test_what_an_author_asked_for(field, item_key, label):
    assert label_of(BODY, field, item_key) == label


@pytest.mark.parametrize(
    ("reference", "label"),
    [
        ("s3://aws@briefs/spring/Shoe%20red.png", "Shoe red.png"),
        ("https://e/a.jpg?X-Amz-Signature=secret", "a.jpg"),
        ("/srv/keyframes/007.png", "007.png"),
        ("data:image/png;base64,AAAA/b.png", "a long walk along the sea on a…"),
        ("runway://upload/xyz", "a long walk along the sea on a…"),
    ],
)
def test_the_name_of_the_first_file(reference, label):
    assert label_of({"promptImage": [{"uri": reference}], **BODY}, True, None) == label


@given(st.text(max_size=500), st.text(max_size=500))
def test_it_is_short_and_holds_no_query(prompt, file):
    for body in ({"p": prompt}, {"p": f"https://e/{file}?sig=abc"}):
        label = label_of(body, "p", None)
        assert len(label) <= LONGEST + 3
        assert len(json.dumps(label)) <= 300
        assert "sig=abc" not in label
