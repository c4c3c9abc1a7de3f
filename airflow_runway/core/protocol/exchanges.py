"""What is said to a gateway, in which order, and what the answers come to; for sync and async alike.

An exchange is a generator. It yields a :class:`Call`; whoever runs it sends the call and gives the
:class:`~airflow_runway.core.protocol.responses.Response` back, or throws :class:`NoAnswerError` into it; it returns
the result or raises a :class:`~airflow_runway.core.facts.CoreError`. The hook runs it, once with requests and once
with aiohttp.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from airflow_runway.core.facts import CoreError, ErrorFacts, ErrorKind, core_error
from airflow_runway.core.models import CancelOutcome, RunwayTask, Submission, TaskStatus
from airflow_runway.core.protocol import errors, read_errors, upload_errors
from airflow_runway.core.protocol.bodies import checked_body
from airflow_runway.core.protocol.calls import Call, Exchange, NoAnswerError, UploadSlot
from airflow_runway.core.protocol.decoding import decode_submission, decode_task
from airflow_runway.core.protocol.gateways import checked_task_id
from airflow_runway.core.protocol.responses import complaint_of, parse
from airflow_runway.core.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, MutableMapping

    from airflow_runway.core.protocol.gateways import Create, Endpoint, Gateway

T = TypeVar("T")


def submit(
    gateway: Gateway, route: str, payload: Mapping[str, Any], fallback: Mapping[str, str | None] | None = None
) -> Exchange[Submission]:
    """Create a generation: one POST, never more.

    :param gateway: whom to ask.
    :param route: a route name of this gateway.
    :param payload: the JSON body.
    :param fallback: values for fields that the route needs and the payload lacks, e.g. ``callback_url``.
    :raises CoreError: it would surely be refused and was not sent; it was refused; or nobody knows.
    """
    call = create_call(gateway, route, payload, fallback)
    try:
        response = yield call
    except NoAnswerError as silence:
        raise CoreError(
            errors.create_without_answer(gateway, route, silence.delivery, silence.reason)
        ) from None
    return _value(decode_submission(response, gateway, route))


def create_call(
    gateway: Gateway, route: str, payload: Mapping[str, Any], fallback: Mapping[str, str | None] | None = None
) -> Call:
    """The request of :func:`submit`, checked as far as that needs no network.

    :param gateway: see there.
    :param route: see there.
    :param payload: see there.
    :param fallback: see there.
    :raises CoreError: it would surely be refused, or cannot be sent.
    """
    row = known_route(gateway, route)
    payload = checked_body(payload)
    payload = {**payload, **_needed(gateway, route, row.needs, payload, fallback or {})}
    return Call("POST", row.path, payload, creates=True)


def _needed(
    gateway: Gateway,
    route: str,
    needs: Iterable[str],
    payload: Mapping[str, Any],
    fallback: Mapping[str, str | None],
) -> dict[str, str]:
    """What the connection has to add; never a default that sends results to a stranger's host."""
    added = {}
    for name in needs:
        value = payload.get(name) or fallback.get(name)
        if not value:
            raise _misconfigured(
                f"{gateway.title} needs {name} on {route}, and neither the task nor the connection gives one. Set "
                f"{name} to an address of your own; the result is fetched by reading, whether or not the callback "
                "arrives.",
                next_step=f"Set {name}, then clear this task",
            )
        if not isinstance(value, str) or not value.lower().startswith(("https://", "http://")):
            raise _misconfigured(f"{name} is {redact(value, limit=80)!r}, which is no http(s) address.")
        added[name] = value
    return added


def read_task(
    gateway: Gateway, runway_task_id: str, known_at: MutableMapping[str, Endpoint] | None = None
) -> Exchange[RunwayTask]:
    """Read one task, on each of the gateway's read routes until one knows the id.

    :param gateway: whom to ask.
    :param runway_task_id: the task.
    :param known_at: where ids were found other than on the usual route, by id: asked first, kept up to date.
    """
    runway_task_id = checked_task_id(runway_task_id)
    known_at = {} if known_at is None else known_at
    usual = known_at.get(runway_task_id, gateway.reads[0])
    task = yield from _read_at(usual, gateway, runway_task_id)
    for other in gateway.reads:
        # Only "I do not know this id" is a reason to ask elsewhere; trouble is not.
        if task.status.is_sighting:
            break
        if other != usual:
            elsewhere = yield from _read_at(other, gateway, runway_task_id)
            if elsewhere.status.is_sighting:
                task, usual = elsewhere, other
            elif elsewhere.is_empty_record:
                task = elsewhere  # it may be new: the more patient of the two answers counts
    if task.status.is_sighting and usual != gateway.reads[0]:
        known_at[runway_task_id] = usual
    return task


def _read_at(endpoint: Endpoint, gateway: Gateway, runway_task_id: str) -> Exchange[RunwayTask]:
    body = {endpoint.id_in_body: runway_task_id} if endpoint.id_in_body else None
    try:
        response = yield Call(endpoint.method, endpoint.address(runway_task_id), body)
    except NoAnswerError as silence:
        raise CoreError(read_errors.read_without_answer(gateway, runway_task_id, silence.reason)) from None
    return _value(decode_task(response, gateway, runway_task_id))


def cancel_task(gateway: Gateway, runway_task_id: str) -> Exchange[CancelOutcome]:
    """Cancel what is unfinished, and only that: on the official API a DELETE destroys a finished result.

    :param gateway: whom to ask.
    :param runway_task_id: the task.
    """
    found_at: dict[str, Endpoint] = {}
    task = yield from _read_if_possible(gateway, runway_task_id, found_at)
    if task is None:
        # Not knowing whether it has finished, the safe thing is to leave it alone.
        return CancelOutcome.UNKNOWN
    if task.status.is_final:
        return CancelOutcome.ALREADY_FINISHED
    if not task.status.is_sighting:
        return CancelOutcome.NOT_FOUND
    if gateway.cancel is None or found_at:
        # What is only known elsewhere (a workflow run) has no cancel route.
        return CancelOutcome.NOT_SUPPORTED
    try:
        response = yield Call(gateway.cancel.method, gateway.cancel.address(runway_task_id))
        # Not on 404: somebody else may have been quicker, or there is no such route; the next reading tells.
        if 200 <= response.status < 300:
            return CancelOutcome.CANCELLED
    except NoAnswerError:
        pass  # it may have been taken: the next reading tells
    task = yield from _read_if_possible(gateway, runway_task_id)
    if task is None:
        return CancelOutcome.UNKNOWN
    if not task.status.is_sighting or task.status is TaskStatus.CANCELLED:
        return CancelOutcome.CANCELLED
    return CancelOutcome.ALREADY_FINISHED if task.status.is_final else CancelOutcome.UNKNOWN


def _read_if_possible(
    gateway: Gateway, runway_task_id: str, known_at: MutableMapping[str, Endpoint] | None = None
) -> Exchange[RunwayTask | None]:
    try:
        return (yield from read_task(gateway, runway_task_id, known_at))
    except CoreError as error:
        if error.facts.kind in {ErrorKind.READ, ErrorKind.READ_REFUSED}:
            return None
        raise


def get_organization(gateway: Gateway) -> Exchange[dict[str, Any]]:
    """Read the account: balance, limits, use. Free.

    :param gateway: whom to ask; must have such a route.
    """
    if gateway.organization is None:
        raise _misconfigured(f"{gateway.title} documents no way to read the account.")
    try:
        response = yield Call(gateway.organization.method, gateway.organization.path)
    except NoAnswerError as silence:
        raise CoreError(read_errors.read_without_answer(gateway, None, silence.reason)) from None
    value = parse(response.body)
    complaint = complaint_of(value)
    if response.status != 200 or complaint or not isinstance(value, dict):
        raise CoreError(read_errors.read_without_state(gateway, None, response, complaint))
    return value


def reserve_upload(gateway: Gateway, filename: str) -> Exchange[UploadSlot]:
    """Get a place for a file: the first of two steps (contracts §1.5). Free.

    :param gateway: whom to ask; must have such a route.
    :param filename: with the extension of its media type.
    """
    if gateway.uploads is None:
        raise _misconfigured(f"{gateway.title} documents no uploads.")
    body = {"filename": filename, "type": "ephemeral"}
    try:
        response = yield Call(gateway.uploads.method, gateway.uploads.path, body)
    except NoAnswerError as silence:
        raise CoreError(upload_errors.upload_without_answer(gateway, filename, silence.reason)) from None
    value = _object(parse(response.body))
    url, fields, uri = value.get("uploadUrl"), _object(value.get("fields")), value.get("runwayUri")
    if response.status == 200 and isinstance(url, str) and isinstance(uri, str) and url and uri:
        return UploadSlot(url, {str(name): str(text) for name, text in fields.items()}, uri)
    raise CoreError(upload_errors.upload_refused(gateway, filename, response, complaint_of(value)))


def known_route(gateway: Gateway, route: str) -> Create:
    """The row of a route that a gateway has.

    :param gateway: whom to ask.
    :param route: a route name.
    :raises CoreError: it has no such route; nothing has been sent.
    """
    row = gateway.create(route)
    if row is None:
        known = ", ".join(sorted(gateway.creates))
        raise _misconfigured(f"{gateway.title} has no route {redact(route, limit=60)!r}; it has: {known}.")
    return row


def _misconfigured(happened: str, *, next_step: str = "") -> CoreError:
    return core_error(ErrorKind.CONFIGURATION, f"{happened} Nothing was sent.", next_step=next_step)


def _value(outcome: T | ErrorFacts) -> T:
    if isinstance(outcome, ErrorFacts):
        raise CoreError(outcome)
    return outcome


#: No gateway can know it: asked for, it tells whether the key is good, and costs nothing.
_NOBODYS_TASK = "00000000-0000-4000-8000-000000000000"


def check_connection(gateway: Gateway) -> Exchange[str]:
    """Find out, for free, whether gateway and key go together; returns a sentence for people.

    :param gateway: whom to ask.
    """
    return " ".join((yield from check_account(gateway, most_models=5)))


def check_account(gateway: Gateway, most_models: int) -> Exchange[tuple[str, ...]]:
    """The same in sentences: that the key is accepted, balance, limits.

    :param gateway: whom to ask.
    :param most_models: models whose limits are told, of those that have one or were used today.
    """
    if gateway.organization is None:
        yield from _read_at(gateway.reads[0], gateway, _NOBODYS_TASK)
        return f"{gateway.title} accepts the key.", "It shows no balance over the API."
    account = yield from get_organization(gateway)
    return f"{gateway.title} accepts the key.", *_account_in_words(account, most_models)


def _account_in_words(account: Mapping[str, Any], most_models: int) -> Iterator[str]:
    """Balance and limits (contracts §1.6; a limit of null means none)."""
    balance = account.get("creditBalance")
    tier, usage = _object(account.get("tier")), _object(account.get("usage"))
    monthly = tier.get("maxMonthlyCreditSpend")
    if isinstance(balance, int | float):
        yield f"Balance: {balance:g} credits."
    if isinstance(monthly, int | float):
        yield f"Most per month: {monthly:g} credits."
    limits, used = _object(tier.get("models")), _object(usage.get("models"))
    told = 0
    for model in sorted(limits):
        limit, today = _object(limits[model]), _object(used.get(model)).get("dailyGenerations", 0)
        at_once, daily = limit.get("maxConcurrentGenerations"), limit.get("maxDailyGenerations")
        if told == most_models or (at_once is None and daily is None and not today):
            continue
        told += 1
        # A limit that there is none of is not worth a word.
        together = "" if at_once is None else f"{at_once} at once, "
        bound = "" if daily is None else f" of {daily}"
        yield redact(f"{model}: {together}{today}{bound} made today.", limit=120)
    if limits and not told:
        yield "No model has a limit, and none was used today."


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
