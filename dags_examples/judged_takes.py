"""A model looks at takes before a person does: four of each scene, the best two are offered, one is kept.

- Each take is saved with its contact sheet (the extra ``media`` on the workers). The sheet, a few dozen kilobytes,
  goes to a model of your choice over the HTTP connection ``judge``: ``POST score`` with ``{"prompt", "picture"}``,
  a JPEG in base64, answered by ``{"score"}``. Any service that can look at pictures will do, and Airflow's
  ``common.ai`` operators too.
- The judge spares a person's eyes, and decides nothing: where it fails, or is away, its take is offered last.
- A person chooses among what is left, under *Required Actions*, or takes none.
"""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, ObjectStoragePath, Param, task, task_group

from airflow_runway.operators.review import RunwayReviewOperator
from airflow_runway.operators.runway import RunwayTextToVideoOperator
from airflow_runway.transfers.runway_to_object_storage import RunwayToObjectStorageOperator

TAKES = 4
OFFERED = 2
# What Airflow shows in place of an index.
LABEL = "{{ ti.xcom_pull('takes')[ti.map_index].label }}"

with DAG(
    dag_id="judged_takes",
    schedule=None,
    params={
        "scenes": Param(["a lighthouse at dawn", "rain on a tin roof"], type="array", title="Scenes"),
        "seconds": Param(5, type="integer", minimum=2, maximum=10, title="Seconds of a take"),
        "destination": Param(
            "file:///tmp/clips", type="string", title="Folder, e.g. s3://aws_default@bucket/clips"
        ),
    },
    tags=["runway"],
    doc_md=__doc__,
) as dag:

    @task
    def takes(params: Any = None) -> list[dict[str, Any]]:
        """Every take of every scene; they differ by their seeds."""
        return [
            {"label": f"{scene}, take {number + 1}", "scene": scene, "seed": number}
            for scene in params["scenes"]
            for number in range(TAKES)
        ]

    @task_group
    def take(label: str, scene: str, seed: int) -> None:
        """A clip, its contact sheet, and what the model thinks of it."""
        film = RunwayTextToVideoOperator(
            task_id="film",
            model="gen4.5",
            prompt_text=scene,
            ratio="1280:720",
            duration="{{ params.seconds }}",
            extra_body={"seed": seed},
            wait_for_completion=True,
            max_active_tis_per_dag=8,
            map_index_template=LABEL,
        )
        save = RunwayToObjectStorageOperator(
            task_id="save",
            runway_task_id=film.output["runway_task_id"],
            destination="{{ params.destination }}",
            map_index_template=LABEL,
        )

        @task(retries=2, retry_delay=timedelta(seconds=10), map_index_template=LABEL)
        def judge(manifest: dict[str, Any], prompt: str) -> float:
            """How good the model finds it."""
            from airflow.providers.http.hooks.http import HttpHook

            sheet = ObjectStoragePath(manifest["files"][0]["contact_sheet"]).read_bytes()
            looked_at = {"prompt": prompt, "picture": base64.b64encode(sheet).decode()}
            return float(HttpHook(http_conn_id="judge").run("score", json=looked_at).json()["score"])

        film >> save
        judge(save.output, scene)

    @task(multiple_outputs=True, trigger_rule="all_done_min_one_success")
    def best(takes: list[dict[str, Any]], params: Any = None, ti: Any = None) -> dict[str, Any]:
        """Of each scene the takes that the model likes most; those that it did not see come last."""
        everything = range(len(takes))
        saved = ti.xcom_pull("take.save", map_indexes=everything)
        scores = ti.xcom_pull("take.judge", map_indexes=everything)
        offered = []
        for scene in params["scenes"]:
            mine = [
                (-1.0 if score is None else score, manifest)
                for one, manifest, score in zip(takes, saved, scores, strict=True)
                if one["scene"] == scene and manifest
            ]
            mine.sort(key=lambda pair: pair[0], reverse=True)
            offered.append([manifest for _, manifest in mine[:OFFERED]])
        return {"shots": offered, "labels": params["scenes"]}

    @task
    def keep(choice: dict[str, Any]) -> str:
        """What becomes of the chosen take is up to you; here its path is the task's value."""
        return choice["path"]

    shots = takes()
    offer = best(shots)
    choose = RunwayReviewOperator(
        task_id="choose",
        subject="Which take is kept?",
        shots=offer["shots"],
        labels=offer["labels"],
        response_timeout=timedelta(days=3),
    )
    take.expand_kwargs(shots) >> offer
    keep.expand(choice=choose.output)
