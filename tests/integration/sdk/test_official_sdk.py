"""A client that nobody here wrote: the official ``runwayml`` SDK against the emulator as a process.

The suite says that the emulator speaks what Runway's own client expects: every resource that creates a task, the
wait helpers with each ending, deletion, both hops of an upload, the account, and workflows.
"""

from __future__ import annotations

import io
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from airflow_runway.emulator.process import EmulatorProcess, emulator_process

runwayml = pytest.importorskip("runwayml")
polling = pytest.importorskip("runwayml.lib.polling")

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEY = "key_" + "0" * 128
IMAGE = "image"
VIDEO = "video"
AUDIO = "audio"

#: Resource path of the SDK → arguments; ``image``, ``video`` and ``audio`` stand for links to files.
CREATIONS: dict[str, dict[str, Any]] = {
    "text_to_video.create": {"model": "gen4.5", "prompt_text": "a boat", "ratio": "1280:720", "duration": 2},
    "image_to_video.create": {"model": "gen4_turbo", "prompt_image": IMAGE, "ratio": "1280:720", "duration": 2},
    "video_to_video.create": {"model": "aleph2", "video_uri": VIDEO, "prompt_text": "dusk"},
    "character_performance.create": {
        "model": "act_two",
        "character": {"type": "image", "uri": IMAGE},
        "reference": {"type": "video", "uri": VIDEO},
    },
    "text_to_image.create": {
        "model": "gen4_image",
        "prompt_text": "a boat",
        "ratio": "1280:720",
        "reference_images": [{"uri": IMAGE, "tag": "boat"}],
    },
    "video_upscale.create": {"model": "magnific_video_upscaler_creative", "video_uri": VIDEO},
    "image_upscale.create": {"model": "magnific_precision_upscaler_v2", "image_uri": IMAGE},
    "video_to_audio.create": {"model": "mirelo_sfx_2_0", "video_uri": VIDEO, "duration": 2},
    "video_to_hdr.create": {"model": "ruby", "video_uri": VIDEO},
    "sound_effect.create": {"model": "eleven_text_to_sound_v2", "prompt_text": "waves"},
    "text_to_speech.create": {
        "model": "eleven_multilingual_v2",
        "prompt_text": "ahoy",
        "voice": {"type": "runway-preset", "preset_id": "Maya"},
    },
    "speech_to_speech.create": {
        "model": "eleven_multilingual_sts_v2",
        "media": {"type": "audio", "uri": AUDIO},
        "voice": {"type": "runway-preset", "preset_id": "Maya"},
    },
    "voice_dubbing.create": {"model": "eleven_voice_dubbing", "audio_uri": AUDIO, "target_lang": "en"},
    "voice_isolation.create": {"model": "eleven_voice_isolation", "audio_uri": AUDIO},
    "avatar_videos.create": {
        "model": "gwm1_avatars",
        "avatar": {"type": "runway-preset", "preset_id": "cat-character"},
        "speech": {"type": "audio", "audio": AUDIO},
    },
    "generate.video.create": {"config_id": "default", "input": {"prompt_text": "a boat", "duration": 2}},
    "generate.image.create": {"config_id": "default", "input": {"prompt_text": "a boat"}},
    "generate.audio.create": {"config_id": "default", "input": {"prompt_text": "ahoy", "type": "speech"}},
    "recipes.ad_localization": {
        "reference_image": {"uri": IMAGE}, "target_language": "de", "version": "2026-06",
    },
    "recipes.marketing_stock_image": {"prompt": "a boat", "version": "2026-06"},
    "recipes.multi_shot_video": {"mode": "auto", "prompt": "a boat", "version": "2026-06"},
    "recipes.product_ad": {"product_images": [{"uri": IMAGE}], "version": "2026-06"},
    "recipes.product_campaign_image": {"image": {"uri": IMAGE}, "prompt": "a boat", "version": "2026-06"},
    "recipes.product_swap": {
        "new_product_images": [{"uri": IMAGE}],
        "original_product_image": {"uri": IMAGE},
        "reference_video": {"uri": VIDEO},
        "version": "2026-06",
    },
    "recipes.product_ugc": {
        "character_image": {"uri": IMAGE}, "product_image": {"uri": IMAGE}, "version": "2026-06",
    },
}  # fmt: skip
#: Resources of the SDK that create something, but no generation.
NO_GENERATIONS = {"avatar_conversations", "avatars", "documents", "realtime_sessions", "routers", "voices"}


@pytest.fixture(scope="module")
def process() -> Iterator[EmulatorProcess]:
    with emulator_process(speed=1500, api_keys=[KEY]) as process:
        yield process


@pytest.fixture
def emulator(process: EmulatorProcess, monkeypatch: pytest.MonkeyPatch) -> EmulatorProcess:
    process.reset()
    monkeypatch.setattr(polling, "POLL_TIME", 0.02)
    monkeypatch.setattr(polling, "POLL_JITTER", 0.0)
    return process


@pytest.fixture
def client(emulator: EmulatorProcess) -> Iterator[Any]:
    # No repetition: what works does so at the first attempt.
    with runwayml.RunwayML(api_key=KEY, base_url=emulator.url, max_retries=0) as client:
        yield client


@pytest.fixture
def links(emulator: EmulatorProcess) -> dict[str, str]:
    sound = b"RIFF" + b"\0" * 600
    return {
        IMAGE: emulator.put_media("boat.png", picture()),
        VIDEO: "https://example.com/boat.mp4",
        AUDIO: emulator.put_media("boat.wav", sound),
    }


def picture() -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((96, 64), 40).save(buffer, "PNG")
    return buffer.getvalue()


def linked(value: Any, links: dict[str, str]) -> Any:
    """The arguments with their links filled in; the word after ``type`` is no link."""
    if isinstance(value, dict):
        return {key: item if key == "type" else linked(item, links) for key, item in value.items()}
    if isinstance(value, list):
        return [linked(item, links) for item in value]
    return links.get(value, value) if isinstance(value, str) else value


def method(client: Any, path: str) -> Callable[..., Any]:
    for name in path.split("."):
        client = getattr(client, name)
    called: Callable[..., Any] = client
    return called


def image_to_video(client: Any, links: dict[str, str]) -> Any:
    return client.image_to_video.create(**linked(CREATIONS["image_to_video.create"], links))


@pytest.mark.parametrize("path", CREATIONS)
def test_every_resource_creates_and_waits(client: Any, links: dict[str, str], path: str) -> None:
    task = method(client, path)(**linked(CREATIONS[path], links))
    done = task.wait_for_task_output(timeout=4)
    assert (done.id, done.status) == (task.id, "SUCCEEDED")
    assert done.output[0].startswith("http://127.0.0.1:")
    assert done.created_at.tzinfo is not None
    assert done.cost.credits > 0
    if path.startswith("generate."):
        assert task.routing.estimated_cost.credits == done.cost.credits
    elif path != "avatar_videos.create":
        assert task.estimated_cost.credits == done.cost.credits


def test_no_creating_resource_is_left_out() -> None:
    client = runwayml.RunwayML(api_key=KEY)
    creating = {name for name in dir(client) if hasattr(getattr(client, name), "create")}
    assert creating - {path.partition(".")[0] for path in CREATIONS} <= NO_GENERATIONS


def test_a_task_that_fails(client: Any, emulator: EmulatorProcess, links: dict[str, str]) -> None:
    emulator.add_fault(on="create", kind="fail_task", failure="Flagged.", failure_code="SAFETY.INPUT.IMAGE")
    with pytest.raises(runwayml.TaskFailedError) as caught:
        image_to_video(client, links).wait_for_task_output(timeout=4)
    details = caught.value.task_details
    assert (details.status, details.failure, details.failure_code) == (
        "FAILED",
        "Flagged.",
        "SAFETY.INPUT.IMAGE",
    )
    assert details.cost.credits == 0


def test_a_task_that_is_cancelled(client: Any, emulator: EmulatorProcess, links: dict[str, str]) -> None:
    emulator.add_fault(on="create", kind="stall_task")
    task = image_to_video(client, links)
    assert client.tasks.delete(task.id) is None
    with pytest.raises(runwayml.NotFoundError):
        task.wait_for_task_output(timeout=4)
    with pytest.raises(runwayml.NotFoundError):
        client.tasks.delete(task.id)
    emulator.settings(cancelled_reads="variant")
    assert client.tasks.retrieve(task.id).status == "CANCELLED"
    # The blocking helper of this SDK does not end on CANCELLED: only its own time limit ends it.
    with pytest.raises(runwayml.TaskTimeoutError):
        task.wait_for_task_output(timeout=0.1)


async def test_the_async_client(emulator: EmulatorProcess, links: dict[str, str]) -> None:
    async with runwayml.AsyncRunwayML(api_key=KEY, base_url=emulator.url, max_retries=0) as client:
        done = await (await image_to_video(client, links)).wait_for_task_output(timeout=4)
        assert done.status == "SUCCEEDED"
        emulator.settings(cancelled_reads="variant")
        emulator.add_fault(on="create", kind="stall_task")
        task = await image_to_video(client, links)
        await client.tasks.delete(task.id)
        with pytest.raises(runwayml.TaskFailedError) as caught:
            await task.wait_for_task_output(timeout=4)
        assert caught.value.task_details.status == "CANCELLED"


def test_the_list_of_a_routers_requests(client: Any, links: dict[str, str]) -> None:
    """Strictly: the official client's own models, which a list must satisfy without a member too many."""
    tasks = [
        method(client, "generate.video.create")(**CREATIONS["generate.video.create"]).id for _ in range(3)
    ]
    (router,) = client.routers.list(limit=50)
    assert router.slug == "default"
    assert client.routers.retrieve(router.id).slug == "default"
    rows = list(client.routers.list_requests(router.id, limit=2))
    assert sorted(row.task_id for row in rows) == sorted(tasks)
    for row in [*rows, router]:
        assert not type(row).model_validate_json(row.to_json(), strict=True).model_extra
    assert rows[0].created_at.tzinfo is not None


def test_throttled_tasks_are_waited_for(
    client: Any, emulator: EmulatorProcess, links: dict[str, str]
) -> None:
    emulator.settings(max_concurrent=1, seconds=150)
    tasks = [image_to_video(client, links) for _ in range(3)]
    assert client.tasks.retrieve(tasks[-1].id).status == "THROTTLED"
    assert [task.wait_for_task_output(timeout=4).status for task in tasks] == ["SUCCEEDED"] * 3


def test_refusals_are_the_exceptions_that_they_should_be(
    client: Any, emulator: EmulatorProcess, links: dict[str, str]
) -> None:
    with pytest.raises(runwayml.BadRequestError) as caught:
        client.image_to_video.create(model="gen4_turbo", prompt_image=links[IMAGE], ratio="16:9")
    assert caught.value.body["issues"][0]["path"] == ["ratio"]
    with pytest.raises(runwayml.AuthenticationError):
        client.with_options(api_key="key_other").organization.retrieve()
    emulator.settings(max_daily=1)
    image_to_video(client, links)
    with pytest.raises(runwayml.RateLimitError, match="daily generation limit"):
        image_to_video(client, links)


def test_an_upload_in_both_hops(
    client: Any, emulator: EmulatorProcess, links: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "boat.png"
    file.write_bytes(picture())
    made = client.uploads.create_ephemeral(file=file)
    assert made.uri.startswith("runway://")
    links = links | {IMAGE: made.uri}
    assert image_to_video(client, links).wait_for_task_output(timeout=4).status == "SUCCEEDED"
    hops = [entry for entry in emulator.requests() if "uploads" in entry["path"]]
    assert [(hop["status"], "authorization" in hop["headers"]) for hop in hops] == [(200, True), (204, False)]
    emulator.add_fault(on="upload", kind="status", status=429)
    with pytest.raises(runwayml.RateLimitError):
        client.uploads.create_ephemeral(file=file)


def test_the_account(client: Any, links: dict[str, str]) -> None:
    before = client.organization.retrieve()
    assert before.tier.models["gen4_turbo"].max_daily_generations is None
    image_to_video(client, links)
    after = client.organization.retrieve()
    assert before.credit_balance - after.credit_balance == 10
    assert after.usage.models["gen4_turbo"].daily_generations == 1
    today = datetime.now(UTC).date()
    usage = client.organization.retrieve_usage(start_date=today)
    assert usage.models == ["gen4_turbo"]
    assert (usage.results[0].date, usage.results[0].used_credits[0].amount) == (today, 10)


def test_a_workflow(client: Any, emulator: EmulatorProcess, links: dict[str, str]) -> None:
    emulator.add_fault(on="create", kind="node_errors", after=1)
    nodes = {"n1": {"image": {"type": "image", "uri": links[IMAGE]}}}
    runs = [client.workflows.run("wf-1", node_outputs=nodes) for _ in range(2)]
    deadline = time.monotonic() + 4
    while client.workflow_invocations.retrieve(runs[1].id).status != "SUCCEEDED":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    whole, partial = (client.workflow_invocations.retrieve(run.id) for run in runs)
    assert (len(whole.output), whole.node_errors) == (2, None)
    (error,) = partial.node_errors.values()
    assert (len(partial.output), error.failure_code) == (1, "INTERNAL")
    waited = partial.wait_for_task_output(timeout=4)
    assert waited.id == runs[1].id
    with pytest.raises(runwayml.NotFoundError):
        client.tasks.retrieve(runs[0].id)
