"""Words become a large clip: keyframe → clip → upscale → save. Each step names the one before, and no URL is needed.

``runway-task://<id>`` is the output of an earlier generation. It becomes a link when the request is sent, so that it
is fresh however long a step has waited.
"""

from airflow.sdk import DAG, Param

from airflow_runway.operators.runway import (
    RunwayImageToVideoOperator,
    RunwayTextToImageOperator,
    RunwayVideoUpscaleOperator,
)
from airflow_runway.transfers.runway_to_object_storage import RunwayToObjectStorageOperator

with DAG(
    dag_id="keyframe_clip_upscale",
    schedule=None,
    params={
        "scene": Param("A lighthouse on a cliff, storm clouds", type="string", title="What is to be seen"),
        "motion": Param("A slow push in, waves break", type="string", title="What should happen"),
        "seconds": Param(5, type="integer", minimum=2, maximum=10, title="Seconds"),
        "destination": Param(
            "file:///tmp/clips", type="string", title="Folder, e.g. s3://aws_default@bucket/clips"
        ),
    },
    tags=["runway"],
    doc_md=__doc__,
) as dag:
    keyframe = RunwayTextToImageOperator(
        task_id="keyframe",
        model="gen4_image",
        prompt_text="{{ params.scene }}",
        ratio="1280:720",
        wait_for_completion=True,
    )
    clip = RunwayImageToVideoOperator(
        task_id="clip",
        model="gen4_turbo",
        prompt_image=f"runway-task://{keyframe.output['runway_task_id']}",
        prompt_text="{{ params.motion }}",
        ratio="1280:720",
        duration="{{ params.seconds }}",
        wait_for_completion=True,
    )
    upscale = RunwayVideoUpscaleOperator(
        task_id="upscale",
        model="magnific_video_upscaler_creative",
        video_uri=f"runway-task://{clip.output['runway_task_id']}",
        resolution="2k",
        wait_for_completion=True,
    )
    save = RunwayToObjectStorageOperator(
        task_id="save",
        runway_task_id=upscale.output["runway_task_id"],
        destination="{{ params.destination }}",
    )

    keyframe >> clip >> upscale >> save
