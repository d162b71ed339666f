"""The OpenAPI document says what there is: every route, nothing else, and its examples are true."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate
from starlette.routing import Route

from proxy.app import app
from proxy.openapi import SPEC
from tests.contract.conftest import World
from tests.support.api import ROUTES

METHODS = {"get", "put", "post", "delete", "patch", "head", "options"}
PAGES = {"/openapi.json", "/docs", "/redoc"}
CALLS = [path for path, item in SPEC["paths"].items() if "post" in item]


def _documented(document: Any) -> set[str]:
    return {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in METHODS & set(item)}


def _is_model_path(path: str) -> bool:
    """The data plane's own paths, and the other names that clients of OpenAI's and Azure's have for them."""
    return path != "/v1/model/info" and path.split("/")[1] in {
        "v1",
        "chat",
        "completions",
        "embeddings",
        "models",
        "engines",
        "openai",
    }


def test_it_is_valid(document: dict[str, Any]) -> None:
    validate(document)


def test_it_covers_exactly_what_there_is(document: dict[str, Any]) -> None:
    of_the_template = {
        f"{route.method} {route.path.replace('+}', '}')}"
        for route in ROUTES
        if route.path not in PAGES and not _is_model_path(route.path) and route.method != "OPTIONS"
    }
    of_the_app = {
        f"{method} {route.path.replace(':path', '')}"
        for route in app.routes
        if isinstance(route, Route) and route.path.startswith("/v1/") and "{model:path}/" not in route.path
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert _documented(document) == of_the_template | of_the_app


def test_the_data_plane_has_its_own_shape_of_errors() -> None:
    for item in SPEC["paths"].values():
        for operation in item.values():
            assert operation["security"] == [{"bearer": []}]
            for status, answer in operation["responses"].items():
                shown = answer["content"]["application/json"]
                if status != "200":
                    assert shown["schema"] == {"$ref": "#/components/schemas/OpenAiError"}
                    assert shown["example"]["error"]["code"] == status


@pytest.mark.parametrize("path", CALLS)
def test_the_examples_work(world: World, path: str) -> None:
    example = SPEC["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"]
    shown = SPEC["paths"][path]["post"]["responses"]["200"]["content"]["application/json"]["example"]
    answer = httpx.post(
        f"{world.url}{path}",
        json={**example, "model": "local/echo"},
        headers={"authorization": f"Bearer {world.team_key}"},
        timeout=30,
    )
    assert answer.status_code == 200
    assert set(answer.json()) >= set(shown) - {"created"}
    assert answer.json()["object"] == shown["object"]
