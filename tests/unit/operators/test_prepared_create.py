"""What keeps a create from being sent is found before its intent is written, alone and in a batch."""

from __future__ import annotations

import pytest

from airflow_runway.exceptions import RunwayConfigurationError

UNUSABLE = [
    ({"verify": "/missing/ca.pem"}, "/missing/ca.pem"),
    ({"proxies": {"https": "http://[bad"}}, "unreadable proxy"),
]
both = pytest.mark.parametrize(("extra", "named"), UNUSABLE, ids=["CA bundle", "proxy"])


@pytest.fixture
def written(monkeypatch):
    """Every state that a store was asked to keep."""
    from unit.operators.memory import MemoryStore

    kept, real = [], MemoryStore.set
    monkeypatch.setattr(
        MemoryStore,
        "set",
        lambda self, key, value, **more: kept.append(key) or real(self, key, value, **more),
    )
    return kept


@both
def test_no_intent_is_ever_written(tries, set_connection, written, extra, named):
    one = tries()
    set_connection(**extra)
    with pytest.raises(RunwayConfigurationError, match=named):
        one.run()
    assert (one.gateway.posts, written) == (0, [])
    set_connection()
    assert one.run() == "t1"


@both
def test_the_generation_that_would_be_replaced_goes_on(tries, set_connection, extra, named):
    one = tries()
    one.run()
    record = dict(one.record)
    one.clear()
    set_connection(**extra)
    with pytest.raises(RunwayConfigurationError, match=named):
        one.run(payload={"model": "gen4_turbo", "promptImage": "https://e/b.jpg", "promptText": "another"})
    assert (one.gateway.posts, one.gateway.deleted) == (1, [])
    assert one.record["runway_task_id"] == record["runway_task_id"]


@both
def test_no_item_of_a_batch_is_begun(batch, set_connection, extra, named):
    one = batch()
    set_connection(**extra)
    with pytest.raises(RunwayConfigurationError, match=named):
        one.begin()
    assert one.gateway.posts == 0
    assert "intent" not in str(one.store.values).lower()
    set_connection()
    assert one.to_the_end()["succeeded"] == 3
    assert one.gateway.posts == 3
