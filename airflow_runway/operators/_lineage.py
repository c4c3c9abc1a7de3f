"""What tasks that submit tell of lineage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from airflow_runway._base_operator import tells_prompts
from airflow_runway.core.saving.lineage import Lineage, facts_of, generations, media_of, saved_files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_runway.core.saving.manifest import FileEntry


class Submits(Protocol):
    """An operator that submits to one route."""

    route: str

    @property
    def gateway_name(self) -> str:
        """Whom its connection leads to."""


def lineage_of(
    operator: Submits,
    bodies: Sequence[Mapping[str, Any]],
    ids: Sequence[str],
    *,
    cost: float | None,
    files: Sequence[FileEntry] = (),
) -> Lineage:
    """The media of requests, and what became of them: the generations, or the files that are saved of them.

    :param operator: that submitted.
    :param bodies: of the requests.
    :param ids: Runway task ids; what is empty is none.
    :param cost: credits that they have cost, as far as it was told.
    :param files: what was saved.
    """
    ids = [one for one in ids if one]
    models = {model for body in bodies if isinstance(model := body.get("model"), str)}
    facts = facts_of(
        ids,
        gateway=operator.gateway_name,
        route=operator.route,
        model=models.pop() if len(models) == 1 else None,
        cost=cost,
        bodies=bodies,
        prompts=tells_prompts(),
    )
    return Lineage(media_of(bodies), saved_files(files) or generations(ids), facts)
