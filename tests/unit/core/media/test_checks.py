from __future__ import annotations

import heads
import pytest
from unit.core.raising import raises

from airflow_runway.core.facts import ErrorKind
from airflow_runway.core.limits import LARGEST_INLINE
from airflow_runway.core.media.checks import (
    File,
    check_address,
    check_file,
    check_inline,
    shown,
)
from airflow_runway.core.media.references import Reference, as_inline
from airflow_runway.core.protocol.gateways import GATEWAYS

PNG = heads.PNG + bytes(600)
RUNWAY, COMETAPI = GATEWAYS["runway"], GATEWAYS["cometapi"]


def named(uri="s3://b/a.png", kind="image", field="promptImage"):
    return Reference(uri, kind, (field,))


class TestAddress:
    @pytest.mark.parametrize(
        ("uri", "says"),
        [
            ("a.png", "no media reference"), ("", "no media reference"), ("http://e/a.png", "only https"),
            ("runway-task://a/b", "should be runway-task://"), ("runway://" + "x" * 5000, "longer than 5000"),
            ("https://e/" + "x" * 2048, "more than 2048"),
        ],
    )  # fmt: skip
    def test_certain_to_be_refused(self, uri, says):
        with raises(ErrorKind.MEDIA_REFUSED, says) as caught:
            check_address(named(uri), RUNWAY, insecure=False)
        assert "Nothing was sent and nothing was charged" in str(caught.value)

    @pytest.mark.parametrize("uri", ["https://e/a.png", "runway://abc", "runway-task://t1", "s3://b/a"])
    def test_fine(self, uri):
        assert check_address(named(uri), RUNWAY, insecure=False) == []

    def test_an_emulator_has_plain_addresses(self):
        assert check_address(named("http://127.0.0.1/a.png"), RUNWAY, insecure=True) == []

    @pytest.mark.parametrize("uri", ["http://e/a.png", "runway://abc"])
    def test_gateways_whose_documents_disagree_decide_themselves(self, uri):
        (warning,) = check_address(named(uri), COMETAPI, insecure=False)
        assert "promptImage" in warning


class TestFile:
    @pytest.mark.parametrize(
        ("file", "says"),
        [
            (File(0, "image/png"), "is empty"), (File(9, None), "no image, video or sound"),
            (File(9, "video/mp4"), "is video/mp4, where an image is wanted"),
            (File(9, "image/gif"), "PNG, JPEG and WebP"),
            (File(9, "image/png", (499, 1000)), "499x1000"), (File(9, "image/png", (2001, 1000)), "0.5 to 2"),
        ],
    )  # fmt: skip
    def test_refused(self, file, says):
        with raises(ErrorKind.MEDIA_REFUSED, says):
            check_file(named(), file)

    @pytest.mark.parametrize("pixels", [(500, 1000), (2000, 1000), None, (640, 360)])
    def test_fine(self, pixels):
        assert check_file(named(), File(9, "image/webp", pixels)) == []

    def test_the_shape_is_a_warning_where_no_document_names_it(self):
        (warning,) = check_file(named(field="imageUri"), File(9, "image/png", (3000, 1000)))
        assert "3000x1000" in warning

    def test_a_very_large_picture_is_a_warning(self):
        assert len(check_file(named(), File(9, "image/png", (8001, 8000)))) == 1

    def test_any_kind_where_any_will_do(self):
        assert check_file(named(kind=""), File(9, "audio/mpeg")) == []


class TestInline:
    def test_fine(self):
        assert check_inline(named(as_inline("image/png", PNG))) == []

    @pytest.mark.parametrize(
        ("uri", "says"),
        [
            ("data:image/png,x", "broken data: URI"), ("data:;base64,AAAA", "broken data: URI"),
            (as_inline("video/mp4", PNG), "where an image is wanted"),
            ("data:image/png;base64," + "A" * LARGEST_INLINE, "it is uploaded"),
        ],
    )  # fmt: skip
    def test_refused_without_repeating_it(self, uri, says):
        with raises(ErrorKind.MEDIA_REFUSED, says) as caught:
            check_inline(named(uri))
        assert len(str(caught.value)) < 400

    def test_a_wrong_label_is_a_warning(self):
        (warning,) = check_inline(named(as_inline("image/jpeg", PNG)))
        assert "looks like image/png" in warning


def test_what_is_shown_holds_no_signature_credential_or_content():
    assert shown(named("https://u:p@e/a.png?X-Amz-Signature=abc")) == "https://***@e/a.png?…"
    assert shown(named("s3://conn@b/a.png")) == "s3://***@b/a.png"
    assert shown(named("data:image/png;base64,AAAA")) == "a data: URI"
    assert shown(named("runway-task://t1#1")) == "runway-task://t1#1"
