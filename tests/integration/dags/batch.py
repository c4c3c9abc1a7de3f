"""A batch whose worker can be told to die, once, after some submissions."""

from __future__ import annotations

import itertools
import os
import signal
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, Param

from airflow_runway.operators.runway import RunwayBatchOperator


class MortalBatch(RunwayBatchOperator):
    """Dies where it is told to: ``answered:<n>`` after the n-th answer to a submission, ``settling`` on resuming."""

    def execute(self, context):
        self._arm(context["params"], "answered")
        return super().execute(context)

    def execute_complete(self, context, event):
        self._arm(context["params"], "settling")
        return super().execute_complete(context, event)

    def _arm(self, params, phase):
        word, _, number = params["kill_at"].partition(":")
        marker = Path(params["marker"])
        if word != phase or marker.exists():
            return
        from airflow_runway.hooks import _transport

        answered, send = itertools.count(1), _transport.send

        def send_and_die(session, settings, call):
            answer = send(session, settings, call)
            if phase == "settling" or (call.method == "POST" and next(answered) >= int(number)):
                marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

        _transport.send = send_and_die


with DAG(
    "batch",
    schedule=None,
    params={
        "requests": Param("", type="string"),
        "destination": Param("", type="string"),
        "kill_at": Param("", type="string"),
        "marker": Param("", type="string"),
        "on_partial_failure": Param("fail", type="string"),
    },
    default_args={"retries": 2, "retry_delay": timedelta(seconds=1)},
):
    MortalBatch(
        task_id="campaign",
        route="image_to_video",
        requests="{{ params.requests }}",
        destination="{{ params.destination }}",
        media_from=["file:///tmp/clips/"],
        poll_interval=5,
        max_in_flight=12,
        timeout=timedelta(minutes=10),
    )
