"""Runway video generation as Apache Airflow nodes."""

__version__ = "0.1.0"
