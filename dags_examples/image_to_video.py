"""An image becomes a clip in your own storage: submit, wait without a worker, save."""

from airflow.sdk import DAG, Param

from airflow_runway.operators.runway import RunwayImageToVideoOperator
from airflow_runway.sensors.runway import RunwayTaskSensor
from airflow_runway.transfers.runway_to_object_storage import RunwayToObjectStorageOperator

# Nothing that lies elsewhere is read, whatever a run is started with.
MEDIA_FROM = ["s3://aws_default@bucket/", "file:///tmp/clips/"]
# A public picture of a dog; the emulator has one of its own for this address.
EXAMPLE = "https://res.cloudinary.com/demo/image/upload/dog.jpg"

with DAG(
    dag_id="image_to_video",
    schedule=None,
    params={
        "image": Param(EXAMPLE, type="string", title="Image (public https URL)"),
        "prompt": Param("A slow push in, soft evening light", type="string", title="What should happen"),
        "seconds": Param(5, type="integer", minimum=2, maximum=10, title="Seconds"),
        "destination": Param(
            "file:///tmp/clips", type="string", title="Folder, e.g. s3://aws_default@bucket/clips"
        ),
    },
    tags=["runway"],
    doc_md=__doc__,
) as dag:
    submit = RunwayImageToVideoOperator(
        task_id="submit",
        model="gen4_turbo",
        prompt_image="{{ params.image }}",
        media_from=MEDIA_FROM,
        prompt_text="{{ params.prompt }}",
        ratio="1280:720",
        duration="{{ params.seconds }}",
    )
    wait = RunwayTaskSensor(task_id="wait", runway_task_id=submit.output, timeout=60 * 60)
    save = RunwayToObjectStorageOperator(
        task_id="save",
        runway_task_id=submit.output,
        destination="{{ params.destination }}",
    )

    wait >> save
