from __future__ import annotations

import json

from airflow_runway.demo.environment import airflow_environment


class TestAirflowEnvironment:
    def make(self, tmp_path, **more):
        return airflow_environment(tmp_path, tmp_path / "dags", 8001, 8002, **more)

    def test_nothing_of_the_callers_airflow_gets_in(self, tmp_path, monkeypatch):
        monkeypatch.setenv("AIRFLOW__CORE__PLUGINS_FOLDER", "elsewhere")
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", "{}")
        monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
        made = self.make(tmp_path)
        assert not {"AIRFLOW__CORE__PLUGINS_FOLDER", "AIRFLOW_CONN_AWS_DEFAULT", "HTTPS_PROXY"} & set(made)
        assert made["AIRFLOW_HOME"] == str(tmp_path)

    def test_connections_travel_as_json(self, tmp_path):
        fields = {"conn_type": "runway", "extra": {"allow_insecure_http": True}}
        made = self.make(tmp_path, connections={"runway_default": fields})
        assert json.loads(made["AIRFLOW_CONN_RUNWAY_DEFAULT"]) == fields

    def test_what_the_caller_adds_wins(self, tmp_path):
        made = self.make(tmp_path, extra={"AIRFLOW__CORE__PARALLELISM": "9"})
        assert made["AIRFLOW__CORE__PARALLELISM"] == "9"

    def test_keys_are_new_each_time(self, tmp_path):
        first, second = self.make(tmp_path), self.make(tmp_path)
        assert first["AIRFLOW__API_AUTH__JWT_SECRET"] != second["AIRFLOW__API_AUTH__JWT_SECRET"]
        assert first["AIRFLOW__CORE__FERNET_KEY"] != second["AIRFLOW__CORE__FERNET_KEY"]
