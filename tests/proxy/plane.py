"""What tests of the data plane say to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx

from tests.support import build
from tests.support.books import Books, books
from tests.support.environment import engine, template
from tests.support.items import all_items
from tests.support.upstream import Behaviour, FakeProvider, after, eventually

SECRET = "sk-canary-provider-secret"
MODEL = "canary-model"
# What a call of the alias ``fast`` costs in USD by token.
INPUT, CACHED, OUTPUT = Decimal("0.00001"), Decimal("0.000005"), Decimal("0.00005")
PRICES = {"pricing_input": "10", "pricing_cached_input": "5", "pricing_output": "50"}


@dataclass
class Plane:
    """The served data plane, the provider behind it, and the key that calls are made with."""

    client: httpx.Client
    provider: FakeProvider
    key: str = ""

    def credential(self, **fields: Any) -> dict[str, Any]:
        return build.provider_credential(**{"api_key": SECRET, "api_base": f"{self.provider.url}/v1"} | fields)

    def alias(self, name: str = "fast", litellm_model: str = f"openai/{MODEL}", **fields: Any) -> dict[str, Any]:
        return build.alias(name, litellm_model, **PRICES | {"max_output_tokens": 1000} | fields)

    def team(self, team_id: str = "acme-dev", **fields: Any) -> dict[str, Any]:
        made = build.team(team_id, **{"access_groups": ["*"], "credits_allocated": 1000} | fields)
        self.key = made["virtual_key"]
        return made

    def headers(self, **more: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}", **more}

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """``body`` bytes or str is sent as it is, anything else as JSON."""
        content = body if isinstance(body, bytes | str) else json.dumps(body)
        return self.client.post(
            f"/v1{path}", content=content, headers=self.headers(**{"content-type": "application/json"} | headers)
        )

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.client.get(f"/v1{path}", headers=self.headers(**headers))

    def chat(self, model: str = "fast", text: str = "Say something", **fields: Any) -> httpx.Response:
        return self.post("/chat/completions", question(model, text, **fields))

    @contextmanager
    def in_flight(self, then: Behaviour, model: str = "fast", **fields: Any) -> Iterator[Future[httpx.Response]]:
        """A call that the provider has got and answers when the block ends; its future answer."""
        released, before = threading.Event(), len(self.provider.calls)
        self.provider.does(MODEL, after(released, then))
        with ThreadPoolExecutor(1) as pool:
            call = pool.submit(self.chat, model, **fields)
            try:
                assert eventually(lambda: len(self.provider.calls) > before)
                yield call
            finally:
                released.set()

    def stream(self, model: str = "fast", **fields: Any) -> Streamed:
        return Streamed.of(self.chat(model, stream=True, **fields))

    def books(self, team_id: str = "acme-dev") -> Books:
        """The books, which explain the balance whatever has happened."""
        found = books(team_id)
        found.explain_balance()
        return found

    def books_unexplained(self, team_id: str = "acme-dev") -> Books:
        """The books while a call is recorded but not settled."""
        return books(team_id)

    def record(self, team_id: str = "acme-dev") -> dict[str, Any]:
        """The one call that was made, settled."""
        found = self.books(team_id)
        assert found.holds == {}
        (record,) = found.records
        return record


@dataclass(frozen=True)
class Streamed:
    """A streamed answer taken apart: its JSON events, its last comment, and whether ``[DONE]`` came in between."""

    response: httpx.Response
    events: list[dict[str, Any]]
    comment: str

    @classmethod
    def of(cls, response: httpx.Response) -> Streamed:
        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        *frames, done, comment, end = response.text.split("\n\n")
        assert (done, end) == ("data: [DONE]", "")
        return cls(response, [json.loads(frame.removeprefix("data: ")) for frame in frames], comment)

    @property
    def text(self) -> str:
        return "".join(
            choice["delta"].get("content", "") for event in self.events for choice in event.get("choices", ())
        )


def question(model: str = "fast", text: str = "Say something", **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **fields}


def error(status: int, kind: str, message: str, *, param: str | None = None, **extra: Any) -> dict[str, Any]:
    """The whole body of an error answer."""
    return {"error": {"message": message, "type": kind, "param": param, "code": str(status), **extra}}


def cost(prompt: int, completion: int, cached: int = 0) -> Decimal:
    """What the alias ``fast`` costs."""
    return (prompt - cached) * INPUT + cached * CACHED + completion * OUTPUT


def change(kind: str, **attributes: Any) -> None:
    """Changes an entity past the API: what the other dialects will write."""
    (item,) = (item for item in all_items() if item["kind"] == kind)
    engine.client("dynamodb").update_item(
        TableName=template.table()["TableName"],
        Key={"PK": {"S": item["PK"]}, "SK": {"S": item["SK"]}},
        UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in attributes),
        ExpressionAttributeNames={f"#{name}": name for name in attributes},
        ExpressionAttributeValues={
            f":{name}": {"BOOL": value} if isinstance(value, bool) else {"S": value}
            for name, value in attributes.items()
        },
    )
