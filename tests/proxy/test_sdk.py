"""The ``openai`` SDK before the whole gateway, authorizer included: its own classes, for answers and for errors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from local.settings import Settings
from local.testing import local_cloud, serving
from tests.proxy.plane import MODEL, SECRET, Plane, cost
from tests.support import build, environment
from tests.support.api import call
from tests.support.proxy import forget_catalogues
from tests.support.upstream import FakeProvider, answer, chunk, eventually, raw, refuse, stream, usage


@pytest.fixture(scope="module")
def gateway() -> Iterator[tuple[str, Any]]:
    given = os.environ.get("DYNAMODB_ENDPOINT_URL")
    with local_cloud(Settings(dynamodb_endpoint_url=given)) as cloud, serving(cloud.gateway) as url:
        yield url, cloud


@pytest.fixture
def plane(gateway: tuple[str, Any], provider: FakeProvider) -> Iterator[Plane]:
    url, cloud = gateway
    environment.empty_table()
    cloud.gateway.gate.forget()
    provider.forget()
    with httpx.Client(base_url=url, timeout=30) as client:
        plane = Plane(client, provider)
        client.get("/v1/models", headers={"authorization": f"Bearer {Settings.master_key}"})
        forget_catalogues()
        build.organization()
        plane.credential()
        plane.alias()
        plane.team()
        yield plane


@pytest.fixture
def sdk(plane: Plane) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{plane.client.base_url}/v1", api_key=plane.key, max_retries=0) as client:
        yield client


def _ask(sdk: openai.OpenAI, model: str = "fast", **fields: Any) -> Any:
    return sdk.chat.completions.create(model=model, messages=[{"role": "user", "content": "Hi"}], **fields)


def test_answers(plane: Plane, sdk: openai.OpenAI) -> None:
    plane.provider.does(MODEL, answer("Hello there", used=usage(9, 2)))
    whole = sdk.chat.completions.with_raw_response.create(model="fast", messages=[{"role": "user", "content": "Hi"}])
    parsed = whole.parse()
    assert (parsed.model, parsed.choices[0].message.content) == ("fast", "Hello there")
    assert (parsed.usage.prompt_tokens, parsed.usage.completion_tokens) == (9, 2)
    assert whole.headers["x-tollgate-cost-usd"] == "0.00019"
    chunks = list(_ask(sdk, stream=True, stream_options={"include_usage": True}))
    assert "".join(one.choices[0].delta.content or "" for one in chunks if one.choices) == "Hello there "
    assert chunks[-1].usage.total_tokens == 11
    assert {one.model for one in chunks} == {"fast"}
    # The SDK stops reading at the end mark; the books are closed a moment later.
    assert eventually(lambda: len(plane.books_unexplained().records) == 2 and not plane.books_unexplained().holds)
    ids = {record["call_id"] for record in plane.books().records}
    assert {one.id.removeprefix("chatcmpl-") for one in chunks} < ids
    completion = sdk.completions.create(model="fast", prompt="x")
    assert completion.choices[0].text == "Hello there"
    embedding = sdk.embeddings.create(model="fast", input="x", encoding_format="float")
    assert embedding.data[0].embedding == [0.25, -0.5]
    assert [model.id for model in sdk.models.list()] == ["fast", "local/echo"]
    assert sdk.models.retrieve("local/echo").owned_by == "openai"
    assert {record["cost_usd"] for record in plane.books().records} == {cost(9, 2)}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("behaviour", "kind", "status", "told"),
    [
        (refuse(400, message="bad"), openai.BadRequestError, 400, "invalid_request_error"),
        (refuse(404, message="gone"), openai.NotFoundError, 404, "invalid_request_error"),
        (refuse(402, message="pay", type="billing"), openai.APIStatusError, 402, "billing"),
        (refuse(422, message="odd"), openai.UnprocessableEntityError, 422, "invalid_request_error"),
        (refuse(429, message="slow", type="rate"), openai.RateLimitError, 429, "rate"),
        (refuse(401), openai.InternalServerError, 502, "provider_authentication_error"),
        (raw(500, "x"), openai.InternalServerError, 502, "provider_unavailable"),
    ],
)
def test_errors_of_providers(  # noqa: PLR0917
    plane: Plane, sdk: openai.OpenAI, behaviour: Any, kind: type[openai.APIStatusError], status: int, told: str, *, streamed: bool
) -> None:  # fmt: skip
    plane.provider.does(MODEL, behaviour)
    with pytest.raises(kind) as raised:
        _ask(sdk, stream=streamed)
    error = raised.value
    assert (error.status_code, error.type, error.code, error.param) == (status, told, str(status), None)
    assert isinstance(error.body, dict)
    assert error.request_id == plane.record()["call_id"] or error.request_id
    assert SECRET not in str(error)


def test_an_error_in_the_stream(plane: Plane, sdk: openai.OpenAI) -> None:
    plane.provider.does(MODEL, stream(chunk("one "), done=False, then="abort"))
    with pytest.raises(openai.APIError, match="The provider broke off") as raised:
        list(_ask(sdk, stream=True))
    assert raised.value.type == "provider_unavailable"


def test_errors_of_ours(plane: Plane, sdk: openai.OpenAI) -> None:
    build.access_group("some", model_aliases=["fast"])
    expected: list[tuple[Any, type[openai.APIStatusError], str]] = [
        (lambda: _ask(sdk, n=0), openai.BadRequestError, "invalid_request_error"),
        (lambda: _ask(sdk, "nope"), openai.BadRequestError, "invalid_request_error"),
        (lambda: sdk.models.retrieve("nope"), openai.NotFoundError, "not_found_error"),
        (lambda: _ask(sdk.with_options(api_key="sk-unknown")), openai.AuthenticationError, ""),
    ]
    for act, kind, told in expected:
        with pytest.raises(kind) as raised:
            act()
        assert told in (raised.value.type or "")
    call("PUT", "/api/teams/acme-dev", {"access_groups": ["some"]})
    with pytest.raises(openai.PermissionDeniedError) as denied:
        _ask(sdk, "local/echo")
    assert (denied.value.type, denied.value.param) == ("team_model_access_denied", "model")
    assert denied.value.body["available_models"] == ["fast"]  # type: ignore[index]
    call("POST", "/api/teams/acme-dev/pause")
    with pytest.raises(openai.PermissionDeniedError) as paused:
        _ask(sdk)
    assert paused.value.type == "team_paused"


def test_insufficient_credits(plane: Plane, sdk: openai.OpenAI) -> None:
    plane.team("acme-poor", credits_allocated=0)
    with pytest.raises(openai.PermissionDeniedError) as raised:
        _ask(sdk.with_options(api_key=plane.key))
    assert raised.value.type == "insufficient_credits"
    assert raised.value.body["limit"] == 0  # type: ignore[index]
