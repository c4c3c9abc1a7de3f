"""A simple auth manager that keeps one Dag from one user; Airflow's own looks at roles, never at a Dag."""

from __future__ import annotations

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager


class PickyAuthManager(SimpleAuthManager):
    """``guest`` may not read the Dag ``theirs``."""

    def is_authorized_dag(self, *, method, user, access_entity=None, details=None):
        if user.username == "guest" and details is not None and details.id == "theirs":
            return False
        return super().is_authorized_dag(
            method=method, user=user, access_entity=access_entity, details=details
        )
