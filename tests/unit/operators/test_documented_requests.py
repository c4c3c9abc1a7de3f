"""The documented requests leave the typed operators as they are printed in the documentation."""

from __future__ import annotations

import json

import pytest
from unit.samples import FOLDER
from unit.scripted import KEY, Scripted

from airflow_runway.operators import runway as operators

IMAGE, VIDEO = (
    "https://db.xiaohuhd.com/1.jpeg",
    "http://runwaycdn.rixapi.com/attachments/video/runway/20241015/",
)
CLIP = VIDEO + "82bc23c83b5c32e75059c8328df5cffb.mp4"

#: Sample → gateway, operator, arguments.
DOCUMENTED = {
    "cometapi.image_to_video.request.minimal": (
        "cometapi",
        operators.RunwayImageToVideoOperator,
        {
            "prompt_image": "https://cdn.britannica.com/70/234870-050-D4D024BB/"
            "Orange-colored-cat-yawns-displaying-teeth.jpg",
            "model": "gen3a_turbo",
        },
    ),
    "cometapi.video_to_video.request.aleph": (
        "cometapi",
        operators.RunwayVideoToVideoOperator,
        {
            "video_uri": "https://media.w3.org/2010/05/sintel/trailer.mp4",
            "prompt_text": "Make the motion feel cinematic.",
            "model": "gen4_aleph",
            "references": [{"type": "image", "uri": "https://res.cloudinary.com/demo/image/upload/dog.jpg"}],
            "ratio": "1280:720",
        },
    ),
    "cometapi.pro_generate.request.image": (
        "cometapi",
        operators.RunwayProGenerateOperator,
        {
            "callback_url": "http://baidu.com",
            "image": IMAGE,
            "model": "gen4",
            "prompt": "Smile, Eat Burger",
        },
    ),
    "cometapi.pro_video2video.request.restyle": (
        "cometapi",
        operators.RunwayProVideoToVideoOperator,
        {
            "callback_url": "http://baidu.com",
            "video": CLIP,
            "model": "gen4",
            "prompt": "pixelated style",
            "structure_transformation": 0.5,
            "flip": True,
        },
    ),
    "gptplus5.image_to_video.request.sample": (
        "gptplus5",
        operators.RunwayImageToVideoOperator,
        {
            "prompt_image": "https://www.bt.cn/bbs/template/qiao/style/image/btlogo.png",
            "model": "gen4_turbo",
            "prompt_text": "cat dance",
            "watermark": False,
            "duration": 5,
            "ratio": "1280:768",
        },
    ),
    "cometapi.pro_generate.request.text": (
        "cometapi",
        operators.RunwayProGenerateOperator,
        {
            "callback_url": "http://baidu.com",
            "ratio": "16:9",
            "prompt": "a cat",
            "style": "cinematic",
            "model": "gen4",
            "seconds": 10,
            "motion_vector": {
                "x": 0,
                "y": 0.3999999999999999,
                "z": 0,
                "r": -6,
                "bg_x_pan": 0,
                "bg_y_pan": 0,
            },
        },
    ),
    "cometapi.pro_act_one.request.expression": (
        "cometapi",
        operators.RunwayProActOneOperator,
        {
            "video": CLIP.replace("http:", "https:"),
            "image": IMAGE,
            "callback_url": "https://example.com/webhook",
        },
    ),
    "cometapi.character_performance.request.act_two": (
        "cometapi",
        operators.RunwayCharacterPerformanceOperator,
        {
            "character": {
                "type": "video",
                "uri": "https://filesystem.site/cdn/20250818/wAKbHUoj5EHyqZvEdJbFXn10wXBMUn.mp4",
            },
            "reference": {
                "type": "video",
                "uri": "https://filesystem.site/cdn/20250818/wAKbHUoj5EHyqZvEdJbFXn10wXBMUn.mp4",
            },
            "body_control": "True",
            "expression_intensity": "3",
            "seed": 4294967295,
            "model": "act_two",
            "ratio": "1280:720",
            "content_moderation": {"publicFigureThreshold": "auto"},
        },
    ),
    "cometapi.text_to_image.request.with_reference": (
        "cometapi",
        operators.RunwayTextToImageOperator,
        {
            "model": "gen4_image",
            "prompt_text": "A paper boat on calm water",
            "ratio": "1280:720",
            "reference_images": [{"uri": "https://example.com/boat.jpg", "tag": "boat"}],
        },
    ),
    "cometapi.video_upscale.request.upscale_v1": (
        "cometapi",
        operators.RunwayVideoUpscaleOperator,
        {"video_uri": "https://example.com/clip.mp4", "model": "upscale_v1"},
    ),
    "runway.image_to_video.request.gen4_turbo": (
        "runway",
        operators.RunwayImageToVideoOperator,
        {
            "model": "gen4_turbo",
            "prompt_image": "https://example.com/image.jpg",
            "ratio": "1280:720",
            "prompt_text": "A slow push in",
            "duration": 5,
        },
    ),
    "runway.text_to_video.request.gen4_5": (
        "runway",
        operators.RunwayTextToVideoOperator,
        {
            "model": "gen4.5",
            "prompt_text": "A paper boat gently rocks on calm water",
            "ratio": "1280:720",
            "duration": 5,
        },
    ),
    "runway.video_to_video.request.aleph2": (
        "runway",
        operators.RunwayVideoToVideoOperator,
        {"model": "aleph2", "video_uri": "https://example.com/clip.mp4", "prompt_text": "Make it snow"},
    ),
}


def creates():
    """The samples that are requests of a create route."""
    for path in sorted(FOLDER.glob("*.request.*.json")):
        whole = json.loads(path.read_text())
        if whole["http"]["path"].startswith("/") and not any(
            word in path.name for word in ("feed", "uploads", "organization", "restyle_newer")
        ):
            yield path.stem


def test_no_documented_create_is_left_out():
    assert set(creates()) == set(DOCUMENTED)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_documented_request(name, gateway_server, set_connection, context):
    gateway, operator, arguments = DOCUMENTED[name]
    set_connection(gateway_server.url, allow_insecure_http=True, gateway=gateway)
    gateway_server.answers(Scripted(200, {"id": "t1"}))
    assert operator(task_id="task", **arguments).execute(context) == "t1"
    whole = json.loads((FOLDER / f"{name}.json").read_text())
    (arrived,) = gateway_server.arrived
    assert (arrived.method, arrived.path) == (whole["http"]["method"], whole["http"]["path"])
    assert arrived.body == whole["body"]
    # Python takes 5 for 5.0 and 1 for True; JSON text does not.
    assert json.dumps(arrived.body, sort_keys=True) == json.dumps(whole["body"], sort_keys=True)
    assert arrived.headers["authorization"] == f"Bearer {KEY}"
    assert arrived.headers["content-type"] == "application/json"
    assert arrived.headers["x-runway-version"] == "2024-11-06"


@pytest.mark.parametrize(
    "name",
    sorted({name for name in operators.__all__ if name.endswith("Operator")} - {"RunwayBatchOperator"}),
)
def test_every_field_is_a_template(name):
    operator = getattr(operators, name)
    wanted = {"payload", "route", "runway_conn_id", "is_dry_run", *getattr(operator, "fields", ())}
    assert set(operator.template_fields) == wanted


@pytest.mark.parametrize(
    "name",
    sorted({name for name in operators.__all__ if name.endswith("Operator")} - {"RunwayBatchOperator"}),
)
def test_every_route_of_a_typed_operator_exists_somewhere(name):
    from airflow_runway.core.protocol.gateways import GATEWAYS

    route = getattr(getattr(operators, name), "fixed_route", "image_to_video")
    assert any(gateway.create(route) for gateway in GATEWAYS.values())
