"""``GET /v1/models``: what the key may use, never what is behind it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.proxy.plane import Plane, error
from tests.support import build
from tests.support.api import MASTER_KEY


def _shown(made: dict[str, Any] | None, name: str = "local/echo") -> dict[str, Any]:
    created = int(datetime.fromisoformat(made["created_at"]).timestamp()) if made else 1_677_610_602
    return {"id": made["alias"] if made else name, "object": "model", "created": created, "owned_by": "openai"}


def test_the_list_is_what_passes_every_level(plane: Plane) -> None:
    build.organization()
    aliases = {name: plane.alias(name) for name in ("b/large", "a-small", "c")}
    plane.alias("switched-off", active=False)
    build.access_group("some", model_aliases=["a-small", "b/large"])
    plane.team()
    assert plane.get("/models").json() == {
        "object": "list",
        "data": [_shown(aliases[name]) for name in ("a-small", "b/large", "c")] + [_shown(None)],
    }
    plane.key = build.issued_key("acme-dev", models=["b/*", "local/echo", "never-made"])["virtual_key"]
    assert [one["id"] for one in plane.get("/models").json()["data"]] == ["b/large", "local/echo"]
    plane.team("acme-some", access_groups=["some"])
    assert [one["id"] for one in plane.get("/models").json()["data"]] == ["a-small", "b/large"]
    assert [plane.get(f"/models/{name}").status_code for name in ("a-small", "c", "local/echo")] == [200, 404, 404]
    plane.key = MASTER_KEY
    assert [one["id"] for one in plane.get("/models").json()["data"]] == ["a-small", "b/large", "c", "local/echo"]


@pytest.mark.parametrize("path", ["b/large", "b%2Flarge"])
def test_one_model(plane: Plane, path: str) -> None:
    build.organization()
    made = plane.alias("b/large")
    plane.team()
    response = plane.get(f"/models/{path}")
    assert (response.status_code, response.json()) == (200, _shown(made))


@pytest.mark.parametrize("name", ["nope", "%23", "a%00b", "%ff", "..%2f..%2fetc"])
def test_a_model_that_is_none(plane: Plane, team: dict[str, Any], name: str) -> None:
    from urllib.parse import unquote

    response = plane.get(f"/models/{name}")
    message = f"The model `{unquote(name)}` does not exist or is not accessible"
    assert (response.status_code, response.json()) == (404, error(404, "not_found_error", message, param="model"))
