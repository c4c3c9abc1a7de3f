"""A campaign: products in several looks become keyframes, a person approves them, then clips and one film.

- The table is a CSV with the columns ``product``, ``photo``, ``scene`` and ``motion``. Photos are
  ``https://`` addresses, or lie below a prefix of ``MEDIA_FROM``.
- Keyframes are cheap and come first. They are saved, and whoever approves may look at the files, and retouch them
  in their place. Clips are dear: nothing is spent on them before the approval, nor after a rejection.
- A shot that fails takes no other with it. The film is cut from what is there, in the order of the table, and the
  run fails and names what is missing. Clear the failed tasks with what is downstream: what has succeeded is
  taken up again and not paid for twice.
- Each film is an event of the asset ``campaign_film``.

Lies beside ``film_cutting.py``, which needs PyAV on the workers: ``pip install 'airflow-provider-runway[media]'``.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Asset, ObjectStoragePath, Param, task, task_group

from airflow_runway.operators.runway import RunwayImageToVideoOperator, RunwayTextToImageOperator
from airflow_runway.transfers.runway_to_object_storage import RunwayToObjectStorageOperator

FILM = Asset("campaign_film")
# Photos and keyframes lie here; a table that names anything else makes nobody read it.
MEDIA_FROM = ["s3://aws_default@bucket/", "file:///tmp/campaign/"]

# The file of a shot's keyframe. Without one the clip fails before anything is sent.
KEYFRAME = """
{%- set saved = ti.xcom_pull('keyframe.save', map_indexes=ti.map_index) -%}
{{ saved.files[0].path if saved else 'no keyframe' }}
"""

with DAG(
    dag_id="campaign",
    schedule=None,
    params={
        "products": Param(
            "file:///tmp/campaign/products.csv",
            type="string",
            title="Table, e.g. s3://aws_default@bucket/products.csv",
        ),
        "looks": Param(["soft morning light", "neon at night"], type="array", title="Looks of every product"),
        "seconds": Param(5, type="integer", minimum=2, maximum=10, title="Seconds of a clip"),
        "credits_per_second": Param(5, type="number", title="Price of the clips' model, for the estimate"),
        "music": Param("", type="string", title="Music under the film (any file with sound; empty: none)"),
        "destination": Param(
            "file:///tmp/campaign/film", type="string", title="Folder, e.g. s3://aws_default@bucket/spring"
        ),
    },
    tags=["runway"],
    doc_md=__doc__,
) as dag:

    @task
    def shots(params: Any = None) -> list[dict[str, str]]:
        """Every product in every look, in the order of the table."""
        import csv

        with ObjectStoragePath(params["products"]).open("r", encoding="utf-8-sig", newline="") as table:
            rows = [(row, look) for row in csv.DictReader(table) for look in params["looks"]]
        found = []
        for number, (row, look) in enumerate(rows, 1):
            slug = re.sub(r"\W+", "-", row["product"].lower())
            found.append(
                {
                    "product": row["product"],
                    "photo": row["photo"],
                    "picture": f"@product {row['scene']}, {look}",
                    "motion": row["motion"],
                    "file_name": f"{number:03}-{slug}-{{runway_task_id}}{{extension}}",
                }
            )
        return found

    @task_group
    def keyframe(product: str, photo: str, picture: str, motion: str, file_name: str) -> None:
        """A shot's first frame: two credits."""
        draw = RunwayTextToImageOperator(
            task_id="draw",
            model="gen4_image_turbo",
            prompt_text=picture,
            reference_images=[{"uri": photo, "tag": "product"}],
            media_from=MEDIA_FROM,
            ratio="1280:720",
            wait_for_completion=True,
            max_active_tis_per_dag=8,
        )
        draw >> RunwayToObjectStorageOperator(
            task_id="save",
            runway_task_id=draw.output["runway_task_id"],
            destination="{{ params.destination }}/keyframes",
            file_name=file_name,
        )

    @task_group
    def clip(product: str, photo: str, picture: str, motion: str, file_name: str) -> None:
        """A shot: five credits a second."""
        film = RunwayImageToVideoOperator(
            task_id="film",
            model="gen4_turbo",
            prompt_image=KEYFRAME,
            media_from=MEDIA_FROM,
            prompt_text=motion,
            ratio="1280:720",
            duration="{{ params.seconds }}",
            wait_for_completion=True,
            max_active_tis_per_dag=8,
        )
        film >> RunwayToObjectStorageOperator(
            task_id="save",
            runway_task_id=film.output["runway_task_id"],
            destination="{{ params.destination }}/clips",
            file_name=file_name,
        )

    approve = ApprovalOperator(
        task_id="approve",
        subject="Film these keyframes?",
        body="""{% set shots = ti.xcom_pull('shots') %}
{% set saved = ti.xcom_pull('keyframe.save', map_indexes=range(shots | length)) | select | list %}
{{ saved | length }} clips of {{ params.seconds }} s: about
**{{ saved | length * params.seconds * params.credits_per_second }} credits**. Keyframes that are there
({{ saved | length }} of {{ shots | length }}, {{ saved | map(attribute='cost_credits') | select | sum }} credits):
{% for keyframe in saved %}
- {{ keyframe.files[0].path }}
{%- endfor %}
""",
        # Silence is no approval.
        response_timeout=timedelta(days=3),
        defaults="Reject",
        trigger_rule="all_done_min_one_success",
    )

    @task(trigger_rule="all_done_min_one_success", outlets=[FILM])
    def cut(params: Any = None, ti: Any = None, outlet_events: Any = None) -> dict[str, Any]:
        """The film of all clips that are there; what it consists of is written beside it."""
        import json

        from film_cutting import cut_film

        shots = ti.xcom_pull("shots")
        manifests = ti.xcom_pull("clip.save", map_indexes=range(len(shots)))
        parts, missing = [], []
        for number, (shot, manifest) in enumerate(zip(shots, manifests, strict=True), 1):
            part = {"shot": number, "product": shot["product"]}
            if manifest:
                parts.append({**part, "clip": manifest["files"][0]["path"]})
            else:
                missing.append(part)
        folder, path = params["destination"], f"{params['destination']}/film.mp4"
        lengths = cut_film([part["clip"] for part in parts], path, params["music"])
        for part, seconds in zip(parts, lengths, strict=True):
            part["seconds"] = seconds
        film = {"path": path, "seconds": sum(lengths), "parts": parts, "missing": missing}
        ObjectStoragePath(f"{folder}/film.json").write_text(json.dumps(film, indent=2))
        outlet_events[FILM].extra = film
        return film

    @task
    def complete(film: dict[str, Any]) -> None:
        """Makes an incomplete film seen: by then it is published, and the run fails."""
        if film["missing"]:
            raise RuntimeError(f"Look at the failed tasks of what the film lacks: {film['missing']}")

    table = shots()
    film = cut()
    keyframe.expand_kwargs(table) >> approve >> clip.expand_kwargs(table) >> film
    complete(film)
