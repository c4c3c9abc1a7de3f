"""Each dialect beside the documented samples: the same members, the same words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ..conftest import FakeClock, body, data_uri, sample

if TYPE_CHECKING:
    from starlette.testclient import TestClient

REVERSE = {"callback_url": "http://127.0.0.1:9/cb", "model": "gen4", "prompt": "a cat", "image": data_uri()}


def choose(client: TestClient, **settings: Any) -> None:
    answer = client.post("/_emulator/settings", json=settings)
    assert answer.status_code == 200, answer.text


def fail(client: TestClient, **fields: Any) -> None:
    client.post("/_emulator/faults", json={"on": "create", "kind": "fail_task", **fields})


def shape(value: Any) -> Any:
    """The keys of a JSON value, all the way down."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    return [shape(item) for item in value[:1]] if isinstance(value, list) else None


def keys(value: Any) -> Any:
    """Like :func:`shape`, for members whose value may be null or an object."""
    return {name: set(item) if isinstance(item, dict) else None for name, item in value.items()}


def life(client: TestClient, clock: FakeClock, read: Any) -> list[dict[str, Any]]:
    """What reads show while pending, running and at the end."""
    seen = []
    for _ in range(3):
        answer = read()
        assert answer.status_code == 200, answer.text
        seen.append(answer.json())
        clock.pass_seconds(15)
    return seen


COMETAPI = {
    "flat": ["flat_pending", "flat_running", "flat_succeeded"],
    "wrapper": ["wrapper_queued", "wrapper_in_progress", "wrapper_success"],
    "wrapper-with-stale-outer": ["wrapper_queued", "wrapper_in_progress", "wrapper_outer_stale"],
    "lower_case": [None, None, "blog_lower_case_succeeded"],
}


@pytest.mark.parametrize("form", COMETAPI)
def test_cometapi_reads(client: TestClient, create: Any, clock: FakeClock, form: str) -> None:
    choose(client, cometapi_reads=form)
    path = f"/runwayml/v1/tasks/{create('/runwayml')}"
    for shown, name in zip(life(client, clock, lambda: client.get(path)), COMETAPI[form], strict=True):
        if name is not None:
            documented = sample(f"cometapi.tasks.read.{name}")
            assert shape(shown) == shape(documented)
            assert words(shown) == words(documented)


def words(answer: Any) -> list[Any]:
    """The status words of an answer, outermost first."""
    if not isinstance(answer, dict):
        return []
    own = [answer[name] for name in ("status", "state", "task_status") if name in answer]
    return own + words(answer.get("data"))


def test_cometapi_failures(client: TestClient, create: Any, clock: FakeClock) -> None:
    fail(client, failure="Flagged.", failure_code="SAFETY.INPUT.IMAGE")
    task = create("/runwayml")
    clock.pass_seconds(31)
    for form, name in (("wrapper", "wrapper_failure"), ("flat", "flat_failed")):
        choose(client, cometapi_reads=form)
        shown = client.get(f"/runwayml/v1/tasks/{task}").json()
        documented = sample(f"cometapi.tasks.read.{name}")
        assert (shape(shown), words(shown)) == (shape(documented), words(documented))


@pytest.mark.parametrize(
    ("form", "names"),
    [
        ("flat", [None, "cometapi.feed.read.flat_in_progress", "cometapi.feed.read.flat_success"]),
        ("wrapper", ["cometapi.feed.read.wrapper_queued", None, None]),
        ("numeric", [None, "rixapi.feed.read.in_progress", "rixapi.feed.read.succeeded"]),
    ],
)
def test_the_feed_reads_both_formats(
    client: TestClient, create: Any, clock: FakeClock, form: str, names: list[str | None]
) -> None:
    choose(client, cometapi_reads=form, callbacks="off")
    reverse = client.post("/runway/pro/generate", json=REVERSE).json()["data"]["task_id"]
    official = create("/runwayml")
    for task in (reverse, official):
        assert client.get(f"/runwayml/v1/tasks/{task}").status_code == 200
    seen = life(client, clock, lambda: client.post("/runway/feed", json={"task_id": reverse}))
    for shown, name in zip(seen, names, strict=True):
        if name is not None:
            documented = sample(name)
            assert (shape(shown), words(shown)) == (shape(documented), words(documented))
    assert client.post("/runway/feed", json={"task_id": official}).status_code == 200
    if form == "numeric":
        record = client.get(f"/runwayml/v1/tasks/{reverse}").json()["data"]
        assert (record["prompt"], record["point"], record["refund"]) == ("a cat", "25", "0")
        assert client.get(record["video_url"]).headers["content-type"] == "video/mp4"


def test_a_numeric_failure_is_refunded(client: TestClient, clock: FakeClock) -> None:
    choose(client, cometapi_reads="numeric")
    fail(client, failure="content moderation")
    task = client.post("/runway/pro/generate", json=REVERSE).json()["data"]["task_id"]
    clock.pass_seconds(31)
    shown = client.post("/runway/feed", json={"task_id": task}).json()
    documented = sample("rixapi.feed.read.failed_refunded")
    assert (shape(shown), words(shown)) == (shape(documented), words(documented))
    assert (shown["data"]["msg"], shown["data"]["refund"]) == ("content moderation", "1")


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("live", "cometapi.pro_generate.response.accepted_live"),
        ("newer", "cometapi.pro_generate.response.accepted_newer"),
        ("record", "rixapi.pro_generate.response.accepted_empty_record"),
    ],
)
def test_reverse_creations(client: TestClient, form: str, name: str) -> None:
    choose(client, cometapi_creates=form)
    answer = client.post("/runway/pro/generate", json=REVERSE)
    documented = sample(name)
    assert (answer.status_code, shape(answer.json())) == (200, shape(documented))
    plain = {key: answer.json()[key] for key in ("code", "msg")}
    assert plain == {key: documented[key] for key in plain}


def test_the_version_header_is_optional_where_the_pages_disagree(client: TestClient, create: Any) -> None:
    task = create("/runwayml")
    client.headers.pop("x-runway-version")
    assert client.post("/runway/pro/generate", json=REVERSE).status_code == 200
    assert client.get(f"/runwayml/v1/tasks/{task}").status_code == 200
    assert client.post("/runway/feed", json={"task_id": task}).status_code == 200
    assert client.post("/runwayml/v1/image_to_video", json=body()).status_code == 400


@pytest.mark.parametrize(
    ("form", "status", "name"),
    [
        ("envelope_400", 400, "cometapi.tasks.error.task_not_exist_400"),
        ("status_200", 200, "cometapi.tasks.read.task_not_exist_200"),
        ("empty_record", 200, "rixapi.feed.read.accepted_empty_record"),
    ],
)
def test_forms_of_task_not_exist(
    client: TestClient, create: Any, clock: FakeClock, form: str, status: int, name: str
) -> None:
    choose(client, cometapi_visible_after=5, task_not_exist=form)
    task = create("/runwayml")
    for answer in (
        client.get(f"/runwayml/v1/tasks/{task}"),
        client.post("/runway/feed", json={"task_id": task}),
    ):
        assert answer.status_code == status
        documented = sample(name)
        if form == "empty_record":
            documented["data"]["task_id"] = task
        assert answer.json() == documented
    clock.pass_seconds(5)
    assert client.get(f"/runwayml/v1/tasks/{task}").json()["id"] == task


@pytest.mark.parametrize("wrong", [b"", b"{}", b"[]", b'{"task_id": 5}'])
def test_a_feed_without_an_id(client: TestClient, wrong: bytes) -> None:
    assert client.post("/runway/feed", content=wrong).status_code == 400


GPTPLUS5 = {
    "raw": ("response.raw", [None, None, "tasks.read.raw_succeeded"]),
    "luma": ("response.sample", ["tasks.read.sample_pending", None, "tasks.read.luma_completed"]),
    "kling": ("response.table", [None, "tasks.read.table", None]),
}


@pytest.mark.parametrize("form", GPTPLUS5)
def test_gptplus5(client: TestClient, clock: FakeClock, form: str) -> None:
    created, names = GPTPLUS5[form]
    choose(client, runwayml_gateway="gptplus5", gptplus5_shapes=form)
    client.headers.pop("x-runway-version")
    answer = client.post("/runwayml/v1/image_to_video", json=body(duration=..., watermark=False)).json()
    documented = sample(f"gptplus5.image_to_video.{created}")
    assert (shape(answer), words(answer)) == (shape(documented), words(documented))
    task = answer["id"] if "id" in answer else answer["data"]["task_id"]
    read = life(client, clock, lambda: client.get(f"/runwayml/v1/tasks/{task}"))
    for shown, name in zip(read, names, strict=True):
        if name is not None:
            documented = sample(f"gptplus5.{name}")
            assert (keys(shown), words(shown)) == (keys(documented), words(documented))
    assert client.get("/runwayml/v1/tasks/unknown").json()["code"] == "task_not_exist"
    choose(client, runwayml_gateway="cometapi")
    assert client.get(f"/runwayml/v1/tasks/{task}").status_code == 400


def test_a_failure_on_gptplus5(client: TestClient, clock: FakeClock) -> None:
    choose(client, runwayml_gateway="gptplus5", gptplus5_shapes="luma")
    fail(client)
    task = client.post("/runwayml/v1/image_to_video", json=body()).json()["id"]
    clock.pass_seconds(31)
    shown = client.get(f"/runwayml/v1/tasks/{task}").json()
    documented = sample("gptplus5.tasks.read.luma_failed")
    assert (keys(shown), shown["state"]) == (keys(documented), documented["state"])
    choose(client, gptplus5_shapes="kling")
    assert client.get(f"/runwayml/v1/tasks/{task}").json()["data"]["task_status"] == "failed"


def test_money_and_limits_of_gateways(client: TestClient) -> None:
    choose(client, start_balance=15, max_daily=1)
    path = "/runwayml/v1/image_to_video"
    assert client.post(path, json=body(model="gen4.5")).json() == sample(
        "newapi.create.error.insufficient_balance_403"
    )
    assert client.post(path, json=body()).status_code == 200
    answer = client.post(path, json=body())
    assert (answer.status_code, answer.json()) == (429, sample("newapi.create.error.upstream_saturated_429"))
