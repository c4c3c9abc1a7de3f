from __future__ import annotations

import importlib
import json
import re
from importlib.metadata import entry_points
from pathlib import Path

import airflow
import jsonschema
import pytest

import airflow_runway
from airflow_runway.core.protocol.connection import EXTRA_KEYS
from airflow_runway.core.protocol.gateways import GATEWAYS
from airflow_runway.get_provider_info import get_provider_info


def test_airflow_finds_it():
    found = [
        point for point in entry_points(group="apache_airflow_provider") if "airflow_runway" in point.value
    ]
    assert [point.load() for point in found] == [get_provider_info]


def test_it_follows_airflows_schema():
    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)


def test_every_module_and_class_it_names_exists():
    info = get_provider_info()
    modules = [
        name
        for kind in ("hooks", "operators", "sensors", "triggers")
        for name in info[kind][0]["python-modules"]
    ]
    for module in [*modules, info["transfers"][0]["python-module"]]:
        importlib.import_module(module)
    for path in [*info["extra-links"], info["connection-types"][0]["hook-class-name"]]:
        module, _, name = path.rpartition(".")
        assert getattr(importlib.import_module(module), name)


def test_airflow_is_told_of_every_option_that_is_read():
    sources = (path.read_text() for path in Path(airflow_runway.__file__).parent.rglob("*.py"))
    read = {name for source in sources for name in re.findall(r'conf\.get\w*\(\s*"runway", "(\w+)"', source)}
    assert get_provider_info()["config"]["runway"]["options"].keys() == read


def test_the_form_asks_only_for_what_is_read():
    fields = get_provider_info()["connection-types"][0]["conn-fields"]
    assert fields.keys() <= EXTRA_KEYS.keys()
    assert fields["gateway"]["schema"]["enum"] == list(GATEWAYS)


def test_airflow_reads_the_form_as_meant():
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()
    if "runway" not in manager.field_behaviours:
        pytest.skip("declarative connection forms came with Airflow 3.2")
    behaviour = manager.field_behaviours["runway"]
    assert behaviour["relabeling"]["password"] == "API key"
    assert "login" in behaviour["hidden_fields"]
    gateway = manager.connection_form_widgets["extra__runway__gateway"]
    assert gateway.field["schema"]["enum"] == list(GATEWAYS)
