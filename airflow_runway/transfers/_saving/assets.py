"""Asset events of saved files, so that a downstream Dag can be scheduled by "clip ready"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.providers.common.compat.sdk import Asset, AssetAlias

from airflow_runway.core.saving.manifest import file_facts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow.sdk.types import OutletEventAccessorsProtocol

    from airflow_runway.core.saving.manifest import FileFacts, Manifest


def asset_uri(path: str) -> str:
    """The URI of a stored file as an asset: without a connection id, without anything behind ``?``.

    :param path: as ``ObjectStoragePath`` prints it.
    """
    scheme, separator, rest = path.partition("://")
    if not separator:
        scheme, rest = "file", path
    bucket, slash, key = rest.partition("/")
    bucket = bucket.rpartition("@")[2]
    return f"{scheme}://{bucket}{slash}{quote(key, safe='/~:@+,!$()')}"


def emit_asset_events(
    outlets: Iterable[object],
    events: OutletEventAccessorsProtocol,
    saved: Sequence[tuple[Manifest, str]],
    partition_key: str | None = None,
) -> list[str]:
    """Tell Airflow of every saved file.

    An ``AssetAlias`` among the outlets gets one event per file, on an asset named after the file's URI; a plain
    ``Asset`` gets its one event, with all files under ``files`` in its extra.

    :param outlets: of the operator.
    :param events: ``outlet_events`` of the context.
    :param saved: manifests, each with the path where it is stored.
    :param partition_key: of the events of plain assets; ``None`` = none.
    :returns: URIs of the files.
    """
    files = [file_facts(manifest, entry, path) for manifest, path in saved for entry in manifest["files"]]
    uris = [asset_uri(facts["path"]) for facts in files]
    for outlet in outlets:
        if isinstance(outlet, AssetAlias):
            for uri, facts in zip(uris, files, strict=True):
                events[outlet].add(Asset(name=uri, uri=uri), extra=_extra(facts))
        elif isinstance(outlet, Asset) and files:
            events[outlet].extra["files"] = [_extra(facts) for facts in files]
            if partition_key is not None:
                events[outlet].add_partitions(partition_key)
    return uris


def _extra(facts: FileFacts) -> dict[str, Any]:
    return dict(facts)
