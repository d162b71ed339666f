"""The demo stack of this folder, on the local cloud."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

from local.settings import Settings
from local.testing import local_cloud

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.cloud import Cloud

STACK = Path(__file__).parent / "cloud"
DEMO = replace(Settings(), template=STACK / "template.yaml", code=STACK / "functions", layer=STACK / "functions")


@pytest.fixture(scope="package")
def cloud() -> Iterator[Cloud]:
    with local_cloud(DEMO) as running:
        yield running


@pytest.fixture
def client(cloud: Cloud) -> Iterator[TestClient]:
    cloud.gateway.gate.forget()
    with TestClient(cloud.gateway) as running:
        yield running
