"""Shows a person what was made, and asks which of it to use: on Airflow's own *Required Actions*."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.providers.common.compat.sdk import conf
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param
from airflow.sdk.definitions.param import ParamsDict

from airflow_runway._base_operator import TellsLineage, reported
from airflow_runway.core.gallery.addresses import prefix_of
from airflow_runway.core.review.answer import Ending, review_of
from airflow_runway.core.review.form import REJECT, USE, body_of, fields_of
from airflow_runway.core.review.shots import read_shots, shots_from_json
from airflow_runway.core.saving.lineage import Lineage, dataset_of, facts_of, generation
from airflow_runway.exceptions import RunwayConfigurationError, runway_errors

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from airflow.sdk import Context

    from airflow_runway.core.review.answer import Chosen, Review
    from airflow_runway.core.review.shots import Shot

#: XCom in which the task notes what it has shown: templates may come to something else when the answer is there.
SHOWN_KEY = "review_shown"
#: XCom with the whole of a review.
REVIEW_KEY = "review"


class RunwayReviewOperator(HITLOperator, TellsLineage):
    """Asks a person to choose, per shot, one variant or none, with a note. Free, and holds no worker.

    The question is a *Required Action* of the Dag run, with the posters of all variants, what was asked for and what
    it has cost, and a link to the run's *Gallery*, where clips play. Below are a drop-down per shot and two buttons:
    "Use these choices" and "Reject all", which wins over the fields.

    Endings (``ending`` in the XCom ``review``; nothing was chosen but in the first):

    - ``chosen``: a variant of at least one shot. The other shots have none, and are left out of the lists below.
    - ``none``: the answer says "none" of every shot.
    - ``rejected``: "Reject all".
    - ``silence``: nobody answered within ``response_timeout``.
    - ``unusable``: an answer that Airflow's REST API took without its fields, or with words that no field knows. It
      is never an approval. Clear the task to ask again.

    In all of them the task succeeds, and a task that is mapped over what was chosen is skipped where that is nothing.
    An answer by the REST API within the first second after the question may be lost by Airflow, which then counts the
    try as failed ("state mismatch"); so there are two retries by default, each of which asks again.

    On Airflow 3.3 the task rests in ``awaiting_input``; before, a triggerer waits for it.

    :param shots: a list with one entry per shot: a manifest of
        :class:`~airflow_runway.transfers.runway_to_object_storage.RunwayToObjectStorageOperator`, a Runway task id,
        or a list of such, its variants; e.g. the output of a mapped task. Every file of a manifest is a variant. An
        entry that is ``None`` or has no file offers nothing to choose. At most 50; map the operator for more.
        Templated.
    :param labels: a list with as many texts, what people call the shots. Templated.
    :param prompts: a list with as many texts, what was asked for. Templated.
    :param subject: the headline; templated.
    :param body: what is said before the pictures, Markdown; templated.
    :param preselected: whether the first variant of each shot is chosen to begin with, so that the button takes it;
        else "none" is.
    :param notes: whether each shot has a field for a note.
    :param response_timeout: how long to wait for an answer; ``None`` = for ever.
    :param kwargs: as for any operator, and ``notifiers`` and ``assigned_users`` of Airflow's ``HITLOperator``.
    :returns: what was chosen, in the order of the shots, ready to be mapped over: a list of dicts with ``number`` and
        ``label`` of the shot, ``variant``, ``runway_task_id``, ``path``, ``manifest`` (with only the chosen file),
        ``note``, ``responded_by`` and ``responded_at``, e.g.
        ``film.expand(prompt_image=review.output.map(lambda one: one["path"]))``. The whole of it, with the ``ending``
        and with the shots of which nothing was chosen, is the XCom ``review``.

    Outlets: an ``Asset`` gets the whole of it in its event's extra, under ``review``.
    """

    template_fields: Collection[str] = ("subject", "body", "shots", "labels", "prompts")
    _ended: tuple[Sequence[Shot], Review] | None = None

    def __init__(
        self,
        *,
        shots: Iterable[Any],
        labels: Iterable[str] | None = None,
        prompts: Iterable[str] | None = None,
        subject: str = "Which of these?",
        body: str = "",
        preselected: bool = False,
        notes: bool = True,
        response_timeout: timedelta | None = None,
        **kwargs: Any,
    ) -> None:
        for name in ("options", "defaults", "multiple"):
            if name in kwargs:
                raise ValueError(f"{name} is the operator's own: give shots.")
        kwargs.setdefault("retries", 2)
        kwargs.setdefault("retry_delay", timedelta(seconds=5))
        super().__init__(
            subject=subject,
            body=body,
            options=[USE, REJECT],
            # With a default Airflow lets the task go on after the time-out; what that means is ours to say.
            defaults=REJECT if response_timeout is not None else None,
            response_timeout=response_timeout,
            **kwargs,
        )
        self.shots = shots
        self.labels = labels
        self.prompts = prompts
        self.preselected = preselected
        self.notes = notes

    @reported
    def execute(self, context: Context) -> list[Chosen]:
        """Ask, and wait without a worker.

        :param context: of the task that runs.
        :raises RunwayConfigurationError: shots, labels or prompts are wrong; nobody was asked.
        """
        shots = self._read()
        if not any(shot.variants for shot in shots):
            raise RunwayConfigurationError(
                "There is nothing to choose from: no entry of shots has a file. Nobody was asked. Look at the tasks "
                "that should have made them, and clear those."
            )
        ti: Any = context["ti"]
        ti.xcom_push(SHOWN_KEY, [shot.as_json() for shot in shots])
        base = str(conf.get("api", "base_url", fallback="") or "").rstrip("/")
        has_pages = conf.getboolean("runway", "gallery", fallback=True)
        run = f"{base}/dags/{quote(ti.dag_id, safe='')}/runs/{quote(ti.run_id, safe='')}"
        self.body = body_of(
            shots,
            prefix_of(base) if has_pages else "",
            f"{run}/plugin/runway-gallery" if has_pages else "",
            self.body or "",
        )
        self.params = ParamsDict(
            {
                name: Param(field.pop("default"), **field)
                for name, field in fields_of(shots, preselected=self.preselected, notes=self.notes).items()
            }
        )
        self.log.info(
            "Asking which of %d variants of %d shots to use.",
            sum(len(one.variants) for one in shots),
            len(shots),
        )
        waited: list[Chosen] = super().execute(context)
        return waited

    @reported
    def execute_complete(self, context: Context, event: dict[str, Any]) -> list[Chosen]:
        """Say what the answer means.

        :param context: of the task that runs.
        :param event: the answer, or why there is none.
        """
        ti: Any = context["ti"]
        shots = self._shown(ti)
        review, chosen = review_of(shots, event)
        self.log.info(
            "Review: %s; %d of %d shots have a choice, by %s.",
            review["ending"],
            len(chosen),
            len(shots),
            review["responded_by"] or "nobody",
        )
        if review["ending"] == Ending.UNUSABLE:
            self.log.warning(
                "The answer had no field that can be read, so it approves nothing: clear to ask again."
            )
        ti.xcom_push(REVIEW_KEY, review)
        self._ended = (shots, review)
        self._tell_assets(context, review)
        return chosen

    def lineage(self) -> Lineage:
        """What was shown, and how it ended."""
        shots, review = self._ended or ((), None)
        variants = [variant for shot in shots for variant in shot.variants]
        shown = (dataset_of(one.path) or generation(one.runway_task_id, one.index) for one in variants)
        facts: dict[str, Any] = facts_of(list(dict.fromkeys(one.runway_task_id for one in variants)))
        if review is not None:
            chosen = sum(shot["variant"] is not None for shot in review["shots"])
            who = {name: review[name] for name in ("responded_by", "responded_at")}
            facts["review"] = {"ending": review["ending"], "shots": len(shots), "chosen": chosen, **who}
        return Lineage(tuple(shown), (), facts)

    def _read(self) -> list[Shot]:
        with runway_errors():
            return read_shots(self.shots, self.labels, self.prompts)

    def _shown(self, ti: Any) -> list[Shot]:
        """What was shown, as it was noted; only where that is gone, what the templates come to now."""
        index = -1 if ti.map_index is None else ti.map_index
        noted = ti.xcom_pull(task_ids=ti.task_id, key=SHOWN_KEY, map_indexes=index)
        shots = shots_from_json(noted)
        if shots is None:
            self.log.warning("What was shown is no longer noted in XCom: it is read anew.")
            return self._read()
        return shots

    def _tell_assets(self, context: Context, review: Review) -> None:
        from airflow.sdk import Asset

        said: Any = dict(review)
        for outlet in self.outlets:
            if isinstance(outlet, Asset):
                context["outlet_events"][outlet].extra["review"] = said
