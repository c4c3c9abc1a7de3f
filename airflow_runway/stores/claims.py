"""Claims: of all submissions whose answer was lost, one may take a generation for its own.

A file ``claims/<id>.json`` beside the Dags' folders of a journal, created exclusively and never removed.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from airflow_runway.stores.files import TakenError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_runway.stores.files import Files

_FOLDER: Final = "claims"
#: Characters of a quoted id that a file's name may have.
_LONGEST: Final = 150


def claim(files: Files, runway_task_id: str, *, by: Mapping[str, Any]) -> bool:
    """Claim a generation for a submission; again, for the same one, is no harm.

    :param files: the folder of the journal's namespace.
    :param runway_task_id: of the generation.
    :param by: plain JSON that names the submission, and is the same each time.
    :returns: whether it is that submission's now; if not, another one has claimed it before.
    :raises RunwayConfigurationError: the store does not refuse to create what is there.
    """
    files.prove()
    try:
        files.create(_name(runway_task_id), json.dumps(by, sort_keys=True).encode())
    except TakenError:
        return False
    return True


def _name(runway_task_id: str) -> str:
    quoted = quote(runway_task_id, safe="")
    if len(quoted) > _LONGEST:
        digest = hashlib.sha256(runway_task_id.encode()).hexdigest()
        quoted = f"{quoted[:_LONGEST]}~{digest}"
    return f"{_FOLDER}/{quoted}.json"
