"""``GET /health``: open to everyone; for the platform's admins each model is asked (contract litellm 1.9, Q-32)."""

from __future__ import annotations

from typing import Any

from local.testing import MASTER_KEY
from proxy import health
from tests.proxy.plane import MODEL, SECRET, Plane
from tests.support import build
from tests.support.upstream import answer, refuse

HERE = {"status": "healthy", "service": "saas-llm-api"}


def asked(plane: Plane, key: str | None = MASTER_KEY, **query: str) -> tuple[int, dict[str, Any]]:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    response = plane.client.get("/health", params=query, headers=headers)
    return response.status_code, response.json()


def rows(body: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Without the development echo, which always answers."""
    return [row for row in body[f"{name}_endpoints"] if row["model"] != "local/echo"]


def test_everyone_hears_that_it_is_there(plane: Plane, team: dict[str, Any]) -> None:
    assert asked(plane, None) == asked(plane, plane.key) == (200, HERE)
    assert plane.provider.calls == []


def test_an_unknown_credential_is_told_so(plane: Plane) -> None:
    status, body = asked(plane, "sk-" + "0" * 32)
    assert (status, body["error"]["type"], body["error"]["code"]) == (401, "token_not_found_in_db", "401")


def test_each_model_is_asked_for_one_token(plane: Plane, team: dict[str, Any]) -> None:
    sick = build.model("sick", "openai/other", api_base=f"{plane.provider.url}/v1", model_info={"id": "sick"})
    build.model("vectors", "openai/vectors", model_info={"id": "vectors", "mode": "embedding"})
    plane.provider.does(MODEL, answer())
    plane.provider.does("vectors", answer())
    plane.provider.does("other", refuse(400, message=f"no other for {SECRET}"))
    status, body = asked(plane)
    assert (status, body["healthy_count"], body["unhealthy_count"]) == (200, len(body["healthy_endpoints"]), 1)
    healthy = {row["model_name"]: row for row in rows(body, "healthy")}
    assert healthy.keys() == {"fast", "vectors"}
    assert healthy["vectors"] == {"model": "openai/vectors", "model_name": "vectors", "model_id": "vectors"}
    assert rows(body, "unhealthy") == [
        {
            "model": "openai/other",
            "model_name": "sick",
            "model_id": sick["model_id"],
            "api_base": f"{plane.provider.url}/v1",
            "error": "no sick for ***",
        }
    ]
    asked_for = {received.path: received.body for received in plane.provider.calls if received.body["model"] != "other"}
    question = {"messages": [{"role": "user", "content": "ping"}], "max_tokens": 1, "model": MODEL}
    assert asked_for == {
        "/v1/chat/completions": question,
        "/v1/embeddings": {"input": "ping", "model": "vectors"},
    }
    assert plane.books().records == []


def test_one_model_that_is_not_healthy_is_503(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, refuse(500))
    status, body = asked(plane, model="fast")
    (row,) = body["unhealthy_endpoints"]
    assert (status, row["error"], body["healthy_endpoints"]) == (503, "The provider failed with status 500", [])
    plane.provider.does(MODEL, answer())
    status, body = asked(plane, model_id=row["model_id"])
    assert (status, [one["model_id"] for one in body["healthy_endpoints"]]) == (200, [row["model_id"]])
    assert asked(plane, model="nothing")[0] == 503


def test_so_many_and_no_more(plane: Plane, team: dict[str, Any], monkeypatch: Any) -> None:
    plane.alias("more")
    plane.provider.does(MODEL, answer())
    monkeypatch.setattr(health, "MOST", 1)
    assert sum(asked(plane)[1][name] for name in ("healthy_count", "unhealthy_count")) == 1
