"""Calls in jobs: admission, answers, streams, credits that are set apart and charged (contract 1.5, 1.6, 2.4; Q-17)."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest

from local.testing import MASTER_KEY
from tests.proxy.plane import MODEL, Plane, cost
from tests.support import build
from tests.support.api import call, key
from tests.support.items import all_items
from tests.support.upstream import answer, chunk, refuse, stream, usage

TEAM = "acme-dev"
MESSAGES = [{"role": "user", "content": "Say something"}]
USED = usage(100, 50)
EXHAUSTED = (
    "Insufficient credits. Team has 0 credits remaining, but 1 required. "
    "Allocated: 10, Used: 0, Reserved by open jobs: 10"
)


def job(plane: Plane, **fields: Any) -> str:
    made = call("POST", "/api/jobs/create", {"team_id": TEAM, "job_type": "chat"} | fields, caller=key(plane.key))
    assert made.status == 200, made.body
    job_id: str = made.body["job_id"]
    return job_id


def stored(job_id: str) -> dict[str, Any]:
    return next(item for item in all_items() if item["PK"] == f"JOB#{job_id}")


def counter(job_id: str) -> dict[str, Any]:
    found = next(item for item in all_items() if item["PK"] == f"ACCOUNT#{job_id}")
    return {name: found[name] for name in ("pr", "us", "tk", "cn", "jf", "h")} | {"cl": found.get("cl")}


def ask(plane: Plane, path: str, headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
    body = {"model": "fast", "messages": MESSAGES} | fields
    return plane.client.post(f"/api/jobs/{path}", json=body, headers=plane.headers() if headers is None else headers)


def complete(plane: Plane, job_id: str, status: str = "completed") -> Any:
    return call("POST", f"/api/jobs/{job_id}/complete", {"status": status}, caller=key(plane.key))


def told(response: httpx.Response) -> tuple[int, str, str]:
    body = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, body["code"], body["detail"]


def events(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    *frames, done, _comment, end = response.text.split("\n\n")
    assert (done, end) == ("data: [DONE]", "")
    return [json.loads(frame.removeprefix("data: ")) for frame in frames]


def test_a_call_in_a_job(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, answer("Hello there", used=USED))
    job_id = job(plane)

    response = ask(plane, f"{job_id}/llm-call", purpose="greet", call_metadata={"page": 1}, max_tokens=60)

    body = response.json()
    call_id, latency = body.pop("call_id"), body["metadata"].pop("latency_ms")
    assert latency >= 0
    assert (response.status_code, body) == (
        200,
        {
            "response": {"role": "assistant", "content": "Hello there", "finish_reason": "stop"},
            "metadata": {"tokens_used": 150, "model": "fast", "model_group": "fast"},
        },
    )
    assert plane.provider.last.body == {
        "messages": MESSAGES,
        "temperature": 0.7,
        "max_tokens": 60,
        "model": MODEL,
        "stream": False,
    }
    (record,) = plane.books().records
    assert {name: record[name] for name in ("call_id", "job_id", "job_type", "purpose", "call_metadata")} == {
        "call_id": call_id,
        "job_id": job_id,
        "job_type": "chat",
        "purpose": "greet",
        "call_metadata": '{"page":1}',
    }
    assert (record["cost_usd"], record["credits_charged"], record["credits_reserved"]) == (cost(100, 50), 0, 1)
    begun = stored(job_id)
    assert (begun["status"], begun["model_groups_used"]) == ("in_progress", ["fast"])
    assert counter(job_id) == {"pr": 1, "us": cost(100, 50), "tk": 150, "cn": 1, "jf": 0, "h": {}, "cl": None}
    state = plane.books()
    assert (state.available, state.promised, state.holds) == (999, 1, {})


def test_a_job_of_several_calls_is_charged_one_credit(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, answer(used=USED))
    job_id = job(plane)
    plane.alias("other")
    for model in ("fast", "other", "fast"):
        assert ask(plane, f"{job_id}/llm-call", model=model).status_code == 200
    assert stored(job_id)["model_groups_used"] == ["fast", "other"]

    done = complete(plane, job_id)

    assert (done.status, done.body["status"], done.body["costs"]["total_calls"]) == (200, "completed", 3)
    assert done.body["costs"]["credit_applied"] is True
    state = plane.books()
    assert (state.available, state.promised, state.charged) == (999, 0, 0)
    assert state.ledger[-1]["credits_amount"] == -1
    refused = ask(plane, f"{job_id}/llm-call")
    assert told(refused) == (409, "job_closed", "Job is completed")


def test_a_failed_call_makes_its_job_free(plane: Plane, team: dict[str, Any]) -> None:
    job_id = job(plane)
    plane.provider.does(MODEL, refuse(500), answer(used=USED))
    assert told(ask(plane, f"{job_id}/llm-call"))[:2] == (502, "provider_unavailable")
    assert ask(plane, f"{job_id}/llm-call").status_code == 200
    assert counter(job_id)["jf"] == 1

    done = complete(plane, job_id)

    assert (done.body["costs"]["failed_calls"], done.body["costs"]["credit_applied"]) == (1, False)
    assert done.body["unbilled_cost_usd"] == float(cost(100, 50))
    state = plane.books()
    assert (state.available, state.promised) == (1000, 0)


@pytest.mark.parametrize(
    ("fields", "used", "credits"),
    [
        ({"budget_mode": "consumption_usd", "credits_per_dollar": 100}, usage(7_000, 0), 7),
        ({"budget_mode": "consumption_usd"}, usage(3_400, 0), 1),
        ({"budget_mode": "consumption_usd"}, usage(15_200, 0), 2),
        ({"budget_mode": "consumption_tokens"}, usage(10_001, 0), 2),
        ({"budget_mode": "consumption_tokens"}, usage(8_500, 0), 1),
        ({"budget_mode": "consumption_tokens", "tokens_per_credit": 5_000}, usage(15_000, 0), 3),
    ],
)
def test_what_a_job_costs(
    plane: Plane, team: dict[str, Any], fields: dict[str, Any], used: dict[str, Any], credits: int
) -> None:
    """The worked examples of contract 3.2, by what a provider says; exact where binary fractions would not be."""
    plane.team("priced", **fields)
    plane.provider.does(MODEL, answer(used=used))
    job_id = job(plane, team_id="priced")
    assert ask(plane, f"{job_id}/llm-call", max_tokens=1).status_code == 200

    done = complete(plane, job_id)

    assert done.body["credits_charged"] == credits
    state = plane.books("priced")
    assert (state.available, state.promised, state.charged) == (1000 - credits, 0, 0)


def test_credits_are_held_to_the_ceiling_of_the_sum(plane: Plane, team: dict[str, Any]) -> None:
    """A call of at most 1,000 output tokens may cost 0.05 USD and its input, at 100 credits a dollar 6 of them."""
    plane.team("priced", budget_mode="consumption_usd", credits_per_dollar=100, credits_allocated=12)
    plane.provider.does(MODEL, answer(used=usage(100, 50)))
    job_id = job(plane, team_id="priced")
    promised = []
    for _ in range(4):
        assert ask(plane, f"{job_id}/llm-call", max_tokens=1000).status_code == 200
        promised.append(counter(job_id)["pr"])
    # 0.0035 USD are spent by each; the body's bytes bound the input.
    assert promised[0] in {6, 7}
    assert promised == sorted(promised)
    assert plane.books("priced").promised == promised[-1]
    done = complete(plane, job_id)
    assert (done.body["credits_charged"], plane.books("priced").available) == (2, 10)


def test_a_call_is_shortened_to_what_the_account_still_carries(plane: Plane, team: dict[str, Any]) -> None:
    plane.team("poor", budget_mode="consumption_usd", credits_per_dollar=100, credits_allocated=3)
    plane.provider.does(MODEL, answer(used=usage(10, 10)))
    job_id = job(plane, team_id="poor")
    assert ask(plane, f"{job_id}/llm-call", max_tokens=1000).status_code == 200
    assert 0 < plane.provider.last.body["max_tokens"] < 1000
    assert counter(job_id)["pr"] == 3


def test_ten_credits_carry_ten_jobs(plane: Plane, team: dict[str, Any]) -> None:
    plane.team("ten", credits_allocated=10)
    plane.provider.does(MODEL, answer(used=USED))
    jobs = [job(plane, team_id="ten") for _ in range(12)]
    answers = [ask(plane, f"{job_id}/llm-call") for job_id in jobs]
    assert [response.status_code for response in answers] == [200] * 10 + [403] * 2
    assert told(answers[-1]) == (
        403,
        "insufficient_credits",
        EXHAUSTED,
    )
    assert stored(jobs[-1])["status"] == "pending"
    for job_id in jobs[:10]:
        assert complete(plane, job_id).body["credit_applied"] is True
    state = plane.books("ten")
    assert (state.available, state.promised) == (0, 0)
    assert complete(plane, jobs[10]).body["credit_applied"] is False


def test_whose_job_it_is(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, answer(used=USED))
    job_id = job(plane)
    assert told(ask(plane, "0199a3f0-6c1e-7b1f-9a57-0f3d2c4b5a69/llm-call")) == (404, "not_found", "Job not found")
    plane.team("acme-ops")
    assert told(ask(plane, f"{job_id}/llm-call")) == (403, "forbidden", "Job does not belong to your team")
    build.organization("org_other")
    plane.team("elsewhere", organization_id="org_other")
    assert told(ask(plane, f"{job_id}/llm-call")) == (404, "not_found", "Job not found")
    assert told(ask(plane, f"{job_id}/llm-call", headers={}))[:2] == (401, "invalid_api_key")
    assert ask(plane, f"{job_id}/llm-call", headers={"x-admin-key": MASTER_KEY}).status_code == 200
    assert plane.books().records[0]["team_id"] == TEAM


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "boss", "content": "x"}]}, "messages.0.role"),
        ({"temperature": 3}, "temperature"),
        ({"purpose": "x" * 201}, "purpose"),
        ({"nope": 1}, "nope"),
        ({"model": None}, "model"),
    ],
)
def test_a_broken_body_names_its_field(plane: Plane, team: dict[str, Any], fields: dict[str, Any], field: str) -> None:
    response = ask(plane, f"{job(plane)}/llm-call", **fields)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, field)
    assert plane.provider.calls == []


def test_a_stream_in_a_job(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, answer("Hello there", used=USED))
    job_id = job(plane)
    response = ask(plane, f"{job_id}/llm-call-stream")
    *words, last = events(response)
    assert "".join(event["choices"][0]["delta"].get("content", "") for event in words).strip() == "Hello there"
    assert all(event["choices"][0]["finish_reason"] is None and "usage" not in event for event in words)
    assert {event["model"] for event in (*words, last)} == {"fast"}
    assert (last["choices"], last["usage"]) == ([{"index": 0, "delta": {}, "finish_reason": "stop"}], USED)
    assert stored(job_id)["status"] == "in_progress"
    assert counter(job_id)["cn"] == 1


def test_create_and_call(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, answer("Hello there", used=USED))
    response = ask(plane, "create-and-call", team_id=TEAM, job_type="chat", job_metadata={"a": 1})
    body = response.json()
    assert response.status_code == 200, body
    job_id = body["job_id"]
    assert set(body) == {"job_id", "status", "response", "metadata", "costs", "completed_at"}
    assert (body["status"], body["response"]["content"]) == ("completed", "Hello there")
    assert (body["costs"]["credit_applied"], body["costs"]["total_calls"]) == (True, 1)
    assert '"credits_remaining":999,' in response.text
    assert (stored(job_id)["status"], stored(job_id)["metadata"]) == ("completed", '{"a":1}')
    assert plane.books().available == 999


def test_create_and_call_that_fails(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, refuse(500))
    response = ask(plane, "create-and-call", team_id=TEAM, job_type="chat")
    assert told(response)[0] == 502
    (failed,) = [item for item in all_items() if item["kind"] == "job"]
    assert (failed["status"], failed["credit_applied"]) == ("failed", False)
    assert failed["error_message"] == response.json()["detail"]
    assert plane.books().available == 1000


def test_create_and_call_makes_no_job_for_what_may_not_be_called(plane: Plane, team: dict[str, Any]) -> None:
    plane.team("limited", access_groups=["gpt-models"])
    response = ask(plane, "create-and-call", team_id="limited", job_type="chat")
    assert told(response)[:2] == (403, "team_model_access_denied")
    assert told(ask(plane, "create-and-call", team_id=TEAM, job_type="chat")) == (
        403,
        "forbidden",
        f"API key does not belong to team '{TEAM}'",
    )
    assert [item for item in all_items() if item["kind"] == "job"] == []


def test_create_and_call_streamed(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, answer("Hello there", used=USED))
    response = ask(plane, "create-and-call-stream", team_id=TEAM, job_type="chat")
    *_, last = events(response)
    assert last["usage"] == USED
    job_id = response.headers["x-tollgate-job-id"]
    assert (stored(job_id)["status"], stored(job_id)["credit_applied"]) == ("completed", True)


def test_a_stream_that_breaks_fails_its_job(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, stream(chunk("Hello"), done=False, then="abort"))
    response = ask(plane, "create-and-call-stream", team_id=TEAM, job_type="chat")
    *_, last = events(response)
    assert set(last["error"]) == {"message", "type", "param", "code"}
    job_id = response.headers["x-tollgate-job-id"]
    assert (stored(job_id)["status"], stored(job_id)["credit_applied"]) == ("failed", False)
    assert plane.books().available == 1000


def test_a_team_that_pays_nothing_has_jobs_too(plane: Plane, team: dict[str, Any]) -> None:
    plane.team("free", credits_source="none", credits_allocated=0)
    plane.provider.does(MODEL, answer(used=USED))
    response = ask(plane, "create-and-call", team_id="free", job_type="chat")
    assert (response.status_code, response.json()["costs"]["credit_applied"]) == (200, False)


def test_the_default_model(plane: Plane, team: dict[str, Any]) -> None:
    plane.team("easy", default_model="fast")
    plane.provider.does(MODEL, answer(used=USED))
    job_id = job(plane, team_id="easy")
    response = ask(plane, f"{job_id}/llm-call", model=None)
    assert (response.status_code, response.json()["metadata"]["model"]) == (200, "fast")


def test_money_is_exact(plane: Plane, team: dict[str, Any]) -> None:
    """Thousandths that no binary fraction has: a hundred calls cost their sum, and the job its ceiling."""
    plane.team("exact", budget_mode="consumption_usd", credits_per_dollar=100)
    plane.provider.does(MODEL, answer(used=usage(70, 0)))
    job_id = job(plane, team_id="exact")
    for _ in range(10):
        assert ask(plane, f"{job_id}/llm-call", max_tokens=1).status_code == 200
    assert counter(job_id)["us"] == Decimal("0.007")
    assert complete(plane, job_id).body["credits_charged"] == 1
