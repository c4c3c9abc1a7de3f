"""What a hook does a second time by itself: which errors, how often, after how long."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
import tenacity

from airflow_runway.core.facts import ErrorFacts, ErrorKind
from airflow_runway.exceptions import error_of
from airflow_runway.hooks import _retries
from airflow_runway.hooks._retries import reread, resend, reupload


class Tries:
    """Something that fails with one error after the other, then succeeds; naps are kept, not taken."""

    def __init__(self, *errors, pause=0.0):
        self.errors, self.count, self.naps = list(errors), 0, []
        log = logging.getLogger("tries")
        self.hook = SimpleNamespace(pause_between_tries=lambda state: pause, log=log)

    def __call__(self):
        self.count += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"

    def run(self, settings):
        return tenacity.Retrying(**settings, sleep=self.naps.append)(self)


def error(kind, **fields):
    return error_of(ErrorFacts(kind, f"{kind}.", **fields))


UNCONNECTED = {"status": None}
SOON = {"status": 429, "retry_after": 2.0}
POLICIES = {
    "resend": (resend, {ErrorKind.NOT_ACCEPTED}),
    "reread": (lambda hook: reread(hook, 3), {ErrorKind.READ}),
    "reupload": (reupload, {ErrorKind.MEDIA}),
}


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("kind", ErrorKind)
def test_which_errors_lead_to_another_try(name, kind):
    policy, repeated = POLICIES[name]
    tries = Tries(error(kind))
    if kind in repeated:
        assert tries.run(policy(tries.hook)) == "done"
        assert tries.count == 2
    else:
        with pytest.raises(type(error(kind))):
            tries.run(policy(tries.hook))
        assert tries.count == 1


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("other", [ValueError("x"), KeyError("x"), OSError("x")])
def test_what_is_not_ours_is_not_tried_again(name, other):
    tries = Tries(other)
    with pytest.raises(type(other)):
        tries.run(POLICIES[name][0](tries.hook))
    assert tries.count == 1


@pytest.mark.parametrize(
    ("fields", "again"),
    [
        (UNCONNECTED, True),
        (SOON, True),
        ({"status": 429, "retry_after": _retries.LONGEST_PAUSE_IN_WORKER}, True),
        ({"status": 429, "retry_after": _retries.LONGEST_PAUSE_IN_WORKER + 1}, False),
        ({"status": 429}, False),
        ({"status": 503}, False),
    ],
)
def test_a_create_is_sent_again_only_if_it_never_left_or_the_server_wants_it_soon(fields, again):
    tries = Tries(error(ErrorKind.NOT_ACCEPTED, **fields))
    if again:
        assert tries.run(resend(tries.hook)) == "done"
    else:
        with pytest.raises(type(error(ErrorKind.NOT_ACCEPTED))):
            tries.run(resend(tries.hook))
    assert tries.count == 1 + again


@pytest.mark.parametrize(
    ("name", "kind", "most"),
    [
        ("resend", ErrorKind.NOT_ACCEPTED, _retries.SUBMIT_ATTEMPTS),
        ("reread", ErrorKind.READ, 3),
        ("reupload", ErrorKind.MEDIA, _retries.UPLOAD_ATTEMPTS),
    ],
)
def test_how_often_and_that_the_last_error_is_the_one_raised(name, kind, most):
    errors = [error(kind) for _ in range(10)]
    tries = Tries(*errors)
    with pytest.raises(type(errors[0])) as caught:
        tries.run(POLICIES[name][0](tries.hook))
    assert tries.count == most
    assert caught.value is errors[most - 1]


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_reads_are_tried_as_often_as_asked(attempts):
    tries = Tries(*(error(ErrorKind.READ) for _ in range(10)))
    with pytest.raises(type(error(ErrorKind.READ))):
        tries.run(reread(tries.hook, attempts))
    assert tries.count == attempts
    assert len(tries.naps) == attempts - 1


@pytest.mark.parametrize(
    ("pause", "asked", "nap"), [(1.0, None, 1.0), (1.0, 7.0, 7.0), (9.0, 7.0, 9.0), (1.0, 3600.0, 30.0)]
)
def test_it_waits_as_long_as_the_server_asks_up_to_a_bound(pause, asked, nap):
    tries = Tries(error(ErrorKind.READ, retry_after=asked), pause=pause)
    tries.run(reread(tries.hook, 2))
    assert tries.naps == [nap]


def test_each_further_try_is_announced_with_the_error_and_the_pause(caplog):
    tries = Tries(error(ErrorKind.READ), error(ErrorKind.READ), pause=2.5)
    tries.run(reread(tries.hook, 3))
    assert [record.getMessage() for record in caplog.records] == ["read. Trying again in 2.5 s."] * 2
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
