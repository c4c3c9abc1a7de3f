"""Where the example DAGs lie: one place in a checkout, another in an installed wheel."""

from __future__ import annotations

from pathlib import Path

from airflow_runway.demo.errors import DemoError


def example_dags() -> Path:
    """The folder of the example DAGs.

    :returns: ``airflow_runway/dags_examples`` in a wheel, ``dags_examples`` beside the package in a checkout.
    :raises DemoError: when neither is there.
    """
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "dags_examples", package.parent / "dags_examples"):
        if folder.is_dir():
            return folder
    raise DemoError(
        "The example DAGs are missing from this installation: install airflow-provider-runway anew."
    )
