"""``airflow-runway costs``: who spent what, summed up from journal and manifests. Reads only, and asks no gateway."""
