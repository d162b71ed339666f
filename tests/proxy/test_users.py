"""Calls by keys of users who are kept to something: models, a region, tokens, a time (decisions section 7)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.proxy.plane import MODEL, Plane, error
from tests.support.api import call
from tests.support.upstream import answer, eventually, usage


@pytest.fixture
def ready(plane: Plane, team: dict[str, Any]) -> Plane:
    plane.provider.does(MODEL, answer(used=usage(100, 10)))
    return plane


def user(plane: Plane, **fields: Any) -> None:
    """A user with a key that the plane calls with from now on."""
    made = call("POST", "/user/new", {"user_id": "ana", **fields})
    assert made.status == 200, made.text
    plane.key = made.body["key"]


def change(**fields: Any) -> None:
    changed = call("POST", "/user/update", {"user_id": "ana", **fields})
    assert changed.status == 200, changed.text


def test_a_block_and_the_end_of_his_access_bite_on_the_next_call(ready: Plane) -> None:
    user(ready)
    assert ready.chat().status_code == 200
    change(blocked=True)
    assert ready.chat().status_code == 401
    change(blocked=False)
    assert ready.chat().status_code == 200
    call("POST", "/user/delete", {"user_ids": ["ana"]})
    refused = ready.chat()
    assert (refused.status_code, refused.json()["error"]["type"]) == (401, "token_not_found_in_db")


def test_his_budget_counts_for_every_key_of_his(ready: Plane) -> None:
    user(ready, max_budget=1)
    assert ready.chat(max_tokens=10).status_code == 200
    assert call("GET", "/v2/user/info", query={"user_id": "ana"}).body["spend"] == 0.0015
    change(max_budget=0.001)
    ready.key = call("POST", "/key/generate", {"user_id": "ana"}).body["key"]
    refused = ready.chat(max_tokens=10)
    assert (refused.status_code, refused.json()["error"]["type"]) == (422, "budget_exceeded")
    change(max_budget=0)
    assert ready.chat(max_tokens=1).status_code == 422
    change(max_budget=None)
    assert ready.chat(max_tokens=1).status_code == 200


def test_no_models_of_his_own(ready: Plane) -> None:
    """Nothing by himself; in his team what that may (contract 2.6). Another list counts everywhere (Q-23)."""
    user(ready, models=["no-default-models"], teams=["acme-dev"])
    denied = ready.chat()
    assert (denied.status_code, denied.json()["error"]["type"]) == (403, "key_model_access_denied")
    assert ready.get("/models").json()["data"] == []
    ready.key = call("POST", "/key/generate", {"user_id": "ana", "team_id": "acme-dev"}).body["key"]
    assert ready.chat().status_code == 200
    assert [model["id"] for model in ready.get("/models").json()["data"]] == ["fast", "local/echo"]
    change(models=["slow"])
    denied = ready.chat()
    assert (denied.status_code, denied.json()["error"]["type"]) == (403, "user_model_access_denied")


def test_longer_answers_than_he_may_have_are_not_asked_for(ready: Plane) -> None:
    user(ready, allowed_model_max_output_tokens=20)
    for sent, expected in (({}, 20), ({"max_tokens": 50}, 20), ({"max_tokens": 5}, 5)):
        assert ready.chat(**sent).status_code == 200
        assert ready.provider.calls[-1].body["max_tokens"] == expected
    change(allowed_model_max_output_tokens=None)
    assert ready.chat().status_code == 200
    assert "max_tokens" not in ready.provider.calls[-1].body


def test_more_input_than_he_may_send_is_refused(ready: Plane) -> None:
    user(ready, allowed_model_max_input_tokens=200)
    assert ready.chat(text="word " * 40).status_code == 200
    before = len(ready.provider.calls)
    refused = ready.chat(text="word " * 400)
    message = "messages: 839 input tokens are more than this user may send (at most 200)"
    assert (refused.status_code, refused.json()) == (
        400,
        error(400, "invalid_request_error", message, param="messages"),
    )
    image = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
    assert (
        ready.post("/chat/completions", {"model": "fast", "messages": [{"role": "user", "content": image}]}).status_code
        == 400
    )
    assert ready.post("/embeddings", {"model": "fast", "input": "word " * 400}).json()["error"]["param"] == "input"
    assert len(ready.provider.calls) == before


@pytest.mark.parametrize(
    ("region", "asked"), [("eu", "eu-model"), ("EU-West", "eu-model"), ("us", "us-model"), ("ap", None), ("u", None)]
)
def test_only_targets_of_his_region_are_asked(ready: Plane, region: str, asked: str | None) -> None:
    """Where nobody has said where a target is, it is nowhere."""
    for name in ("us-model", "eu-model"):
        ready.provider.does(name, answer(used=usage(100, 10)))
    regions = {"openai/us-model": "us-east-1", "openai/eu-model": "eu-west-3", f"openai/{MODEL}": None}
    for name, where in regions.items():
        params = {
            "model": name,
            "region_name": where,
            "input_cost_per_token": 0.00001,
            "output_cost_per_token": 0.00005,
        }
        made = call("POST", "/model/new", {"model_name": "spread", "litellm_params": params})
        assert made.status == 200, made.text
    user(ready, allowed_model_region=region)
    shown = [model["id"] for model in ready.get("/models").json()["data"]]
    answered = ready.chat("spread")
    if asked is None:
        message = f"Model access denied: no target of model 'spread' is in region '{region}'"
        assert (answered.status_code, answered.json()) == (
            403,
            error(403, "model_region_denied", message, param="model"),
        )
        assert shown == []
        return
    assert answered.status_code == 200
    assert ready.provider.calls[-1].body["model"] == asked
    assert shown == ["spread"]
    change(allowed_model_region=None)
    assert ready.chat("fast").status_code == 200


def test_his_time_is_over(ready: Plane) -> None:
    user(ready, duration="1s")
    assert eventually(lambda: ready.chat().status_code == 401)
    assert ready.chat().json()["error"]["type"] == "expired_key"
