"""Which files may be shown: whatever a manifest, or XCom, was edited to say."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_runway.core.gallery.records import TaskRecord
from airflow_runway.core.gallery.saved import file_of, manifest_in, shelf_of
from airflow_runway.core.media.places import read_prefixes
from airflow_runway.core.owner import Owner
from airflow_runway.core.saving.manifest import file_entry, manifest_of

ENTRY = file_entry(
    0,
    "file:///clips/t1-0.mp4",
    9,
    "0" * 64,
    "video/mp4",
    {},
    {"poster": "file:///clips/t1-0.poster.jpg", "contact_sheet": None},
)
OWNER = Owner("spring", "r", "save")
PREFIXES = read_prefixes("gallery_from", "file:///clips, s3://aws@bucket/film/")


def record(**parts):
    parts.setdefault("rendered", {"destination": "file:///clips", "runway_task_id": "t1"})
    return TaskRecord("spring", "r", "save", -1, "success", "RunwayToObjectStorageOperator", **parts)


def old(path="file:///clips/t1-0.mp4"):
    """Of a run whose rendered fields are gone."""
    return record(rendered=None, xcoms={"return_value": {"runway_task_id": "t1", "files": [{"path": path}]}})


def manifest(**changes):
    made = manifest_of("t1", None, [copy.copy(ENTRY)], gateway="runway", route=None, saved_at="", owner=OWNER)
    return {**made, **changes}


def read(document, of=None, ids=("t1",)):
    of = of or record()
    return manifest_in(document, of, "t1", shelf_of(of, "t1", PREFIXES), ids)


class TestWhereAManifestIsLookedFor:
    def test_in_the_folder_of_the_task(self):
        (file,) = shelf_of(record(), "t1", ()).manifests
        assert (file.folder, file.name, file.path) == (
            "file:///clips",
            "t1.manifest.json",
            "file:///clips/t1.manifest.json",
        )

    @pytest.mark.parametrize(
        ("path", "names"),
        [
            ("file:///clips/t1-0.mp4", ["t1.manifest.json"]),
            ("file:///clips/a/t1/000.mp4", ["a/t1/t1.manifest.json"]),
            ("s3://aws@bucket/film/run 7-0.png", ["run 7.manifest.json", "t1.manifest.json"]),
            ("s3://aws@bucket/film/take10.png", ["take1.manifest.json", "t1.manifest.json"]),
        ],
    )
    def test_below_gallery_from_where_xcom_says(self, path, names):
        assert [file.name for file in shelf_of(old(path), "t1", PREFIXES).manifests] == names

    @pytest.mark.parametrize(
        "path",
        [
            "/etc/passwd",
            "file:///clips/../etc/passwd",
            "file:///clipsandmore/t1-0.mp4",
            "s3://aws@bucket/other/t1-0.mp4",
            "s3://bucket/film/t1-0.mp4",
            "s3://aws@bucket/film/../x.mp4",
            "file:///clips",
            "http://internal/film.mp4",
            "\x00",
        ],
    )
    def test_xcom_leads_nowhere_else(self, path):
        assert shelf_of(old(path), "t1", PREFIXES) is None
        assert shelf_of(old(), "t1", ()) is None

    def test_a_connection_may_be_a_prefix(self):
        found = shelf_of(old("s3://aws@any/t1-0.mp4"), "t1", read_prefixes("gallery_from", "s3://aws@"))
        assert found.manifests[0].path == "s3://aws@any/t1.manifest.json"


class TestWhoseManifestItIs:
    def test_its_own(self):
        assert read(manifest())["files"][0]["poster"]
        assert read(manifest(), ids=())["runway_task_id"] == "t1"

    def test_the_one_of_0_1_0_where_airflow_names_the_generation(self):
        assert read(manifest(owner=None))["runway_task_id"] == "t1"
        assert "another task instance" in read(manifest(owner=None), ids=())
        assert "another task instance" in read(manifest(owner=None), of=old())

    def test_of_the_same_dag_where_airflow_names_the_generation(self):
        earlier = manifest(owner=Owner("spring", "earlier", "save").as_json())
        assert read(earlier)["runway_task_id"] == "t1"
        assert "another task instance" in read(earlier, ids=())
        assert "another task instance" in read(earlier, of=old())

    def test_of_another_dag(self):
        assert "another Dag" in read(manifest(owner=Owner("autumn", "r", "save").as_json()))

    @pytest.mark.parametrize(
        "changes",
        [
            {"manifest_version": 2},
            {"runway_task_id": "t2"},
            {"files": None},
            {"files": ["x"]},
            {"files": [{**ENTRY, "media_type": "text/html"}]},
            {"files": [{**ENTRY, "bytes": "9"}]},
            {"files": [{**ENTRY, "index": True}]},
            {"error": "x"},
        ],
    )
    def test_one_that_was_edited(self, changes):
        assert isinstance(read(manifest(**changes)), str)

    @pytest.mark.parametrize("document", [None, [], "x", 7, {}])
    def test_none(self, document):
        assert isinstance(read(document), str)


def served(document, kind="output", of=None):
    of = of or record()
    shelf = shelf_of(of, "t1", PREFIXES)
    found = manifest_in(document, of, "t1", shelf, ("t1",))
    file = file_of(found, found["files"][0], kind, shelf, PREFIXES)
    return file and file.path


class TestFiles:
    def test_names_are_made_anew(self):
        for path in ("/etc/passwd", "file:///clips/another.mp4", "s3://elsewhere/x.mp4"):
            edited = manifest(files=[{**ENTRY, "path": path, "poster": path}])
            assert served(edited) == "file:///clips/t1-0.mp4"
            assert served(edited, "poster") == "file:///clips/t1-0.poster.jpg"

    def test_what_is_not_named_is_not_there(self):
        assert served(manifest(), "contact_sheet") is None
        assert served(manifest(), "owner") is None

    def test_of_an_older_run(self):
        assert served(manifest(), of=old()) == "file:///clips/t1-0.mp4"
        assert served(manifest(), "poster", of=old()) == "file:///clips/t1-0.poster.jpg"

    @pytest.mark.parametrize("path", ["/etc/passwd", "file:///clips/../x.mp4", "file:///clips/secret.txt"])
    def test_of_an_older_run_whose_manifest_was_edited(self, path):
        edited = manifest(files=[{**ENTRY, "path": path, "poster": path}])
        assert served(edited, of=old()) is None
        assert served(edited, "poster", of=old()) is None

    @given(
        index=st.integers(0, 10**6),
        path=st.text(),
        kind=st.sampled_from(["output", "poster", "contact_sheet"]),
    )
    def test_no_edit_leads_out_of_the_folder(self, index, path, kind):
        edited = {**ENTRY, "index": index, "path": path, "poster": path, "contact_sheet": path}
        shelf = shelf_of(record(), "t1", PREFIXES)
        file = file_of(manifest(), edited, kind, shelf, PREFIXES)
        assert file is None or (file.folder == "file:///clips" and file.name.startswith(f"t1-{index}."))
