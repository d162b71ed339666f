"""The whole gateway as ``make run`` wires it, authorizer and its cache included, on an empty table each time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from local.cloud import Cloud
from local.settings import Settings
from local.testing import MASTER_KEY, local_cloud, serving
from tests.support.environment import empty_table
from tests.support.proxy import forget_catalogues


@dataclass
class Gateway:
    """A client of the served gateway."""

    client: httpx.Client
    cloud: Cloud

    def __call__(
        self, method: str, path: str, body: Any = None, *, key: str = MASTER_KEY, **headers: str
    ) -> httpx.Response:
        """``body`` str or bytes is sent as it is, anything else as JSON."""
        sent: dict[str, Any] = {"content": body} if isinstance(body, str | bytes) else {"json": body}
        return self.client.request(
            method, path, headers={"authorization": f"Bearer {key}"} | headers, **(sent if body is not None else {})
        )

    def made(self, path: str, body: Any) -> dict[str, Any]:
        answer = self("POST", path, body)
        assert answer.status_code in {200, 201}, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def chat(self, key: str, model: str = "local/echo", **fields: Any) -> httpx.Response:
        messages = [{"role": "user", "content": "Say something"}]
        return self("POST", "/v1/chat/completions", {"model": model, "messages": messages, **fields}, key=key)


@pytest.fixture(scope="module")
def served() -> Iterator[Gateway]:
    given = os.environ.get("DYNAMODB_ENDPOINT_URL")
    with (
        local_cloud(Settings(dynamodb_endpoint_url=given)) as cloud,
        serving(cloud.gateway) as url,
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        yield Gateway(client, cloud)


@pytest.fixture
def gateway(noon: None, served: Gateway) -> Gateway:
    empty_table()
    served.cloud.gateway.gate.forget()
    # Starts the data plane, which then forgets what the last test's table held.
    assert served("GET", "/v1/models").status_code == 200
    forget_catalogues()
    return served
