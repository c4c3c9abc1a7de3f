from __future__ import annotations

import pytest
from unit.scripted import Scripted

from airflow_runway.exceptions import RunwayReadError
from airflow_runway.hooks._read_only import NotReadOnlyError, ReadOnlyHook


class TestReadOnlyHook:
    """The guard itself: whatever asks, nothing but reads leaves."""

    @pytest.mark.parametrize(
        "ask",
        [
            lambda hook: hook.submit("text_to_video", {"promptText": "x"}),
            lambda hook: hook.send("text_to_video", {"promptText": "x"}),
            lambda hook: hook.upload("/etc/hostname"),
            lambda hook: hook.cancel_task("t1"),
            lambda hook: hook.detached(1.0).cancel_task("t1"),
            lambda hook: super(ReadOnlyHook, hook).send("text_to_video", {"promptText": "x"}),
            lambda hook: super(ReadOnlyHook, hook).cancel_task("t1"),
        ],
    )
    def test_it_refuses_to_change_anything(self, connected, ask):
        connected.answers(Scripted(200, {"id": "t1", "status": "RUNNING"}))
        with pytest.raises(NotReadOnlyError, match="not sent"):
            ask(ReadOnlyHook())
        assert {one.method for one in connected.arrived} <= {"GET"}

    async def test_nor_does_it_in_an_event_loop(self, connected):
        connected.answers(Scripted(200, {"id": "t1", "status": "RUNNING"}))
        hook = ReadOnlyHook()
        for work in (
            hook.asubmit("text_to_video", {"promptText": "x"}),
            hook.acancel_task("t1"),
            super(ReadOnlyHook, hook).asend("text_to_video", {"promptText": "x"}),
            super(ReadOnlyHook, hook).acancel_task("t1"),
        ):
            with pytest.raises(NotReadOnlyError):
                await work
        assert {one.method for one in connected.arrived} <= {"GET"}

    def test_it_reads(self, connected):
        connected.answers(Scripted(200, {"id": "t1", "status": "SUCCEEDED", "output": ["https://e/x.mp4"]}))
        assert ReadOnlyHook().get_task("t1").output == ("https://e/x.mp4",)

    def test_also_where_reading_is_a_post(self, gateway_server, set_connection):
        set_connection(gateway_server.url, allow_insecure_http=True, gateway="cometapi")
        gateway_server.answers(Scripted(404, {"error": "no"}), Scripted(200, {"code": 404}))
        with pytest.raises(RunwayReadError):
            ReadOnlyHook().get_task("t1")
        assert [(one.method, one.path) for one in gateway_server.arrived][-1] == ("POST", "/runway/feed")
