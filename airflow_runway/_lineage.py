"""OpenLineage's classes, made of what a task read and made; imported where its provider asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attr
from airflow.providers.openlineage.extractors import OperatorLineage
from openlineage.client.event_v2 import Dataset, OutputDataset
from openlineage.client.facet_v2 import RunFacet, output_statistics_output_dataset

if TYPE_CHECKING:
    from airflow_runway.core.saving.lineage import DatasetName, Lineage


@attr.define
class RunwayRunFacet(RunFacet):
    """Which generations a run has to do with."""

    runwayTaskIds: list[str] = attr.field(factory=list)  # noqa: N815 - facets are JSON
    gateway: str | None = None
    route: str | None = None
    model: str | None = None
    credits: float | None = None
    #: Only with ``[runway] lineage_prompts``.
    prompts: list[str] = attr.field(factory=list)
    #: Of a review.
    review: dict[str, Any] | None = None


def operator_lineage(lineage: Lineage) -> OperatorLineage[Dataset, RunFacet]:
    """The same, as OpenLineage has it.

    :param lineage: what a task read and made.
    """
    return OperatorLineage(
        inputs=[Dataset(one.namespace, one.name) for one in lineage.inputs],
        outputs=[_output(one) for one in lineage.outputs],
        run_facets={"runway": RunwayRunFacet(**lineage.facts)},
    )


def _output(one: DatasetName) -> OutputDataset:
    facets: dict[str, Any] = {}
    if one.size is not None:
        facets["outputStatistics"] = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
            size=one.size, fileCount=1
        )
    return OutputDataset(one.namespace, one.name, outputFacets=facets)
