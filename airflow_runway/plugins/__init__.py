"""What Airflow's UI shows of this provider."""
