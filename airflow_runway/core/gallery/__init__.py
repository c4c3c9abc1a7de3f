"""What the pages in Airflow's UI show of a run, decided without Airflow."""
