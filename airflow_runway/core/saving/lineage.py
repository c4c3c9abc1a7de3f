"""What a task read and made, as names of datasets; :mod:`airflow_runway._lineage` makes OpenLineage's classes of it.

Datasets are named as OpenLineage's naming conventions have it (``s3://bucket`` and a key, ``file`` and a path). What
has no address of its own, a generation's output, is named by its id: so whatever refers to it, or saves it, meets it.

=======================================  ==========================  ==================
what a task names                        namespace                   name
=======================================  ==========================  ==================
``s3://conn@bucket/a/b.png``             ``s3://bucket``             ``a/b.png``
``file:///a/b.png``, ``/a/b.png``        ``file``                    ``/a/b.png``
``https://host/a.png?signature``         ``https://host``            ``/a.png``
``runway-task://<id>#<n>``               ``runway``                  ``<id>/<n>``
``runway://<upload>``                    ``runway``                  ``uploads/<upload>``
=======================================  ==========================  ==================

Queries, users and passwords of an address are never part of a name, and a file inside of a request has none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from airflow_runway.core.media.references import Reference, Source, output_of, references_in
from airflow_runway.core.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_runway.core.saving.manifest import FileEntry

#: Datasets that are told of one task: a run of a batch may have thousands.
MOST: Final = 500
_RUNWAY: Final = "runway"
_PROMPTS: Final = ("promptText", "prompt")


@dataclass(frozen=True, slots=True)
class DatasetName:
    """A dataset, as OpenLineage names it."""

    namespace: str
    name: str
    #: Bytes; ``None`` where nobody told.
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Lineage:
    """What one task read and made."""

    inputs: tuple[DatasetName, ...] = ()
    outputs: tuple[DatasetName, ...] = ()
    #: Members of the run's facet; those that are empty are left out.
    facts: Mapping[str, Any] = field(default_factory=dict)


def dataset_of(uri: object) -> DatasetName | None:
    """The name of what an address leads to; ``None`` if it has none.

    :param uri: whatever a payload may hold in the place of a file, or the path of a saved one.
    """
    if not isinstance(uri, str):
        return None
    source = Reference(uri, "").source
    if source is Source.OUTPUT:
        found = output_of(uri)
        return generation(*found) if found else None
    if source in {Source.NONE, Source.INLINE}:
        return None
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port and source is Source.WEB else ""
    except ValueError:
        return None
    if source is Source.UPLOAD:
        return DatasetName(_RUNWAY, f"uploads/{redact(host + parts.path, limit=200)}")
    if parts.scheme in {"", "file"}:
        return DatasetName("file", unquote(parts.path))
    if source is Source.WEB:
        return DatasetName(f"{parts.scheme}://{host}{port}", parts.path or "/")
    # In a URL the name of a bucket keeps its case, which ``hostname`` does not.
    bucket = parts.netloc.rpartition("@")[2]
    return DatasetName(f"{parts.scheme}://{bucket}", parts.path.lstrip("/"))


def generation(runway_task_id: str, index: int = 0) -> DatasetName:
    """The output of a generation.

    :param runway_task_id: its id.
    :param index: which of its outputs.
    """
    return DatasetName(_RUNWAY, f"{runway_task_id}/{index}")


def media_of(bodies: Iterable[Mapping[str, Any]]) -> tuple[DatasetName, ...]:
    """The files that requests name, each once.

    :param bodies: of the requests.
    """
    return _each_once(dataset_of(one.uri) for body in bodies for one in references_in(body))


def saved_files(files: Iterable[FileEntry]) -> tuple[DatasetName, ...]:
    """What was saved, with its sizes.

    :param files: of manifests.
    """
    named = ((dataset_of(entry["path"]), entry["bytes"]) for entry in files)
    return _each_once(DatasetName(one.namespace, one.name, size) for one, size in named if one is not None)


def generations(ids: Iterable[str]) -> tuple[DatasetName, ...]:
    """The first outputs of generations.

    :param ids: Runway task ids.
    """
    return _each_once(map(generation, ids))


def facts_of(
    ids: Sequence[str],
    *,
    gateway: str = "",
    route: str = "",
    model: object = None,
    cost: float | None = None,
    bodies: Iterable[Mapping[str, Any]] = (),
    prompts: bool = False,
) -> dict[str, Any]:
    """The members of the run's facet.

    :param ids: Runway task ids.
    :param gateway: whom was asked.
    :param route: its route.
    :param model: as the request names it.
    :param cost: credits that it has cost, as far as it was told.
    :param bodies: of the requests, for their prompts.
    :param prompts: whether those are told.
    """
    words = [body[name] for body in bodies for name in _PROMPTS if isinstance(body.get(name), str)]
    told = {
        "runwayTaskIds": list(ids)[:MOST],
        "gateway": gateway,
        "route": redact(route, limit=200),
        "model": redact(model, limit=60) if isinstance(model, str) else "",
        "credits": cost,
        "prompts": [redact(one, limit=2_000) for one in words[:MOST]] if prompts else [],
    }
    return {name: value for name, value in told.items() if value not in ("", None, [])}


def _each_once(names: Iterable[DatasetName | None]) -> tuple[DatasetName, ...]:
    return tuple(dict.fromkeys(one for one in names if one is not None))[:MOST]
