"""The plugin: *Clips* on every task instance, *Gallery* on every Dag run. Every part of Airflow imports this file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from airflow.plugins_manager import AirflowPlugin

from airflow_runway.core.gallery.addresses import PREFIX
from airflow_runway.plugins._address import is_on, prefix

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

#: Airflow fills in the names; 3.1 does not encode them, and a task that is not mapped gets a literal ``{MAP_INDEX}``.
_GALLERY: Final = "/gallery/{DAG_ID}?run_id={RUN_ID}"
_CLIPS: Final = "/clips/{DAG_ID}?run_id={RUN_ID}&task_id={TASK_ID}&map_index={MAP_INDEX}"


class _Pages:
    """The pages as an application that is built when the first request comes: only the api-server ever gets one."""

    _app: Any = None

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        """Answer a request.

        :param scope: what is asked for, as ASGI has it.
        :param receive: gives the body.
        :param send: takes the answer.
        """
        if self._app is None:
            from airflow_runway.plugins._routes import pages

            self._app = pages()
        await self._app(scope, receive, send)


def _views() -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "href": prefix() + href,
            "destination": destination,
            "url_route": f"runway-{name.lower()}",
        }
        for name, href, destination in (("Clips", _CLIPS, "task_instance"), ("Gallery", _GALLERY, "dag_run"))
    ]


class RunwayPlugin(AirflowPlugin):
    """Two pages that show what a run has made; ``[runway] gallery = False`` switches them off."""

    name = "runway"
    fastapi_apps: ClassVar[list[Any]] = (  # type: ignore[misc]
        [{"app": _Pages(), "url_prefix": PREFIX, "name": "Runway"}] if is_on() else []
    )
    external_views: ClassVar[list[Any]] = _views() if is_on() else []  # type: ignore[misc]
