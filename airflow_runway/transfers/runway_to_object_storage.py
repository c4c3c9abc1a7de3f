"""Lands the outputs of generations in the team's own storage, before their links die."""

from __future__ import annotations

import random
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

import airflow.sdk
from airflow.sdk import ObjectStoragePath

from airflow_runway._base_operator import RunwayOperatorBase, reported, whole_number
from airflow_runway.core.limits import LARGEST_OUTPUT
from airflow_runway.core.owner import owner_of
from airflow_runway.core.polling.backoff import backoff
from airflow_runway.core.protocol.gateways import checked_task_id
from airflow_runway.core.redaction import redact
from airflow_runway.core.saving.lineage import Lineage, facts_of, generations, saved_files
from airflow_runway.core.saving.naming import DEFAULT_PATTERN, FileName
from airflow_runway.exceptions import RunwayConfigurationError, RunwayReadRefusedError, runway_errors
from airflow_runway.links.runway import RunwayClipsLink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from airflow.sdk import Context

    from airflow_runway.core.saving.manifest import Manifest
    from airflow_runway.exceptions import RunwayError
    from airflow_runway.transfers._saving.destination import Destination
    from airflow_runway.transfers._saving.outcome import SaveOutcome
    from airflow_runway.transfers._saving.saver import Saver

#: Airflow's own bound, in characters.
LONGEST_PARTITION_KEY: Final = 250
_chance = random.Random()  # noqa: S311 - spreads tries, hides nothing


def pause_before_retry(tries: int) -> float:
    """Seconds to wait before one file is tried again: at random, up to 1, 2, 4, ... 30 seconds.

    :param tries: how many were in vain, from 1.
    """
    return backoff(tries, chance=_chance)


class RunwayToObjectStorageOperator(RunwayOperatorBase):
    """Copies every output of finished generations to object storage and returns a manifest of each.

    A generation is read anew for fresh links, so this works however long ago it ended, as long as the gateway
    keeps it. Files stream through in constant memory; a broken download goes on where it broke off, with a
    fresh link if the old one has died meanwhile. What the host promised (length, SHA-256) is checked, and what a
    file is, is judged by its first bytes: an error page is never saved as a clip. Nobody ever sees half a file:
    it appears under its name when it is complete. The API key never travels to the output's host, and no
    redirect leads to a private address.

    Beside the files a manifest is stored (see :mod:`airflow_runway.core.saving.manifest`), named like them, without
    index and extension: ``<runway task id>.manifest.json`` by default. Running again finds it, looks whether its
    files are there, and downloads nothing. Free; a retry continues with what is missing.

    :param runway_task_id: the finished generation, e.g. ``submit.output``, or several: a list, or the output of a
        mapped task; templated.
    :param destination: a folder, as any URL that ``ObjectStoragePath`` understands
        (``s3://conn_id@bucket/key``, ``file:///data/clips``); templated. On S3 give the bucket a lifecycle rule
        that aborts incomplete multipart uploads: a killed worker may leave one, invisible, until it runs again.
    :param runway_conn_id: id of a connection of type ``runway``; templated.
    :param file_name: how files in the folder are named; may contain folders; templated. Our own fields stand in
        single braces: ``{runway_task_id}``, ``{index}`` (from 0; ``{index:03}`` pads) and ``{extension}`` (with its
        dot, from the content), e.g. ``{{ run_id }}/{runway_task_id}-{index}{extension}``. Whatever a template gives,
        a name cannot leave the destination.
    :param max_bytes: refuse files that are larger; 8 GiB by default.
    :param on_failure: ``"fail"`` (default): what can be saved is saved, then one error names all failures.
        ``"manifest"``: a generation that failed, or that cannot be saved, gets a manifest with ``error``, and the
        task succeeds; while Airflow has retries left, failures that a retry may mend are still raised. Trouble
        with the connection is always raised.
    :param max_concurrency: how many files are fetched at once, at most 32; memory and connections grow with it.
    :param route: for the manifest, the route that the generations were submitted to; the gateway does not tell.
        Templated.
    :param model: for the manifest, the model that they were made with; the gateway does not tell. Templated.
    :param posters: with the extra ``media``, save a poster beside each picture and clip (JPEG, at most 1280 pixels a
        side), named like it with ``.poster.jpg``, and of a clip a contact sheet (``.sheet.jpg``). They are made in a
        process of their own, with 1 GiB and a minute for each file; where that fails, the log says so.
    :param contact_sheet_frames: of a contact sheet, evenly over the clip, at most 36; 0 = none is made.
    :param partition_key: of the event of each plain ``Asset`` among the outlets, e.g. the shot, the product or the
        language, so that a Dag can be scheduled by "all of these are there"; templated; from Airflow 3.3 on.
    :returns: the manifest, a dict, or a list of them, in order, if ``runway_task_id`` is no plain string.

    Outlets: an ``AssetAlias`` gets an asset event per file, so that Dags can be scheduled by "clip ready"; its extra
    holds ``runway_task_id``, ``path``, ``bytes``, ``sha256``, ``media_type``, ``width``, ``height``, ``duration``,
    ``fps``, ``poster``, ``contact_sheet``, ``gateway``, ``route``, ``model``, ``cost_credits``, ``owner`` and the
    path of the ``manifest``. A plain ``Asset`` gets its one event, with as many of these under ``files``.
    """

    template_fields: Sequence[str] = (
        "runway_task_id", "destination", "file_name", "route", "model", "runway_conn_id", "partition_key",
    )  # fmt: skip
    operator_extra_links = (RunwayClipsLink(),)
    #: Seconds to wait after so many tries of one file in vain; tests put a function here that returns 0.
    pause_between_tries: Callable[[int], float] = staticmethod(pause_before_retry)
    _saver: Saver | None = None
    _manifests: Mapping[str, Manifest] = MappingProxyType({})

    def __init__(
        self,
        *,
        runway_task_id: str | Iterable[str],
        destination: str,
        runway_conn_id: str = "runway_default",
        file_name: str = DEFAULT_PATTERN,
        max_bytes: int = LARGEST_OUTPUT,
        on_failure: Literal["fail", "manifest"] = "fail",
        max_concurrency: int = 4,
        route: str | None = None,
        model: str | None = None,
        posters: bool = True,
        contact_sheet_frames: int = 9,
        partition_key: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if on_failure not in ("fail", "manifest"):
            raise ValueError('on_failure must be "fail" or "manifest".')
        self.runway_task_id = runway_task_id
        self.destination = destination
        self.runway_conn_id = runway_conn_id
        self.file_name = file_name
        self.max_bytes = whole_number("max_bytes", max_bytes, least=1)
        self.on_failure = on_failure
        self.max_concurrency = whole_number("max_concurrency", max_concurrency, least=1, most=32)
        self.route = route
        self.model = model
        self.posters = posters
        self.contact_sheet_frames = whole_number(
            "contact_sheet_frames", contact_sheet_frames, least=0, most=36
        )
        if partition_key is not None and not hasattr(airflow.sdk, "PartitionedAssetTimetable"):
            raise ValueError("partition_key needs Airflow 3.3 or newer.")
        self.partition_key = partition_key

    @reported
    def execute(self, context: Context) -> Manifest | list[Manifest]:
        """Save every output.

        :param context: says whether retries are left, and takes the asset events.
        :raises RunwayTransferError: something could not be fetched or stored, or has not ended yet.
        :raises RunwayTransferRefusedError: what the link gives may not be saved.
        :raises RunwayConfigurationError: ids, ``file_name`` or ``destination`` are wrong; nothing was fetched.
        """
        # Imported when work starts: Dag files are parsed all the time, and HTTP libraries are heavy.
        from airflow_runway.stores.landing import note_landing
        from airflow_runway.transfers._saving.destination import Destination, folder_at
        from airflow_runway.transfers._saving.saver import Saver, SaverOptions

        self._check_partition_key()
        with runway_errors():
            ids = self._ids()
            different = list(dict.fromkeys(ids))
            file_name = _checked_file_name(self.file_name, different)
        destination = Destination(folder_at(self.destination), self.max_bytes)
        options = SaverOptions(
            file_name,
            self.route or None,
            max_bytes=self.max_bytes,
            max_concurrency=self.max_concurrency,
            pause=self.pause_between_tries,
            models=dict.fromkeys(different, self.model) if self.model else {},
            owner=owner_of(context["ti"]),
            contact_sheet_frames=self.contact_sheet_frames if self.posters else None,
        )
        self._saver = saver = Saver(self.hook, destination, options, self.log)
        note_landing(context, str(self.destination), self.file_name, different)
        outcomes = saver.run(different)
        self._settle(saver, outcomes, context)
        self._report(saver, outcomes, destination, context)
        manifests = self._manifests = {one.id: one.manifest for one in outcomes if one.manifest is not None}
        if self._is_one(self.runway_task_id):
            return manifests[ids[0]]
        return [manifests[one] for one in ids]

    def _check_partition_key(self) -> None:
        """Before anything is fetched: Airflow would refuse it when all is done."""
        key = self.partition_key
        if key is not None and not (
            isinstance(key, str) and key.strip() and len(key) <= LONGEST_PARTITION_KEY
        ):
            raise RunwayConfigurationError(
                f"partition_key is {redact(key, limit=60)!r}, not a text of 1 to {LONGEST_PARTITION_KEY} characters. "
                "Nothing was fetched."
            )

    def lineage(self) -> Lineage:
        """The generations, and the files that are saved of them."""
        ids = list(dict.fromkeys(self._ids()))
        told = [cost for one in self._manifests.values() if (cost := one["cost_credits"]) is not None]
        facts = facts_of(
            ids,
            gateway=self.gateway_name,
            route=self.route or "",
            model=self.model,
            cost=sum(told) if told else None,
        )
        files = [file for one in self._manifests.values() for file in one["files"]]
        return Lineage(generations(ids), saved_files(files), facts)

    def on_kill(self) -> None:
        """Let downloads end; what is half there is thrown away."""
        if self._saver is not None:
            self._saver.stop()

    def _ids(self) -> list[str]:
        given = self.runway_task_id
        if self._is_one(given):
            return [checked_task_id(given)]
        return [checked_task_id(one) for one in given]

    @staticmethod
    def _is_one(given: object) -> bool:
        """Whether one generation is named: by its id, or by the dict that a sensor returned."""
        return isinstance(given, str | bytes | Mapping) or not hasattr(given, "__iter__")

    def _settle(self, saver: Saver, outcomes: Sequence[SaveOutcome], context: Context) -> None:
        """Raise what is to be raised, record what is to be recorded."""
        from airflow_runway.transfers._saving.outcome import is_final, together

        errors = [(one, error) for one in outcomes if (error := one.error) is not None]
        if self.on_failure == "manifest":
            last = not _has_retries_left(context)
            recorded = [pair for pair in errors if _may_be_recorded(pair[1]) and (last or is_final(pair[1]))]
            for one, error in recorded:
                self.log.error("%s\nIt is recorded in the manifest, and this task goes on.", error)
                saver.record_failure(one)
            errors = [pair for pair in errors if pair not in recorded]
        if errors:
            subject = f"{len(errors)} of {len(outcomes)} generations could not be saved"
            raise together([error for _, error in errors], subject)

    def _report(
        self, saver: Saver, outcomes: Sequence[SaveOutcome], destination: Destination, context: Context
    ) -> None:
        """Tell Airflow's lineage and asset events what is saved."""
        from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector

        from airflow_runway.transfers._saving.assets import emit_asset_events

        saved = [
            (one.manifest, str(destination.path(saver.manifest_name(one))))
            for one in outcomes
            if one.manifest is not None
        ]
        for manifest, _ in saved:
            for entry in manifest["files"]:
                path = ObjectStoragePath(entry["path"])
                get_hook_lineage_collector().add_output_asset(context=path, uri=str(path))
        if self.outlets:
            emit_asset_events(self.outlets, context["outlet_events"], saved, self.partition_key)


def _checked_file_name(pattern: str, runway_task_ids: Sequence[str]) -> FileName:
    """The pattern, if it gives each generation a safe name of its own."""
    file_name = FileName.parse(pattern)
    file_name.check_tasks(len(runway_task_ids))
    stems = {file_name.stem(one, 0) for one in runway_task_ids}
    if len(stems) < len(runway_task_ids):
        raise RunwayConfigurationError("Several Runway task ids give one file name. Nothing was fetched.")
    return file_name


def _may_be_recorded(error: RunwayError) -> bool:
    return not isinstance(error, RunwayReadRefusedError | RunwayConfigurationError)


def _has_retries_left(context: Context) -> bool:
    ti = context["ti"]
    return bool(getattr(ti, "try_number", 1) <= (getattr(ti, "max_tries", 0) or 0))
