"""What a task would do and cost if it ran for real: the result of a dry run. Pure.

Nobody tells a price beforehand: the API has no such call, a gateway's own estimate comes with the answer to a create,
and the provider has no list of prices (decision 8). What is known is what the task's own journal says that requests
*of the same kind* cost or were estimated at. Where it says nothing, the estimate is ``None``, never 0 (decision 19);
0 is said only where nothing would be sent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypedDict

from airflow_runway.core.journal.bookkeeping import Books
from airflow_runway.core.journal.item import State, intent
from airflow_runway.core.journal.limits import Limits
from airflow_runway.core.media.references import identity_of, references_in, replaced

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from airflow_runway.core.journal.item import Item
    from airflow_runway.core.media.shape import Shape

#: Routes whose price does not depend on what the words say, and the fields that hold words. (Speech is paid by the
#: character, and of a workflow nobody knows: contracts §17.)
_WORDS_COST_NOTHING: Final = frozenset(
    {
        "text_to_video", "image_to_video", "video_to_video", "text_to_image", "character_performance",
        "video_upscale", "image_upscale", "generate/video", "generate/image", "pro/generate", "pro/video2video",
        "pro/act_one",
    }
)  # fmt: skip
_WORDS: Final = frozenset({"promptText", "prompt", "negativePrompt"})
#: Where a result goes, and by which chance it is made, costs nothing either.
_NO_PRICE: Final = frozenset({"seed", "callback_url"})
#: Entries and kinds that a result lists; it says how many there are.
MOST_LISTED: Final = 50


class SubmissionForecast(TypedDict):
    """XCom ``runway_dry_run`` of an operator that submits one request."""

    #: ``submit`` or ``reuse``.
    outcome: str
    gateway: str
    route: str
    #: What a record of this request would be known by; a hash.
    fingerprint: str
    #: See :mod:`airflow_runway.core.media.shape`; empty where nothing would be sent.
    fields: Shape
    #: The generation that would be given back instead.
    reuses: str | None
    #: A generation that still runs for an earlier request, and would be cancelled.
    replaces: str | None
    #: ``None`` = nobody knows.
    estimated_credits: float | None
    max_credits: float | None
    #: Whether the estimate is above ``max_credits``; ``None`` = nobody knows.
    over_max_credits: bool | None
    #: What a person should know, in sentences.
    notes: list[str]


class KindForecast(TypedDict):
    """Requests of a batch that would be submitted, and ought to cost the same."""

    requests: int
    #: Of one of them; ``None`` = nobody knows.
    estimated_credits: float | None
    #: Of the first of them.
    fields: Shape


class BrokenEntry(TypedDict):
    """An entry of a batch's list that could not be submitted."""

    #: Its place in the list, from 0.
    index: int
    reason: str
    #: Whether another try may do better.
    may_pass: bool
    #: Whether the batch would submit nothing after it.
    stops_the_batch: bool


class LimitForecast(TypedDict):
    """A bound of a batch."""

    name: str
    bound: float
    #: ``None`` = nobody knows.
    strikes: bool | None
    #: How many would be submitted before it does.
    after: int | None


class BatchForecast(TypedDict):
    """XCom ``runway_dry_run`` of a batch. The numbers from ``submit`` to ``broken`` add up to ``total``."""

    gateway: str
    route: str
    total: int
    submit: int
    #: Succeeded, and stored if that was asked for.
    keep: int
    #: Succeeded, and not stored yet.
    save: int
    #: Run already.
    wait: int
    #: Would be left alone, as would results that are gone, and what failed where Airflow does not tell a clear from
    #: a retry: both are among ``failed``.
    moderated: int
    lost_answers: int
    failed: int
    #: Cannot be submitted as they are.
    broken: int
    #: Run for requests that are no longer in the list, and would be cancelled unless they have ended.
    cancel: int
    #: Of all that would be submitted, if no limit struck; ``None`` if the price of one of them is not known.
    estimated_credits: float | None
    #: Of those whose price is known, and how many are not among them.
    known_credits: float
    without_estimate: int
    #: What the task has cost so far; ``None`` if it has generations whose price is not known.
    spent_credits: float | None
    limits: list[LimitForecast]
    kinds: list[KindForecast]
    broken_entries: list[BrokenEntry]


def kind_of(route: str, payload: Mapping[str, Any]) -> str:
    """What requests have in common that ought to cost the same: all fields but words, images and the seed.

    Whose price depends on how long something is, is compared by the thing itself: clips and sound by their address,
    and the words of routes that are paid by the word.

    :param route: the route's name.
    :param payload: the JSON body as its author wrote it.
    """
    names = {
        reference.place: "" if reference.kind == "image" else identity_of(reference) or reference.uri
        for reference in references_in(payload)
    }
    plain = replaced(payload, names)
    left_out = _NO_PRICE | _WORDS if route in _WORDS_COST_NOTHING else _NO_PRICE
    return json.dumps([route, _without(plain, left_out)], sort_keys=True, default=str)


def _without(value: Any, names: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {name: _without(inside, names) for name, inside in value.items() if name not in names}
    return [_without(item, names) for item in value] if isinstance(value, list) else value


def price_of(item: Item) -> float | None:
    """What a request like a recorded one may cost; ``None`` where its gateway told nothing.

    What a generation was charged counts only if it succeeded: one that failed may have cost less.

    :param item: as recorded.
    """
    if item.charged is not None and item.state in {State.SUCCEEDED, State.UNSAVED, State.GONE}:
        return item.charged
    return item.estimated


def spent_on(items: Iterable[Item]) -> float | None:
    """What items have cost so far; ``None`` if one was accepted, or may have been, at no known price.

    :param items: as recorded.
    """
    items = list(items)
    unknown = any(
        item.charged is None
        and item.estimated is None
        and (item.runway_task_id or item.state is State.INTENT)
        for item in items
    )
    return None if unknown else sum(item.credits for item in items)


@dataclass(frozen=True, slots=True)
class PriceBook:
    """The dearest price of each kind that a journal knows."""

    by_kind: Mapping[str, float]

    @classmethod
    def of(cls, recorded: Iterable[tuple[str, Item]]) -> PriceBook:
        """The prices of recorded items.

        :param recorded: kinds and items.
        """
        by_kind: dict[str, float] = {}
        for kind, item in recorded:
            price = price_of(item)
            if price is not None:
                by_kind[kind] = max(price, by_kind.get(kind, 0.0))
        return cls(by_kind)


@dataclass(frozen=True, slots=True)
class Planned:
    """A request of a batch that would be submitted."""

    key: str
    #: What the batch takes its price to depend on: :func:`airflow_runway.core.journal.limits.kind_of`.
    kind: str
    #: ``None`` = nobody knows.
    price: float | None


def limits_met(
    limits: Limits,
    items: Sequence[Item],
    planned: Sequence[Planned],
    *,
    excused: Collection[str] = frozenset(),
    now: float,
) -> list[LimitForecast]:
    """Which bounds of a batch would strike, and when, each for itself: by the books that a real run keeps.

    :param limits: the bounds.
    :param items: everything that is recorded.
    :param planned: what would be submitted, in its order.
    :param excused: keys of what does not count any more as moderated or lost, say since it is sent again.
    :param now: wall clock, seconds since the epoch.
    """
    none = Limits(moderated=0, lost_answers=0, timeout=limits.timeout)
    found: list[LimitForecast] = []
    for name, most, alone in (
        ("max_moderated", limits.moderated or None, replace(none, moderated=limits.moderated)),
        ("max_lost_answers", limits.lost_answers or None, replace(none, lost_answers=limits.lost_answers)),
        ("max_credits", limits.credits, replace(none, credits=limits.credits)),
        ("max_in_flight", limits.in_flight, replace(none, in_flight=limits.in_flight)),
    ):
        if most is None:
            continue
        after = _struck_after(alone, items, planned, excused, now)
        if name in {"max_moderated", "max_lost_answers"} and after is None:
            continue
        priced = name != "max_credits" or all(one.price is not None for one in planned[:after])
        strikes = True if after is not None else (False if priced else None)
        # With unknown prices before it, it may strike even sooner.
        found.append({"name": name, "bound": most, "strikes": strikes, "after": after if priced else None})
    return found


def _struck_after(
    limits: Limits, items: Sequence[Item], planned: Sequence[Planned], excused: Collection[str], now: float
) -> int | None:
    books, recorded = Books(limits), {item.key: item for item in items}
    for item in items:
        books.record(item)
    books.excuse(moderated=excused, lost=excused)
    for number, one in enumerate(planned):
        if books.stop_reason(one.key, one.kind, now) is not None:
            return number
        books.start(one.key, one.kind)
        sent = intent(recorded.get(one.key), key=one.key, as_written="", now=now, kind=one.kind)
        books.intend(sent)
        books.record(replace(sent, state=State.RUNNING, runway_task_id=one.key, estimated=one.price))
        books.end(one.key)
    return None
