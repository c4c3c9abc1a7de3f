"""The values that a hook returns: frozen, typed, free of any I/O."""

from __future__ import annotations

from airflow_runway.core.models import CancelOutcome, RunwayTask, Submission, TaskStatus

__all__ = ["CancelOutcome", "RunwayTask", "Submission", "TaskStatus"]
