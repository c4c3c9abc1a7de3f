from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_runway.core.facts import CoreError, ErrorKind
from airflow_runway.core.media.types import EXTENSIONS
from airflow_runway.core.saving.naming import DEFAULT_PATTERN, LONGEST_SEGMENT, FileName


@pytest.mark.parametrize(
    ("pattern", "name", "manifest"),
    [
        (DEFAULT_PATTERN, "t1-2.mp4", "t1.manifest.json"),
        ("{runway_task_id}/{index:03}{extension}", "t1/002.mp4", "t1/t1.manifest.json"),
        ("manual__2026-11-20T12:00:00+00:00/{index}{extension}", None, None),
        ("run 7-{index}{extension}", "run 7-2.mp4", "run 7.manifest.json"),
        ("{index}/{runway_task_id}{extension}", "2/t1.mp4", "t1.manifest.json"),
        ("{index}{extension}", "2.mp4", "t1.manifest.json"),
        ("latest.mp4", "latest.mp4", "latest.mp4.manifest.json"),
        ("é/ü-{index:2d}{extension}", "é/ü- 2.mp4", "é/ü.manifest.json"),
    ],
)
def test_names(pattern, name, manifest):
    file_name = FileName.parse(pattern)
    assert file_name.name("t1", 2, "video/mp4") == (name or pattern.format(index=2, extension=".mp4"))
    assert file_name.manifest("t1") == (manifest or "manual__2026-11-20T12:00:00+00:00/t1.manifest.json")


@pytest.mark.parametrize(
    "pattern",
    [
        "", " ", "/{index}", "//x", "a//b", "a/", "..", "../{index}", "a/../b", "a/./b", "a/ ../b",
        "~\\x", "a\\b", "a\nb", "a\x00b",
        "a\x7fb", "a?b", "a#b", "a*b", "a[1]", "s3::x", "{", "}", "{}", "{0}", "{index!r}", "{index.real}",
        "{index[0]}", "{index:>9999999}", "{index:{index}}", "{runway_task_id:9}", "{run_id}", "{extension}/x",
        " {index}", "{index} /x", "x" * (LONGEST_SEGMENT + 1), "/".join(["x" * 190] * 5), "\ud800", None, 7,
    ],
)  # fmt: skip
def test_what_is_no_name_is_refused(pattern):
    with pytest.raises(CoreError, match="Nothing was fetched") as caught:
        FileName.parse(pattern)
    assert caught.value.facts.kind is ErrorKind.CONFIGURATION


def test_several_need_different_names():
    one_name, no_index = FileName.parse("clip{extension}"), FileName.parse("{runway_task_id}{extension}")
    one_name.check_tasks(1)
    one_name.check_outputs(1)
    with pytest.raises(CoreError, match=r"needs \{runway_task_id\}") as tasks:
        FileName.parse("{index}{extension}").check_tasks(2)
    with pytest.raises(CoreError, match=r"needs \{index\}") as outputs:
        no_index.check_outputs(2)
    assert {tasks.value.facts.kind, outputs.value.facts.kind} == {ErrorKind.CONFIGURATION}


@pytest.mark.parametrize(
    ("pattern", "media_type"), [("clip.mp4", "image/png"), ("x.{index}.PNG", "video/mp4")]
)
def test_a_fixed_extension_must_be_true(pattern, media_type):
    with pytest.raises(CoreError, match=r"End file_name with \{extension\}") as caught:
        FileName.parse(pattern).name("t1", 0, media_type)
    assert caught.value.facts.kind is ErrorKind.TRANSFER_REFUSED


def test_a_name_that_grows_too_long_is_refused_when_it_is_filled():
    file_name = FileName.parse("x" * (LONGEST_SEGMENT - 1) + "{index}{extension}")
    assert file_name.stem("t1", 9)
    for name in (lambda: file_name.stem("t1", 10), lambda: file_name.name("t1", 9, "video/mp4")):
        with pytest.raises(CoreError, match="is too long") as caught:
            name()
        assert caught.value.facts.kind is ErrorKind.CONFIGURATION


def test_odd_ids_are_harmless():
    assert FileName.parse(DEFAULT_PATTERN).name("../x:é", 0, "image/png") == "___x__-0.png"


@given(
    st.lists(
        st.sampled_from(
            ["..", ".", "/", "\\", "a", "{index}", "{runway_task_id}", "{extension}", " ", "\n", "é"]
        )
    ),
    st.text(min_size=1, max_size=20),
    st.sampled_from(sorted(EXTENSIONS)),
)
def test_no_pattern_leaves_the_folder(parts, runway_task_id, media_type):
    try:
        file_name = FileName.parse("".join(parts))
        names = [file_name.name(runway_task_id, 0, media_type), file_name.manifest(runway_task_id)]
    except CoreError:
        return
    assert len(set(names)) == 2
    for name in names:
        assert not name.startswith("/")
        assert not {"", ".", ".."} & {segment.strip() for segment in name.split("/")}
        assert "\\" not in name
        assert name.isprintable()
