from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_runway.core.media.references import as_inline
from airflow_runway.core.media.shape import MOST_FIELDS, shape_of

SECRET = "Zq7-hush"


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        ({"model": "gen4.5", "ratio": "1280:720"}, {"model": "gen4.5", "ratio": "1280:720"}),
        ({"model": "a secret idea"}, {"model": "text, 13 characters"}),
        ({"promptText": "Rain"}, {"promptText": "text, 4 characters"}),
        ({"duration": 5, "audio": True, "seed": None}, {"duration": 5, "audio": True, "seed": None}),
        ({"options": {"seconds": 10}}, {"options.seconds": 10}),
        ({"references": [], "more": {}}, {"references": "empty list", "more": "empty dict"}),
        ({"when": object}, {"when": "type"}),
        ({"promptImage": "https://e/a.jpg?sig=1"}, {"promptImage": "https://e/a.jpg?…"}),
        ({"promptImage": "https://me:pw@e/a.jpg"}, {"promptImage": "https://***@e/a.jpg"}),
        (
            {"promptImage": as_inline("image/png", b"12345")},
            {"promptImage": "a data: URI, image/png, 5 bytes"},
        ),
        ({"promptImage": "runway-task://t1#2"}, {"promptImage": "runway-task://t1#2"}),
    ],
)
def test_what_everybody_may_see(body, shape):
    assert shape_of(body, {}) == shape


def test_what_is_known_of_a_file():
    shape = shape_of({"promptImage": "s3://b/a.png"}, {("promptImage",): "image/png, 5 bytes"})
    assert shape == {"promptImage": "s3://b/a.png, image/png, 5 bytes"}


values = st.recursive(
    st.one_of(st.none(), st.integers(), st.just(f"say {SECRET}"), st.just(f"https://e/a?x={SECRET}")),
    lambda inside: st.one_of(
        st.lists(inside, max_size=4),
        st.dictionaries(
            st.sampled_from(["uri", "promptImage", "promptText", "model", "x"]), inside, max_size=4
        ),
    ),
    max_leaves=60,
)


@pytest.mark.property
@given(st.dictionaries(st.sampled_from(["promptImage", "promptText", "ratio", "y"]), values))
def test_no_words_and_no_query_whatever_the_body(body):
    shape = shape_of(body, {})
    assert SECRET not in json.dumps(shape)
    assert len(shape) <= MOST_FIELDS + 1
