"""What must be true of a campaign in the end."""

from __future__ import annotations

import hashlib

import pytest
from integration.media import decode


def check_ledger(gateway, folder, clips, credits_per_clip):
    """As many charges as clips, nothing cancelled, and a clip under its final name for each; but for manifests,
    no other file.
    """
    ledger = gateway.ledger()
    assert len(ledger["charges"]) == clips
    assert ledger["total_credits"] == clips * credits_per_clip
    assert {charge["status"] for charge in ledger["charges"]} == {"SUCCEEDED"}
    wanted = {f"{charge['runway_task_id']}-0.mp4" for charge in ledger["charges"]}
    assert len(wanted) == clips
    assert {path.name for path in folder.iterdir() if ".manifest.json" not in path.name} == wanted


def check_clips(manifests, folder):
    """Every file is what its manifest says, and plays."""
    assert len({manifest["runway_task_id"] for manifest in manifests}) == len(manifests)
    for manifest in manifests:
        (saved,) = manifest["files"]
        path = folder / saved["path"].rpartition("/")[2]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == saved["sha256"]
        clip = decode(path)
        assert (clip.codec, clip.width, clip.height) == ("h264", 1280, 720)
        assert clip.seconds == pytest.approx(2, abs=0.1)
        assert clip.distinct_frames > 1
