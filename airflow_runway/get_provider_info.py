"""What Airflow shows of this provider: its connection type, modules and links."""

from __future__ import annotations

from typing import Any

from airflow_runway.core.protocol.gateways import DEFAULT_API_VERSION, DEFAULT_GATEWAY, GATEWAYS

_INTEGRATION = "Runway"


def get_provider_info() -> dict[str, Any]:
    """The provider's metadata, in the form of Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "airflow-provider-runway",
        "name": "Runway",
        "description": "Video generation with `Runway <https://docs.dev.runwayml.com/>`__ and its gateways.",
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://docs.dev.runwayml.com/",
                "tags": ["service"],
            }
        ],
        "hooks": [_modules("airflow_runway.hooks.runway")],
        "operators": [_modules("airflow_runway.operators.runway", "airflow_runway.operators.review")],
        "task-decorators": [
            {"class-name": "airflow_runway.decorators.runway.runway_task", "name": "runway"},
            {"class-name": "airflow_runway.decorators.runway.runway_batch_task", "name": "runway_batch"},
        ],
        "sensors": [_modules("airflow_runway.sensors.runway")],
        "triggers": [_modules("airflow_runway.triggers.runway", "airflow_runway.triggers.batch")],
        "transfers": [
            {
                "source-integration-name": _INTEGRATION,
                "target-integration-name": "Object Storage",
                "python-module": "airflow_runway.transfers.runway_to_object_storage",
            }
        ],
        "extra-links": [
            "airflow_runway.links.runway.RunwayTaskLink",
            "airflow_runway.links.runway.RunwayClipsLink",
        ],
        "connection-types": [_connection_type()],
        "config": {"runway": _configuration()},
    }


def _configuration() -> dict[str, Any]:
    return {
        "description": "The Runway provider.",
        "options": {
            "media_from": _option(
                "Prefixes, with commas between, below which every file must lie that a request names: input images, "
                "videos and sounds, and the list of a batch. A task's own ``media_from`` narrows it. Empty: files on "
                "object storage may be read, and local ones only below the ``media_from`` of their task.",
                example="s3://aws_default@briefs/, file:///srv/keyframes/",
            ),
            "least_speed": _option(
                "Bytes per second that a download of an output, or an upload of an input, must make over 60 s. A "
                "slower one is ended, and gone on with over another connection. 0: none. Empty: 10240.",
                kind="float",
                example="10240",
            ),
            "journal": _option(
                "Folder for what submitting tasks have sent, as ``ObjectStoragePath`` understands it; on ``file://`` "
                "for one machine only. It is used where Airflow has no task state store (before 3.3), or empties it "
                "(``[state_store] clear_on_success``), so that there too a retry never pays again. Empty: none.",
                example="s3://aws_default@bucket/journal",
            ),
            "journal_namespace": _option(
                "Folder in the journal for this Airflow alone, so that Dags and runs of the same name on two of them "
                "never meet. Must be given on object storage.",
                example="production",
            ),
            "journal_unsafe": _option(
                "Use a store as a journal although it does not refuse to create a file that is there: two workers of "
                "one task may then both submit, and pay.",
                kind="boolean",
                default="False",
            ),
            "gallery": _option(
                "Show the pages *Clips* and *Gallery* in Airflow's UI.",
                kind="boolean",
                default="True",
            ),
            "gallery_from": _option(
                "Prefixes, with commas between, below which the pages look for files of runs whose rendered fields "
                "Airflow no longer keeps (``[core] max_num_rendered_ti_fields_per_task``). Empty: such runs show no "
                "pictures, except where Airflow (from 3.3) has recorded where they were saved.",
                example="s3://aws_default@bucket/clips/, file:///srv/clips/",
            ),
            "lineage_prompts": _option(
                "Whether the run facet that OpenLineage gets has prompts in it: whoever reads lineage reads them.",
                kind="boolean",
                default="False",
            ),
            "max_credits_per_run": _option(
                "The most that the submitting tasks of one Dag run may spend together, in credits. Needs a journal "
                "folder. Empty: no bound, but for those that tasks have themselves.",
                example="5000",
            ),
            "max_credits_per_day": _option(
                "The most that may be spent on one day (UTC), in credits: of each Dag, of Dags and teams by name, or "
                "both. A Dag's own bound stands in the place of that for each. Needs a journal folder.",
                example="500, dag:campaign=2000, team:film=20000",
            ),
        },
    }


def _option(
    description: str, *, kind: str = "string", example: str | None = None, default: str = ""
) -> dict[str, Any]:
    return {
        "description": description,
        "version_added": "0.2.0",
        "type": kind,
        "example": example,
        "default": default,
    }


def _modules(*modules: str) -> dict[str, Any]:
    return {"integration-name": _INTEGRATION, "python-modules": list(modules)}


def _connection_type() -> dict[str, Any]:
    return {
        "connection-type": "runway",
        "hook-class-name": "airflow_runway.hooks.runway.RunwayHook",
        "hook-name": "Runway",
        "ui-field-behaviour": {
            "hidden-fields": ["login", "schema", "port", "extra"],
            "relabeling": {"password": "API key", "host": "Base URL"},
            "placeholders": {"host": "leave empty for the gateway's public address"},
        },
        "conn-fields": {
            "gateway": {
                "label": "Gateway",
                "description": "Whose API the Base URL speaks.",
                "schema": {"type": "string", "enum": list(GATEWAYS), "default": DEFAULT_GATEWAY},
            },
            "api_version": {
                "label": "API version",
                "description": "Sent as X-Runway-Version.",
                "schema": {"type": ["string", "null"], "default": DEFAULT_API_VERSION},
            },
            "callback_url": {
                "label": "Callback URL",
                "description": "Your own https address; only gateways with the reverse format ask for one.",
                "schema": {"type": ["string", "null"], "format": "url"},
            },
            "timeout": {
                "label": "Request timeout",
                "description": "Seconds that one HTTP answer may take. Empty: 60, and 120 for a submission.",
                "schema": {"type": ["number", "null"], "minimum": 1, "maximum": 600},
            },
            "allow_insecure_http": {
                "label": "Allow http://",
                "description": "Lets the API key travel readably: only for an emulator on this machine.",
                "schema": {"type": ["boolean", "null"], "default": False},
            },
        },
    }
