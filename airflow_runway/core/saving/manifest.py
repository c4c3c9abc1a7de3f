"""What is told of a saved generation: plain JSON values, no URL of a gateway, no signed query.

::

    {
      "manifest_version": 1,
      "runway_task_id", "gateway",
      "route", "model",                          null unless the operator was told
      "status",                                  SUCCEEDED, FAILED, ...; null if it could not be read
      "cost_credits",                            null where the gateway does not tell; never 0 for that
      "owner",                                   {"dag_id", "run_id", "task_id", "map_index", "team_name"} of the
                                                 task that saved it, the last two null where there is none; or null
      "created_at", "finished_at",               the gateway's own words; null where it does not tell
      "saved_at",                                when this was written, UTC, ISO 8601
      "files": [{"index", "path", "bytes", "sha256", "media_type",
                 "width", "height", "duration", "fps",      null where unknown
                 "poster", "contact_sheet"}],               paths of JPEG files; null where there is none
      "error"                                    null, or {"type", "message", "failure", "failure_code"}
    }

Manifests of 0.1.0 have neither ``model``, ``owner`` nor the last two; they are complete all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypedDict, cast

from airflow_runway.core.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_runway.core.models import RunwayTask
    from airflow_runway.core.owner import Owner, OwnerFacts

VERSION: Final = 1


class Measures(TypedDict, total=False):
    """What was found out about the picture or the sound of a file."""

    width: int | None
    height: int | None
    #: Seconds.
    duration: float | None
    fps: float | None


class StillPaths(TypedDict, total=False):
    """Where the pictures lie by which a person knows a file; added after 0.1.0."""

    poster: str | None
    contact_sheet: str | None


class FileEntry(Measures, StillPaths):
    """One file of a manifest."""

    index: int
    path: str
    bytes: int
    sha256: str
    media_type: str


class ManifestError(TypedDict):
    """Why a generation is not saved, or not completely."""

    type: str
    message: str
    failure: str | None
    failure_code: str | None


class CostOf(TypedDict, total=False):
    """What was added after 0.1.0."""

    model: str | None
    owner: OwnerFacts | None


class Manifest(CostOf):
    """See the module."""

    manifest_version: int
    runway_task_id: str
    gateway: str
    route: str | None
    status: str | None
    cost_credits: float | None
    created_at: str | None
    finished_at: str | None
    saved_at: str
    files: list[FileEntry]
    error: ManifestError | None


class FileFacts(Measures, StillPaths, CostOf):
    """What the asset event of a file carries."""

    runway_task_id: str
    gateway: str
    route: str | None
    cost_credits: float | None
    path: str
    bytes: int
    sha256: str
    media_type: str
    manifest: str


_UNMEASURED: Final = Measures(width=None, height=None, duration=None, fps=None)
_NO_STILLS: Final = StillPaths(poster=None, contact_sheet=None)
_LONGEST_MESSAGE: Final = 1000


def file_entry(
    index: int,
    path: str,
    size: int,
    sha256: str,
    media_type: str,
    measures: Measures,
    stills: StillPaths | None = None,
) -> FileEntry:
    """One file of a manifest.

    :param index: which of the generation's outputs it is, from 0.
    :param path: where it lies, as ``ObjectStoragePath`` takes it.
    :param size: bytes.
    :param sha256: hexadecimal.
    :param media_type: what its first bytes say.
    :param measures: what could be found out.
    :param stills: where its poster and its contact sheet lie.
    """
    return {
        "index": index,
        "path": path,
        "bytes": size,
        "sha256": sha256,
        "media_type": media_type,
        **_UNMEASURED,
        **measures,
        **_NO_STILLS,
        **(stills or {}),
    }


def manifest_of(
    runway_task_id: str,
    task: RunwayTask | None,
    files: Sequence[FileEntry],
    *,
    gateway: str,
    route: str | None,
    saved_at: str,
    model: str | None = None,
    owner: Owner | None = None,
    error: BaseException | None = None,
) -> Manifest:
    """A whole manifest.

    :param runway_task_id: the generation.
    :param task: its last reading; ``None`` if it could not be read.
    :param files: of :func:`file_entry`, in the order of the outputs.
    :param gateway: gateway name of the connection.
    :param route: the route that it was submitted to, where known.
    :param saved_at: now, ISO 8601.
    :param model: the model that it was made with, where known.
    :param owner: the task that saves it.
    :param error: why it is not complete; ``None`` if it is.
    """
    return {
        "manifest_version": VERSION,
        "runway_task_id": runway_task_id,
        "gateway": gateway,
        "route": route,
        "model": model,
        "owner": owner.as_json() if owner else None,
        "status": task.status.value if task else None,
        "cost_credits": task.cost_credits if task else None,
        "created_at": task.created_at if task else None,
        "finished_at": task.finished_at if task else None,
        "saved_at": saved_at,
        "files": list(files),
        "error": None if error is None else _error_entry(error, task),
    }


def _error_entry(error: BaseException, task: RunwayTask | None) -> ManifestError:
    return {
        "type": type(error).__name__,
        # Of ours the message: the whole report is for a log.
        "message": redact(getattr(error, "message", "") or error, limit=_LONGEST_MESSAGE),
        "failure": redact(task.failure) if task and task.failure else None,
        "failure_code": task.failure_code if task else None,
    }


def complete_manifest(document: object, runway_task_id: str) -> Manifest | None:
    """A stored document, if that is the manifest of this generation, saved without an error.

    :param document: whatever lay where the manifest should.
    :param runway_task_id: the generation.
    """
    if not isinstance(document, dict):
        return None
    ours = document.get("manifest_version") == VERSION and document.get("runway_task_id") == runway_task_id
    if not Manifest.__required_keys__ <= document.keys():
        return None
    files = document.get("files")
    if not ours or document.get("error") is not None or not isinstance(files, list) or not files:
        return None
    if not all(_is_entry(entry, index) for index, entry in enumerate(files)):
        return None
    return cast("Manifest", document)


def _is_entry(entry: object, index: int) -> bool:
    wanted = {"index": int, "path": str, "bytes": int, "sha256": str, "media_type": str}
    return (
        isinstance(entry, dict)
        and {**Measures.__annotations__, **wanted}.keys() <= entry.keys()
        and all(type(entry.get(name)) is kind for name, kind in wanted.items())
        and entry["index"] == index
    )


def file_facts(manifest: Manifest, entry: FileEntry, manifest_path: str) -> FileFacts:
    """What the asset event of a file carries.

    :param manifest: of the generation.
    :param entry: one of its files.
    :param manifest_path: where the manifest lies.
    """
    return {
        "runway_task_id": manifest["runway_task_id"],
        "gateway": manifest["gateway"],
        "route": manifest["route"],
        "model": manifest.get("model"),
        "owner": manifest.get("owner"),
        "cost_credits": manifest["cost_credits"],
        "path": entry["path"],
        "bytes": entry["bytes"],
        "sha256": entry["sha256"],
        "media_type": entry["media_type"],
        "width": entry["width"],
        "height": entry["height"],
        "duration": entry["duration"],
        "fps": entry["fps"],
        "poster": entry.get("poster"),
        "contact_sheet": entry.get("contact_sheet"),
        "manifest": manifest_path,
    }
