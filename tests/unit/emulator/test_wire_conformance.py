"""Every documented route asked over plain HTTP, and the provider's ``GATEWAYS`` held against the same table."""

from __future__ import annotations

import json
import re
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from airflow_runway.core.protocol.gateways import GATEWAYS
from airflow_runway.emulator.process import EmulatorProcess, emulator_process

from .documented_routes import (
    COMETAPI_NEIGHBOURS,
    COMETAPI_OFFICIAL_FORMAT,
    COMETAPI_REVERSE_FORMAT,
    CREATES,
    GPTPLUS5,
    GPTPLUS5_CREATE,
    GPTPLUS5_NEIGHBOURS,
    JSON,
    KEY,
    NOWHERE,
    OFFICIAL,
    REVERSE,
    RUNWAY_CREATES,
    RUNWAY_NEIGHBOURS,
    VERSION,
    WORKFLOW_CREATE,
    Create,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class Answer(NamedTuple):
    status: int
    content: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.content)


class Service:
    """The emulator, reached with nothing but the standard library, which follows no redirect."""

    def __init__(self, process: EmulatorProcess) -> None:
        self.process = process
        self._connection = HTTPConnection(process.url.removeprefix("http://"), timeout=30)

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] = OFFICIAL) -> Answer:
        self._connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self._connection.getresponse()
        return Answer(answer.status, answer.read())

    def create(self, row: Create) -> str:
        gateway, method, path, body, headers = row
        if gateway != "runway":
            self.process.settings(runwayml_gateway=gateway)
        answer = self.ask(method, path, body, headers)
        assert answer.status == 200, answer
        identifier: str = answer.body["id"] if "id" in answer.body else answer.body["data"]["task_id"]
        return identifier

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module")
def process() -> Iterator[EmulatorProcess]:
    with emulator_process(api_keys=["key_of_the_test"]) as process:
        yield process


@pytest.fixture
def service(process: EmulatorProcess) -> Iterator[Service]:
    process.reset()
    service = Service(process)
    yield service
    service.close()


def name(row: tuple[Any, ...]) -> str:
    return " ".join(row[:3])


def expected_create(path: str) -> Any:
    """The members of the answer to a creation."""
    if path.startswith("/v1/generate/"):
        return {"id", "routing"}
    if path.startswith(("/v1/workflows/", "/v1/avatar_videos", "/runwayml/")):
        return {"id"}
    # The live check of the reverse format: code 200 and the message 成功 (contracts §3.3).
    return {"code", "msg", "data", "exec_time"} if path.startswith("/runway/") else {"id", "estimatedCost"}


class TestCreates:
    def test_the_table_has_as_many_rows_as_the_document(self) -> None:
        assert len({row[2] for row in RUNWAY_CREATES}) == 25
        assert len({row[:3] for row in CREATES}) == len(CREATES) == 25 + 1 + 5 + 3 + 1

    @pytest.mark.parametrize("row", CREATES, ids=name)
    def test_it_answers_200_and_names_the_task(self, service: Service, row: Any) -> None:
        gateway, method, path, body, headers = row
        if gateway != "runway":
            service.process.settings(runwayml_gateway=gateway)
        answer = service.ask(method, path, body, headers)
        assert answer.status == 200, answer
        assert set(answer.body) == expected_create(path)
        identifier = answer.body["id"] if "id" in answer.body else answer.body["data"]["task_id"]
        assert UUID4.fullmatch(identifier)
        (charge,) = service.process.ledger()["charges"]
        assert (charge["runway_task_id"], charge["gateway"]) == (identifier, gateway)

    def test_the_estimate_is_a_number_of_credits(self, service: Service) -> None:
        answer = service.ask(*RUNWAY_CREATES[1][1:4])
        assert answer.body["estimatedCost"] == {"credits": 25}

    def test_a_routed_create_says_where_it_went(self, service: Service) -> None:
        routing = service.ask("POST", "/v1/generate/video", {"configId": "c1", "input": {}}).body["routing"]
        members = {"configId", "model", "provider", "estimatedCost", "resolvedInput", "resolvedSettings"}
        assert members <= set(routing) <= members | {"capacityFallback"}
        assert routing["configId"] == "c1"

    def test_members_of_a_routers_list(self, service: Service) -> None:
        service.ask("POST", "/v1/generate/video", {"configId": "c1", "input": {}})
        page = service.ask("GET", "/v1/routers?limit=50").body
        assert set(page) == {"data", "nextCursor"}
        (router,) = page["data"]
        assert set(router) == {
            "id", "slug", "name", "description", "createdAt", "updatedAt", "version", "settings",
        }  # fmt: skip
        page = service.ask("GET", f"/v1/routers/{router['id']}/requests?limit=50").body
        assert set(page["data"][0]) == {
            "id", "requestId", "createdAt", "status", "taskId", "model", "provider", "estimatedCredits", "reason",
            "reasonCode", "emptiedBy", "pipeline",
        }  # fmt: skip

    @pytest.mark.parametrize("row", CREATES, ids=name)
    def test_without_a_key_nothing_is_made(self, service: Service, row: Any) -> None:
        gateway, method, path, body, headers = row
        if gateway != "runway":
            service.process.settings(runwayml_gateway=gateway)
        without = {field: value for field, value in headers.items() if field != "Authorization"}
        for given in (without, {**without, "Authorization": "Bearer another"}):
            answer = service.ask(method, path, body, given)
            assert answer.status == 401
            error = answer.body["error"]
            if gateway == "runway":
                assert isinstance(error, str)
            else:
                assert set(error) == {"message", "type", "param", "code"}
        assert service.process.ledger()["charges"] == []

    @pytest.mark.parametrize("row", CREATES, ids=name)
    def test_the_version_header_is_asked_for_where_it_is_required(self, service: Service, row: Any) -> None:
        gateway, method, path, body, headers = row
        if gateway != "runway":
            service.process.settings(runwayml_gateway=gateway)
        without = {field: value for field, value in headers.items() if field != "X-Runway-Version"}
        status = 400 if headers is OFFICIAL else 200
        assert service.ask(method, path, body, without).status == status

    @pytest.mark.parametrize("row", COMETAPI_REVERSE_FORMAT, ids=name)
    def test_the_reverse_format_wants_a_callback(self, service: Service, row: Any) -> None:
        _, method, path, body, headers = row
        without = {field: value for field, value in body.items() if field != "callback_url"}
        answer = service.ask(method, path, without, headers)
        assert (answer.status, answer.body["code"]) == (400, "callback_url_empty")

    def test_images_from_text_need_references_at_cometapi(self, service: Service) -> None:
        body = {"model": "gen4_image", "promptText": "a boat", "ratio": "1280:720"}
        answer = service.ask("POST", "/runwayml/v1/text_to_image", body)
        assert (answer.status, answer.body["code"]) == (400, "reference_images_empty")

    @pytest.mark.parametrize(
        ("form", "members", "data"),
        [
            ("live", {"code", "msg", "data", "exec_time"}, {"task_id"}),
            ("newer", {"code", "message", "msg", "data"}, {"task_id"}),
        ],
    )
    def test_published_answers_of_the_reverse_format(
        self, service: Service, form: str, members: set[str], data: set[str]
    ) -> None:
        service.process.settings(cometapi_creates=form)
        answer = service.ask(*COMETAPI_REVERSE_FORMAT[0][1:])
        assert (set(answer.body), answer.body["code"], set(answer.body["data"])) == (members, 200, data)

    @pytest.mark.parametrize(
        ("form", "members"),
        [
            ("luma", {"id", "prompt", "state", "queue_state", "created_at", "batch_id", "video", "video_raw",
                      "liked", "estimate_wait_seconds", "thumbnail", "last_frame"}),
            ("kling", {"code", "message", "request_id", "data"}),
        ],
    )  # fmt: skip
    def test_published_answers_of_gptplus5(self, service: Service, form: str, members: set[str]) -> None:
        service.process.settings(runwayml_gateway="gptplus5", gptplus5_shapes=form)
        answer = service.ask(*GPTPLUS5_CREATE[1:])
        assert (answer.status, set(answer.body)) == (200, members)
        if form == "kling":
            assert set(answer.body["data"]) == {"task_id", "task_status", "created_at", "updated_at"}


class TestRunway:
    """contracts §1.2 to contracts §1.7."""

    def test_read_and_cancel(self, service: Service) -> None:
        path = f"/v1/tasks/{service.create(RUNWAY_CREATES[1])}"
        shown = service.ask("GET", path)
        assert shown.status == 200
        assert set(shown.body) == {"id", "status", "createdAt", "estimatedCost"}
        assert shown.body["status"] == "PENDING"
        assert service.ask("DELETE", path) == Answer(204, b"")
        for method in ("GET", "DELETE"):
            gone = service.ask(method, path)
            assert (gone.status, set(gone.body)) == (404, {"error"})

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", f"/v1/tasks/{NOWHERE}"),
            ("DELETE", f"/v1/tasks/{NOWHERE}"),
            ("GET", f"/v1/workflow_invocations/{NOWHERE}"),
        ],
    )
    def test_an_unknown_id(self, service: Service, method: str, path: str) -> None:
        answer = service.ask(method, path)
        assert (answer.status, set(answer.body)) == (404, {"error"})
        assert isinstance(answer.body["error"], str)

    def test_an_invocation(self, service: Service) -> None:
        path = f"/v1/workflow_invocations/{service.create(WORKFLOW_CREATE)}"
        shown = service.ask("GET", path)
        assert (shown.status, set(shown.body)) == (200, {"id", "status", "createdAt"})
        # No DELETE is documented.
        assert service.ask("DELETE", path).status in (404, 405)
        assert service.ask("GET", path).status == 200

    def test_an_upload(self, service: Service) -> None:
        answer = service.ask("POST", "/v1/uploads", {"filename": "boat.png", "type": "ephemeral"})
        assert (answer.status, set(answer.body)) == (200, {"uploadUrl", "fields", "runwayUri"})
        assert answer.body["runwayUri"].startswith("runway://")

    def test_the_organization(self, service: Service) -> None:
        service.create(RUNWAY_CREATES[1])
        answer = service.ask("GET", "/v1/organization")
        assert (answer.status, set(answer.body)) == (200, {"creditBalance", "tier", "usage"})
        assert set(answer.body["tier"]) == {"maxMonthlyCreditSpend", "models"}
        limits = answer.body["tier"]["models"]["gen4_turbo"]
        assert set(limits) == {"maxConcurrentGenerations", "maxDailyGenerations"}
        assert answer.body["usage"] == {"models": {"gen4_turbo": {"dailyGenerations": 1}}}

    def test_the_usage_is_a_read(self, service: Service) -> None:
        service.create(RUNWAY_CREATES[1])
        answer = service.ask("POST", "/v1/organization/usage", {})
        assert (answer.status, set(answer.body)) == (200, {"results", "models"})
        dates = {"startDate": "2026-01-01", "beforeDate": "2026-01-31"}
        answer = service.ask("POST", "/v1/organization/usage", dates)
        assert (answer.status, answer.body) == (200, {"results": [], "models": []})
        too_long = {"startDate": "2026-01-01", "beforeDate": "2026-04-02"}
        assert service.ask("POST", "/v1/organization/usage", too_long).status == 400

    def test_a_body_that_breaks_the_schema(self, service: Service) -> None:
        answer = service.ask("POST", "/v1/image_to_video", {"model": "gen4_turbo", "ratio": "1280:720"})
        assert (answer.status, set(answer.body)) == (400, {"error", "issues", "docUrl"})
        (issue,) = answer.body["issues"]
        assert (set(issue), issue["path"]) == ({"code", "path", "message"}, ["promptImage"])

    @pytest.mark.parametrize("path", ["/v1/organization", "/v1/organization/usage", "/v1/uploads"])
    def test_nothing_without_a_key(self, service: Service, path: str) -> None:
        method = "GET" if path == "/v1/organization" else "POST"
        answer = service.ask(method, path, {} if method == "POST" else None, {**VERSION, **JSON})
        assert (answer.status, set(answer.body)) == (401, {"error"})


class TestGatewayReads:
    """contracts §2.4, contracts §3.4, contracts §4."""

    def test_cometapis_get(self, service: Service) -> None:
        path = f"/runwayml/v1/tasks/{service.create(COMETAPI_OFFICIAL_FORMAT[0])}"
        # The version header is optional on the read.
        shown = service.ask("GET", path, headers=KEY)
        assert (shown.status, set(shown.body)) == (200, {"id", "status", "createdAt"})

    def test_cometapis_feed(self, service: Service) -> None:
        for row in (COMETAPI_REVERSE_FORMAT[0], COMETAPI_OFFICIAL_FORMAT[0]):
            task = service.create(row)
            shown = service.ask("POST", "/runway/feed", {"task_id": task}, REVERSE)
            assert (shown.status, shown.body["task_id"]) == (200, task)
            assert list(shown.body) == [
                "task_id", "action", "status", "fail_reason", "result_url", "submit_time", "start_time",
                "finish_time", "progress", "data",
            ]  # fmt: skip

    def test_the_documented_wrapper(self, service: Service) -> None:
        service.process.settings(cometapi_reads="wrapper")
        task = service.create(COMETAPI_OFFICIAL_FORMAT[0])
        get = service.ask("GET", f"/runwayml/v1/tasks/{task}", headers=KEY)
        feed = service.ask("POST", "/runway/feed", {"task_id": task}, REVERSE)
        assert get == feed
        record = get.body["data"]
        assert {**get.body, "data": None} == {"code": "success", "message": "", "data": None}
        assert {name: record[name] for name in record if name not in ("data", "submit_time")} == {
            "task_id": task, "action": "IMAGE_TO_VIDEO", "status": "QUEUED", "fail_reason": "",
            "start_time": 0, "finish_time": 0, "progress": "0%",
        }  # fmt: skip
        assert set(record["data"]) == {"id", "status", "createdAt"}
        assert record["data"]["createdAt"].endswith("+08:00")

    @pytest.mark.parametrize("gateway", ["cometapi", "gptplus5"])
    def test_a_task_that_is_not_visible(self, service: Service, gateway: str) -> None:
        service.process.settings(runwayml_gateway=gateway)
        answer = service.ask("GET", f"/runwayml/v1/tasks/{NOWHERE}", headers=KEY)
        expected = {"code": "task_not_exist", "message": "task_not_exist", "data": None}
        assert (answer.status, answer.body) == (400, expected)

    def test_the_feed_of_a_task_that_is_not_visible(self, service: Service) -> None:
        answer = service.ask("POST", "/runway/feed", {"task_id": NOWHERE}, REVERSE)
        assert (answer.status, answer.body["code"]) == (400, "task_not_exist")

    def test_gptplus5s_get(self, service: Service) -> None:
        path = f"/runwayml/v1/tasks/{service.create(GPTPLUS5_CREATE)}"
        shown = service.ask("GET", path, headers=GPTPLUS5)
        assert (shown.status, set(shown.body)) == (200, {"id", "status", "createdAt"})


class TestNeighbours:
    @pytest.mark.parametrize(("method", "path"), RUNWAY_NEIGHBOURS)
    def test_of_runway(self, service: Service, method: str, path: str) -> None:
        answer = service.ask(method, path, {} if method in ("POST", "PUT", "PATCH") else None)
        # contracts §1.3: 404 and 405 are {"error"}.
        assert answer.status in (404, 405), answer
        assert set(answer.body) == {"error"}
        assert isinstance(answer.body["error"], str)

    @pytest.mark.parametrize(
        ("gateway", "method", "path"),
        [
            *(("cometapi", *row) for row in COMETAPI_NEIGHBOURS),
            *(("gptplus5", *row) for row in GPTPLUS5_NEIGHBOURS),
        ],
    )
    def test_of_gateways(self, service: Service, gateway: str, method: str, path: str) -> None:
        service.process.settings(runwayml_gateway=gateway)
        answer = service.ask(method, path, {} if method in ("POST", "PUT") else None)
        # contracts §6: an unknown path.
        assert answer.status == 404, answer
        assert answer.body["error"]["message"] == f"Invalid URL ({method} {path})"
        assert answer.body["error"]["type"] == "invalid_request_error"

    def test_no_neighbour_makes_a_task(self, service: Service) -> None:
        for method, path in (*RUNWAY_NEIGHBOURS, *COMETAPI_NEIGHBOURS):
            if method == "POST":
                service.ask(method, path, RUNWAY_CREATES[1][3])
        assert service.process.tasks() == []


class TestProvider:
    """``GATEWAYS`` holds these routes, and no others."""

    @pytest.mark.parametrize(
        ("gateway", "base_url", "prefixes"),
        [
            ("runway", "https://api.dev.runwayml.com", ("/v1/",)),
            ("cometapi", "https://api.cometapi.com", ("/runwayml/v1/", "/runway/")),
            ("gptplus5", "https://az.gptplus5.com", ("/runwayml/v1/",)),
        ],
    )
    def test_creates(self, gateway: str, base_url: str, prefixes: tuple[str, ...]) -> None:
        row = GATEWAYS[gateway]
        assert row.base_url == base_url
        paths = {row[2].replace("wf-1", "{id}") for row in CREATES if row[0] == gateway}
        assert {create.path for create in row.creates.values()} == paths
        # The route name is what follows the prefix of the service.
        for route, create in row.creates.items():
            assert create.path in [prefix + route for prefix in prefixes]

    def test_what_creates_need(self) -> None:
        needs = {
            create.path: create.needs for gateway in GATEWAYS.values() for create in gateway.creates.values()
        }
        reverse = {row[2] for row in COMETAPI_REVERSE_FORMAT}
        assert {path for path, fields in needs.items() if fields} == reverse
        assert {needs[path] for path in reverse} == {("callback_url",)}

    @pytest.mark.parametrize(
        ("gateway", "reads", "others"),
        [
            (
                "runway",
                [("GET", "/v1/tasks/{id}", ""), ("GET", "/v1/workflow_invocations/{id}", "")],
                {
                    "cancel": ("DELETE", "/v1/tasks/{id}"),
                    "uploads": ("POST", "/v1/uploads"),
                    "organization": ("GET", "/v1/organization"),
                    "usage": ("POST", "/v1/organization/usage"),
                },
            ),
            (
                "cometapi",
                [("GET", "/runwayml/v1/tasks/{id}", ""), ("POST", "/runway/feed", "task_id")],
                {},
            ),
            ("gptplus5", [("GET", "/runwayml/v1/tasks/{id}", "")], {}),
        ],
    )
    def test_reads_and_the_rest(
        self, gateway: str, reads: list[tuple[str, str, str]], others: dict[str, tuple[str, str]]
    ) -> None:
        row = GATEWAYS[gateway]
        assert [(read.method, read.path, read.id_in_body) for read in row.reads] == reads
        found = {}
        for field in ("cancel", "uploads", "organization", "usage"):
            endpoint = getattr(row, field)
            if endpoint is not None:
                found[field] = (endpoint.method, endpoint.path)
        assert found == others

    def test_there_are_no_other_gateways(self) -> None:
        assert set(GATEWAYS) == {"runway", "cometapi", "gptplus5"}
