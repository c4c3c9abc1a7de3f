"""Every documented route, written down literally from the document, and neighbours that no page names.

The emulator takes its route table from the provider's own ``GATEWAYS``: a wrong path would be wrong on both
sides, and no other test would notice. So nothing in here comes from there.
"""

from __future__ import annotations

import base64
import io
import uuid
from typing import Any

from PIL import Image

#: Gateway, method, path, smallest body, documented headers.
Create = tuple[str, str, str, dict[str, Any], dict[str, str]]

JSON = {"Content-Type": "application/json"}
KEY = {"Authorization": "Bearer key_of_the_test"}
VERSION = {"X-Runway-Version": "2024-11-06"}
#: contracts §1, contracts §2: all of Runway's routes, and the creates of CometAPI's official format.
OFFICIAL = {**KEY, **VERSION, **JSON}
#: contracts §3: the header tables of the reverse format call the version optional.
REVERSE = {**KEY, **JSON}
#: contracts §4: no version header in the table of gptplus5.
GPTPLUS5 = {**KEY, **JSON, "Accept": "application/json"}


def image() -> str:
    content = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(content, "PNG")
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"


IMAGE = image()
VIDEO = "https://example.com/clip.mp4"
AUDIO = "https://example.com/voice.mp3"
#: An id that no task has.
NOWHERE = str(uuid.UUID(int=0, version=4))
CALLBACK = "http://127.0.0.1:9/callback"

#: contracts §1.1, and the bodies of its catalogue.
RUNWAY_CREATES: list[Create] = [
    ("runway", "POST", "/v1/text_to_video",
     {"model": "gen4.5", "promptText": "a boat", "ratio": "1280:720", "duration": 5}, OFFICIAL),
    ("runway", "POST", "/v1/image_to_video",
     {"model": "gen4_turbo", "promptImage": IMAGE, "ratio": "1280:720"}, OFFICIAL),
    ("runway", "POST", "/v1/video_to_video", {"model": "aleph2", "videoUri": VIDEO}, OFFICIAL),
    ("runway", "POST", "/v1/character_performance",
     {"model": "act_two", "character": {"type": "image", "uri": IMAGE},
      "reference": {"type": "video", "uri": VIDEO}}, OFFICIAL),
    ("runway", "POST", "/v1/text_to_image",
     {"model": "gen4_image", "promptText": "a boat", "ratio": "1280:720"}, OFFICIAL),
    ("runway", "POST", "/v1/video_upscale",
     {"model": "magnific_video_upscaler_creative", "videoUri": VIDEO}, OFFICIAL),
    ("runway", "POST", "/v1/image_upscale",
     {"model": "magnific_precision_upscaler_v2", "imageUri": IMAGE}, OFFICIAL),
    ("runway", "POST", "/v1/video_to_audio",
     {"model": "mirelo_sfx_2_0", "videoUri": VIDEO, "duration": 5}, OFFICIAL),
    ("runway", "POST", "/v1/video_to_hdr", {"model": "ruby", "videoUri": VIDEO}, OFFICIAL),
    ("runway", "POST", "/v1/sound_effect", {"model": "seed_audio", "promptText": "waves"}, OFFICIAL),
    ("runway", "POST", "/v1/text_to_speech", {"model": "seed_audio", "promptText": "hello"}, OFFICIAL),
    ("runway", "POST", "/v1/speech_to_speech",
     {"model": "eleven_multilingual_sts_v2", "media": {"type": "audio", "uri": AUDIO},
      "voice": {"type": "runway-preset", "presetId": "Maya"}}, OFFICIAL),
    ("runway", "POST", "/v1/voice_dubbing",
     {"model": "eleven_voice_dubbing", "audioUri": AUDIO, "targetLang": "en"}, OFFICIAL),
    ("runway", "POST", "/v1/voice_isolation",
     {"model": "eleven_voice_isolation", "audioUri": AUDIO}, OFFICIAL),
    ("runway", "POST", "/v1/avatar_videos",
     {"model": "gwm1_avatars", "avatar": {"type": "runway-preset", "presetId": "game-character"},
      "speech": {"type": "audio", "audio": AUDIO}}, OFFICIAL),
    ("runway", "POST", "/v1/generate/video", {"configId": "default-video", "input": {}}, OFFICIAL),
    ("runway", "POST", "/v1/generate/image",
     {"configId": "default-image", "input": {"promptText": "a boat"}}, OFFICIAL),
    ("runway", "POST", "/v1/generate/audio",
     {"configId": "default-audio", "input": {"type": "speech", "promptText": "hello"}}, OFFICIAL),
    ("runway", "POST", "/v1/recipes/ad_localization",
     {"version": "2026-06", "referenceImage": {"uri": IMAGE}, "targetLanguage": "ar"}, OFFICIAL),
    ("runway", "POST", "/v1/recipes/marketing_stock_image",
     {"version": "2026-06", "prompt": "a boat"}, OFFICIAL),
    ("runway", "POST", "/v1/recipes/multi_shot_video",
     {"version": "2026-06", "mode": "auto", "prompt": "a boat"}, OFFICIAL),
    ("runway", "POST", "/v1/recipes/product_ad",
     {"version": "2026-06", "productImages": [{"uri": IMAGE}]}, OFFICIAL),
    ("runway", "POST", "/v1/recipes/product_campaign_image",
     {"version": "2026-06", "image": {"uri": IMAGE}, "prompt": "a boat"}, OFFICIAL),
    ("runway", "POST", "/v1/recipes/product_swap",
     {"version": "2026-06", "newProductImages": [{"uri": IMAGE}], "originalProductImage": {"uri": IMAGE},
      "referenceVideo": {"uri": VIDEO}}, OFFICIAL),
    ("runway", "POST", "/v1/recipes/product_ugc",
     {"version": "2026-06", "characterImage": {"uri": IMAGE}, "productImage": {"uri": IMAGE}}, OFFICIAL),
]  # fmt: skip

#: contracts §1.7.
WORKFLOW_CREATE: Create = (
    "runway", "POST", "/v1/workflows/wf-1",
    {"nodeOutputs": {"n1": {"prompt": {"type": "primitive", "value": "a boat"}}}}, OFFICIAL,
)  # fmt: skip

#: contracts §2.1 to contracts §2.3.
COMETAPI_OFFICIAL_FORMAT: list[Create] = [
    ("cometapi", "POST", "/runwayml/v1/image_to_video",
     {"model": "gen3a_turbo", "promptImage": IMAGE}, OFFICIAL),
    ("cometapi", "POST", "/runwayml/v1/video_to_video",
     {"model": "gen4_aleph", "videoUri": VIDEO, "promptText": "at dusk"}, OFFICIAL),
    ("cometapi", "POST", "/runwayml/v1/text_to_image",
     {"model": "gen4_image", "promptText": "a boat", "ratio": "1280:720",
      "referenceImages": [{"uri": IMAGE}]}, OFFICIAL),
    ("cometapi", "POST", "/runwayml/v1/video_upscale",
     {"model": "upscale_v1", "videoUri": VIDEO}, OFFICIAL),
    ("cometapi", "POST", "/runwayml/v1/character_performance",
     {"model": "act_two", "character": {"type": "image", "uri": IMAGE},
      "reference": {"type": "video", "uri": VIDEO}}, OFFICIAL),
]  # fmt: skip

#: contracts §3.1, contracts §3.2.
COMETAPI_REVERSE_FORMAT: list[Create] = [
    ("cometapi", "POST", "/runway/pro/generate",
     {"callback_url": CALLBACK, "model": "gen4", "prompt": "a boat", "ratio": "16:9",
      "options": {"seconds": 5}}, REVERSE),
    ("cometapi", "POST", "/runway/pro/video2video",
     {"callback_url": CALLBACK, "video": VIDEO, "model": "gen4", "prompt": "at dusk",
      "options": {"structure_transformation": 0.5}}, REVERSE),
    ("cometapi", "POST", "/runway/pro/act_one",
     {"callback_url": CALLBACK, "video": VIDEO, "image": IMAGE}, REVERSE),
]  # fmt: skip

#: contracts §4.
GPTPLUS5_CREATE: Create = (
    "gptplus5", "POST", "/runwayml/v1/image_to_video",
    {"model": "gen4_turbo", "promptImage": IMAGE, "ratio": "1280:720", "seed": 1, "promptText": "a boat",
     "duration": 5}, GPTPLUS5,
)  # fmt: skip

CREATES = [
    *RUNWAY_CREATES,
    WORKFLOW_CREATE,
    *COMETAPI_OFFICIAL_FORMAT,
    *COMETAPI_REVERSE_FORMAT,
    GPTPLUS5_CREATE,
]
#: Neighbours of documented routes that no document names: other methods, other prefixes, other services' routes.
RUNWAY_NEIGHBOURS = [
    *(("GET", row[2]) for row in RUNWAY_CREATES),
    *((method, "/v1/image_to_video") for method in ("PUT", "PATCH", "DELETE")),
    ("POST", f"/v1/tasks/{NOWHERE}"),
    ("PUT", f"/v1/tasks/{NOWHERE}"),
    ("GET", "/v1/tasks"),
    ("POST", "/v1/tasks"),
    ("DELETE", "/v1/tasks"),
    ("DELETE", f"/v1/workflow_invocations/{NOWHERE}"),
    ("POST", f"/v1/workflow_invocations/{NOWHERE}"),
    ("GET", "/v1/workflows/wf-1"),
    ("POST", "/v1/workflows"),
    ("GET", "/v1/uploads"),
    ("POST", "/v1/organization"),
    ("GET", "/v1/organization/usage"),
    ("POST", "/v1/feed"),
    ("GET", "/v1/feed"),
    ("POST", "/v1/pro/generate"),
    ("POST", "/v1/generate"),
    ("POST", "/v1/recipes"),
    ("POST", "/v1/act_two"),
    ("POST", "/v1/Image_To_Video"),
    ("POST", "/v2/image_to_video"),
    ("POST", "/image_to_video"),
    ("GET", f"/tasks/{NOWHERE}"),
    ("POST", "/uploads"),
    ("GET", "/organization"),
    # Reads of gateways that are related to CometAPI (contracts §5).
    ("GET", f"/v1/runway/tasks/{NOWHERE}"),
    ("POST", "/pro/generate"),
    ("POST", "/feed"),
]
COMETAPI_NEIGHBOURS = [
    *(("GET", row[2]) for row in (*COMETAPI_OFFICIAL_FORMAT, *COMETAPI_REVERSE_FORMAT)),
    ("PUT", "/runwayml/v1/image_to_video"),
    # No cancel, no list, no uploads, no organization (contracts §2).
    ("DELETE", f"/runwayml/v1/tasks/{NOWHERE}"),
    ("POST", f"/runwayml/v1/tasks/{NOWHERE}"),
    ("GET", "/runwayml/v1/tasks"),
    ("POST", "/runwayml/v1/uploads"),
    ("GET", "/runwayml/v1/organization"),
    ("POST", "/runwayml/v1/organization/usage"),
    ("POST", "/runwayml/v1/text_to_video"),
    ("POST", "/runwayml/v1/image_upscale"),
    ("POST", "/runwayml/v1/workflows/wf-1"),
    ("GET", f"/runwayml/v1/workflow_invocations/{NOWHERE}"),
    ("POST", "/runwayml/v1/generate/video"),
    ("POST", "/runwayml/v1/pro/generate"),
    ("POST", "/runwayml/v1/feed"),
    ("POST", "/runwayml/feed"),
    ("POST", "/runwayml/image_to_video"),
    ("POST", "/runwayml/v2/image_to_video"),
    ("GET", "/runway/feed"),
    ("DELETE", "/runway/feed"),
    # Not documented anywhere (contracts §3.2), and paths of related services (contracts §5).
    ("POST", "/runway/pro/extend"),
    ("POST", "/runway/pro/act_two"),
    ("POST", "/runway/v1/pro/generate"),
    ("POST", "/runway/v1/pro/act_one"),
    ("POST", "/runway/v1/feed"),
    ("GET", f"/runway/v1/tasks/{NOWHERE}"),
    ("GET", f"/runway/tasks/{NOWHERE}"),
    ("POST", "/runway/image_to_video"),
    ("POST", "/runway/v1/image_to_video"),
]
GPTPLUS5_NEIGHBOURS = [
    ("GET", "/runwayml/v1/image_to_video"),
    *(("POST", row[2]) for row in COMETAPI_OFFICIAL_FORMAT[1:]),
    ("DELETE", f"/runwayml/v1/tasks/{NOWHERE}"),
    ("GET", "/runwayml/v1/tasks"),
    ("POST", "/runwayml/v1/uploads"),
    ("GET", "/runwayml/v1/organization"),
]
