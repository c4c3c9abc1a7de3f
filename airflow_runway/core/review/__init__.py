"""A person's choice among what was made: the question, and what an answer means, decided without Airflow."""
