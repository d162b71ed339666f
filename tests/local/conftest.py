"""The demo stack of this folder, on the local cloud."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from local.cloud import Cloud
from local.settings import Settings
from local.testing import local_cloud

STACK = Path(__file__).parent / "cloud"
DEMO = replace(
    Settings(), template=STACK / "template.yaml", code=STACK / "functions", layer=STACK / "functions"
)


@pytest.fixture(scope="session")
def cloud() -> Iterator[Cloud]:
    with local_cloud(DEMO) as running:
        yield running


@pytest.fixture
def client(cloud: Cloud) -> Iterator[TestClient]:
    cloud.gateway.gate.forget()
    with TestClient(cloud.gateway) as running:
        yield running
