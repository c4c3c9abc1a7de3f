from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_runway.core.journal.forecast import Planned, PriceBook, kind_of, limits_met, price_of, spent_on
from airflow_runway.core.journal.item import Item, State
from airflow_runway.core.journal.limits import Limits

BODY = {
    "model": "gen4.5",
    "promptText": "Rain",
    "duration": 5,
    "ratio": "1280:720",
    "promptImage": "https://e/a.jpg",
}


def item(state=State.SUCCEEDED, **fields):
    return Item("k", state, "w", **{"runway_task_id": "t1", **fields})


class TestKind:
    @pytest.mark.parametrize(
        "change",
        [{"promptText": "Snow in June"}, {"promptImage": "s3://b/c.png"}, {"seed": 7}, {"callback_url": "x"}],
    )
    def test_words_images_and_chance_cost_nothing(self, change):
        assert kind_of("image_to_video", {**BODY, **change}) == kind_of("image_to_video", BODY)

    @pytest.mark.parametrize(
        "change",
        [
            {"model": "gen4_turbo"}, {"duration": 10}, {"ratio": "720:1280"}, {"audio": True}, {"new": 1},
            {"promptImage": [{"uri": "https://e/a.jpg"}, {"uri": "https://e/b.jpg"}]},
            {"videoUri": "https://e/a.mp4"},
        ],
    )  # fmt: skip
    def test_whatever_else_differs_may_cost_otherwise(self, change):
        assert kind_of("image_to_video", {**BODY, **change}) != kind_of("image_to_video", BODY)

    def test_the_route_does_too(self):
        assert kind_of("text_to_video", BODY) != kind_of("image_to_video", BODY)

    def test_clips_are_paid_by_their_length_so_only_the_same_clip_is_of_the_same_kind(self):
        one, other = {"videoUri": "https://e/a.mp4"}, {"videoUri": "https://e/b.mp4"}
        assert kind_of("video_to_video", one) != kind_of("video_to_video", other)
        signed = {"videoUri": "https://e/a.mp4?X-Amz-Signature=1"}
        assert kind_of("video_to_video", signed) == kind_of("video_to_video", one)

    @pytest.mark.parametrize("route", ["text_to_speech", "sound_effect", "workflows/w1", "avatar_videos"])
    def test_where_words_may_be_paid_only_the_same_words_are_of_the_same_kind(self, route):
        assert kind_of(route, {"promptText": "a"}) != kind_of(route, {"promptText": "a b"})


class TestPrices:
    @pytest.mark.parametrize(
        ("recorded", "price"),
        [
            (item(charged=20.0, estimated=25.0), 20.0),
            (item(State.RUNNING, estimated=25.0), 25.0),
            (item(State.FAILED, charged=0.0, estimated=25.0), 25.0),
            (item(State.FAILED, charged=0.0), None),
            (item(), None),
            (item(charged=0.0), 0.0),
        ],
    )
    def test_of_an_item(self, recorded, price):
        assert price_of(recorded) == price

    def test_the_dearest_of_a_kind_counts_and_the_unknown_is_no_price(self):
        book = PriceBook.of(
            [("a", item(charged=1.0)), ("a", item(charged=3.0)), ("a", item()), ("b", item())]
        )
        assert book.by_kind == {"a": 3.0}

    @pytest.mark.parametrize(
        ("items", "spent"),
        [
            ([], 0),
            ([item(charged=2.0), item(estimated=3.0, spent=1.0)], 6.0),
            ([item(charged=2.0), item()], None),
            ([item(State.INTENT, runway_task_id="")], None),
            ([item(State.FAILED, runway_task_id="")], 0),
        ],
    )
    def test_what_was_spent_is_null_where_it_is_not_known(self, items, spent):
        assert spent_on(items) == spent


def met(limits, items=(), prices=()):
    """What is said where the price of each kind is on record already."""
    known = [
        Item(
            f"price {price}",
            State.FAILED,
            "w",
            runway_task_id="t",
            kind=str(price),
            estimated=price,
            charged=0.0,
        )
        for price in set(prices) - {None}
    ]
    items = [*known, *(replace(one, key=f"recorded {number}") for number, one in enumerate(items))]
    planned = [Planned(f"sent {number}", str(price), price) for number, price in enumerate(prices)]
    return {one["name"]: (one["strikes"], one["after"]) for one in limits_met(limits, items, planned, now=0)}


class TestLimits:
    @pytest.mark.parametrize(
        ("items", "prices", "expected"),
        [
            ([], [25.0] * 4, (False, None)),
            ([], [25.0] * 5, (True, 4)),
            ([item(charged=50.0)], [25.0] * 3, (True, 2)),
            ([], [None] * 3, (None, None)),
            ([], [None, 60.0, 60.0], (True, None)),
            ([], [None, 10.0], (None, None)),
            ([], [200.0], (True, 0)),
            ([item()], [25.0], (False, None)),
            ([item(charged=200.0)], [None], (True, 0)),
            ([item(charged=200.0)], [], (False, None)),
            ([], [], (False, None)),
        ],
    )
    def test_credits(self, items, prices, expected):
        assert met(Limits(credits=100.0), items, prices)["max_credits"] == expected

    @pytest.mark.parametrize(
        ("running", "prices", "expected"), [(0, 3, (True, 2)), (1, 1, (False, None)), (5, 1, (True, 0))]
    )
    def test_in_flight(self, running, prices, expected):
        items = [item(State.RUNNING)] * running
        assert met(Limits(in_flight=2), items, [1.0] * prices)["max_in_flight"] == expected

    def test_moderation(self):
        items = [item(State.MODERATED)] * 5
        assert met(Limits(), items, [1.0])["max_moderated"] == (True, 0)
        assert met(Limits(), items, []) == {}
        assert met(Limits(), items[:4], [1.0]) == {}

    def test_a_lost_answer_occupies_a_place_and_counts_at_the_dearest_price_known(self):
        lost = item(State.INTENT, runway_task_id="")
        assert met(Limits(in_flight=1), [lost], [1.0])["max_in_flight"] == (True, 0)
        paid = item(charged=25.0)
        assert met(Limits(credits=60.0), [lost, paid], [25.0])["max_credits"] == (True, 0)

    def test_a_lost_answer_of_its_own_does_not_stand_in_its_way(self):
        lost = Item("sent 0", State.INTENT, "w", sent_at=0.0)
        planned = [Planned("sent 0", "", None)]
        found = limits_met(Limits(in_flight=1), [lost], planned, excused={"sent 0"}, now=0)
        assert [one["strikes"] for one in found] == [False]
