"""What every test may use."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

# Before anything imports Airflow: no test reads or writes somebody's real Airflow home.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-runway-tests-")
atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"
