"""A sensor for each mode, told by the run's conf what to wait for."""

from datetime import timedelta

from airflow.sdk import DAG, Param

from airflow_runway.sensors.runway import RunwayTaskSensor

MODES = {
    "deferrable": {},
    "poke": {"deferrable": False, "mode": "poke"},
    "reschedule": {"deferrable": False, "mode": "reschedule"},
}

with DAG(
    "sensors",
    schedule=None,
    params={name: Param("", type="string") for name in ("success", "failure", "cancellation", "deadline")},
):
    for mode, fields in MODES.items():
        for ending in ("success", "failure", "cancellation", "deadline"):
            RunwayTaskSensor(
                task_id=f"{mode}_{ending}",
                runway_task_id=f"{{{{ params.{ending} }}}}",
                poke_interval=5,
                timeout=timedelta(seconds=18 if ending == "deadline" else 120),
                **fields,
            )
        RunwayTaskSensor(
            task_id=f"{mode}_soft_fail",
            runway_task_id="{{ params.failure }}",
            poke_interval=5,
            soft_fail=True,
            **fields,
        )
