"""What is reserved, what is sent because of it, and who is refused: Q-10, Q-13 to Q-15, Q-23, Q-56."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.proxy.plane import MODEL, Plane, change, cost, error, question
from tests.support import build
from tests.support.api import call
from tests.support.environment import engine, template
from tests.support.refusals import body as refusal
from tests.support.refusals import expired, without_times
from tests.support.upstream import answer, usage
from tollgate.metering.counters import Counters

# Bytes that count beyond the body's own.
ALLOWANCE = 512


def _sent(plane: Plane) -> dict[str, Any]:
    return {name: value for name, value in plane.provider.last.body.items() if name not in {"model", "messages"}}


def _ready(plane: Plane, funds: int = 1000, **alias: Any) -> None:
    build.organization()
    plane.credential()
    plane.alias(**alias)
    plane.team(credits_allocated=funds)
    plane.provider.does(MODEL, answer(used=usage(1, 1)))


@pytest.mark.parametrize(
    ("limit", "asked", "output", "sent"),
    [
        (1000, {"max_tokens": 7}, 7, {"max_tokens": 7}),
        (1000, {"max_completion_tokens": 7}, 7, {"max_completion_tokens": 7}),
        (1000, {"max_tokens": None}, 1000, {"max_tokens": None}),
        (1000, {}, 1000, {}),
        (1000, {"max_tokens": 5000}, 1000, {"max_tokens": 1000}),
        (1000, {"max_completion_tokens": 5000}, 1000, {"max_completion_tokens": 1000}),
        (None, {}, 4096, {"max_tokens": 4096}),
        (None, {"max_tokens": 7}, 7, {"max_tokens": 7}),
        (None, {"max_tokens": 9999}, 4096, {"max_tokens": 4096}),
        # Some providers obey the one, some the other.
        (1000, {"max_tokens": 900, "max_completion_tokens": 7}, 900, {"max_tokens": 900, "max_completion_tokens": 7}),
        (1000, {"max_tokens": 5000, "max_completion_tokens": 7}, 1000, dict.fromkeys(("max_tokens", "max_completion_tokens"), 1000)),
        (1000, {"n": 3, "max_tokens": 7}, 21, {"n": 3, "max_tokens": 7}),
        (1000, {"best_of": 4, "n": 2}, 4000, {"best_of": 4, "n": 2}),
    ],
)  # fmt: skip
def test_the_output_bound(
    plane: Plane, limit: int | None, asked: dict[str, Any], output: int, sent: dict[str, Any]
) -> None:
    _ready(plane, max_output_tokens=limit)

    response = plane.chat(**asked)

    assert response.status_code == 200
    assert "x-tollgate-max-tokens" not in response.headers
    assert _sent(plane) == sent
    assert plane.record()["credits_reserved"] == cost(len(response.request.content) + ALLOWANCE, output)


@pytest.mark.parametrize(
    ("path", "fields", "prompts"),
    [
        ("/completions", {"prompt": "one text"}, 1),
        ("/completions", {"prompt": ["one", "two", "three"]}, 3),
        ("/completions", {"prompt": [1, 2, 3]}, 1),
        ("/completions", {"prompt": [[1, 2], [3]]}, 2),
        ("/completions", {"prompt": ["one", "two"], "n": 2}, 4),
        ("/embeddings", {"input": ["one", "two"]}, 0),
    ],
)
def test_every_prompt_has_an_answer(plane: Plane, path: str, fields: dict[str, Any], prompts: int) -> None:
    _ready(plane)
    response = plane.post(path, {"model": "fast", "max_tokens": 10, **fields})
    assert response.status_code == 200
    assert plane.record()["credits_reserved"] == cost(len(response.request.content) + ALLOWANCE, 10 * prompts)


def test_the_input_bound(plane: Plane) -> None:
    """The context window for every prompt, or the bytes; media at their maximum."""
    _ready(plane, context_window=100)
    plane.chat(text="x" * 500, max_tokens=1)
    plane.post("/completions", {"model": "fast", "prompt": ["x" * 500] * 2, "max_tokens": 1})
    call("PUT", "/api/model-aliases/fast", {"context_window": None})
    parts = [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "http://i"}}, {"type": "file"}]
    response = plane.post(
        "/chat/completions", {"model": "fast", "messages": [{"role": "user", "content": parts}], "max_tokens": 1}
    )
    records = sorted(plane.books().records, key=lambda record: record["call_id"])
    assert [record["credits_reserved"] for record in records] == [
        cost(100, 1),
        cost(200, 2),
        cost(len(response.request.content) + ALLOWANCE + 140_000, 1),
    ]


def test_bounded_by_the_dearest_target_and_the_markup(plane: Plane) -> None:
    build.organization()
    plane.credential()
    plane.alias(pricing_input=1, pricing_output=1, pricing_cached_input=90, fallbacks=["openai/gpt-4"])
    plane.team(cost_markup_percentage=50)
    plane.provider.does(MODEL, answer(used=usage(1, 1)))
    response = plane.chat(max_tokens=100)
    # gpt-4 in genai-prices: 30 and 60 USD a million tokens; our own cached input costs more than its input.
    bound = (len(response.request.content) + ALLOWANCE) * Decimal("0.00009") + 100 * Decimal("0.00006")
    assert plane.record()["credits_reserved"] == bound * Decimal("1.5")


@pytest.mark.parametrize("mode", ["job_based", "consumption_usd", "consumption_tokens"])
def test_the_affordable_number_is_sent_and_named(plane: Plane, mode: str) -> None:
    build.organization()
    plane.credential()
    plane.alias(pricing_output=20_000)
    plane.team(credits_allocated=1, budget_mode=mode, tokens_per_credit=1_000)
    plane.provider.does(MODEL, answer(used=usage(1, 1)))

    response = plane.chat(max_completion_tokens=900)

    record = plane.record()
    tokens = int(response.headers["x-tollgate-max-tokens"])
    assert _sent(plane) == {"max_completion_tokens": tokens}
    body = len(response.request.content) + ALLOWANCE
    fixed, each = {
        "job_based": (cost(body, 0), Decimal("0.02")),
        "consumption_usd": (10 * cost(body, 0), Decimal("0.2")),
        "consumption_tokens": (Decimal(body) / 1_000, Decimal("0.001")),
    }[mode]
    assert tokens == (1 - fixed) // each
    assert record["credits_reserved"] == fixed + tokens * each
    assert 1 - record["credits_reserved"] < each


def test_a_stream_says_it_too(plane: Plane) -> None:
    _ready(plane, funds=1, pricing_output=20_000)
    plane.provider.does(MODEL, answer(used=usage(1, 1)))
    streamed = plane.stream()
    assert streamed.response.headers["x-tollgate-max-tokens"] == str(plane.provider.last.body["max_tokens"]) == "49"


def test_insufficient_credits(plane: Plane) -> None:
    _ready(plane, funds=1, pricing_output=500_000)

    response = plane.chat(max_tokens=3, n=2)

    required = (cost(len(response.request.content) + ALLOWANCE, 0) + 1).normalize()
    assert (response.status_code, response.json()) == (
        403,
        error(
            403,
            "insufficient_credits",
            f"Insufficient credits. Team has 1 credits remaining, but {required} required. Allocated: 1, Used: 0",
            scope="team",
            scope_id="acme-dev",
            limit=1,
            limit_type="credits",
            spent=0,
            reserved=0,
            resets_at=None,
        ),
    )
    found = plane.books()
    assert (found.available, found.records, found.calls, plane.provider.calls) == (1, [], 0, [])


def test_no_credits_at_all_and_free_models(plane: Plane) -> None:
    _ready(plane, funds=0)
    plane.alias("free", pricing_input=0, pricing_output=0, pricing_cached_input=0)
    refused = plane.chat()
    assert refused.json()["error"]["type"] == "insufficient_credits"
    assert refused.json()["error"]["message"].startswith("Insufficient credits. Team has 0 credits remaining, but 0.0")
    assert plane.chat("free").headers["x-tollgate-credits-remaining"] == "0"
    assert plane.post("/embeddings", {"model": "fast", "input": "x"}).status_code == 403
    assert call("POST", "/api/credits/add", {"team_id": "acme-dev", "amount": 5}).status == 200
    assert plane.chat().status_code == 200


def test_credits_that_others_hold_are_reserved(plane: Plane) -> None:
    """429, soon again; and the call that was let in keeps what it holds."""
    _ready(plane, funds=1, pricing_output=20_000)

    with plane.in_flight(answer(used=usage(1, 1)), max_tokens=49):
        response = plane.chat(max_tokens=1)
        found = plane.books_unexplained()

    (held,) = found.holds.values()
    expected = error(
        429,
        "reserved",
        "Credits are reserved by calls in flight; try again in a moment",
        scope="team",
        scope_id="acme-dev",
        limit=1,
        limit_type="credits",
        spent=0,
        reserved=float(held),
        resets_at=None,
    )
    assert (response.status_code, response.json()) == (429, expected)
    assert response.headers["retry-after"] == "1"
    plane.record()


def test_a_race_for_the_last_credits_is_run_again(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between reading the balance and reserving what it carries, others take some of it, call after call."""
    _ready(plane, funds=1, pricing_output=20_000)
    real, taken = Counters.reserve, []

    async def reserve(self: Counters, *arguments: Any) -> Any:
        if taken:
            taken.pop()
            engine.client("dynamodb").update_item(
                TableName=template.table()["TableName"],
                Key={"PK": {"S": f"ACCOUNT#{arguments[0].meter.uid}"}, "SK": {"S": "HOT#0"}},
                UpdateExpression="SET av = av - :some, al = al - :some",
                ExpressionAttributeValues={":some": {"N": "0.1"}},
            )
        return await real(self, *arguments)

    monkeypatch.setattr(Counters, "reserve", reserve)
    taken += [None] * 3
    won = plane.chat()
    assert (won.status_code, won.headers["x-tollgate-max-tokens"]) == (200, "34")
    taken += [None] * 4
    lost = plane.chat()
    assert (lost.status_code, lost.json()["error"]["type"]) == (429, "reserved")


# Models


def test_a_model_must_be_named(plane: Plane, team: dict[str, Any]) -> None:
    for body in ({}, {"model": None}, {"model": ""}, {"model": 5}, {"model": ["fast"]}, {"model": {"a": 1}}):
        response = plane.post("/chat/completions", {"messages": [{"role": "user", "content": "x"}], **body})
        expected = error(
            400, "invalid_request_error", "/chat/completions: Missing required parameter: 'model'.", param="model"
        )
        assert (response.status_code, response.json()) == (400, expected)


def test_an_unknown_model(plane: Plane, team: dict[str, Any]) -> None:
    response = plane.post("/embeddings", {"model": "nope\u20ac", "input": "x"})
    message = "/embeddings: Invalid model name passed in model=nope\u20ac. Call `/v1/models` to view available models for your key."
    assert (response.status_code, response.json()) == (
        400,
        error(400, "invalid_request_error", message, provider_specific_fields={"error": message}),
    )
    assert plane.books().records == []


def denied(level: str, entries: list[str], model: str, profile: str) -> str:
    """The contract's words (litellm 1.1)."""
    if profile == "1.80":
        return (
            f"{level} not allowed to access model. This {level} can only access models={entries}. "
            f"Tried to access {model}"
        )
    return (
        f"The requested model '{model}' is not available for this API key, or the model name is invalid. "
        "Check the models available to you and try again."
    )


def test_denied_models_by_profile(plane: Plane, team: dict[str, Any], compat: str) -> None:
    build.access_group("some", model_aliases=["fast"])
    plane.alias("slow")
    plane.team("acme-some", access_groups=["some"])
    status = 403 if compat == "1.106" else 401

    by_team = plane.chat("slow")
    plane.key = build.issued_key("acme-dev", models=["sl*"])["virtual_key"]
    by_key = plane.chat("fast")

    assert (by_team.status_code, by_team.json()) == (
        status,
        error(
            status,
            "team_model_access_denied",
            denied("team", ["some"], "slow", compat),
            param="model",
            available_models=["fast"],
        ),
    )
    assert (by_key.status_code, by_key.json()) == (
        status,
        error(
            status,
            "key_model_access_denied",
            denied("key", ["sl*"], "fast", compat),
            param="model",
            available_models=["slow"],
        ),
    )
    # Nobody learns whether a model exists that he may not use.
    assert plane.chat("nope").json()["error"]["type"] == "key_model_access_denied"
    plane.provider.does(MODEL, answer())
    assert plane.chat("slow").status_code == 200
    assert plane.books("acme-some").records == []


def test_an_expired_key_by_profile(plane: Plane, team: dict[str, Any], compat: str) -> None:
    change("key", expires_at="2020-01-01T00:00:00.000000Z")
    status = 401 if compat == "1.106" else 400
    response = plane.chat()
    told = json.loads(without_times(response.text))
    assert (response.status_code, told) == (status, refusal(expired(plane.key, profile=compat), status))


def test_groups_open_models_on_the_next_call(plane: Plane, team: dict[str, Any]) -> None:
    plane.alias("other")
    build.access_group("some", model_aliases=["other"])
    plane.team("acme-some", access_groups=["some"])
    plane.provider.does(MODEL, answer(used=usage(1, 1)))
    assert plane.chat().status_code == 403
    assert call("POST", "/api/model-access-groups/some/add-models", {"model_aliases": ["fast"]}).status == 200
    assert plane.chat().status_code == 200
    assert call("POST", "/api/model-access-groups/some/remove-models", {"model_aliases": ["fast"]}).status == 200
    assert plane.chat().status_code == 403
    assert call("PUT", "/api/teams/acme-some", {"access_groups": ["*"]}).status == 200
    assert plane.chat().status_code == 200


def test_money_is_the_last_thing_that_refuses(plane: Plane) -> None:
    """Q-56: entitlement before the body, the model before its parameters, all of it before the credits."""
    _ready(plane, funds=0)
    plane.alias("other")
    build.access_group("none", model_aliases=["other"])
    assert plane.post("/chat/completions", question(n=0)).json()["error"]["param"] == "n"
    assert plane.chat("nope", n=0).json()["error"]["message"].endswith("for your key.")
    call("PUT", "/api/teams/acme-dev", {"access_groups": ["none"]})
    assert plane.chat(n=0).json()["error"]["type"] == "team_model_access_denied"
    call("POST", "/api/teams/acme-dev/suspend")
    assert plane.post("/chat/completions", b"not json").json()["error"]["type"] == "team_suspended"
