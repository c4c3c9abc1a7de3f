"""What a person does in Airflow's UI, in a real browser: connect, start, watch, play, compare, choose, read an error.

Pictures of the screens go to the folder ``RUNWAY_SCREENS``, where it is set; some are those of the documentation.
"""

from __future__ import annotations

import io
import os
from urllib.parse import quote

import pytest
from airflow import __version__ as airflow_version
from integration.support import KEY
from integration.ui.browser import Person, chromium
from integration.ui.conftest import PASSWORDS

from airflow_runway.emulator.rendering.stills import still

pytestmark = pytest.mark.skipif(
    airflow_version < "3.3",
    reason="The forms of Airflow 3.1 and 3.2 have other fields; their pages: test_tour.",
)


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def screens(tmp_path_factory):
    folder = os.environ.get("RUNWAY_SCREENS")
    if folder:
        os.makedirs(folder, exist_ok=True)
        return folder
    return tmp_path_factory.mktemp("screens")


@pytest.fixture
def person(browser, guarded, screens):
    """Opens a window for somebody; all of them are closed, and none had an error in its scripts."""
    opened = []

    def somebody(name=None, **options):
        login = (name, PASSWORDS[name]) if name else None
        opened.append(Person(browser, guarded.base_url, screens, login, **options))
        return opened[-1]

    yield somebody
    for one in opened:
        one.close()
    assert [trouble for one in opened for trouble in one.troubles] == []


def run_path(dag_id, run_id, rest=""):
    return f"/dags/{dag_id}/runs/{quote(run_id, safe='')}{rest}"


def wait_for_state(guarded, dag_id, run_id, task_id, states, timeout=120):
    def is_so():
        return any(
            one["task_id"] == task_id and one["state"] in states
            for one in guarded.task_instances(dag_id, run_id)
        )

    guarded.wait_until(is_so, timeout, f"{task_id} in {states}")


@pytest.mark.parametrize("gateway", ["runway", "cometapi", "gptplus5"])
def test_a_connection_is_made_in_the_form(gateway, person, guarded, running_emulator):
    admin = person("admin")
    page = admin.open("/connections")
    page.get_by_role("button", name="Add Connection").click()
    form = page.get_by_role("dialog")
    form.locator("input[name=connection_id]").fill(f"by_form_{gateway}")
    form.get_by_role("combobox").first.fill("Runway")
    page.get_by_role("option", name="Runway", exact=True).click()
    form.locator("input[name=host]").fill(running_emulator.url)
    form.locator("input[name=password]").fill(KEY)
    form.get_by_role("button", name="Extra Fields", exact=True).click()
    if gateway != "runway":
        form.get_by_role("combobox").nth(1).click()
        page.get_by_role("option", name=gateway, exact=True).click()
    form.locator("label", has=page.locator("input[name=element_allow_insecure_http]")).click()
    admin.shoot(f"connection-{gateway}")
    form.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("row").filter(has_text=f"by_form_{gateway}").wait_for()
    saved = guarded.request("GET", f"/api/v2/connections/by_form_{gateway}")
    assert (saved["conn_type"], saved["host"], saved["port"]) == ("runway", running_emulator.url, None)
    assert f'"gateway": "{gateway}"' in saved["extra"]
    assert '"allow_insecure_http": true' in saved["extra"]


def test_a_run_with_the_example_s_own_picture(person, guarded, emulator):
    emulator.settings(seconds=60)
    admin = person("admin")
    page = admin.open("/dags/image_to_video")
    page.get_by_role("button", name="Trigger").first.click()
    form = page.get_by_role("dialog")
    form.locator("input[name=element_destination]").fill(f"file://{guarded.folder}/by_hand")
    admin.shoot("trigger")
    form.get_by_role("button", name="Trigger", exact=True).click()
    page.wait_for_url(lambda url: "/runs/" in url)
    (run,) = guarded.request("GET", "/api/v2/dags/image_to_video/dagRuns")["dag_runs"]
    run_id = run["dag_run_id"]

    admin.open(run_path("image_to_video", run_id, "/tasks/wait"))
    page.get_by_text("Deferred", exact=True).first.wait_for(timeout=60_000)
    admin.shoot("deferred")
    assert guarded.wait_for_run("image_to_video", run_id) == "success"

    admin.open(run_path("image_to_video", run_id, "/tasks/save"))
    page.get_by_role("link", name="Clips").click()
    clips = admin.framed(".tile.saved")
    admin.shoot("clips")
    clips.locator(".tile .show").click()
    player = clips.locator("#stage video")
    player.wait_for()
    page.wait_for_function(
        "() => document.querySelector('iframe').contentDocument.querySelector('#stage video').readyState === 4"
    )
    ready, duration = player.evaluate("one => { one.pause(); return [one.readyState, one.duration]; }")
    assert (ready, duration) == (4, pytest.approx(5, abs=0.1))
    # Seeking needs ranges: without them Chromium goes back to the beginning.
    at = player.evaluate(
        "one => new Promise(done => { one.onseeked = () => done(one.currentTime); one.currentTime = 3.5; })"
    )
    assert at == pytest.approx(3.5, abs=0.1)
    before = player.evaluate("one => one.currentTime")
    page.keyboard.press("ArrowLeft")
    assert player.evaluate("one => one.currentTime") == pytest.approx(before - 1, abs=0.1)
    admin.shoot("stage")
    page.keyboard.press("Escape")
    assert clips.locator("#stage[open]").count() == 0


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 400)])
def test_the_gallery_of_a_mapped_run(scheme, width, person, guarded, finished):
    guest = person("guest", color_scheme=scheme, viewport={"width": width, "height": 800})
    page = guest.open(run_path("ours", finished["ours"], "/plugin/runway-gallery"))
    gallery = guest.framed(".tile.saved")
    assert gallery.locator("h3").all_inner_texts() == ["a lighthouse", "夜の東京"]
    assert gallery.locator("nav a").all_inner_texts() == ["all 2", "saved 2"]
    gallery.locator("img").first.evaluate("one => one.decode()")
    guest.shoot(f"gallery-{scheme}-{width}")
    assert gallery.locator("html").evaluate("one => one.scrollWidth <= one.clientWidth")
    for number in (0, 1):
        gallery.locator(".pick").nth(number).check()
    gallery.locator("#compare").click()
    gallery.locator("#stage video").nth(1).wait_for()
    times = gallery.locator("#stage").evaluate(
        """async stage => {
            const both = [...stage.querySelectorAll("video")];
            await Promise.all(both.map(one => one.readyState >= 3 || new Promise(ok => one.oncanplay = ok)));
            both[0].pause();
            both[0].currentTime = 1;
            await new Promise(ok => both[1].addEventListener("seeked", ok, {once: true}));
            return both.map(one => one.currentTime);
        }"""
    )
    assert times == [pytest.approx(1, abs=0.1)] * 2
    guest.shoot(f"compare-{scheme}-{width}")
    page.keyboard.press("Escape")


def test_a_batch_in_flight(person, guarded, emulator):
    emulator.settings(seconds=600)
    run_id = guarded.trigger_dag("batch_in_flight", {"folder": f"file://{guarded.folder}/batch"})
    wait_for_state(guarded, "batch_in_flight", run_id, "batch", {"deferred"})
    guest = person("guest")
    page = guest.open(run_path("batch_in_flight", run_id, "/tasks/batch"))
    page.get_by_role("link", name="Clips").click()
    clips = guest.framed(".tile.running")
    assert "0 of 6 there" in clips.locator(".batch h2").inner_text()
    assert clips.locator(".tile.running").count() == 2
    # What was not sent yet has no record, and is only counted.
    assert clips.locator("h3").all_inner_texts() == ["shot 0", "shot 1"]
    assert "2 running" in clips.locator(".batch p").inner_text()
    guest.shoot("batch")
    guest.open(run_path("batch_in_flight", run_id, "/plugin/runway-gallery"))
    assert "0 of 6 there" in guest.framed(".batch").locator(".batch h2").inner_text()
    guarded.request(
        "PATCH", f"/api/v2/dags/batch_in_flight/dagRuns/{quote(run_id, safe='')}", {"state": "failed"}
    )


def test_a_person_chooses(person, guarded, emulator):
    emulator.settings(seconds=1)
    run_id = guarded.trigger_dag("review", {"folder": f"file://{guarded.folder}"})
    wait_for_state(guarded, "review", run_id, "choose", {"awaiting_input", "deferred"})
    admin = person("admin")
    page = admin.open(run_path("review", run_id, "/tasks/choose/required_actions"))
    pictures = page.locator("img[alt=A], img[alt=B]")
    pictures.nth(5).wait_for()
    for number in range(6):
        width, natural = pictures.nth(number).evaluate(
            "async one => { await one.decode(); return [one.getBoundingClientRect().width, one.naturalWidth]; }"
        )
        assert (width <= 301, natural > 300) == (True, True)
    admin.shoot("review")
    # A stranger's prompt is words, and nothing of it is markup.
    assert page.get_by_text("a red shoe | on <b>sand</b>").count() >= 1
    fields = page.locator("[role=combobox]").filter(has_not_text="Show")
    for number, word in enumerate(["B", "none", "A"]):
        fields.nth(number).click()
        page.get_by_role("option", name=word, exact=True).click()
    page.locator("input[name=element_shot_001_note]").fill("warmer, please")
    page.get_by_role("button", name="Use these choices").scroll_into_view_if_needed()
    admin.shoot("review-fields")
    page.get_by_role("button", name="Use these choices").click()
    assert guarded.wait_for_run("review", run_id) == "success"
    review = guarded.xcom("review", run_id, "choose", "review")
    assert review["ending"] == "chosen"
    assert [shot["variant"] for shot in review["shots"]] == ["B", None, "A"]
    assert (review["shots"][0]["note"], review["responded_by"]) == ("warmer, please", "admin")


TABLE = """product,photo,scene,motion
Lamp,{Lamp},on an oak table,a slow push in
Chair,{Chair},by a tall window,the light wanders
"""


def photo(emulator, product):
    """The address of a picture of something."""
    file = io.BytesIO()
    still(None, product, (1280, 720)).save(file, "JPEG")
    return emulator.put_media(f"{product}.jpg", file.getvalue())


def test_a_campaign_is_chosen_and_seen(person, guarded, emulator):
    """Two keyframes of each shot: looked at, chosen, filmed, and looked at again."""
    emulator.settings(seconds=5)
    table = guarded.folder.parent / "products.csv"
    table.write_text(TABLE.format(**{product: photo(emulator, product) for product in ("Lamp", "Chair")}))
    conf = {"products": f"file://{table}", "seconds": 2, "destination": f"file://{guarded.folder}/campaign"}
    run_id = guarded.trigger_dag("campaign", conf)
    wait_for_state(guarded, "campaign", run_id, "choose", {"awaiting_input", "deferred"}, 240)
    admin = person("admin")
    page = admin.open(run_path("campaign", run_id, "/tasks/choose/required_actions"))
    page.locator("img[alt=B]").nth(3).wait_for()
    page.locator("img[alt=B]").first.evaluate("one => one.decode()")
    admin.shoot("review-campaign")
    fields = page.locator("[role=combobox]").filter(has_not_text="Show")
    for number, word in enumerate(["A", "none", "B", "A"]):
        fields.nth(number).click()
        page.get_by_role("option", name=word, exact=True).click()
    page.get_by_role("button", name="Use these choices").click()
    assert guarded.wait_for_run("campaign", run_id, 240) == "success"
    film = guarded.xcom("campaign", run_id, "cut")
    assert [part["shot"] for part in film["parts"]] == [1, 3, 4]
    assert [part["shot"] for part in film["left_out"]] == [2]

    page = admin.open(run_path("campaign", run_id, "/plugin/runway-gallery"))
    gallery = admin.framed(".tile.saved")
    labels = gallery.locator(".tile h3").all_inner_texts()
    shots = [
        f"{product}, {look}"
        for product in ("Lamp", "Chair")
        for look in ("soft morning light", "neon at night")
    ]
    assert [one for one in labels if one in shots] == [shots[0], shots[2], shots[3]]
    assert [one for one in labels if one not in shots] == [f"{shot}, {one}" for shot in shots for one in "AB"]
    gallery.locator("img").last.scroll_into_view_if_needed()
    gallery.locator("img").last.evaluate("one => one.decode()")
    gallery.locator("img").first.scroll_into_view_if_needed()
    admin.shoot("gallery-campaign")


def test_who_sees_what(person, guarded, finished):
    nobody = person()
    page = nobody.open(run_path("ours", finished["ours"], "/plugin/runway-gallery"))
    page.wait_for_url(lambda url: "login" in url)
    answer = nobody.page.request.get(
        f"{guarded.base_url}/runway/gallery/ours?run_id={quote(finished['ours'])}"
    )
    assert answer.status == 401
    guest = person("guest")
    path = f"{guarded.base_url}/runway/gallery/theirs?run_id={quote(finished['theirs'])}"
    assert guest.page.request.get(path).status == 403
    admin = person("admin")
    assert admin.page.request.get(path).status == 200


def test_an_error_is_read_without_scrolling(person, guarded, emulator):
    run_id = guarded.trigger_dag("refused", {})
    assert guarded.wait_for_run("refused", run_id) == "failed"
    admin = person("admin")
    page = admin.open(run_path("refused", run_id, "/tasks/submit"))
    report = page.locator("text=/ratio: Invalid/").first
    report.wait_for()
    # The log view scrolls to its end by itself.
    end = page.get_by_text("Post Execute").first
    guarded.wait_until(lambda: admin.is_seen(end), 30, "the end of the log")
    admin.shoot("error")
    for words in (
        "ratio: Invalid",
        "then clear this task.",
        "Cost: nothing",
        "Retry: none",
        "See: docs/errors.md",
    ):
        (line,) = [one for one in page.get_by_text(words).all() if one.is_visible()][-1:]
        assert admin.is_seen(line), words
