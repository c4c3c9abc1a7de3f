"""What every test may use."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

from hypothesis import settings

# Before anything imports Airflow: no test reads or writes somebody's real Airflow home.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-runway-tests-")
atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"

# Here, where --hypothesis-profile finds them whatever is run. How long an example takes says nothing of ours.
settings.register_profile("default", deadline=None)
settings.register_profile("thorough", max_examples=2_000, deadline=None)

#: Folders whose tests stand for a release only: minutes each.
RELEASE_ONLY = ("tests/integration/distributed/",)


def pytest_configure(config):
    config.addinivalue_line("markers", "property: has random inputs; given by itself")


def pytest_collection_modifyitems(items):
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker("property")
        if any(folder in item.path.as_posix() for folder in RELEASE_ONLY):
            item.add_marker("release")
