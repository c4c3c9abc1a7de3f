"""The five documented submissions, each as submit → wait → save; the run's conf says where media are."""

from airflow.sdk import DAG, Param

from airflow_runway.operators.runway import (
    RunwayImageToVideoOperator,
    RunwayProGenerateOperator,
    RunwayProVideoToVideoOperator,
    RunwayVideoToVideoOperator,
)
from airflow_runway.sensors.runway import RunwayTaskSensor
from airflow_runway.transfers.runway_to_object_storage import RunwayToObjectStorageOperator

IMAGE, VIDEO, CALLBACK = "{{ params.image }}", "{{ params.video }}", "{{ params.callback }}"

#: Name → connection, operator, arguments.
SUBMISSIONS = {
    "cometapi_image_to_video": (
        "cometapi",
        RunwayImageToVideoOperator,
        {"model": "gen3a_turbo", "prompt_image": IMAGE},
    ),
    "cometapi_video_to_video": (
        "cometapi",
        RunwayVideoToVideoOperator,
        {
            "model": "gen4_aleph",
            "video_uri": VIDEO,
            "prompt_text": "Make the motion feel cinematic.",
            "references": [{"type": "image", "uri": IMAGE}],
            "ratio": "1280:720",
        },
    ),
    "cometapi_pro_generate": (
        "cometapi",
        RunwayProGenerateOperator,
        {"model": "gen4", "prompt": "Smile, Eat Burger", "image": IMAGE, "callback_url": CALLBACK},
    ),
    "cometapi_pro_video2video": (
        "cometapi",
        RunwayProVideoToVideoOperator,
        {
            "model": "gen4",
            "video": VIDEO,
            "prompt": "pixelated style",
            "structure_transformation": 0.5,
            "flip": True,
        },
    ),
    "gptplus5_image_to_video": (
        "gptplus5",
        RunwayImageToVideoOperator,
        {
            "model": "gen4_turbo",
            "prompt_image": IMAGE,
            "prompt_text": "cat dance",
            "watermark": False,
            "duration": 5,
            "ratio": "1280:768",
        },
    ),
}

for name, (conn_id, operator, arguments) in SUBMISSIONS.items():
    with DAG(
        name,
        schedule=None,
        params={field: Param("", type="string") for field in ("image", "video", "callback", "destination")},
    ) as dag:
        submit = operator(task_id="submit", runway_conn_id=conn_id, **arguments)
        wait = RunwayTaskSensor(
            task_id="wait", runway_conn_id=conn_id, runway_task_id=submit.output, timeout=120
        )
        save = RunwayToObjectStorageOperator(
            task_id="save",
            runway_conn_id=conn_id,
            runway_task_id=submit.output,
            destination="{{ params.destination }}",
        )
        wait >> save
    globals()[name] = dag
