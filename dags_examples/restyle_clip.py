"""A clip of your own in another style, over CometAPI's reverse format: submit, wait without a worker, save.

The connection ``runway_cometapi`` (type *Runway*) has the gateway ``cometapi`` and a callback URL of yours, which
the reverse format demands. Nothing needs to listen there: the result is awaited by reading. The gateway takes no
uploads: a clip from a disk or a bucket travels inside the request and has to be small, some 3 MB; one behind a
public https URL need not.
"""

from airflow.sdk import DAG, Param

from airflow_runway.operators.runway import RunwayProVideoToVideoOperator
from airflow_runway.sensors.runway import RunwayTaskSensor
from airflow_runway.transfers.runway_to_object_storage import RunwayToObjectStorageOperator

# Nothing that lies elsewhere is read, whatever a run is started with.
MEDIA_FROM = ["s3://aws_default@bucket/", "file:///tmp/clips/"]

with DAG(
    dag_id="restyle_clip",
    schedule=None,
    params={
        "clip": Param(
            "https://example.com/clip.mp4",
            type="string",
            title="Clip (https URL, or a path like file:///tmp/clips/clip.mp4 or s3://aws_default@bucket/clip.mp4)",
        ),
        "style": Param("Watercolour on rough paper", type="string", title="The new style"),
        "change": Param(0.5, type="number", minimum=0, maximum=1, title="How far the structure may change"),
        "seconds": Param(5, type="integer", enum=[5, 10], title="Seconds"),
        "destination": Param(
            "file:///tmp/clips", type="string", title="Folder, e.g. s3://aws_default@bucket/clips"
        ),
    },
    default_args={"runway_conn_id": "runway_cometapi"},
    tags=["runway"],
    doc_md=__doc__,
) as dag:
    submit = RunwayProVideoToVideoOperator(
        task_id="submit",
        model="gen4",
        video="{{ params.clip }}",
        media_from=MEDIA_FROM,
        prompt="{{ params.style }}",
        structure_transformation="{{ params.change }}",
        seconds="{{ params.seconds }}",
    )
    wait = RunwayTaskSensor(task_id="wait", runway_task_id=submit.output, timeout=60 * 60)
    save = RunwayToObjectStorageOperator(
        task_id="save",
        runway_task_id=submit.output,
        destination="{{ params.destination }}",
    )

    wait >> save
