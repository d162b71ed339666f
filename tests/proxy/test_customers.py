"""What is said of a customer counts on the very next call that names him (contract litellm 1.1, 1.8, Q-53)."""

from __future__ import annotations

from typing import Any

import pytest

from local.testing import MASTER_KEY
from tests.proxy.plane import MODEL, Plane, error
from tests.support.api import call
from tests.support.profiles import profile
from tests.support.upstream import answer, usage

BLOCKED = "User blocked from making LLM API Calls. User=c/7"


@pytest.fixture
def ready(plane: Plane, team: dict[str, Any]) -> Plane:
    plane.alias("slow")
    plane.provider.does(MODEL, answer(used=usage(100, 10)))
    return plane


def say(**fields: Any) -> None:
    verb = "update" if call("GET", "/customer/info", query={"end_user_id": "c/7"}).status == 200 else "new"
    answered = call("POST", f"/customer/{verb}", {"user_id": "c/7"} | fields)
    assert answered.status == 200, answered.text


def post(verb: str) -> None:
    assert call("POST", f"/customer/{verb}", {"user_ids": ["c/7"]}).status == 200


@pytest.mark.parametrize(("compat", "status"), [("1.106", 403), ("1.80", 400)])
def test_a_block_bites_on_the_next_call(ready: Plane, compat: str, status: int) -> None:
    assert ready.chat(user="c/7").status_code == 200
    post("block")
    with profile(compat):
        refused = ready.chat(user="c/7")
    assert (refused.status_code, refused.json()) == (
        status,
        error(status, "customer_blocked", BLOCKED, param="user"),
    )
    assert ready.chat(user="c/8").status_code == 200
    assert ready.chat().status_code == 200
    post("unblock")
    assert ready.chat(user="c/7").status_code == 200


def test_a_block_holds_for_every_key_and_route(ready: Plane) -> None:
    post("block")
    job = {"team_id": "acme-dev", "job_type": "a", "model": "fast", "messages": [{"role": "user", "content": "a"}]}
    refused = ready.client.post("/api/jobs/create-and-call", json=job | {"user": "c/7"}, headers=ready.headers())
    assert (refused.status_code, refused.json()["code"]) == (403, "customer_blocked")
    embedded = ready.post("/embeddings", {"model": "fast", "input": "a", "user": "c/7"})
    assert embedded.json() == error(403, "customer_blocked", BLOCKED, param="user")
    ready.key = MASTER_KEY
    assert ready.chat(user="c/7").json() == error(403, "customer_blocked", BLOCKED, param="user")
    assert ready.chat(user="c/8").status_code == 200
    assert len(ready.provider.calls) == 1


def test_the_models_of_a_customer(ready: Plane) -> None:
    say(models=["slow"])
    denied = ready.chat("fast", user="c/7")
    assert (denied.status_code, denied.json()["error"]["type"]) == (403, "customer_model_access_denied")
    assert denied.json()["error"]["available_models"] == ["slow"]
    assert ready.chat("slow", user="c/7").status_code == 200
    assert ready.chat("fast").status_code == 200
    say(models=[])
    assert ready.chat("fast", user="c/7").status_code == 200


def test_the_model_where_a_request_names_none(ready: Plane) -> None:
    say(default_model="slow")
    question = {"messages": [{"role": "user", "content": "a"}]}
    assert ready.post("/chat/completions", question | {"user": "c/7"}).json()["model"] == "slow"
    assert ready.books().records[-1]["requested_model"] == "slow"
    missing = "/chat/completions: Missing required parameter: 'model'."
    assert ready.post("/chat/completions", question).json() == error(
        400, "invalid_request_error", missing, param="model"
    )
    assert ready.chat("fast", user="c/7").json()["model"] == "fast"
    say(models=["fast"])
    denied = ready.post("/chat/completions", question | {"user": "c/7"})
    assert denied.json()["error"]["type"] == "customer_model_access_denied"


def test_the_default_model_in_a_job(ready: Plane) -> None:
    say(default_model="slow")
    job = {"team_id": "acme-dev", "job_type": "a", "messages": [{"role": "user", "content": "a"}]}
    made = call("POST", "/api/jobs/create", {"team_id": "acme-dev", "job_type": "a"}).body
    body = {"messages": job["messages"], "user": "c/7"}
    path = f"/api/jobs/{made['job_id']}/llm-call"
    assert ready.client.post(path, json=body, headers=ready.headers()).json()["metadata"]["model"] == "slow"


def test_the_region_of_a_customer(ready: Plane) -> None:
    """Where nobody has said where a target is, it is in no region."""
    say(allowed_model_region="eu")
    denied = ready.chat(user="c/7")
    assert (denied.status_code, denied.json()["error"]["type"]) == (403, "model_region_denied")
    assert ready.chat().status_code == 200
    params = {"model": f"openai/{MODEL}", "region_name": "eu-central-1", "api_base": f"{ready.provider.url}/v1"}
    made = call("POST", "/model/new", {"model_name": "european", "litellm_params": params})
    assert made.status == 200, made.text
    assert ready.chat("european", user="c/7", max_tokens=10).status_code == 200
    say(allowed_model_region="us")
    assert ready.chat("european", user="c/7", max_tokens=10).status_code == 403
    say(allowed_model_region=None)
    assert ready.chat(user="c/7").status_code == 200


def test_limits_and_spend(ready: Plane) -> None:
    say(max_budget=1)
    assert ready.chat(user="c/7", max_tokens=10).status_code == 200
    assert call("GET", "/customer/info", query={"end_user_id": "c/7"}).body["spend"] == 0.0015
    say(spend=1)
    refused = ready.chat(user="c/7", max_tokens=10)
    assert (refused.status_code, refused.json()["error"]["message"]) == (
        422,
        "ExceededBudget: End User=c/7 over budget. Spend=1, Budget=1",
    )
    say(max_budget=0, spend=0)
    assert ready.chat(user="c/7", max_tokens=10).status_code == 422
    say(max_budget=None, rpm_limit=0)
    assert ready.chat(user="c/7", max_tokens=10).status_code == 429
    say(rpm_limit=None, max_parallel_requests=0)
    assert ready.chat(user="c/7", max_tokens=10).status_code == 429
    say(max_parallel_requests=None)
    assert ready.chat(user="c/7", max_tokens=10).status_code == 200


def test_an_id_of_whom_nothing_can_be_known(ready: Plane) -> None:
    """Too long for a key of the table; the call goes on, and is counted under that id."""
    long = "\N{GRINNING FACE}" * 256
    assert ready.chat(user=long).status_code == 200
    assert ready.books().records[-1]["customer_id"] == long
    ready.key = MASTER_KEY
    assert ready.chat(user=long).status_code == 200
