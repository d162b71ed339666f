"""Every row of Q-16: what a call is charged, and what it counts as, however it ends."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from decimal import Decimal
from typing import Any

import httpx
import pytest

from local.asgi import http_scope
from tests.proxy.plane import MODEL, Plane, Streamed, cost, error, question
from tests.support.proxy import live_app
from tests.support.upstream import (
    FakeProvider,
    after,
    answer,
    chunk,
    endless,
    eventually,
    hang_up,
    raw,
    refuse,
    silent,
    stream,
    usage,
)
from tollgate.aws.dynamodb import DynamoDB
from workers import sweep

NOT_CHARGED = (Decimal(0), Decimal(0), 0, 0)


def _charged(record: dict[str, Any]) -> tuple[Decimal, Decimal, int, int]:
    return record["credits_charged"], record["cost_usd"], record["input_tokens"], record["output_tokens"]


def _settled(plane: Plane) -> bool:
    found = plane.books_unexplained()
    return len(found.records) == 1 and not found.holds


def _leave_after(plane: Plane, events: int, **fields: Any) -> None:
    """A client that reads so many lines of a stream and closes the connection."""
    with plane.client.stream(
        "POST", "/v1/chat/completions", json=question(stream=True, **fields), headers=plane.headers()
    ) as response:
        lines = response.iter_lines()
        for _ in range(2 * events):
            next(lines)


def _deadline(seconds: float) -> dict[str, str]:
    """What the Lambda Web Adapter says: the function ends so many seconds after its calls must be settled."""
    return {"x-amzn-lambda-context": json.dumps({"deadline": int((time.time() + 10 + seconds) * 1000)})}


def test_a_client_that_hangs_up_pays_for_what_was_produced(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, endless())

    _leave_after(plane, 5, text="Say it")

    assert eventually(lambda: _settled(plane))
    record = plane.record()
    assert (record["outcome"], record["detail"]) == ("success", "client_disconnected")
    assert (record["estimated"], record["input_tokens"]) == (True, 41)
    # The provider stopped soon after; what it wrote in between may have been on its way.
    assert plane.provider.last.left.wait(5)
    assert 5 <= record["output_tokens"] <= plane.provider.last.sent
    assert record["cost_usd"] == cost(41, int(record["output_tokens"]))


def test_usage_told_on_the_way_is_no_less_than_what_was_produced(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, endless(used=usage(7, 0)))

    _leave_after(plane, 5)

    assert eventually(lambda: _settled(plane))
    record = plane.record()
    assert (record["detail"], record["estimated"], record["input_tokens"]) == ("client_disconnected", True, 7)
    assert record["output_tokens"] >= 5


def test_a_client_that_leaves_at_the_very_end_has_the_answer(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(
        MODEL, stream(chunk("Hi"), chunk("", finish="stop", usage=usage(9, 1)), done=False, then="silent")
    )

    _leave_after(plane, 2)

    assert eventually(lambda: _settled(plane))
    record = plane.record()
    assert (record["outcome"], record.get("detail"), record["cost_usd"]) == ("success", None, cost(9, 1))


def test_a_client_that_does_not_wait_for_a_whole_answer_pays_for_it(plane: Plane, team: dict[str, Any]) -> None:
    answering = threading.Event()
    plane.provider.does(MODEL, after(answering, answer(used=usage(12, 3))))
    request = plane.client.build_request("POST", "/v1/chat/completions", json=question(), headers=plane.headers())
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())

    with socket.create_connection((request.url.host, request.url.port or 0)) as client:
        client.sendall(f"POST {request.url.path} HTTP/1.1\r\n{head}\r\n".encode() + request.content)
        assert eventually(lambda: len(plane.provider.calls) == 1)
    # Time for the server to notice that nobody waits.
    time.sleep(0.1)
    answering.set()

    assert eventually(lambda: _settled(plane))
    record = plane.record()
    assert (record["outcome"], record["cost_usd"]) == ("success", cost(12, 3))
    assert not plane.provider.last.left.is_set()


@pytest.mark.parametrize("at", ["reserve", "provider"])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_cancelled_request_is_settled(plane: Plane, team: dict[str, Any], at: str, *, streamed: bool) -> None:
    """A server that is shut down by force cancels its requests."""
    answering = threading.Event()
    plane.provider.does(MODEL, after(answering, answer("one two", used=usage(12, 2))))

    async def run() -> None:
        real, cancelled = DynamoDB.call, asyncio.Event()

        async def slow_call(self: DynamoDB, operation: str, payload: dict[str, Any], **how: Any) -> dict[str, Any]:
            done = await real(self, operation, payload, **how)
            if operation == "UpdateItem" and at == "reserve":
                await cancelled.wait()
            return done

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(DynamoDB, "call", slow_call)
            async with live_app() as live:
                transport = httpx.ASGITransport(live)
                async with httpx.AsyncClient(
                    transport=transport, base_url="http://x", headers=plane.headers()
                ) as client:
                    task = asyncio.create_task(client.post("/v1/chat/completions", json=question(stream=streamed)))
                    while not (plane.provider.calls if at == "provider" else plane.books_unexplained().holds):  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
                    task.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await task
                    cancelled.set()
                    answering.set()

    asyncio.run(run())
    record = plane.record()
    assert record["outcome"] == "success"
    assert record["input_tokens"] > 0
    if not streamed:
        assert record["cost_usd"] == cost(12, 2)


def test_broken_off_without_usage_costs_nothing(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, stream(chunk("one "), chunk("two "), done=False, then="abort"))

    streamed = plane.stream(stream_options={"include_usage": True})

    assert streamed.text == "one two "
    assert streamed.events[-1] == error(502, "provider_unavailable", "The provider broke off")
    assert [event for event in streamed.events if event.get("usage")] == []
    assert streamed.comment == ": cost=0 credits=1000"
    record = plane.record()
    assert (record["outcome"], record["detail"]) == ("failed", "upstream_incomplete")
    assert _charged(record) == NOT_CHARGED
    assert record["error"] == "The provider broke off"


def test_broken_off_with_usage_costs_what_was_used(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, stream(chunk("one ", usage=usage(20, 4)), done=False, then="abort"))

    streamed = plane.stream()

    assert streamed.events[-1] == error(502, "provider_unavailable", "The provider broke off")
    record = plane.record()
    assert (record["outcome"], record["detail"]) == ("failed", "upstream_incomplete")
    assert _charged(record) == (cost(20, 4), cost(20, 4), 20, 4)
    assert plane.books().available == 1000 - cost(20, 4)


@pytest.mark.parametrize(
    "events",
    [
        [chunk("one ")],
        [chunk("one "), {"error": {"message": "canary overloaded", "type": "server_error"}}],
        [chunk("one ", index=0, finish="stop"), chunk("one ", index=1)],
        [b"<html>not a stream</html>\n"],
        [],
    ],
    ids=["ends", "error", "one of two choices", "no stream", "empty"],
)
def test_a_stream_that_ends_before_it_is_finished_is_a_failure(
    plane: Plane, team: dict[str, Any], events: list[Any]
) -> None:
    plane.provider.does(MODEL, stream(*events, done=False))

    streamed = plane.stream()

    assert streamed.events[-1]["error"]["type"] == "provider_unavailable"
    assert "canary" not in streamed.response.text
    record = plane.record()
    assert (record["outcome"], record["detail"], _charged(record)) == ("failed", "upstream_incomplete", NOT_CHARGED)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("first", "status", "kind"),
    [
        (refuse(500), 502, "provider_unavailable"),
        (refuse(503), 502, "provider_unavailable"),
        (hang_up(), 502, "provider_unavailable"),
        (raw(302, "", headers={"location": "http://example.com"}), 502, "provider_unavailable"),
        (refuse(401), 502, "provider_authentication_error"),
    ],
)
def test_failed_before_the_first_byte_on_all_targets(
    plane: Plane, team: dict[str, Any], first: Any, status: int, kind: str, *, streamed: bool
) -> None:
    plane.alias("both", fallbacks=["openai/canary-second"])
    plane.provider.does(MODEL, refuse(500))
    plane.provider.does("canary-second", first)

    response = plane.chat("both", stream=streamed)

    assert (response.status_code, response.json()["error"]["type"]) == (status, kind)
    assert [call.body["model"] for call in plane.provider.calls] == [MODEL, "canary-second"]
    record = plane.record()
    assert (record["outcome"], record.get("detail"), _charged(record)) == ("failed", None, NOT_CHARGED)
    assert record["model_used"] == "canary-second"
    assert record["error"] == response.json()["error"]["message"]
    assert plane.books().available == 1000


@pytest.mark.parametrize("streamed", [False, True])
def test_a_fallback_that_succeeds_is_one_success_at_its_own_price(
    plane: Plane, team: dict[str, Any], *, streamed: bool
) -> None:
    plane.alias("both", fallbacks=["openai/gpt-4o-mini"])
    plane.provider.does(MODEL, refuse(429, retry_after="9"))
    plane.provider.does("gpt-4o-mini", answer("Hi", used=usage(1_000, 100)))

    response = plane.chat("both", stream=streamed)

    assert response.status_code == 200
    record = plane.record()
    assert (record["outcome"], record["model_used"], record["requested_model"]) == ("success", "gpt-4o-mini", "both")
    assert record["cost_usd"] == (1_000 * Decimal("0.15") + 100 * Decimal("0.60")) / 1_000_000
    assert record["price_version"].startswith("genai-prices@")
    assert response.headers["x-litellm-model-id"] == record["target_id"]
    # Reserved was for the dearest of them.
    assert record["credits_reserved"] == cost(len(response.request.content) + 512, 1_000)


@pytest.mark.parametrize("body", ["<html>", "[1]", "null", "", '{"error": {"message": "canary"}}', '"x"'])
def test_an_answer_that_is_none_is_a_failure(plane: Plane, team: dict[str, Any], body: str) -> None:
    plane.provider.does(MODEL, raw(200, body))

    response = plane.chat()

    assert response.status_code == 502
    assert response.json()["error"]["type"] == "provider_unavailable"
    assert "canary" not in response.text
    assert _charged(plane.record()) == NOT_CHARGED


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"choices": [1, None, {"message": 5}], "usage": None},
        {"choices": "x", "usage": {"prompt_tokens": "many"}},
        {"choices": [{"message": {"content": "this is it"}}], "usage": {"prompt_tokens": -1, "completion_tokens": 1}},
    ],
)
def test_odd_answers_pass_and_are_counted(plane: Plane, team: dict[str, Any], body: dict[str, Any]) -> None:
    plane.provider.does(MODEL, raw(200, json.dumps(body)))

    response = plane.chat(text="Say it")

    record = plane.record()
    assert response.status_code == 200
    assert (record["outcome"], record["estimated"], record["input_tokens"]) == ("success", True, 41)
    assert response.json()["usage"] == usage(41, int(record["output_tokens"]))


def test_headers_of_the_provider_can_be_anything(plane: Plane, team: dict[str, Any]) -> None:
    """They are stored with the call; what cannot be is left out."""
    plane.provider.does(MODEL, raw(200, "{}", headers={"x-request-id": "caf\u00e9\u20ac"}))
    assert plane.chat().status_code == 200
    assert "provider_request_id" not in plane.record()


@pytest.mark.parametrize("streamed", [False, True])
def test_a_provider_that_says_nothing_is_stopped_in_time(plane: Plane, team: dict[str, Any], *, streamed: bool) -> None:
    plane.provider.does(MODEL, silent())

    response = plane.post("/chat/completions", question(stream=streamed), **_deadline(1))

    assert (response.status_code, response.json()) == (
        504,
        error(504, "provider_timeout", "The provider did not answer in time"),
    )
    record = plane.record()
    assert (record["outcome"], _charged(record)) == ("failed", NOT_CHARGED)
    assert plane.provider.last.left.wait(5)


def test_a_stream_that_we_stop_is_paid(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, endless())

    streamed = Streamed.of(plane.post("/chat/completions", question(text="Say it", stream=True), **_deadline(1)))

    assert streamed.events[-1] == error(504, "provider_timeout", "The provider did not finish in time")
    record = plane.record()
    assert (record["outcome"], record["detail"], record["estimated"]) == ("success", "deadline_exceeded", True)
    assert record["cost_usd"] == cost(41, int(record["output_tokens"])) > cost(41, 0)
    assert plane.provider.last.left.wait(5)


def test_a_stream_that_we_stop_before_any_output_is_not(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, stream(chunk(""), done=False, then="silent"))

    Streamed.of(plane.post("/chat/completions", question(stream=True), **_deadline(1)))

    assert (plane.record()["outcome"], _charged(plane.record())) == ("failed", NOT_CHARGED)


def test_killed_calls_are_ended_by_the_sweeper(
    plane: Plane, team: dict[str, Any], provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two calls that died, one had its record: that one counts as it says, the other as its reservation."""
    provider.does(MODEL, answer(used=usage(10, 5)))
    real = DynamoDB.call

    async def dead(self: DynamoDB, operation: str, payload: dict[str, Any], **how: Any) -> dict[str, Any]:
        if "REMOVE h.#id" in payload.get("UpdateExpression", "") or operation in dead_operations:
            raise RuntimeError("killed")
        return await real(self, operation, payload, **how)

    monkeypatch.setattr(DynamoDB, "call", dead)
    for dead_operations in ((), ("PutItem",)):  # noqa: B007 (the closure above reads it)
        assert plane.post("/chat/completions", question(), connection="close").status_code == 500
    monkeypatch.undo()
    before = plane.books_unexplained()
    later = time.time() + 3600
    monkeypatch.setattr(time, "time", lambda: later)
    swept = sweep.handler({}, None)
    monkeypatch.undo()

    found = plane.books()
    assert (len(before.holds), swept, found.holds) == (2, {"accounts": 1, "holds": 2}, {})
    recorded, interrupted = sorted(found.records, key=lambda record: record["outcome"] == "interrupted")
    assert (recorded["outcome"], recorded["cost_usd"]) == ("success", cost(10, 5))
    assert (interrupted["outcome"], interrupted["estimated"]) == ("interrupted", True)
    assert interrupted["credits_charged"] == interrupted["credits_reserved"] in before.holds.values()
    assert interrupted["team_id"] == "acme-dev"
    assert sweep.handler({}, None) == {"accounts": 0, "holds": 0}


def test_a_server_that_raises_when_the_client_has_gone(plane: Plane, team: dict[str, Any]) -> None:
    """Not every ASGI server is silent about it; the call is a success of what was produced all the same."""
    plane.provider.does(MODEL, stream(chunk("one "), chunk("two "), done=False, then="silent"))
    body = json.dumps(question(text="Say it", stream=True)).encode()

    async def run() -> None:
        asked = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if not asked:
                await asyncio.sleep(60)
            return asked.pop()

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.body":
                raise OSError("gone")

        async with live_app() as live:
            await live(http_scope("POST", "/v1/chat/completions", plane.headers()), receive, send)

    asyncio.run(run())
    record = plane.record()
    assert (record["outcome"], record["detail"]) == ("success", "client_disconnected")
    assert 1 <= record["output_tokens"] <= 2
    assert plane.provider.last.left.wait(5)
