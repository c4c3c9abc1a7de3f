"""What every test may use."""

from __future__ import annotations

import os
import tempfile

# Before anything imports Airflow: no test reads or writes somebody's real Airflow home.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-runway-tests-")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"
