"""Lists of what a payload names: read to their end, or not at all."""

from __future__ import annotations

import json

import pytest
from unit.core.raising import raises

from airflow_runway.core.facts import CoreError, ErrorKind
from airflow_runway.core.protocol import lookups
from airflow_runway.core.protocol.calls import NoAnswerError
from airflow_runway.core.protocol.gateways import GATEWAYS
from airflow_runway.core.protocol.pages import MOST_PAGES
from airflow_runway.core.protocol.responses import Response
from airflow_runway.core.protocol.verdicts import Delivery

RUNWAY = GATEWAYS["runway"]
KINDS = sorted(RUNWAY.lookups)
PAGED = [kind for kind in KINDS if kind != "workflows"]


def says(body, status=200):
    return Response(status, {}, json.dumps(body).encode())


def run(exchange, *answers):
    script, paths = list(answers), []
    try:
        call = next(exchange)
        while True:
            assert (call.method, call.json) == ("GET", None)
            paths.append(call.path)
            answer = script.pop(0)
            call = exchange.throw(answer) if isinstance(answer, Exception) else exchange.send(answer)
    except StopIteration as end:
        assert not script
        return paths, end.value


def row(name, **more):
    return {"id": f"id-of-{name}", "name": name, **more}


@pytest.mark.parametrize("kind", PAGED)
def test_a_list_is_read_page_by_page(kind):
    paths, found = run(
        lookups.read_all(RUNWAY, kind),
        says({"data": [row("a")], "nextCursor": "c&1"}),
        says({"data": [row("b")], "nextCursor": None}),
    )
    assert paths == [f"/v1/{kind}?limit=50", f"/v1/{kind}?limit=50&cursor=c%261"]
    assert [one["name"] for one in found] == ["a", "b"]


def test_workflows_come_whole():
    paths, found = run(lookups.read_all(RUNWAY, "workflows"), says({"data": [{"name": "w", "versions": []}]}))
    assert (paths, found) == (["/v1/workflows"], [{"name": "w", "versions": []}])


@pytest.mark.parametrize("kind", KINDS)
def test_one_is_read_by_its_id(kind):
    paths, found = run(lookups.read_one(RUNWAY, kind, "an-id"), says(row("a")))
    assert (paths, found) == ([f"/v1/{kind}/an-id"], row("a"))


def test_an_id_is_no_query_and_no_path():
    paths, _ = run(lookups.read_one(RUNWAY, "voices", "a?limit=1#x%2f"), says(row("a")))
    assert paths == ["/v1/voices/a%3Flimit%3D1%23x%252f"]


@pytest.mark.parametrize("identifier", ["", "a/b", "..", "a b", "*", None])
def test_what_can_be_no_id_is_not_asked_for(identifier):
    with raises(ErrorKind.CONFIGURATION):
        run(lookups.read_one(RUNWAY, "voices", identifier))


def test_by_name():
    rows = says({"data": [row("a"), row("b")], "nextCursor": None})
    assert run(lookups.find(RUNWAY, "voices", "b"), rows)[1] == row("b")


def test_a_router_has_a_slug_too():
    rows = says({"data": [row("My router", slug="film")], "nextCursor": None})
    assert run(lookups.find(RUNWAY, "routers", "film"), rows)[1]["id"] == "id-of-My router"


def test_of_a_workflow_the_newest_version_counts():
    versions = [
        {"id": "v1", "version": 1},
        {"id": "v10", "version": 10},
        {"id": "v9", "version": 9},
        {"version": 11},
    ]
    rows = says({"data": [{"name": "w", "versions": versions}]})
    found = run(lookups.find(RUNWAY, "workflows", "w"), rows)[1]
    assert found == {"name": "w", "id": "v10", "version": 10}


@pytest.mark.parametrize("versions", [None, [], "v", [{"id": "v", "version": "1"}]])
def test_a_workflow_without_a_version_is_not_understood(versions):
    with raises(ErrorKind.READ):
        run(lookups.find(RUNWAY, "workflows", "w"), says({"data": [{"name": "w", "versions": versions}]}))


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([], "None of the 0 voices that Runway lists to this API key is called 'x'; there are: none."),
        ([row("a")], "there are: 'a'."),
        ([row(f"n{number}") for number in range(12)], "'n9', ..."),
        ([row("x"), row("x") | {"id": "second"}], "2 voices of the account are called 'x': id-of-x, second"),
    ],
)
def test_none_of_a_name_or_several_are_told(rows, told):
    with raises(ErrorKind.CONFIGURATION) as caught:
        run(lookups.find(RUNWAY, "voices", "x"), says({"data": rows, "nextCursor": None}))
    assert told in str(caught.value)


@pytest.mark.parametrize("name", ["cometapi", "gptplus5"])
def test_a_gateway_without_them_says_so(name):
    with raises(ErrorKind.CONFIGURATION) as caught:
        run(lookups.read_all(GATEWAYS[name], "voices"))
    assert "documents no list of voices" in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (NoAnswerError(Delivery.NOT_SENT, "ReadTimeout"), ErrorKind.READ),
        (says({"error": "no"}, 401), ErrorKind.READ_REFUSED),
        (says({"error": "no"}, 503), ErrorKind.READ),
        (says([]), None),
        (says({"data": "x"}), ErrorKind.READ),
        (says({"data": ["x"]}), ErrorKind.READ),
        (says({"data": [], "nextCursor": 7}), ErrorKind.READ),
        (Response(200, {}, b"<html>"), None),
    ],
)
@pytest.mark.parametrize("list_kind", ["voices", "workflows"])
def test_what_cannot_be_read_is_never_nothing(list_kind, answer, kind):
    if list_kind == "workflows" and "nextCursor" in str(getattr(answer, "body", "")):
        pytest.skip("workflows come whole")
    with pytest.raises(CoreError) as caught:
        run(lookups.read_all(RUNWAY, list_kind), answer)
    assert caught.value.facts.kind in ({kind} if kind else {ErrorKind.READ, ErrorKind.READ_REFUSED})


def test_a_list_without_an_end_is_not_understood():
    pages = [says({"data": [], "nextCursor": f"c{number}"}) for number in range(MOST_PAGES)]
    with raises(ErrorKind.READ):
        run(lookups.read_all(RUNWAY, "voices"), *pages)
