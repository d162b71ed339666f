"""The whole gateway, served, with a small world in it that every test finds as it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from local.settings import Settings
from local.testing import MASTER_KEY, local_cloud, serving
from tests.support import build
from tests.support.environment import empty_table
from tests.support.items import all_items, put_raw, raw_items
from tests.support.proxy import forget_catalogues


@dataclass(frozen=True)
class World:
    """A served gateway with an organization, a team with credits, a model, a group and a credential."""

    url: str
    team_key: str
    items: list[dict[str, Any]]
    ids: dict[str, str]

    def restore(self) -> None:
        empty_table()
        put_raw(self.items)
        forget_catalogues()


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    given = os.environ.get("DYNAMODB_ENDPOINT_URL")
    with local_cloud(Settings(dynamodb_endpoint_url=given)) as cloud, serving(cloud.gateway) as url:
        empty_table()
        build.organization()
        build.alias("fast")
        build.access_group("some", model_aliases=["fast"])
        build.provider_credential(organization_id="org_acme")
        team_key = build.team(access_groups=["*"], credits_allocated=1_000_000)["virtual_key"]
        found = all_items()
        ids = {
            "organization_id": "org_acme",
            "team_id": "acme-dev",
            "alias": "fast",
            "group_name": "some",
            "provider": "openai",
            "model": "local/echo",
            "key_id": next(item["key_id"] for item in found if item["kind"] == "key"),
            "credential_id": next(item["credential_id"] for item in found if item["kind"] == "provider_credential"),
        }
        # The data plane is up before anything asks for its state.
        httpx.get(f"{url}/v1/models", headers={"authorization": f"Bearer {MASTER_KEY}"}, timeout=30)
        yield World(url, team_key, raw_items(), ids)


@pytest.fixture(scope="session")
def document(world: World) -> dict[str, Any]:
    """The OpenAPI document, as a client gets it."""
    answer = httpx.get(f"{world.url}/openapi.json", timeout=30)
    assert answer.status_code == 200
    read: dict[str, Any] = answer.json()
    return read
