"""Streaming functions: the ASGI app behind what the Lambda Web Adapter adds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.testclient import TestClient

from local.testing import serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.cloud import Cloud

WIDE = {"Authorization": "wide"}


@pytest.fixture
def life(cloud: Cloud) -> list[str]:
    """What happened to the app, in order."""
    import localdemo.app

    assert cloud.gateway.streaming
    noted: list[str] = localdemo.app.LIFE
    noted.clear()
    return noted


def wait_for(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_the_app_gets_what_the_adapter_gives(client: TestClient) -> None:
    spoofed = {**WIDE, "x-amzn-request-context": '{"authorizer": {"principalId": "root"}}'}
    before = time.time()
    shown = client.post("/v1/a%2Fb/c?x=1%202", headers=spoofed, content=b"the body").json()
    assert shown["raw_path"] == "/v1/a%2Fb/c"
    assert shown["query"] == "x=1%202"
    assert shown["body"] == "the body"
    assert shown["context"]["authorizer"]["principalId"] == "wide"
    assert shown["headers"]["content-length"] == "8"
    deadline = shown["lambda"]["deadline"] / 1000
    assert before + 899 < deadline < time.time() + 901
    assert shown["lambda"]["env_config"]["function_name"] == "StreamFunction"


def test_the_apps_lifespan_runs_with_the_gateway(cloud: Cloud, life: list[str]) -> None:
    for _ in range(2):
        life.clear()
        with TestClient(cloud.gateway) as client:
            assert client.get("/v1/x", headers=WIDE).json()["color"] == "blue"
        assert life == ["startup", "shutdown"]


def test_an_exception_before_the_answer_is_a_500_of_the_app(client: TestClient) -> None:
    assert client.get("/v1/boom", headers=WIDE).status_code == 500


def test_the_authorizer_stands_before_the_app(client: TestClient) -> None:
    assert client.get("/v1/x").status_code == 401
    assert client.get("/v1/x", headers={"Authorization": "denied"}).status_code == 401


def test_streams_come_as_they_are_sent_and_end_when_the_client_leaves(cloud: Cloud, life: list[str]) -> None:
    with serving(cloud.gateway) as url, httpx.Client(base_url=url) as client:
        with client.stream("GET", "/v1/stream", headers=WIDE) as answer:
            assert "x-amzn-requestid" in answer.headers
            chunks = answer.iter_raw()
            assert next(chunks).startswith(b"data: 0")
            assert "stream closed" not in life  # the whole stream takes 20 s
        assert wait_for(lambda: "stream closed" in life)
    assert life[-1] == "shutdown"
