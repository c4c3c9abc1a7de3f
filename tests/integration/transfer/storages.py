"""The storages that files are saved to: a folder, and a bucket of a real S3 server."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

import pytest

#: Environment variable of the connection to the S3 server.
CONNECTION = "AIRFLOW_CONN_AWS_MOTO"


def need_s3() -> None:
    """Skip where the S3 server or Airflow's S3 support is not installed; not in CI."""
    try:
        import moto.server
        import s3fs
    except ImportError as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no S3 server to test with: {missing}")
    assert moto.server
    assert s3fs


def s3_connection(endpoint: str) -> str:
    """The connection to an S3 server, as an environment variable holds it."""
    extra = {"endpoint_url": endpoint, "region_name": "us-east-1"}
    return json.dumps({"conn_type": "aws", "login": "test", "password": "test", "extra": extra})


class Folder:
    """``file://``."""

    def __init__(self, root: Path) -> None:
        self.root = root / "clips"
        self.url = f"file://{self.root}"
        self.environment: dict[str, str] = {}

    def files(self) -> dict[str, bytes]:
        """Every file, hidden ones too."""
        found = [path for path in self.root.rglob("*") if path.is_file()]
        return {path.relative_to(self.root).as_posix(): path.read_bytes() for path in found}

    def leftovers(self) -> list[str]:
        """What is not finished."""
        return [name for name in self.files() if name.endswith(".partial")]


class Bucket:
    """``s3://``, looked into with another client than the one that wrote."""

    def __init__(self, endpoint: str) -> None:
        import boto3

        self._s3: Any = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        self.bucket = f"clips-{secrets.token_hex(6)}"
        self._s3.create_bucket(Bucket=self.bucket)
        self.url = f"s3://aws_moto@{self.bucket}/some/folder"
        self.environment = {CONNECTION: s3_connection(endpoint)}

    def files(self) -> dict[str, bytes]:
        """Every object of the bucket."""
        listed = self._s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return {
            entry["Key"].removeprefix("some/folder/"): self._s3.get_object(
                Bucket=self.bucket, Key=entry["Key"]
            )["Body"].read()
            for entry in listed
        }

    def leftovers(self) -> list[str]:
        """Uploads that were begun and never completed."""
        listed = self._s3.list_multipart_uploads(Bucket=self.bucket)
        return [upload["Key"] for upload in listed.get("Uploads", [])]
