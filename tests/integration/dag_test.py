"""``dag.test()`` in a process of its own, with an Airflow home of its own."""

from __future__ import annotations

import json
import subprocess
import sys

from airflow_runway.demo.environment import airflow_environment

_CODE = """
import importlib.util, json, sys
from airflow.__main__ import main
sys.argv = ["airflow", "db", "migrate"]
main()
path, runs = sys.argv_of_test
spec = importlib.util.spec_from_file_location("dags_under_test", path)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
for name, conf in json.loads(runs):
    print("ended", name, getattr(module, name).test(run_conf=conf).state, flush=True)
"""


def dag_test(home, file, connections, runs):
    """Run Dags of a file one after another; returns their states by name, and all that was printed.

    :param home: an empty folder.
    :param file: the Dag file.
    :param connections: connection id → fields.
    :param runs: pairs of the variable that holds the Dag, and its conf.
    """
    home.mkdir(exist_ok=True)
    code = f"import sys\nsys.argv_of_test = {(str(file), json.dumps(runs))!r}\n{_CODE}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=airflow_environment(home, file.parent, 0, 0, connections),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("ended ")]
    return {words[1]: words[2] for words in lines}, done.stdout + done.stderr
