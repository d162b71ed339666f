"""From a call to its spend log: the id that the client got finds it at once (contract litellm 1.9, Q-31)."""

from __future__ import annotations

from typing import Any

from tests.proxy.plane import MODEL, Plane
from tests.support import build
from tests.support.api import call
from tests.support.upstream import answer, usage


def test_a_call_is_found_by_the_id_of_its_answer(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, answer(used=usage(100, 10)))
    build.user("ana")
    made = call("POST", "/key/generate", {"team_id": "acme-dev", "user_id": "ana", "tags": ["batch"]}).body
    plane.key = made["key"]
    sent = plane.chat(max_tokens=10, user="c-1")
    (row,) = call("GET", "/spend/logs", query={"request_id": sent.json()["id"]}).body
    record = plane.record()
    assert row["request_id"] == sent.json()["id"]
    assert row["metadata"]["user_api_key_org_id"] == row["organization_id"] == "org_acme"
    assert row["metadata"]["user_api_key_team_id"] == row["team_id"] == "acme-dev"
    assert (row["api_key"], row["user"], row["end_user"]) == (made["token"], "ana", "c-1")
    assert (row["prompt_tokens"], row["completion_tokens"], row["spend"]) == (100, 10, float(record["cost_usd"]))
    assert (row["model"], row["model_group"], row["model_id"]) == (MODEL, "fast", record["target_id"])
    assert row["call_type"] == "acompletion"
    assert (row["request_tags"], row["status"]) == (["batch"], "success")
    by_call_id = call("GET", "/spend/logs", query={"request_id": sent.headers["x-litellm-call-id"]}).body
    assert by_call_id == [row]


def test_what_was_called_is_told(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, answer(used=usage(100, 10)))
    assert plane.post("/completions", {"model": "fast", "prompt": "Say", "max_tokens": 10}).status_code == 200
    (row,) = call("GET", "/spend/logs", query={"request_id": plane.record()["call_id"]}).body
    assert row["call_type"] == "atext_completion"
