"""Operators that create generations."""

from __future__ import annotations

from airflow_runway.operators._batch.operator import RunwayBatchOperator
from airflow_runway.operators._official import (
    RunwayCharacterPerformanceOperator,
    RunwayImageToVideoOperator,
    RunwayTextToImageOperator,
    RunwayTextToVideoOperator,
    RunwayVideoToVideoOperator,
    RunwayVideoUpscaleOperator,
)
from airflow_runway.operators._reverse import (
    RunwayProActOneOperator,
    RunwayProGenerateOperator,
    RunwayProVideoToVideoOperator,
)
from airflow_runway.operators._submit import XCOM_RUNWAY_TASK_ID, RunwaySubmitOperator

__all__ = [
    "XCOM_RUNWAY_TASK_ID",
    "RunwayBatchOperator",
    "RunwayCharacterPerformanceOperator",
    "RunwayImageToVideoOperator",
    "RunwayProActOneOperator",
    "RunwayProGenerateOperator",
    "RunwayProVideoToVideoOperator",
    "RunwaySubmitOperator",
    "RunwayTextToImageOperator",
    "RunwayTextToVideoOperator",
    "RunwayVideoToVideoOperator",
    "RunwayVideoUpscaleOperator",
]
