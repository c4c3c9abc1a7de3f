"""Operators that create generations."""

from __future__ import annotations

from airflow_runway.operators.batch import RunwayBatchOperator
from airflow_runway.operators.official import (
    RunwayCharacterPerformanceOperator,
    RunwayImageToVideoOperator,
    RunwayTextToImageOperator,
    RunwayTextToVideoOperator,
    RunwayVideoToVideoOperator,
    RunwayVideoUpscaleOperator,
)
from airflow_runway.operators.reverse import (
    RunwayProActOneOperator,
    RunwayProGenerateOperator,
    RunwayProVideoToVideoOperator,
)
from airflow_runway.operators.submit import XCOM_RUNWAY_TASK_ID, RunwaySubmitOperator

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
