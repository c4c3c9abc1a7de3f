"""``airflow-runway recover``: what is open in the journals of an Airflow, and what a person settles of it."""
