"""The form: pictures that Markdown shows, and strangers' words that it does not take for markup."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from airflow_runway.core.review.form import NONE, body_of, fields_of, plain
from airflow_runway.core.review.shots import read_shots

MARKDOWN = MarkdownIt("commonmark").enable("table").enable("strikethrough")


def manifest(runway_task_id="one", *, dag_id="film", **entry):
    file = {"index": 0, "path": "file:///x/a.mp4", "media_type": "video/mp4", "poster": "file:///x/a.jpg"}
    return {
        "runway_task_id": runway_task_id,
        "model": "gen4_turbo",
        "cost_credits": 25,
        "owner": {"dag_id": dag_id, "run_id": "manual__1", "task_id": "save", "map_index": None},
        "files": [{**file, "width": 1280, "height": 720, "duration": 5.0, **entry}],
    }


def pictures(body):
    return re.findall(r'<img src="([^"]+)"', MARKDOWN.render(body).replace("&amp;", "&"))


@given(st.text(max_size=60))
def test_words_are_no_markup(text):
    (inline,) = [one for one in MARKDOWN.parse(f"x{plain(text)}") if one.type == "inline"] or [None]
    kinds = {child.type for child in inline.children}
    assert kinds <= {"text", "text_special"}
    assert "\n" not in plain(text)


#: As Airflow's form reads Markdown: bare addresses become links.
LINKING = MarkdownIt("gfm-like")
ADDRESSES = [
    "https://evil.example/approve", "see www.evil.example now", "mailto:a@evil.example", "a@evil.example", "HTTP://x.yz",
    "ftp://evil.example", "//evil.example/x", "xmpp:a@evil.example/x", "http\\://evil.example",
]  # fmt: skip


@given(st.lists(st.sampled_from(ADDRESSES) | st.text(max_size=10), max_size=3).map("".join))
def test_no_address_is_a_link(text):
    assert "<a " not in LINKING.render(f"x {plain(text)}")


@given(st.text(max_size=60))
def test_words_stay_in_their_cell(text):
    html = MARKDOWN.render(f"| a | b |\n| - | - |\n| {plain(text)} | end |")
    assert html.count("<td>") == 2
    assert "<td>end</td>" in html


def test_each_variant_has_its_picture_and_its_facts():
    shots = read_shots(
        [[manifest("one"), manifest("two")], manifest("three")], prompts=["a <b>fox</b>", None]
    )
    body = body_of(shots, "/air/runway", "https://air.example/gallery", "*Look well.*")
    assert body.startswith("*Look well.*")
    assert "They have cost 75 credits" in body
    assert "[Watch them move in the gallery](https://air.example/gallery)" in body
    first, *_ = addresses = pictures(body)
    assert len(addresses) == 3
    assert urlsplit(first).path == "/air/runway/file/film"
    assert parse_qs(urlsplit(first).query) == {
        "run_id": ["manual__1"], "task_id": ["save"], "map_index": ["-1"],
        "generation": ["one"], "index": ["0"], "kind": ["poster"],
    }  # fmt: skip
    html = MARKDOWN.render(body)
    assert html.count("1280 x 720, 5 s, 25 credits, gen4_turbo") == 3
    assert "&lt;b&gt;fox" in html
    assert "file:///" not in body


@pytest.mark.parametrize("dag_id", ["夜 (a)", "a/b?c", 'x"y)'])
def test_any_name_of_a_dag_is_an_address(dag_id):
    (address,) = pictures(body_of(read_shots([manifest(dag_id=dag_id)]), "/runway", ""))
    assert urlsplit(address).path.startswith("/runway/file/")


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        ({"media_type": "image/png", "poster": None}, "output"),
        ({"media_type": "video/mp4", "poster": None}, None),
        ({"media_type": "audio/mpeg", "poster": None}, None),
    ],
)
def test_what_is_shown_where_there_is_no_poster(entry, kind):
    addresses = pictures(body_of(read_shots([manifest(**entry)]), "/runway", ""))
    assert [parse_qs(urlsplit(one).query)["kind"] for one in addresses] == ([[kind]] if kind else [])


def test_without_pages_there_is_no_picture_and_no_link():
    body = body_of(read_shots([manifest(), "an-id"]), "", "")
    assert pictures(body) == []
    assert "](" not in body
    assert "an\\-id" in body


def test_a_generation_that_is_offered_twice_has_cost_once():
    assert "They have cost 50 credits" in body_of(
        read_shots([[manifest("one"), manifest("two")], manifest("one")]), "", ""
    )


def test_a_shot_of_which_nothing_was_made_says_so_and_has_no_field():
    shots = read_shots([None, manifest()])
    assert "There is nothing to choose from" in body_of(shots, "", "")
    assert list(fields_of(shots, preselected=False, notes=True)) == ["shot_002", "shot_002_note"]


@pytest.mark.parametrize(("preselected", "default"), [(True, "A"), (False, NONE)])
def test_a_field_is_one_enumeration(preselected, default):
    shots = read_shots([[manifest("one"), manifest("two")]], labels=["beach"])
    fields = fields_of(shots, preselected=preselected, notes=False)
    assert fields == {
        "shot_001": {
            "default": default, "type": "string", "enum": ["A", "B", NONE], "title": "1. beach",
        }
    }  # fmt: skip


def test_odd_facts_of_a_manifest_are_left_out():
    odd = {**manifest(duration="long", width=None), "cost_credits": "many", "model": 7, "owner": "me"}
    body = body_of(read_shots([odd]), "/runway", "")
    assert "no picture" in body
    assert "credits" not in body
