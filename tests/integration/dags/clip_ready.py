"""Two generations at once, saved by one task; a second Dag runs when a clip is ready."""

from airflow.sdk import DAG, AssetAlias, Param, task

from airflow_runway.operators.runway import RunwayTextToVideoOperator
from airflow_runway.sensors.runway import RunwayTaskSensor
from airflow_runway.transfers.runway_to_object_storage import RunwayToObjectStorageOperator

CLIPS = AssetAlias("clips_of_the_test")

with DAG("clip_made", schedule=None, params={"destination": Param("", type="string")}):
    submit = RunwayTextToVideoOperator.partial(
        task_id="submit", model="gen4.5", ratio="1280:720", duration=2
    ).expand(prompt_text=["rain", "snow"])
    wait = RunwayTaskSensor.partial(task_id="wait", timeout=120).expand(runway_task_id=submit.output)
    save = RunwayToObjectStorageOperator(
        task_id="save",
        runway_task_id=submit.output,
        destination="{{ params.destination }}",
        file_name="{{ run_id }}/{runway_task_id}-{index}{extension}",
        route="text_to_video",
        outlets=[CLIPS],
    )
    wait >> save

with DAG("clip_ready", schedule=CLIPS):

    @task
    def look(triggering_asset_events=None):
        """What the events tell, by URI."""
        # Under the alias and under each asset.
        return {
            event.asset.uri: event.extra for events in triggering_asset_events.values() for event in events
        }

    look()
