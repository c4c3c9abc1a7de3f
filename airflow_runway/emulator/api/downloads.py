"""``GET /_outputs/...``: the emulated CDN that serves results (contracts §16)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import FileResponse, Response

from airflow_runway.emulator.api.request_log import entry_of
from airflow_runway.emulator.faults.faulty_download import FaultyDownload
from airflow_runway.emulator.faults.kinds import DOWNLOADS, OUTPUT_KINDS
from airflow_runway.emulator.faults.wrong_answers import answer_for

if TYPE_CHECKING:
    from starlette.requests import Request

    from airflow_runway.emulator.faults.book import FaultBook
    from airflow_runway.emulator.files.outputs import Outputs
    from airflow_runway.emulator.world.world import World


class DownloadRoutes:
    """Serves the files of finished tasks to whoever holds a valid link; no API key is asked for.

    :param faults: the rules in force.
    :param world: where the tasks are.
    :param outputs: know the links and the files.
    """

    def __init__(self, faults: FaultBook, world: World, outputs: Outputs) -> None:
        self._faults = faults
        self._world = world
        self._outputs = outputs

    async def serve(self, request: Request) -> Response:
        """``GET`` of an output.

        :param request: the request in hand, with ``id`` in its path.
        """
        path, token = request.url.path, request.query_params.get("_jwt", "")
        if not self._outputs.allows(path, token):
            return _refused(403, "AccessDenied", "Access denied")
        task = self._world.get(request.path_params["id"])
        fault = None
        if task is not None:
            fault = self._faults.pick(("output",), task.gateway, task.route, OUTPUT_KINDS)
        if fault is not None:
            entry_of(request.scope).fault = fault.kind
            if fault.kind not in DOWNLOADS:
                return answer_for(fault)
        job = self._outputs.job_at(path)
        if job is None:
            return _refused(404, "NoSuchKey", "The specified key does not exist.")
        file = await self._outputs.file_of(job)
        if fault is None:
            return FileResponse(file, media_type=job.content_type)
        if fault.kind == "expire":
            self._outputs.revoke(token)
        return FaultyDownload(file, job.content_type, fault, request.headers.get("range", ""))


def _refused(status: int, code: str, message: str) -> Response:
    error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Response(f'<?xml version="1.0" encoding="UTF-8"?>{error}', status, media_type="application/xml")
