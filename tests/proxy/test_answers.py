"""Calls that go well: what the provider is sent, what the client gets, what is booked, to the last digit."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest

from tests.proxy.plane import MODEL, SECRET, Plane, cost, question
from tests.support import build
from tests.support.upstream import PROVIDER_ID, answer, chunk, stream, usage

UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
# Differ from run to run, and are checked where they matter.
VOLATILE = {
    "PK",
    "SK",
    "GSI1PK",
    "GSI1SK",
    "call_id",
    "key_id",
    "team_uid",
    "organization_uid",
    "target_id",
    "started_at",
}
USED = usage(1_234, 567, cached=1_000, reasoning=89)


def _stable(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in VOLATILE and not name.endswith("_ms")}


def test_a_whole_answer(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, answer("Hello there", used=USED))

    response = plane.chat(text="Hi", temperature=0.5, unheard_of={"a": [1, None]}, user="somebody")

    record = plane.record()
    call_id = record["call_id"]
    assert UUID7.fullmatch(call_id)
    assert response.status_code == 200
    assert response.json() == {
        "id": f"chatcmpl-{call_id}",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "fast",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello there"},
                "text": "Hello there",
                "finish_reason": "stop",
            }
        ],
        "usage": USED,
    }
    charged = cost(1_234, 567, 1_000)
    assert charged == Decimal("0.03569")
    shown = {name: value for name, value in response.headers.items() if name.startswith(("x-", "openai"))}
    assert shown == {
        "x-request-id": call_id,
        "x-litellm-call-id": call_id,
        "x-litellm-model-group": "fast",
        "x-litellm-model-id": record["target_id"],
        "x-litellm-response-cost": "0.03569",
        "x-tollgate-cost-usd": "0.03569",
        "x-tollgate-credits-remaining": "999.96431",
    }
    assert _stable(record) == {
        "kind": "call",
        "team_id": "acme-dev",
        "organization_id": "org_acme",
        "customer_id": "somebody",
        "requested_model": "fast",
        "model_used": MODEL,
        "provider": "openai",
        "credential_source": "platform",
        "price_version": record["price_version"],
        "provider_request_id": PROVIDER_ID,
        "outcome": "success",
        "input_tokens": 1_234,
        "output_tokens": 567,
        "cached_tokens": 1_000,
        "reasoning_tokens": 89,
        "cost_usd": charged,
        "provider_cost_usd": charged,
        "credits_charged": charged,
        "credits_reserved": record["credits_reserved"],
    }
    assert record["price_version"].startswith("override:")
    # Bytes of the body and the allowance; the alias's output limit.
    assert record["credits_reserved"] == cost(len(response.request.content) + 512, 1_000)
    assert plane.books().available == 1000 - charged


def test_what_the_provider_is_sent(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, answer(used=USED))
    fields = {"temperature": 0.5, "unheard_of": {"a": [1, None]}, "user": "somebody", "max_tokens": 7}

    plane.chat(text="Hi", **fields)

    sent = plane.provider.last
    assert sent.path == "/v1/chat/completions"
    assert sent.body == question(MODEL, "Hi", **fields)
    assert sent.credential == SECRET
    assert set(sent.headers) <= {
        "host", "accept", "accept-encoding", "authorization", "content-type", "content-length"
    }  # fmt: skip


def test_a_stream(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, answer("one two three", used=USED))

    streamed = plane.stream(stream_options={"include_usage": True})

    record = plane.record()
    head = {
        "id": f"chatcmpl-{record['call_id']}",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "fast",
    }
    deltas = [{"content": "one "}, {"content": "two "}, {"content": "three "}, {}]
    ends = [None, None, None, "stop"]
    assert streamed.events == [
        *(
            {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": end}]}
            for delta, end in zip(deltas, ends, strict=True)
        ),
        {**head, "choices": [], "usage": USED},
    ]
    assert streamed.comment == ": cost=0.03569 credits=999.96431"
    assert streamed.response.headers["x-request-id"] == record["call_id"]
    assert "x-tollgate-cost-usd" not in streamed.response.headers
    assert (record["outcome"], record["streamed"], record["cost_usd"]) == ("success", True, cost(1_234, 567, 1_000))
    assert "estimated" not in record
    assert "detail" not in record
    assert plane.provider.last.body["stream_options"] == {"include_usage": True}


def test_usage_is_always_asked_for_and_kept_from_clients_who_did_not(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, answer("one two", used=USED))

    streamed = plane.stream(stream_options={"unheard_of": 1})

    assert plane.provider.last.body["stream_options"] == {"unheard_of": 1, "include_usage": True}
    assert [event for event in streamed.events if "usage" in event or not event["choices"]] == []
    assert plane.record()["cost_usd"] == cost(1_234, 567, 1_000)


def test_a_stream_without_usage_is_counted_by_our_rule(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, answer("this is it"))

    streamed = plane.stream(text="Say it", stream_options={"include_usage": True})

    record = plane.record()
    # 3 for the answer, 4 and 32 for one message and no system message, 2 words; a token for each of three pieces.
    assert (record["input_tokens"], record["output_tokens"], record["estimated"]) == (41, 3, True)
    assert record["cost_usd"] == cost(41, 3)
    *_, last = streamed.events
    assert (last["id"], last["model"], last["choices"]) == (f"chatcmpl-{record['call_id']}", "fast", [])
    assert last["usage"] == usage(41, 3)


def test_a_whole_answer_without_usage_is_counted_and_says_so(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, answer("this is it"))

    body = plane.chat(text="Say it").json()

    record = plane.record()
    assert record["estimated"] is True
    assert body["usage"] == usage(int(record["input_tokens"]), int(record["output_tokens"]))
    assert (record["input_tokens"], record["output_tokens"]) == (41, 3)


def test_our_count_never_exceeds_the_reservation(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, stream(*(chunk("word ") for _ in range(9)), chunk("", finish="stop")))

    plane.stream(max_tokens=5)

    record = plane.record()
    assert record["output_tokens"] == 5
    assert record["cost_usd"] <= record["credits_reserved"]


def test_billed_beyond_the_bound_is_charged_as_billed(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, answer(used=usage(10, 90_000)))

    plane.chat(max_tokens=5)

    record = plane.record()
    assert record["cost_usd"] == cost(10, 90_000) > record["credits_reserved"]
    assert plane.books().available == 1000 - cost(10, 90_000)


@pytest.mark.parametrize(
    ("settings", "charged"),
    [
        ({}, Decimal("0.03569")),
        ({"cost_markup_percentage": 25}, Decimal("0.0446125")),
        ({"budget_mode": "consumption_usd"}, Decimal("0.3569")),
        (
            {"budget_mode": "consumption_usd", "credits_per_dollar": 3, "cost_markup_percentage": 10},
            Decimal("0.117777"),
        ),
        ({"budget_mode": "consumption_tokens"}, Decimal("0.1801")),
        ({"budget_mode": "consumption_tokens", "tokens_per_credit": 7}, Decimal("257.285714285715")),
    ],
)
def test_budget_modes_and_markup(plane: Plane, settings: dict[str, Any], charged: Decimal) -> None:
    build.organization()
    plane.credential()
    plane.alias()
    plane.team(**settings)
    plane.provider.does(MODEL, answer(used=USED))

    response = plane.chat()

    record = plane.record()
    client_cost = Decimal("0.03569") * (1 + Decimal(settings.get("cost_markup_percentage", 0)) / 100)
    assert record["credits_charged"] == charged
    assert (record["provider_cost_usd"], record["cost_usd"]) == (Decimal("0.03569"), client_cost)
    assert Decimal(response.headers["x-tollgate-cost-usd"]) == client_cost
    assert Decimal(response.headers["x-tollgate-credits-remaining"]) == 1000 - charged


def test_a_price_of_the_catalogue(plane: Plane) -> None:
    """genai-prices, gpt-4o-mini: 0.15 USD a million input tokens, 0.075 cached, 0.60 output."""
    build.organization()
    plane.credential()
    build.alias("mini", "openai/gpt-4o-mini")
    plane.team()
    plane.provider.does("gpt-4o-mini", answer(used=USED))

    response = plane.chat("mini")

    record = plane.record()
    by_hand = (234 * Decimal("0.15") + 1_000 * Decimal("0.075") + 567 * Decimal("0.60")) / 1_000_000
    assert record["cost_usd"] == by_hand == Decimal("0.0004503")
    assert record["price_version"].startswith("genai-prices@")
    assert response.headers["x-tollgate-cost-usd"] == "0.0004503"


def test_the_master_key_is_charged_to_nobody(plane: Plane, team: dict[str, Any]) -> None:
    from tests.support.api import MASTER_KEY
    from tests.support.items import all_items

    plane.key = MASTER_KEY
    plane.provider.does(MODEL, answer(used=USED))

    response = plane.chat()

    assert response.status_code == 200
    assert "x-tollgate-credits-remaining" not in response.headers
    (record,) = (item for item in all_items() if item["kind"] == "call")
    assert (record["outcome"], record["credits_charged"], record["cost_usd"]) == ("success", 0, cost(1_234, 567, 1_000))
    assert plane.books().available == 1000


def test_completions_and_embeddings(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, answer("Hello", used=usage(8, 2)))
    completion = plane.post("/completions", {"model": "fast", "prompt": ["a", "b"], "max_tokens": 3})
    plane.provider.does(MODEL, answer(used={"prompt_tokens": 6, "total_tokens": 6}))
    embedding = plane.post("/embeddings", {"model": "fast", "input": "some text", "stream": True})

    assert [call.path for call in plane.provider.calls] == ["/v1/completions", "/v1/embeddings"]
    assert plane.provider.last.body == {"model": MODEL, "input": "some text", "stream": True}
    assert (completion.status_code, completion.json()["choices"][0]["text"]) == (200, "Hello")
    assert embedding.json()["data"] == [{"object": "embedding", "index": 0, "embedding": [0.25, -0.5]}]
    assert embedding.json()["model"] == "fast"
    assert embedding.headers["x-tollgate-cost-usd"] == "0.00006"
    first, second = sorted(plane.books().records, key=lambda record: record["started_at"])
    assert (first["cost_usd"], second["cost_usd"]) == (cost(8, 2), cost(6, 0))
    # Two prompts of at most three tokens; an embedding has no output to reserve for.
    assert first["credits_reserved"] == cost(len(completion.request.content) + 512, 6)
    assert second["credits_reserved"] == cost(len(embedding.request.content) + 512, 0)


def test_a_streamed_completion(plane: Plane, team: dict[str, Any]) -> None:
    text = {"id": "x", "object": "text_completion", "created": 1, "model": "x"}
    plane.provider.does(
        MODEL,
        stream(
            {**text, "choices": [{"index": 0, "text": "Hel", "finish_reason": None}]},
            {**text, "choices": [{"index": 0, "text": "lo", "finish_reason": "stop"}]},
        ),
    )
    response = plane.post("/completions", {"model": "fast", "prompt": "x", "stream": True})
    assert [line[:6] for line in response.text.split("\n\n")[:2]] == ["data: ", "data: "]
    record = plane.record()
    assert (record["output_tokens"], record["streamed"], record["estimated"]) == (2, True, True)


def test_streams_in_any_cut(plane: Plane, team: dict[str, Any]) -> None:
    """Comments, events, carriage returns, frames in pieces, null errors: nothing of it is lost on the way."""
    whole = b": ping\r\n\r\nevent: message\r\ndata: " + _raw(chunk("Hel", error=None)) + b"\r\n\r\n"
    whole += b"data:" + _raw(chunk("lo")) + b"\n\ndata: " + _raw(chunk("", finish="stop", usage=usage(5, 2))) + b"\n\n"
    plane.provider.does(MODEL, stream(*(whole[at : at + 7] for at in range(0, len(whole), 7)), done=False))

    streamed = plane.stream()

    assert streamed.text == "Hello"
    assert {event["model"] for event in streamed.events} == {"fast"}
    assert plane.record()["cost_usd"] == cost(5, 2)


def _raw(event: dict[str, Any]) -> bytes:
    import json

    return json.dumps(event).encode()


def test_a_provider_that_stays_after_its_end_keeps_nobody_waiting(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, stream(chunk("Hi", finish="stop", usage=usage(5, 1)), then="silent"))

    streamed = plane.stream()

    assert streamed.text == "Hi"
    assert streamed.response.elapsed.total_seconds() < 5
    assert plane.record()["cost_usd"] == cost(5, 1)


def test_tool_calls_and_reasoning_are_output(plane: Plane, team: dict[str, Any]) -> None:
    calls = [{"index": 0, "function": {"name": "look", "arguments": "{}"}}, None, {"function": None}]
    deltas = [{"tool_calls": calls}, {"reasoning_content": "hm "}, {"refusal": "no "}, None, {"tool_calls": 5}]
    events = [{**chunk(""), "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    odd = [{**chunk(""), "choices": 5}, {**chunk(""), "choices": [3]}]
    plane.provider.does(MODEL, stream(*events, *odd, chunk("", finish="tool_calls")))

    plane.stream()

    record = plane.record()
    assert (record["outcome"], record["output_tokens"], record["estimated"]) == ("success", 3, True)
