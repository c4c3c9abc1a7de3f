"""The routes of the pages: GET only, each for people who may read that very Dag."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import get_user, requires_access_dag
from airflow.configuration import conf
from fastapi import Depends, FastAPI, Query, Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response

from airflow_runway.core.gallery.generations import Generation, generations_of, watched_by
from airflow_runway.core.media.places import Place, read_prefixes
from airflow_runway.plugins._address import prefix
from airflow_runway.plugins._pages import Page, rendered
from airflow_runway.plugins._records import run_records
from airflow_runway.plugins._serving import served
from airflow_runway.plugins._storage import Storage, UnavailableError
from airflow_runway.plugins._tiles import Tiles, ids_of

if TYPE_CHECKING:
    from airflow_runway.core.gallery.records import TaskRecord

_STATIC: Final = {"gallery.css": "text/css", "gallery.js": "text/javascript"}
_PAGE_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'self'; script-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-cache",
}
#: What is read here may be read by whoever may read the Dag's XComs, which name the same files.
_MAY_READ: Final = [Depends(requires_access_dag(method="GET", access_entity=DagAccessEntity.XCOM))]


def pages() -> FastAPI:
    """The application with all pages."""
    app = FastAPI(title="Runway", docs_url=None, redoc_url=None, openapi_url=None)
    tiles = Tiles(storage := Storage(), _prefixes(), prefix())

    # Not async: they wait for the database and for storage, on threads of the server's pool.
    @app.get("/gallery/{dag_id}", dependencies=_MAY_READ)
    def gallery(
        dag_id: str, run_id: str = "", state: str = "", page: Annotated[int, Query(ge=1)] = 1
    ) -> Response:
        """All generations of a run."""
        run_id, records = _records(dag_id, run_id)
        shown = Page(dag_id, run_id, generations_of(records), records, state, page)
        return HTMLResponse(rendered(shown, tiles), headers=_PAGE_HEADERS)

    @app.get("/clips/{dag_id}", dependencies=_MAY_READ)
    def clips(
        dag_id: str,
        run_id: str = "",
        task_id: str = "",
        map_index: str = "",
        state: str = "",
        page: Annotated[int, Query(ge=1)] = 1,
    ) -> Response:
        """The generations of a task instance, wherever in its run they were made, or saved."""
        run_id, records = _records(dag_id, run_id)
        key = (task_id, _index(map_index))
        own = [one for one in records if (one.task_id, one.map_index) == key]
        shown = Page(dag_id, run_id, _of(own, records), own, state, page, task=key)
        return HTMLResponse(rendered(shown, tiles), headers=_PAGE_HEADERS)

    @app.get("/file/{dag_id}", dependencies=_MAY_READ)
    def file(
        request: Request,
        dag_id: str,
        run_id: str,
        task_id: str,
        generation: str,
        map_index: str = "",
        index: int = 0,
        kind: str = "output",
        download: bool = False,
    ) -> Response:
        """A file that a manifest names which that very task instance wrote."""
        records = run_records(dag_id, run_id, (task_id, _index(map_index)))
        try:
            known = [one for one in generations_of(records) if one.runway_task_id == generation]
            ids = [one for each in known for one in ids_of(each)]
            found = tiles.found(records[0], generation, ids) if records else None
            wanted = tiles.file(found, index, kind) if found is not None else None
            if found is None or wanted is None:
                return PlainTextResponse("There is no such file of this task instance.", 404)
            opened, size = storage.opened(wanted)
        except UnavailableError as error:
            return PlainTextResponse(str(error), 404)
        digest = next((one["sha256"] for one in found.manifest["files"] if one["index"] == index), "")
        name = wanted.name.rpartition("/")[2]
        return served(request, opened, size, tag=f"{str(digest)[:32]}-{kind}", name=name, download=download)

    @app.get("/static/{name}", dependencies=[Depends(get_user)])
    def static(name: str) -> Response:
        """Style and script of the pages."""
        if name not in _STATIC:
            return PlainTextResponse("There is no such file.", 404)
        headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, max-age=3600"}
        return FileResponse(
            Path(__file__).parent / "static" / name, headers=headers, media_type=_STATIC[name]
        )

    return app


def _prefixes() -> tuple[Place, ...]:
    return read_prefixes("[runway] gallery_from", conf.get("runway", "gallery_from", fallback="") or "")


def _records(dag_id: str, run_id: str) -> tuple[str, list[TaskRecord]]:
    """The run that is meant: Airflow 3.1 does not encode a plus, which arrives as a blank."""
    found = run_records(dag_id, run_id)
    if not found and " " in run_id:
        run_id = run_id.replace(" ", "+")
        found = run_records(dag_id, run_id)
    return run_id, found


def _index(map_index: str) -> int:
    return int(map_index) if map_index.isdecimal() and len(map_index) < 10 else -1


def _of(own: list[TaskRecord], records: list[TaskRecord]) -> list[Generation]:
    keys = {(one.task_id, one.map_index) for one in own}
    every = generations_of(records)
    found = [
        one
        for one in every
        if any(each is not None and (each.task_id, each.map_index) in keys for each in (one.task, one.saver))
    ]
    # A sensor neither makes nor saves, and watches what another task has made.
    watched = {runway_task_id for one in own for runway_task_id in watched_by(one)}
    return found or [one for one in every if one.runway_task_id in watched]
