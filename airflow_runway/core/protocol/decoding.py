"""What a gateway's answer means: a :class:`Submission`, a :class:`RunwayTask`, or the facts of an error.

Pure and total: any status, headers and bytes give one of these, and nothing is raised. The shape is judged
per response, never per connection, since one gateway answers the same read in several shapes (contracts §9 has the
rules, contracts §7 the strangest shapes). Rules that money hangs on:

- from a create only the id counts; its own status words say nothing about the generation;
- SUCCEEDED only with an output URL, FAILED and CANCELLED only from documented words;
- a word that nobody documented is UNKNOWN, and not final.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_runway.core.models import RunwayTask, Submission, TaskStatus
from airflow_runway.core.protocol import errors, read_errors
from airflow_runway.core.protocol.gateways import is_task_id
from airflow_runway.core.protocol.responses import (
    Response,
    as_text,
    complaint_of,
    inner_of,
    parse,
    record_of,
    says_not_visible,
)
from airflow_runway.core.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_runway.core.facts import ErrorFacts
    from airflow_runway.core.protocol.gateways import Gateway

#: Documented status words, compared in lower case (contracts §8).
STATUS_WORDS: Mapping[str, TaskStatus] = {
    **dict.fromkeys(
        ("pending", "queued", "submitted", "not_start", "created", "waiting", "0"), TaskStatus.PENDING
    ),
    "throttled": TaskStatus.THROTTLED,
    **dict.fromkeys(("running", "in_progress", "processing", "generating", "1"), TaskStatus.RUNNING),
    **dict.fromkeys(("succeeded", "success", "succeed", "completed", "finished", "3"), TaskStatus.SUCCEEDED),
    **dict.fromkeys(("failed", "failure", "error", "2"), TaskStatus.FAILED),
    **dict.fromkeys(("cancelled", "canceled"), TaskStatus.CANCELLED),
}

#: Epoch seconds; what lies beyond is no point in time of ours.
_YEAR_3000 = 32_503_680_000

#: Where the id stands in the answer to a create.
_ID_PLACES = (("data", "task_id"), ("task_id",), ("data", "id"), ("id",))
#: Strings and marks of JSON, also of a part of it.
_JSON_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|[{}\[\]:,]')

#: Failure codes known to lead a gateway's free text.
_CODE_FAMILIES = ("SAFETY", "ASSET", "INTERNAL", "INPUT_PREPROCESSING", "THIRD_PARTY")


def decode_submission(response: Response, gateway: Gateway, route: str) -> Submission | ErrorFacts:
    """The outcome of a create.

    :param response: the HTTP response.
    :param gateway: who answered.
    :param route: the route's name, for the result and for messages.
    :returns: a :class:`Submission` where a 2xx holds an id, else the facts of an error: they say whether the
        generation may exist, and name an id that stands in the answer all the same.
    """
    value = parse(response.body)
    runway_task_id = _id_in_fragment(response.body) if response.truncated else _created_id(value)
    if not runway_task_id:
        return errors.create_without_id(gateway, route, response, complaint_of(value))
    if 200 <= response.status < 300:
        return Submission(runway_task_id, route, _credits(value, "estimatedCost"))
    return errors.create_with_doubtful_id(gateway, route, response, complaint_of(value), runway_task_id)


def _created_id(value: Any) -> str:
    if not isinstance(value, dict):
        return ""
    data = value.get("data")
    inside = data if isinstance(data, dict) else {}
    candidates = [inside.get("task_id"), value.get("task_id"), inside.get("id"), value.get("id")]
    texts = [text.strip() for text in candidates if isinstance(text, str)]
    # new-api's integer ids are row numbers: taken only where there is nothing else.
    texts += [as_text(number) for number in candidates if not isinstance(number, str)]
    return next((text for text in texts if is_task_id(text)), "")


def _id_in_fragment(body: bytes) -> str:
    """The id in an answer that broke off: what was paid for is worth finding."""
    found: dict[tuple[str, ...], str] = {}
    around: list[str] = []
    name, is_value = "", False
    for token in _JSON_TOKEN.finditer(body.decode("utf-8", "replace")):
        match token[0]:
            case "{" | "[":
                around.append(name if token[0] == "{" else "[")
                name, is_value = "", False
            case "}" | "]":
                del around[-1:]
                is_value = False
            case ":":
                is_value = True
            case ",":
                name, is_value = "", False
            case _ if is_value:
                found.setdefault((*around[1:], name), token[1])
            case _:
                name = token[1]
    # Where :func:`_created_id` looks, and nowhere else: there may be ids of other things.
    candidates = [found.get(place, "") for place in _ID_PLACES]
    return next((text for text in candidates if is_task_id(text)), "")


def decode_task(response: Response, gateway: Gateway, runway_task_id: str) -> RunwayTask | ErrorFacts:
    """The meaning of a read.

    :param response: the HTTP response.
    :param gateway: who answered.
    :param runway_task_id: the id that was asked for.
    :returns: a :class:`RunwayTask`, or the facts of a read error: they say whether another look can help.
    """
    value = parse(response.body)
    complaint = complaint_of(value)
    if says_not_visible(value):
        return RunwayTask(runway_task_id, TaskStatus.NOT_VISIBLE)
    if response.status == 404 and value is not None and not response.is_html:
        if gateway.missing_is_gone:
            return RunwayTask(runway_task_id, TaskStatus.GONE)
        if "invalid url" not in complaint.message.lower():
            return RunwayTask(runway_task_id, TaskStatus.NOT_VISIBLE)
    record = record_of(value)
    if not 200 <= response.status < 300 or record is None or complaint:
        return read_errors.read_without_state(gateway, runway_task_id, response, complaint)
    return _task(record, gateway, runway_task_id)


def _task(record: Mapping[str, Any], gateway: Gateway, runway_task_id: str) -> RunwayTask:
    inner = inner_of(record)
    urls = _urls(inner, record)
    words = _words(inner, record)
    status = _status(words, has_output=bool(urls), record=record)
    if status is TaskStatus.SUCCEEDED and not urls:
        urls = _http_urls(record.get("fail_reason"))
    failure, code = _failure(inner, record, gateway) if status is TaskStatus.FAILED else (None, None)
    if status is TaskStatus.SUCCEEDED:
        failure = _node_errors(record.get("nodeErrors"))
    return RunwayTask(
        id=runway_task_id,
        status=status,
        output=urls if status is TaskStatus.SUCCEEDED else (),
        progress=_first(_progress(inner.get("progress")), _progress(record.get("progress"))),
        created_at=_created_at(inner, record),
        finished_at=_finished_at(record) if status.is_final else None,
        failure=failure,
        failure_code=code,
        estimated_credits=_first(_credits(inner, "estimatedCost"), _credits(record, "estimatedCost")),
        cost_credits=_first(_credits(inner, "cost"), _credits(record, "cost")),
        action=redact(as_text(record.get("action")), limit=60).lower(),
        raw_status=redact(words[0], limit=60) if words else "",
    )


def _words(inner: Mapping[str, Any], record: Mapping[str, Any]) -> list[str]:
    places = [inner.get("status")] + [record.get(name) for name in ("status", "state", "task_status")]
    return [text for text in map(as_text, places) if text]


def _status(words: Iterable[str], *, has_output: bool, record: Mapping[str, Any]) -> TaskStatus:
    """One status out of up to four words, which may contradict each other (contracts §9, step 5)."""
    found = [_meaning(word, has_output=has_output, record=record) for word in words]
    known = [status for status in found if status is not TaskStatus.UNKNOWN]
    if not known:
        return TaskStatus.UNKNOWN
    status = next((status for status in known if status.is_final), known[0])
    if status is not TaskStatus.SUCCEEDED or has_output or _http_urls(record.get("fail_reason")):
        return status
    # One layer says "done" before the result is there: with the other still at work, so is the task.
    return TaskStatus.RUNNING if any(not other.is_final for other in known) else TaskStatus.OUTPUT_MISSING


def _meaning(word: str, *, has_output: bool, record: Mapping[str, Any]) -> TaskStatus:
    word = word.lower()
    if word == "0" and as_text(record.get("create_time")) in {"", "0"}:
        return TaskStatus.NOT_VISIBLE
    # One copy of the numeric documentation swaps 2 and 3: only the result tells them apart.
    if (word == "2" and has_output) or (word == "3" and not has_output):
        return TaskStatus.UNKNOWN
    return STATUS_WORDS.get(word, TaskStatus.UNKNOWN)


def _urls(inner: Mapping[str, Any], record: Mapping[str, Any]) -> tuple[str, ...]:
    video, result, kling = record.get("video"), record.get("result"), record.get("task_result")
    places = [inner.get("output"), record.get("output")]
    places += [record.get(name) for name in ("result_url", "video_url", "raw_video_url")]
    places += [video.get("url"), video.get("download_url")] if isinstance(video, dict) else []
    places += [result.get("video_url")] if isinstance(result, dict) else []
    places += [kling.get("videos")] if isinstance(kling, dict) else []
    return next((urls for urls in map(_http_urls, places) if urls), ())


def _http_urls(value: Any) -> tuple[str, ...]:
    """The http(s) URLs in a string, a list, an object with ``url``, or lists by workflow node id."""
    if isinstance(value, str):
        url = value.strip()
        return (url,) if url.lower().startswith(("https://", "http://")) and _is_plain(url) else ()
    if isinstance(value, list):
        items = value
    elif isinstance(value, dict):
        items = [value[name] for name in ("url", "video_url") if name in value] or list(value.values())
    else:
        return ()
    # One level of nesting is documented; deeper nonsense is not followed.
    flat = [part for item in items for part in (item if isinstance(item, list) else [item])]
    texts = [part.get("url", part.get("video_url")) if isinstance(part, dict) else part for part in flat]
    return tuple(url for text in texts if isinstance(text, str) for url in _http_urls(text))


def _is_plain(url: str) -> bool:
    """Whether a URL can be asked for, and written down: nothing in it is a blank, a control or a broken character."""
    return url.isprintable() and not {" ", "\N{REPLACEMENT CHARACTER}"}.intersection(url)


def _failure(
    inner: Mapping[str, Any], record: Mapping[str, Any], gateway: Gateway
) -> tuple[str | None, str | None]:
    reason = record.get("fail_reason")
    texts = [inner.get("failure"), record.get("failure"), reason, record.get("msg")]
    failure = next((text for text in map(as_text, texts) if text and not _http_urls(text)), "")
    code = as_text(inner.get("failureCode")) or as_text(record.get("failureCode"))
    if not code:
        lead = failure.split(maxsplit=1)[0].rstrip(":,;") if failure else ""
        code = lead if lead.split(".")[0] in _CODE_FAMILIES else ""
    if not code and gateway.missing_is_gone:
        code = "INTERNAL"  # an absent code means an internal failure there (contracts §10)
    return redact(failure) or None, redact(code, limit=100) or None


def _node_errors(value: Any) -> str | None:
    """The failed nodes of a workflow, which may SUCCEED without them (contracts §1.7)."""
    if not isinstance(value, dict):
        return None
    errors = []
    for node, error in list(value.items())[:20]:
        told = error if isinstance(error, dict) else {"message": error}
        name = as_text(told.get("nodeName")) or as_text(node)
        code = as_text(told.get("failureCode"))
        said = as_text(told.get("message")) or "failed"
        errors.append(f"node {name}: {said}" + (f" ({code})" if code else ""))
    return redact("; ".join(errors)) or None


def _created_at(inner: Mapping[str, Any], record: Mapping[str, Any]) -> str | None:
    names = [inner.get("createdAt"), record.get("createdAt"), record.get("created_at")]
    return next((redact(text, limit=60) for text in names if isinstance(text, str) and text.strip()), None)


def _finished_at(record: Mapping[str, Any]) -> str | None:
    """Epoch seconds, 0 while it runs (contracts §2.4)."""
    value = record.get("finish_time")
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < _YEAR_3000:
        return None
    return datetime.fromtimestamp(value, UTC).isoformat()


def _progress(value: Any) -> float | None:
    """A fraction, a percentage or ``"37%"`` as 0 to 1."""
    text = as_text(value)
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        return None
    if not math.isfinite(number) or number < 0:
        return None
    return min(number / 100 if number > 1 or text.endswith("%") else number, 1.0)


def _credits(value: Any, member: str) -> float | None:
    cost = value.get(member) if isinstance(value, dict) else None
    routed = value.get("routing") if isinstance(value, dict) else None
    if cost is None and isinstance(routed, dict):
        cost = routed.get(member)
    amount = cost.get("credits") if isinstance(cost, dict) else None
    if isinstance(amount, bool) or not isinstance(amount, (int, float)):
        return None
    try:
        number = float(amount)
    except OverflowError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)
