"""The hook has whatever its parts and its users ask of one, and so have the other things that they are handed."""

from __future__ import annotations

import inspect
import logging

import pytest
from typing_extensions import get_protocol_members, is_protocol

from airflow_runway import telemetry
from airflow_runway.hooks import _ports
from airflow_runway.hooks._request_media import RequestWithMedia
from airflow_runway.hooks.runway import RunwayHook
from airflow_runway.triggers import _watch
from airflow_runway.triggers._poll_hub import Clock, PollHub


def hook():
    return RunwayHook("studio")


def request():
    return RequestWithMedia({}, {}, {}, None)


def hub():
    return PollHub(hook(), Clock())


#: Who is to satisfy which protocol; all others of the ports are asked of the hook.
OTHERS = {
    _ports.PreparedRequest: request,
    _watch.GivesReadings: hub,
    telemetry.Log: lambda: logging.getLogger("x"),
}
PORTS = [value for value in vars(_ports).values() if is_protocol(value)]
MEMBERS = [
    (protocol, member) for protocol in {*PORTS, *OTHERS} for member in sorted(get_protocol_members(protocol))
]


def found(thing, name):
    """A member, without running a property: what it would look up does not exist here."""
    return vars(thing).get(name, inspect.getattr_static(type(thing), name, None))


def test_no_port_is_forgotten():
    assert {port.__name__ for port in PORTS} == {
        "HasSettings", "PausesBetweenTries", "RunsExchanges", "ReadsTasks", "CancelsTasks", "MediaHook",
        "PreparedRequest", "SubmittingHook", "PollingHook",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("protocol", "member"),
    sorted(MEMBERS, key=lambda pair: (pair[0].__name__, pair[1])),
    ids=lambda value: getattr(value, "__name__", value),
)
def test_each_member_is_there_and_can_be_called_as_the_protocol_says(protocol, member):
    real = found(OTHERS.get(protocol, hook)(), member)
    assert real is not None
    asked = inspect.getattr_static(protocol, member, None)
    if not inspect.isfunction(asked):
        return  # a property or an attribute
    assert callable(real)
    assert inspect.iscoroutinefunction(real) == inspect.iscoroutinefunction(asked)
    parameters = list(inspect.signature(asked).parameters.values())
    positional = [p for p in parameters if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}]
    by_name = {p.name: object() for p in parameters if p.kind is p.KEYWORD_ONLY}
    accepted = inspect.signature(real)
    accepted.bind(*(object() for _ in positional), **by_name)
    accepted.bind(*(object() for p in positional if p.default is p.empty))
    for p in parameters:
        if p.kind is p.POSITIONAL_OR_KEYWORD or p.kind is p.KEYWORD_ONLY:
            assert accepted.parameters[p.name].default == p.default
