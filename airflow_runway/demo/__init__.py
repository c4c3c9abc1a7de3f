"""The demo: a picture becomes a clip in a real, throw-away Airflow, with no key and no bill.

Nothing here is part of the provider. :class:`~airflow_runway.demo.local_airflow.LocalAirflow` also serves the
integration tests.
"""
