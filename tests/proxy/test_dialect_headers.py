"""What an answer's headers tell LiteLLM's clients of the key that called and of its limits (contract litellm 4.5)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.proxy.plane import MODEL, Plane
from tests.support.api import call
from tests.support.limits import limit
from tests.support.upstream import answer, chunk, stream, usage


@pytest.fixture
def ready(plane: Plane, team: dict[str, Any]) -> Plane:
    plane.provider.does(MODEL, answer(used=usage(100, 10)))
    return plane


def key_of(plane: Plane, **fields: Any) -> None:
    made = call("POST", "/key/generate", {"team_id": "acme-dev"} | fields)
    assert made.status == 200, made.text
    plane.key = made.body["key"]


def told(headers: Any) -> dict[str, str]:
    """Headers of the key and of its limits."""
    prefixes = ("x-litellm-key-", "x-ratelimit-api_key-", "x-ratelimit-team-", "x-ratelimit-model_per_key-")
    return {name: value for name, value in headers.items() if name.startswith(prefixes)}


def test_a_keys_limits_and_what_it_has_spent(ready: Plane) -> None:
    key_of(ready, max_budget=2.5, rpm_limit=2, tpm_limit=5_000, model_rpm_limit={"fast": 7})
    limit("team", "acme-dev", rpm_limit=9)
    first, second = (told(ready.chat(max_tokens=10).headers) for _ in range(2))
    same = {
        "x-litellm-key-max-budget": "2.5",
        "x-litellm-key-rpm-limit": "2",
        "x-litellm-key-tpm-limit": "5000",
        "x-ratelimit-api_key-limit-requests": "2",
        "x-ratelimit-api_key-limit-tokens": "5000",
        "x-ratelimit-model_per_key-limit-requests": "7",
        "x-ratelimit-team-limit-requests": "9",
    }
    assert first == same | {
        "x-litellm-key-spend": "0.0015",
        "x-ratelimit-api_key-remaining-requests": "1",
        "x-ratelimit-api_key-remaining-tokens": "4890",
        "x-ratelimit-model_per_key-remaining-requests": "6",
        "x-ratelimit-team-remaining-requests": "8",
    }
    assert second == same | {
        "x-litellm-key-spend": "0.003",
        "x-ratelimit-api_key-remaining-requests": "0",
        "x-ratelimit-api_key-remaining-tokens": "4780",
        "x-ratelimit-model_per_key-remaining-requests": "5",
        "x-ratelimit-team-remaining-requests": "7",
    }


def test_a_call_that_is_refused_for_now_tells_them_too(ready: Plane) -> None:
    key_of(ready, max_budget=2.5, rpm_limit=1)
    assert ready.chat(max_tokens=10).status_code == 200
    refused = ready.chat(max_tokens=10)
    assert (refused.status_code, told(refused.headers)) == (
        429,
        {"x-litellm-key-max-budget": "2.5", "x-litellm-key-rpm-limit": "1"},
    )


def test_a_stream_tells_what_is_known_before_it(ready: Plane) -> None:
    ready.provider.does(MODEL, stream(chunk("Hello"), chunk("", finish="stop")))
    key_of(ready, max_budget=2.5)
    response = ready.chat(stream=True, max_tokens=10)
    assert told(response.headers) == {"x-litellm-key-max-budget": "2.5"}


def test_a_key_without_limits_tells_nothing(ready: Plane) -> None:
    key_of(ready)
    assert told(ready.chat(max_tokens=10).headers) == {}


def test_the_region_of_the_target(ready: Plane) -> None:
    params = {"model": f"openai/{MODEL}", "region_name": "eu-central-1"}
    prices = {"input_cost_per_token": 0.000001, "output_cost_per_token": 0.000001}
    made = call("POST", "/model/new", {"model_name": "european", "litellm_params": params | prices})
    assert made.status == 200, made.text
    key_of(ready, team_id=None)
    assert ready.chat("european", max_tokens=10).headers["x-litellm-model-region"] == "eu-central-1"
    assert "x-litellm-model-region" not in ready.chat(max_tokens=10).headers
