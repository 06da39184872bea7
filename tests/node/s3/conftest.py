"""A door with two namespaces for each test."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.s3_door import DoorTest


@pytest.fixture
def door() -> DoorTest:
    return DoorTest()


@pytest.fixture
def s3(door: DoorTest) -> Any:
    """boto3 with our key, and a bucket."""
    client = door.boto()
    client.create_bucket(Bucket="box")
    return client
