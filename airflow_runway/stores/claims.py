"""Claims: which submission a generation belongs to that no answer has named; of two that want it, one gets it.

``<journal>/<namespace>/claims/<id>.json``, created exclusively and never rewritten.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from airflow_runway.exceptions import RunwayConfigurationError
from airflow_runway.stores.files import JournalFolderError, TakenError

if TYPE_CHECKING:
    from airflow_runway.stores.files import Files

_VERSION: Final = 1
#: Characters of an id that a file's name keeps.
_LONGEST: Final = 120


def claim(files: Files, runway_task_id: str, *, by: str) -> bool:
    """Claim a generation, for good.

    :param files: of the journal's namespace.
    :param runway_task_id: the generation.
    :param by: names the submission, and is the same in each of its tries: one that died right after its claim has it.
    :returns: whether it is theirs; else somebody else was first.
    :raises JournalFolderError: nobody knows now; the same may be asked again.
    :raises RunwayConfigurationError: the store is none for a journal.
    """
    content = {"version": _VERSION, "runway_task_id": runway_task_id, "by": by}
    try:
        files.prove()
        # Nothing in it differs between two tries of one submission: what stands there is then the same.
        files.create(_name_of(runway_task_id), json.dumps(content, sort_keys=True).encode())
    except TakenError:
        return False
    except RunwayConfigurationError:
        raise
    except Exception as error:
        raise JournalFolderError(
            f"the claim on Runway task {runway_task_id} could not be written to the journal folder {files.url} "
            f"({type(error).__name__})"
        ) from error
    return True


def claimed_by(files: Files, runway_task_id: str) -> str | None:
    """Which submission has claimed a generation; ``None`` = none has.

    :param files: of the journal's namespace.
    :param runway_task_id: the generation.
    :raises JournalFolderError: it cannot be read now, or is none.
    """
    name = _name_of(runway_task_id)
    try:
        content = files.found(name)
        return None if content is None else str(json.loads(content)["by"])
    except Exception as error:
        raise JournalFolderError(
            f"the journal folder {files.url}/{name} could not be read ({type(error).__name__})"
        ) from error


def _name_of(runway_task_id: str) -> str:
    quoted = quote(runway_task_id, safe="")
    if len(quoted) > _LONGEST:
        quoted = f"{quoted[:_LONGEST]}~{hashlib.sha256(runway_task_id.encode()).hexdigest()[:16]}"
    return f"claims/{quoted}.json"
