"""The data plane on a real socket, before a provider on another one, on an empty table each time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from local.testing import serving
from proxy.app import app
from tests.proxy.plane import Plane
from tests.support import build, items, upstream
from tests.support.profiles import PROFILES, profile
from tests.support.proxy import forget_catalogues
from tests.support.upstream import FakeProvider


@pytest.fixture(scope="session")
def provider() -> Iterator[FakeProvider]:
    with upstream.running() as running:
        yield running


@pytest.fixture(scope="module")
def served() -> Iterator[httpx.Client]:
    with serving(app) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


@pytest.fixture
def plane(noon: None, table: None, served: httpx.Client, provider: FakeProvider) -> Plane:
    """The data plane, which knows nothing of what the last test's table held."""
    provider.forget()
    forget_catalogues()
    return Plane(served, provider)


@pytest.fixture(scope="session")
def snapshot() -> dict[str, Any]:
    """What the first test with a team made, for the others to put back."""
    return {}


@pytest.fixture
def team(plane: Plane, snapshot: dict[str, Any]) -> dict[str, Any]:
    """A team of 1,000 credits, whose key is the plane's, with the alias ``fast`` at 10, 5 (cached) and 50 USD."""
    if snapshot:
        items.put_raw(snapshot["items"])
    else:
        build.organization()
        plane.credential()
        plane.alias()
        snapshot.update(made=plane.team(), items=items.raw_items())
    made: dict[str, Any] = snapshot["made"]
    plane.key = made["virtual_key"]
    return made


@pytest.fixture(params=PROFILES)
def compat(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each profile of the dialect in its turn."""
    with profile(request.param) as name:
        yield name
