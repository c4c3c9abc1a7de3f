"""What is told of a saved generation: plain JSON values, no URL of a gateway, no signed query; pure.

::

    {
      "manifest_version": 1,
      "runway_task_id", "gateway", "route",      route is null unless the operator was told
      "status",                                  SUCCEEDED, FAILED, ...; null if it could not be read
      "cost_credits",                            null where the gateway does not tell
      "created_at", "finished_at",               the gateway's own words; null where it does not tell
      "saved_at",                                when this was written, UTC, ISO 8601
      "files": [{"index", "path", "bytes", "sha256", "media_type",
                 "width", "height", "duration", "fps"}],    the last four null where unknown
      "error"                                    null, or {"type", "message", "failure", "failure_code"}
    }
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from airflow_runway.core.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_runway.core.models import RunwayTask

VERSION: Final = 1
#: What a file's entry tells about the picture or the sound.
MEASURES: Final = ("width", "height", "duration", "fps")
_LONGEST_MESSAGE: Final = 1000


def file_entry(
    index: int, path: str, size: int, sha256: str, media_type: str, measures: Mapping[str, float | int | None]
) -> dict[str, Any]:
    """One file of a manifest.

    :param index: which of the generation's outputs it is, from 0.
    :param path: where it lies, as ``ObjectStoragePath`` takes it.
    :param size: bytes.
    :param sha256: hexadecimal.
    :param media_type: what its first bytes say.
    :param measures: some of :data:`MEASURES`; pixels, seconds, frames per second.
    """
    entry = {"index": index, "path": path, "bytes": size, "sha256": sha256, "media_type": media_type}
    return {**entry, **{name: measures.get(name) for name in MEASURES}}


def manifest_of(
    runway_task_id: str,
    task: RunwayTask | None,
    files: Sequence[Mapping[str, Any]],
    *,
    gateway: str,
    route: str | None,
    saved_at: str,
    error: BaseException | None = None,
) -> dict[str, Any]:
    """A whole manifest.

    :param runway_task_id: the generation.
    :param task: its last reading; ``None`` if it could not be read.
    :param files: of :func:`file_entry`, in the order of the outputs.
    :param gateway: gateway name of the connection.
    :param route: the route that it was submitted to, where known.
    :param saved_at: now, ISO 8601.
    :param error: why it is not complete; ``None`` if it is.
    """
    return {
        "manifest_version": VERSION,
        "runway_task_id": runway_task_id,
        "gateway": gateway,
        "route": route,
        "status": task.status.value if task else None,
        "cost_credits": task.cost_credits if task else None,
        "created_at": task.created_at if task else None,
        "finished_at": task.finished_at if task else None,
        "saved_at": saved_at,
        "files": [dict(entry) for entry in files],
        "error": None if error is None else _told(error, task),
    }


def _told(error: BaseException, task: RunwayTask | None) -> dict[str, Any]:
    return {
        "type": type(error).__name__,
        "message": redact(error, limit=_LONGEST_MESSAGE),
        "failure": redact(task.failure) if task and task.failure else None,
        "failure_code": task.failure_code if task else None,
    }


def complete_files(document: object, runway_task_id: str) -> list[dict[str, Any]] | None:
    """The files of a stored document, if that is the manifest of this generation, saved without an error.

    :param document: whatever lay where the manifest should.
    :param runway_task_id: the generation.
    """
    if not isinstance(document, dict):
        return None
    ours = document.get("manifest_version") == VERSION and document.get("runway_task_id") == runway_task_id
    files = document.get("files")
    if not ours or document.get("error") is not None or not isinstance(files, list) or not files:
        return None
    return files if all(_is_entry(entry, index) for index, entry in enumerate(files)) else None


def _is_entry(entry: object, index: int) -> bool:
    wanted = {"index": int, "path": str, "bytes": int, "sha256": str, "media_type": str}
    return (
        isinstance(entry, dict)
        and all(type(entry.get(name)) is kind for name, kind in wanted.items())
        and entry["index"] == index
    )


def essentials(manifest: Mapping[str, Any], entry: Mapping[str, Any], manifest_path: str) -> dict[str, Any]:
    """What the asset event of a file carries.

    :param manifest: of the generation.
    :param entry: one of its files.
    :param manifest_path: where the manifest lies.
    """
    names = ("path", "bytes", "sha256", "media_type", *MEASURES)
    about = {name: manifest[name] for name in ("runway_task_id", "gateway", "cost_credits")}
    return {**about, **{name: entry[name] for name in names}, "manifest": manifest_path}
