"""The page *Gallery*: what the api-server spends on one of a run with a thousand outputs, and on having the plugin.

Peer: a plain loop that opens the same manifests and parses them, in turns with the page.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.table import table

HELP = "a Gallery of a thousand outputs, mapped and of a batch, and the import of the plugin"
_RUN = "manual__2026-11-25T00:00:00+00:00"


def options(parser) -> None:
    parser.add_argument("--outputs", type=int, nargs="*", default=[100, 1_000, 10_000])
    parser.add_argument("--rounds", type=int, default=7)


def run(args) -> None:
    with tempfile.TemporaryDirectory() as home:
        os.environ["AIRFLOW_HOME"] = home
        os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"sqlite:///{home}/airflow.db"
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, **quiet)
        rows = []
        for outputs in args.outputs:
            for kind in (_Mapped, _Batch):
                made = kind(Path(home) / f"{kind.__name__}{outputs}", outputs)
                rows.append((kind.__name__[1:].lower(), outputs, *_measured(made, args.rounds)))
        table(
            f"One answer of Gallery ({args.rounds} in turns, medians; a page has 250 tiles)",
            ("task", "outputs", "all of it, ms", "of that database, ms", "bytes", "plain loop, ms", "ratio"),
            rows,
        )
    table(
        "Importing the plugin into an interpreter that has Airflow's plugin manager (median of 7)",
        ("what", "ms"),
        [("airflow_runway.plugins.runway", _import_time())],
    )


def _measured(made, rounds):
    from airflow_runway.core.gallery.generations import generations_of
    from airflow_runway.plugins._pages import PAGE, Page, rendered
    from airflow_runway.plugins._records import run_records
    from airflow_runway.plugins._storage import Storage
    from airflow_runway.plugins._tiles import Tiles

    whole, database, plain, html = [], [], [], ""
    for _ in range(rounds):
        began = time.perf_counter()
        records = run_records(made.dag_id, _RUN)
        database.append(time.perf_counter() - began)
        page = Page(made.dag_id, _RUN, generations_of(records), records, "", 1)
        # With a storage of its own: nothing is remembered of the last one.
        html = rendered(page, Tiles(Storage(), (), "/runway"))
        whole.append(time.perf_counter() - began)
        began = time.perf_counter()
        for path in made.manifests[:PAGE]:
            json.loads(path.read_text())
        plain.append(time.perf_counter() - began)
    shown = html.count('class="tile saved"')
    assert shown == min(PAGE, made.count), shown
    mine, theirs = statistics.median(whole) * 1000, statistics.median(plain) * 1000
    return (
        f"{mine:.0f}",
        f"{statistics.median(database) * 1000:.0f}",
        len(html),
        f"{theirs:.0f}",
        f"{mine / theirs:.1f}",
    )


class _Run:
    """A run in Airflow's database, and its manifests in a folder."""

    def __init__(self, folder: Path, count: int) -> None:
        from airflow.models import import_all_models
        from airflow.models.dagrun import DagRun
        from airflow.utils.session import create_session
        from sqlalchemy import insert, select

        import_all_models()
        folder.mkdir()
        self.dag_id, self.count, self._folder = folder.name, count, folder
        self.ids = [str(uuid.uuid4()) for _ in range(count)]
        now = datetime.now(UTC)
        with create_session() as session:
            row = {
                "dag_id": self.dag_id,
                "run_id": _RUN,
                "run_type": "manual",
                "state": "success",
                "run_after": now,
            }
            session.execute(insert(DagRun.__table__).values(**row))
            self.number = session.execute(select(DagRun.id).where(DagRun.dag_id == self.dag_id)).scalar_one()
            self.fill(session, insert, now)
        self.manifests = [self._manifest(number) for number in range(count)]

    def _manifest(self, number: int) -> Path:
        from airflow_runway.core.owner import Owner
        from airflow_runway.core.saving.manifest import file_entry, manifest_of

        runway_task_id, folder = self.ids[number], f"file://{self._folder}"
        stem = f"{folder}/{runway_task_id}-0"
        measures = {"width": 1280, "height": 720, "duration": 5.0, "fps": 24.0}
        stills = {"poster": f"{stem}.poster.jpg", "contact_sheet": f"{stem}.sheet.jpg"}
        entry = file_entry(0, f"{stem}.mp4", 2_400_000, "0" * 64, "video/mp4", measures, stills)
        owner = Owner(self.dag_id, _RUN, *self.owner(number))
        made = manifest_of(
            runway_task_id, None, [entry], gateway="runway", route="x", saved_at="", owner=owner
        )
        path = self._folder / f"{runway_task_id}.manifest.json"
        path.write_text(json.dumps(made, indent=2))
        return path

    def instance(self, task_id: str, map_index: int, operator: str, now: datetime) -> dict[str, object]:
        return {
            "id": uuid.uuid4(), "dag_id": self.dag_id, "run_id": _RUN, "task_id": task_id, "map_index": map_index,
            "state": "success", "operator": operator, "start_date": now, "try_number": 1, "max_tries": 0,
            "pool": "default_pool", "pool_slots": 1, "queue": "default", "priority_weight": 1,
        }  # fmt: skip


class _Mapped(_Run):
    """A task for each generation, and one that saves it."""

    def owner(self, number):
        return "save", number

    def fill(self, session, insert, now):
        from airflow.models.renderedtifields import RenderedTaskInstanceFields
        from airflow.models.taskinstance import TaskInstance
        from airflow.models.xcom import XComModel

        where = {"dag_id": self.dag_id, "run_id": _RUN}
        instances, fields, xcoms = [], [], []
        for number, runway_task_id in enumerate(self.ids):
            instances += [
                self.instance("film", number, "RunwayImageToVideoOperator", now),
                self.instance("save", number, "RunwayToObjectStorageOperator", now),
            ]
            asked = {
                "prompt_text": "a lighthouse at dusk, slowly",
                "model": "gen4_turbo",
                "route": "image_to_video",
            }
            saved = {
                "runway_task_id": runway_task_id,
                "destination": f"file://{self._folder}",
                "file_name": None,
            }
            for task_id, rendered in (("film", asked), ("save", saved)):
                fields.append({**where, "task_id": task_id, "map_index": number, "rendered_fields": rendered})
            for key, value in (
                ("runway_task_id", runway_task_id),
                ("_link_RunwayTaskLink", "https://portal/"),
            ):
                place = {**where, "task_id": "film", "map_index": number, "dag_run_id": self.number}
                xcoms.append({**place, "key": key, "value": json.dumps(value), "timestamp": now})
        session.execute(insert(TaskInstance.__table__), instances)
        session.execute(insert(RenderedTaskInstanceFields.__table__), fields)
        session.execute(insert(XComModel.__table__), xcoms)


class _Batch(_Run):
    """One task that makes and saves them all."""

    def owner(self, number):
        return "batch", None

    def fill(self, session, insert, now):
        from airflow.models.task_state_store import TaskStateStoreModel
        from airflow.models.taskinstance import TaskInstance

        from airflow_runway.core.gallery.landing import NOTE_KEY, note_of
        from airflow_runway.core.journal.header import Header
        from airflow_runway.core.journal.item import ITEMS_PER_CHUNK, Item, State
        from airflow_runway.core.journal.pin import Pinned, pin_as_json

        content = "c" * 24
        items = [
            Item(
                f"{number:024}.0", State.SUCCEEDED, content, runway_task_id=one, charged=25, content=content,
                label=f"shot {number}", sent_at=1.0, sent_in=1, kind="gen4_turbo 5 s",
            ).as_json()
            for number, one in enumerate(self.ids)
        ]  # fmt: skip
        pin = pin_as_json(Pinned(item["key"], content, content) for item in items)
        chunks = [items[at : at + ITEMS_PER_CHUNK] for at in range(0, len(items), ITEMS_PER_CHUNK)]
        header = Header(0.0, 0, len(chunks), pin_place=1, pin_chunks=len(pin), pinned=len(items))
        notes = {"runway_batch": header.as_json(), NOTE_KEY: note_of(f"file://{self._folder}", "", [])}
        notes |= {f"runway_batch_{number:04d}": chunk for number, chunk in enumerate(chunks)}
        notes |= {f"runway_batch_pin_1_{number:04d}": chunk for number, chunk in enumerate(pin)}
        place = {
            "dag_run_id": self.number,
            "dag_id": self.dag_id,
            "run_id": _RUN,
            "task_id": "batch",
            "map_index": -1,
        }
        rows = [
            {**place, "key": key, "value": json.dumps(value), "updated_at": now}
            for key, value in notes.items()
        ]
        session.execute(
            insert(TaskInstance.__table__), [self.instance("batch", -1, "RunwayBatchOperator", now)]
        )
        session.execute(insert(TaskStateStoreModel.__table__), rows)


def _import_time() -> str:
    code = (
        "import airflow.plugins_manager, time; began = time.perf_counter();"
        "from airflow_runway.plugins.runway import RunwayPlugin as it; it.external_views;"
        "print((time.perf_counter() - began) * 1000)"
    )
    times = []
    for _ in range(7):
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        times.append(float(found.stdout.splitlines()[-1]))
    return f"{statistics.median(times):.1f}"
