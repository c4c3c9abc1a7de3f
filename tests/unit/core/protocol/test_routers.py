"""The list of a router's requests: read to its end, or not at all."""

from __future__ import annotations

import json

import pytest
from unit.core.raising import raises

from airflow_runway.core.facts import ErrorKind
from airflow_runway.core.protocol.calls import NoAnswerError
from airflow_runway.core.protocol.gateways import GATEWAYS
from airflow_runway.core.protocol.pages import MOST_PAGES
from airflow_runway.core.protocol.responses import Response
from airflow_runway.core.protocol.routers import (
    RoutedRequest,
    read_router_requests,
    router_of,
)
from airflow_runway.core.protocol.verdicts import Delivery

RUNWAY, COMET = GATEWAYS["runway"], GATEWAYS["cometapi"]
ROUTERS = {"data": [{"id": "uuid-0", "slug": "other"}, {"id": "uuid-1", "slug": "film"}], "nextCursor": None}


def says(body, status=200):
    return Response(status, {}, json.dumps(body).encode())


def row(name="t1", second=30, **changes):
    fields = {
        "taskId": name, "createdAt": f"2026-05-01T04:00:{second:02d}.250Z", "status": "routed", "model": "gen4.5",
        "estimatedCredits": 25, "provider": "runway", "pipeline": [], "emptiedBy": [], "id": "r", "requestId": "q",
    }  # fmt: skip
    return fields | changes


def page(*rows, cursor=None):
    return says({"data": list(rows), "nextCursor": cursor})


def run(*answers, since=0.0, gateway=RUNWAY):
    exchange, script, paths = read_router_requests(gateway, "film", since), list(answers), []
    try:
        call = next(exchange)
        while True:
            assert call.method == "GET"
            assert call.json is None
            paths.append(call.path)
            answer = script.pop(0)
            call = exchange.throw(answer) if isinstance(answer, Exception) else exchange.send(answer)
    except StopIteration as end:
        assert not script
        return paths, end.value


def test_a_slug_is_looked_up_and_the_requests_are_read_under_its_id():
    paths, found = run(says(ROUTERS), page(row()))
    assert paths == ["/v1/routers?limit=50", "/v1/routers/uuid-1/requests?limit=50"]
    assert found == (RoutedRequest("t1", 1777608030.25, "gen4.5", 25.0),)


def test_both_lists_go_on_where_the_cursor_says():
    paths, found = run(
        says({"data": [{"id": "uuid-0", "slug": "other"}], "nextCursor": "c&1"}),
        says(ROUTERS),
        page(row("t2"), cursor="c 2"),
        page(row("t1")),
    )
    assert paths[1].endswith("?limit=50&cursor=c%261")
    assert paths[3].endswith("?limit=50&cursor=c+2")
    assert [one.runway_task_id for one in found] == ["t2", "t1"]


def test_newest_first_it_is_read_no_further_than_needed():
    _, found = run(says(ROUTERS), page(row("t2", 40), row("t1", 10), cursor="c"), since=1777608020.0)
    assert [one.runway_task_id for one in found] == ["t2", "t1"]


def test_in_another_order_it_is_read_to_its_end():
    _, found = run(
        says(ROUTERS), page(row("t1", 10), row("t2", 40), cursor="c"), page(row("t3", 50)), since=1777608020.0
    )
    assert len(found) == 3


def test_requests_without_a_generation_are_left_out():
    rows = [row(None, status="no_eligible_model"), row(None, status="error"), row(None, status="routed")]
    _, found = run(says(ROUTERS), page(*rows))
    assert [one.runway_task_id for one in found] == [""]  # passed on, and nobody says what became of it


@pytest.mark.parametrize(
    "odd", [{"model": None}, {"model": 7}, {"estimatedCredits": None}, {"estimatedCredits": "many"}]
)
def test_what_is_not_told_of_a_request_is_not_told(odd):
    (name,) = odd
    _, (found,) = run(says(ROUTERS), page(row(**odd)))
    assert (found.model == "") == (name == "model")
    assert (found.estimated_credits is None) == (name == "estimatedCredits")


@pytest.mark.parametrize(
    "answer",
    [
        says({"error": "busy"}, 503),
        says({"data": None}),
        says({"data": ["x"]}),
        says({"data": [], "nextCursor": 7}),
        says([]),
        page(row(createdAt=None)),
        page(row(createdAt="yesterday")),
        Response(200, {}, b"<html>"),
        Response(200, {}, b'{"data": []}', truncated=True),
        NoAnswerError(Delivery.UNKNOWN, "reset"),
    ],
)
def test_what_cannot_be_read_is_never_nothing_there(answer):
    with raises(ErrorKind.READ):
        run(says(ROUTERS), answer)


def test_a_key_that_is_refused_is_told_as_ever():
    with raises(ErrorKind.READ_REFUSED, "valid API key"):
        run(says({"error": "Unauthorized"}, 401))


def test_a_router_that_is_not_there_is_told():
    with raises(ErrorKind.READ_REFUSED, "no router 'film'"):
        run(says({"data": [], "nextCursor": None}))


def test_a_list_without_an_end_is_not_understood():
    pages = [page(row(), cursor=str(number)) for number in range(MOST_PAGES)]
    with raises(ErrorKind.READ, "more than 40 pages"):
        run(says(ROUTERS), *pages)


def test_a_cursor_that_does_not_move_is_not_understood():
    with raises(ErrorKind.READ, "where it goes on"):
        run(says(ROUTERS), page(row(), cursor="c"), page(row(), cursor="c"))


def test_a_gateway_without_a_list_is_not_asked():
    with raises(ErrorKind.CONFIGURATION):
        run(gateway=COMET)


@pytest.mark.parametrize(
    ("gateway", "route", "body", "slug"),
    [
        (RUNWAY, "generate/video", {"configId": "film"}, "film"),
        (RUNWAY, "generate/image", {"configId": "film"}, "film"),
        (RUNWAY, "image_to_video", {"configId": "film"}, ""),
        (RUNWAY, "generate/video", {}, ""),
        (RUNWAY, "generate/video", {"configId": 7}, ""),
        (COMET, "generate/video", {"configId": "film"}, ""),
    ],
)
def test_which_router_a_request_asks(gateway, route, body, slug):
    assert router_of(gateway, route, body) == slug
