"""A campaign: products in several looks become keyframes, a person chooses among them, then clips and one film.

- The table is a CSV with the columns ``product``, ``photo``, ``scene`` and ``motion``. Photos are
  ``https://`` addresses, or lie below a prefix of ``MEDIA_FROM``.
- Keyframes are cheap and come first, two of each shot. A person sees them side by side under *Required Actions*,
  and chooses one of each shot, or none; a form takes 50 shots. Clips are dear: only what was chosen is filmed, and
  nothing after "Reject all" or silence.
- A shot that fails takes no other with it. The film is cut from what is there, in the order of the table, and the
  run fails and names what is missing. Clear the failed tasks with what is downstream: what has succeeded is
  taken up again and not paid for twice.
- To make a shot again with other words: change its line of the table, and clear ``shots`` with all that is
  downstream. Keyframes and clips whose request is as before are taken up again for free; only the others are paid
  for. The question comes again, for whoever does not like the new ones either.
- Each film is an event of the asset ``campaign_film``.

Lies beside ``film_cutting.py``, which needs PyAV on the workers: ``pip install 'airflow-provider-runway[media]'``.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import AirflowSkipException
from airflow.sdk import DAG, Asset, ObjectStoragePath, Param, task, task_group

from airflow_runway.operators.review import RunwayReviewOperator
from airflow_runway.operators.runway import RunwayImageToVideoOperator, RunwayTextToImageOperator
from airflow_runway.transfers.runway_to_object_storage import RunwayToObjectStorageOperator

FILM = Asset("campaign_film")
# Photos and keyframes lie here; a table that names anything else makes nobody read it.
MEDIA_FROM = ["s3://aws_default@bucket/", "file:///tmp/campaign/"]

# Keyframes of each shot.
VARIANTS = ["A", "B"]
# What Airflow shows in place of an index.
STILL = "{{ ti.xcom_pull('stills')[ti.map_index].label }}"
SHOT = "{{ ti.xcom_pull('shots')[ti.map_index].label }}"

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
                    "label": f"{row['product']}, {look}",
                    "product": row["product"],
                    "photo": row["photo"],
                    "picture": f"@product {row['scene']}, {look}",
                    "motion": row["motion"],
                    "name": f"{number:03}-{slug}",
                }
            )
        return found

    @task
    def stills(shots: list[dict[str, str]]) -> list[dict[str, str]]:
        """Every variant of every shot."""
        return [
            {
                "label": f"{shot['label']}, {variant}",
                "photo": shot["photo"],
                "picture": shot["picture"],
                "file_name": f"{shot['name']}-{variant}-{{runway_task_id}}{{extension}}",
            }
            for shot in shots
            for variant in VARIANTS
        ]

    @task_group
    def keyframe(label: str, photo: str, picture: str, file_name: str) -> None:
        """A first frame that a shot may have: two credits."""
        draw = RunwayTextToImageOperator(
            task_id="draw",
            model="gen4_image_turbo",
            prompt_text=picture,
            reference_images=[{"uri": photo, "tag": "product"}],
            media_from=MEDIA_FROM,
            ratio="1280:720",
            wait_for_completion=True,
            max_active_tis_per_dag=8,
            map_index_template=STILL,
        )
        draw >> RunwayToObjectStorageOperator(
            task_id="save",
            runway_task_id=draw.output["runway_task_id"],
            destination="{{ params.destination }}/keyframes",
            file_name=file_name,
            map_index_template=STILL,
        )

    @task(multiple_outputs=True, trigger_rule="all_done_min_one_success")
    def offer(shots: list[dict[str, str]], ti: Any = None) -> dict[str, Any]:
        """What there is to choose from: for each shot the keyframes that were made."""
        count = len(VARIANTS)
        saved = list(ti.xcom_pull("keyframe.save", map_indexes=range(count * len(shots))))
        return {
            "shots": [saved[at : at + count] for at in range(0, len(saved), count)],
            "labels": [shot["label"] for shot in shots],
            "prompts": [shot["picture"] for shot in shots],
        }

    @task_group
    def clip(label: str, product: str, photo: str, picture: str, motion: str, name: str) -> None:
        """A shot: five credits a second."""

        @task(map_index_template=SHOT)
        def chosen(ti: Any = None) -> str:
            """The keyframe that was chosen for this shot."""
            for choice in ti.xcom_pull("choose"):
                if choice["number"] == ti.map_index + 1:
                    return choice["path"]
            raise AirflowSkipException("Nothing was chosen for this shot.")

        film = RunwayImageToVideoOperator(
            task_id="film",
            model="gen4_turbo",
            prompt_image=chosen(),
            media_from=MEDIA_FROM,
            prompt_text=motion,
            ratio="1280:720",
            duration="{{ params.seconds }}",
            wait_for_completion=True,
            max_active_tis_per_dag=8,
            map_index_template=SHOT,
        )
        film >> RunwayToObjectStorageOperator(
            task_id="save",
            runway_task_id=film.output["runway_task_id"],
            destination="{{ params.destination }}/clips",
            file_name="{{ ti.xcom_pull('shots')[ti.map_index].name }}-{runway_task_id}{extension}",
            map_index_template=SHOT,
        )

    # A shot of which nothing was chosen is skipped, and would skip the film by any other rule.
    @task(trigger_rule="all_done", outlets=[FILM])
    def cut(params: Any = None, ti: Any = None, outlet_events: Any = None) -> dict[str, Any]:
        """The film of all clips that are there; what it consists of is written beside it."""
        import json

        from film_cutting import cut_film

        shots, review = ti.xcom_pull("shots"), ti.xcom_pull("choose", key="review")
        if review is None:
            raise RuntimeError("Nobody could choose: look at the failed keyframes.")
        offered = ti.xcom_pull("offer")["shots"]
        saved = ti.xcom_pull("clip.save", map_indexes=range(len(shots)))
        parts, missing, left_out = [], [], []
        for shot, stills, choice, manifest in zip(shots, offered, review["shots"], saved, strict=True):
            part = {"shot": choice["number"], "product": shot["product"]}
            if any(stills) and choice["variant"] is None:
                left_out.append({**part, "note": choice["note"]})
            elif manifest:
                parts.append({**part, "clip": manifest["files"][0]["path"]})
            else:
                missing.append(part)
        if not parts and missing:
            raise RuntimeError(f"Not one clip is there: look at the failed tasks of {missing}")
        if not parts:
            raise AirflowSkipException("Nothing was chosen, so there is no film.")
        folder, path = params["destination"], f"{params['destination']}/film.mp4"
        lengths = cut_film([part["clip"] for part in parts], path, params["music"])
        for part, seconds in zip(parts, lengths, strict=True):
            part["seconds"] = seconds
        film = {"path": path, "seconds": sum(lengths), "parts": parts}
        film |= {"missing": missing, "left_out": left_out}
        ObjectStoragePath(f"{folder}/film.json").write_text(json.dumps(film, indent=2))
        outlet_events[FILM].extra = film
        return film

    @task
    def complete(film: dict[str, Any]) -> None:
        """Makes an incomplete film seen: by then it is published, and the run fails."""
        if film["missing"]:
            raise RuntimeError(f"Look at the failed tasks of what the film lacks: {film['missing']}")

    table = shots()
    frames = stills(table)
    offered = offer(table)
    choose = RunwayReviewOperator(
        task_id="choose",
        subject="Which of these keyframes are filmed?",
        shots=offered["shots"],
        labels=offered["labels"],
        prompts=offered["prompts"],
        body="Each clip of {{ params.seconds }} s will cost about "
        "**{{ params.seconds * params.credits_per_second }} credits**.",
        # Silence is no approval.
        response_timeout=timedelta(days=3),
    )
    film = cut()
    keyframe.expand_kwargs(frames) >> offered >> choose >> clip.expand_kwargs(table) >> film
    complete(film)
