"""As much of Airflow 3.3's REST API as ``recover`` asks: task instances, runs, and their state stores."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "token-0123456789"


class RestAirflow:
    """Task instances, with their states and their state stores."""

    def __init__(self):
        #: (task id, map index) → state.
        self.instances = {}
        #: (task id, map index) → key → value.
        self.stores = {}
        self.run_state = "failed"
        self.has_store = True
        #: Status and headers of the next answers, instead of what is asked for.
        self.answers = []
        #: Called before each request, with its method.
        self.meanwhile = lambda method: None
        self.writes = []
        self.arrived = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def _answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                outer.arrived += 1
                outer.meanwhile(self.command)
                if outer.answers:
                    status, headers, value = outer.answers.pop(0)
                elif self.headers["Authorization"] != f"Bearer {TOKEN}":
                    status, headers, value = 401, {}, {"detail": "Unauthorized"}
                else:
                    headers, (status, value) = {}, outer.respond(self.command, self.path, body)
                payload = b"" if value is None else json.dumps(value).encode()
                self.send_response(status)
                for name, one in {"Content-Length": str(len(payload)), **headers}.items():
                    self.send_header(name, one)
                self.end_headers()
                self.wfile.write(payload)

            do_GET = do_PUT = do_DELETE = _answer  # noqa: N815

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def add(self, task_id, state, map_index=-1, **values):
        self.instances[task_id, map_index] = state
        self.stores[task_id, map_index] = values

    def respond(self, method, target, body):
        split = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(split.query).items()}
        parts = [unquote(part) for part in split.path.split("/")[3:]]
        if (
            parts[:1] != ["dags"]
            or parts[2] != "dagRuns"
            or parts[1] != "dag"
            or parts[3] not in {"run", "~"}
        ):
            return 404, {"detail": "Not Found"}
        rest = parts[4:]
        if not rest:
            return 200, {"dag_run_id": "run", "state": self.run_state}
        if rest == ["taskInstances"]:
            return 200, page([self._instance(*key) for key in self.instances], "task_instances", query)
        if "state-store" in rest[2:3]:
            return self._store(method, rest[1], rest[3:], query, body)
        key = rest[1], int(rest[2]) if rest[2:] else -1
        return (200, self._instance(*key)) if key in self.instances else (404, {"detail": "Not Found"})

    def _instance(self, task_id, map_index):
        return {
            "dag_id": "dag",
            "dag_run_id": "run",
            "task_id": task_id,
            "map_index": map_index,
            "state": self.instances[task_id, map_index],
        }

    def _store(self, method, task_id, rest, query, body):
        values = self.stores.get((task_id, int(query.get("map_index", -1))))
        if values is None or not self.has_store:
            return 404, {"detail": "Not Found"}
        if method == "GET":
            return 200, page(
                [{"key": key, "value": values[key]} for key in sorted(values)], "task_state_store", query
            )
        self.writes.append((method, rest[0]))
        if method == "PUT":
            assert body.keys() == {"value", "expires_at"}
            assert body["expires_at"] is None
            assert body["value"] is not None
            values[rest[0]] = body["value"]
        else:
            values.pop(rest[0], None)
        return 204, None


def page(entries, name, query):
    start, limit = int(query["offset"]), int(query["limit"])
    assert limit <= 100
    return {name: entries[start : start + limit], "total_entries": len(entries)}
