"""Where our pages serve files, as a browser asks for them; the api-server's routes are their other end."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlencode, urlsplit

#: Below the path of ``[api] base_url``.
PREFIX: Final = "/runway"


def root_of(base_url: str) -> str:
    """The path below which Airflow's own pages are; empty for the root of its host.

    :param base_url: ``[api] base_url``.
    """
    return urlsplit(base_url).path.rstrip("/")


def prefix_of(base_url: str) -> str:
    """The path below which our pages are.

    :param base_url: ``[api] base_url``.
    """
    return root_of(base_url) + PREFIX


def file_address(
    prefix: str, dag_id: str, run_id: str, task_id: str, map_index: int, runway_task_id: str
) -> str:
    """The address of the files of a generation; :func:`one_file` says which.

    :param prefix: see :func:`prefix_of`.
    :param dag_id: of the task instance that saved them.
    :param run_id: of the same.
    :param task_id: of the same.
    :param map_index: of the same; -1 where it is not mapped.
    :param runway_task_id: of the generation.
    """
    query = {"run_id": run_id, "task_id": task_id, "map_index": map_index, "generation": runway_task_id}
    return f"{prefix}/file/{quote(dag_id, safe='')}?{urlencode(query)}"


def one_file(address: str, index: int, kind: str) -> str:
    """The address of one file.

    :param address: of all files of its generation.
    :param index: which output.
    :param kind: ``output``, or a still of it.
    """
    return f"{address}&index={index}&kind={kind}"
