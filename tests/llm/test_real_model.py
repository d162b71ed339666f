"""The main job on real input: a real model behind, the openai SDK in front, the books exact."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import httpx
import openai
import pytest

from tests.llm.conftest import MODEL, Served
from tests.support.books import Books, books

pytestmark = pytest.mark.llm

INPUT_PRICE = Decimal("0.000003")
OUTPUT_PRICE = Decimal("0.000015")
PROMPTS = [
    "Say hello in five words.",
    "Write three short sentences about the sea, and explain why it is salty.",
    "Schreibe bitte einen kurzen Satz über unveräußerliche Menschenrechte.",
    "def fibonacci(n): complete this Python function, 12345 67890",
]


def _client(served: Served) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{served.url}/v1", api_key=served.key, max_retries=0, timeout=120)


def _request(content: str, **fields: Any) -> dict[str, Any]:
    return {"model": "smol", "messages": [{"role": "user", "content": content}], "temperature": 0, "seed": 1, **fields}


def _tokens(served: Served, text: str) -> int:
    """What the model's own tokenizer says; it also counts a token that begins every text."""
    counter = served.upstream.removesuffix("/v1") + "/extras/tokenize/count"
    count: int = httpx.post(counter, json={"input": text}, timeout=60).json()["count"]
    return count - 1


def _record(call_id: str) -> dict[str, Any]:
    wanted = call_id.removeprefix("chatcmpl-")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = [record for record in books("acme-dev").records if record["call_id"] == wanted]
        if found:
            return found[0]
        time.sleep(0.1)
    raise AssertionError("the call has no record")


def _settled_books() -> Books:
    """The books once no call is in flight: the record is written first, the settlement follows."""
    deadline = time.monotonic() + 20
    while (state := books("acme-dev")).holds and time.monotonic() < deadline:
        time.sleep(0.1)
    return state


def test_the_answer_is_the_models_and_the_ledger_is_exact(served: Served) -> None:
    before = _settled_books()

    answer = _client(served).chat.completions.create(**_request(PROMPTS[0], max_tokens=40))

    direct = httpx.post(
        f"{served.upstream}/chat/completions", json={**_request(PROMPTS[0], max_tokens=40), "model": MODEL}, timeout=120
    ).json()
    # The same words but for the last, maybe: the server's sums depend on what it has cached.
    said, directly = answer.choices[0].message.content, direct["choices"][0]["message"]["content"]
    assert said is not None
    assert said.split()[:3] == directly.split()[:3]
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == direct["usage"]["prompt_tokens"]
    assert abs(answer.usage.completion_tokens - _tokens(served, said)) <= 1
    cost = answer.usage.prompt_tokens * INPUT_PRICE + answer.usage.completion_tokens * OUTPUT_PRICE
    record = _record(answer.id)
    assert (record["input_tokens"], record["output_tokens"]) == (
        answer.usage.prompt_tokens,
        answer.usage.completion_tokens,
    )
    assert (record["cost_usd"], record["credits_charged"], record.get("estimated")) == (cost, cost, None)
    after = _settled_books()
    assert before.available - after.available == cost
    after.explain_balance()


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_stream_without_usage_is_counted_by_the_rule(served: Served, prompt: str) -> None:
    whole = _client(served).chat.completions.create(**_request(prompt, max_tokens=60))

    stream = _client(served).chat.completions.create(
        **_request(prompt, max_tokens=60), stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)

    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text
    assert whole.usage is not None
    usage = chunks[-1].usage
    assert usage is not None
    assert usage.prompt_tokens >= whole.usage.prompt_tokens * 0.95
    assert usage.completion_tokens >= _tokens(served, text) * 0.95
    assert usage.completion_tokens <= 60
    record = _record(chunks[0].id)
    assert record["estimated"] is True
    assert (record["input_tokens"], record["output_tokens"]) == (usage.prompt_tokens, usage.completion_tokens)
    assert record["cost_usd"] == usage.prompt_tokens * INPUT_PRICE + usage.completion_tokens * OUTPUT_PRICE
    assert all(chunk.model == "smol" for chunk in chunks)
    _settled_books().explain_balance()


def test_a_client_that_hangs_up_pays_for_what_was_produced(served: Served) -> None:
    stream = _client(served).chat.completions.create(
        **_request("Tell a very long story about a dragon and a knight.", max_tokens=1200), stream=True
    )
    received = []
    for chunk in stream:
        received.append(chunk)
        if len(received) == 12:
            break
    stream.close()

    record = _record(received[0].id)

    assert (record["outcome"], record["detail"], record["estimated"]) == ("success", "client_disconnected", True)
    # Something was produced, the client saw eleven tokens of it, and the rest was cancelled.
    assert 10 <= record["output_tokens"] < 600
    assert record["credits_charged"] == (record["input_tokens"] * INPUT_PRICE + record["output_tokens"] * OUTPUT_PRICE)
    state = _settled_books()
    state.explain_balance()
    assert state.holds == {}


def test_a_model_name_that_only_the_upstream_knows_works_and_costs_nothing(served: Served) -> None:
    answer = _client(served).chat.completions.create(**{**_request(PROMPTS[0], max_tokens=10), "model": MODEL})

    assert answer.model == MODEL
    assert _record(answer.id)["cost_usd"] == 0


def test_a_prompt_beyond_the_context_is_a_bad_request(served: Served) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        _client(served).chat.completions.create(**_request("word " * 3000, max_tokens=10))

    assert refused.value.body is not None
    assert "maximum context length" in refused.value.message
    assert MODEL not in refused.value.message
    _settled_books().explain_balance()
