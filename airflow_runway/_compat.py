"""Airflow names that moved between 3.1 and 3.3 and that the common.compat provider does not carry."""

from __future__ import annotations

try:
    from airflow.sdk.exceptions import TaskDeferralTimeout
except ImportError:  # Airflow 3.1
    from airflow.exceptions import TaskDeferralTimeout  # type: ignore[no-redef,attr-defined,unused-ignore]

__all__ = ["TaskDeferralTimeout"]
