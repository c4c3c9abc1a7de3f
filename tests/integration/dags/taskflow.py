"""Decorated functions wherever TaskFlow has them: mapped, in groups, native, between a set-up and a tear-down."""

from __future__ import annotations

from airflow.sdk import DAG, setup, task, task_group, teardown

CLIP = {"model": "gen4.5", "ratio": "1280:720", "duration": 2}

with DAG(
    "taskflow", schedule=None, params={"look": "at dusk", "seconds": 2}, render_template_as_native_obj=True
) as dag:

    @task
    def scenes() -> list[str]:
        return ["a fox", "a lighthouse"]

    @task.runway(route="text_to_video", wait_for_completion=True)
    def film(scene: str, look: str) -> dict:
        return {**CLIP, "promptText": f"{scene} {look}"}

    @task.runway(route="text_to_video")
    def native(seconds: int) -> dict:
        # With native rendering a number stays a number.
        return {**CLIP, "promptText": type(seconds).__name__, "duration": seconds}

    @task_group
    def shot(scene: str):
        @task.runway(route="text_to_video", wait_for_completion=True, deferrable=False)
        def take(scene: str) -> dict:
            return {**CLIP, "promptText": f"take of {scene}"}

        return take(scene)

    @task.runway_batch(route="text_to_video", label_field="promptText")
    def reel(films: list[dict], params=None) -> list[dict]:
        return [
            {**CLIP, "promptText": f"{number} {one['status']} {params['look']}"}
            for number, one in enumerate(films)
        ]

    @setup
    @task
    def prepare() -> str:
        return "ready"

    @teardown
    @task
    def tidy() -> str:
        return "tidied"

    found = scenes()
    films = film.partial(look="{{ params.look }}").expand(scene=found)
    native("{{ params.seconds }}")
    shot.expand(scene=found)
    prepare() >> reel(films) >> tidy()
