"""What providers say when they refuse, what of it a virtual key hears, and whose credential opens them."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from proxy import upstream as sender
from tests.proxy.plane import MODEL, SECRET, Plane, error, question
from tests.support import build
from tests.support.api import call
from tests.support.items import all_items
from tests.support.upstream import answer, chunk, hang_up, raw, refuse, stream, usage
from tollgate.telemetry import logger


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(logger.registered_handler.formatter)
    loggers = [logging.getLogger(), logging.getLogger(logger.name)]
    for one in loggers:
        one.addHandler(handler)
    yield text
    for one in loggers:
        one.removeHandler(handler)


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (
            refuse(400, message="bad temperature", type="invalid_request_error", param="temperature"),
            error(400, "invalid_request_error", "bad temperature", param="temperature"),
        ),
        (refuse(402, message="pay", type="billing"), error(402, "billing", "pay")),
        (refuse(404, message=f"no model {MODEL}"), error(404, "invalid_request_error", "no model fast")),
        (
            refuse(422, message=f"openai/{MODEL}-2026-01-01, {MODEL}: or {MODEL.upper()}; {MODEL}2 is another"),
            error(422, "invalid_request_error", f"fast, fast: or fast; {MODEL}2 is another"),
        ),
        (raw(400, '{"message": "flat", "type": "BadRequest", "code": 7}'), error(400, "BadRequest", "flat")),
        (raw(400, '{"detail": [{"msg": "x"}]}'), error(400, "provider_request_error", "[{'msg': 'x'}]")),
        (raw(400, '[{"error": {"code": 400, "message": "wrapped"}}]'), error(400, "provider_request_error", "wrapped")),
        (raw(400, '{"error": "text"}'), error(400, "provider_request_error", "text")),
        (
            raw(400, "<html>nginx at internal.canary</html>"),
            error(400, "provider_request_error", "The provider answered 400"),
        ),
        (raw(400, ""), error(400, "provider_request_error", "The provider answered 400")),
        (raw(413, "null"), error(413, "provider_request_error", "The provider answered 413")),
        (refuse(400, type={"odd": 1}, param=["p"], message=5), error(400, "provider_request_error", "5")),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_4xx_passes_with_its_message(
    plane: Plane, team: dict[str, Any], behaviour: Any, expected: dict[str, Any], *, streamed: bool
) -> None:
    plane.alias("both", fallbacks=["openai/never"])
    plane.provider.does(MODEL, behaviour)

    response = plane.chat(stream=streamed)

    assert (response.status_code, response.json()) == (int(expected["error"]["code"]), expected)
    assert "retry-after" not in response.headers
    record = plane.record()
    assert (record["outcome"], record["credits_charged"], record["error"]) == (
        "failed",
        0,
        expected["error"]["message"],
    )


def test_a_fault_of_the_request_is_tried_once(plane: Plane, team: dict[str, Any]) -> None:
    plane.alias("both", fallbacks=["openai/never"])
    plane.provider.does(MODEL, refuse(400, message="bad"))
    assert plane.chat("both").status_code == 400
    assert [call.body["model"] for call in plane.provider.calls] == [MODEL]


def test_429_stays_429_with_its_retry_after(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, refuse(429, message="slow down", type="rate_limit_exceeded", retry_after="17"))
    response = plane.chat()
    assert (response.status_code, response.json()) == (429, error(429, "rate_limit_exceeded", "slow down"))
    assert response.headers["retry-after"] == "17"


def test_a_retry_after_that_is_no_header_is_left_out(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, refuse(429, retry_after="caf\u00e9\u20ac"))
    response = plane.chat()
    assert (response.status_code, "retry-after" in response.headers) == (429, False)


@pytest.mark.parametrize("status", [401, 403, 407])
def test_the_providers_refusal_of_our_credential_is_ours(plane: Plane, team: dict[str, Any], status: int) -> None:
    plane.provider.does(MODEL, refuse(status, message=f"Incorrect API key provided: {SECRET}"))
    response = plane.chat()
    expected = error(
        502, "provider_authentication_error", "The provider refused Tollgate's credential for model 'fast'"
    )
    assert (response.status_code, response.json()) == (502, expected)


def test_targets_are_tried_in_order(plane: Plane, team: dict[str, Any]) -> None:
    plane.alias("four", fallbacks=["openai/two", "openai/three", "openai/four"])
    for model, behaviour in ((MODEL, refuse(401)), ("two", hang_up()), ("three", refuse(408)), ("four", answer("4"))):
        plane.provider.does(model, behaviour)

    response = plane.chat("four")

    assert response.json()["choices"][0]["message"]["content"] == "4"
    assert [call.body["model"] for call in plane.provider.calls] == [MODEL, "two", "three", "four"]
    assert len(plane.books().records) == 1


def test_nobody_listens(plane: Plane, team: dict[str, Any]) -> None:
    plane.alias("nowhere", api_base="http://127.0.0.1:9/v1")
    plane.alias("no-host", api_base=f"http://{'a' * 70}.example/v1")
    for name in ("nowhere", "no-host"):
        expected = error(502, "provider_unavailable", "The provider could not be reached")
        assert (plane.chat(name).status_code, plane.chat(name).json()) == (502, expected)


def test_silence_between_two_bytes_is_a_timeout(
    plane: Plane, team: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "_TIMEOUT", sender.aiohttp.ClientTimeout(total=None, sock_read=1))
    plane.alias("both", fallbacks=["openai/second"])
    plane.provider.does(MODEL, stream(chunk("one "), done=False, then="silent"))

    streamed = plane.stream()

    assert streamed.events[-1]["error"]["type"] == "provider_timeout"
    assert plane.record()["detail"] == "deadline_exceeded"


def test_a_virtual_key_never_sees_the_provider(plane: Plane, team: dict[str, Any], log: io.StringIO) -> None:
    """Canaries: model, address and secret of the provider, in whatever it says and however it fails."""
    told = f"{MODEL} {SECRET} {plane.provider.url}/v1/chat/completions openai/{MODEL} {plane.provider.url[7:]}"
    behaviours = [refuse(status, message=told, type=told, param=told) for status in (400, 401, 403, 404, 429, 500)]
    behaviours += [raw(400, told), raw(200, told), hang_up(), answer(used=usage(1, 1)), answer()]
    behaviours += [stream({"error": {"message": told}}), stream(chunk("x"), done=False, then="abort")]
    seen = []
    for behaviour in behaviours:
        for streamed in (False, True):
            plane.provider.does(MODEL, behaviour)
            response = plane.chat(stream=streamed)
            seen += [response.text, repr(response.headers)]
    seen += [plane.get("/models").text, plane.get("/models/fast").text, log.getvalue()]

    assert len(plane.provider.calls) == 2 * len(behaviours)
    assert "request_refused" in log.getvalue()
    for canary in (MODEL, SECRET, plane.provider.url.removeprefix("http://"), plane.key):
        assert [text for text in seen if canary in text] == [], canary


# Credentials


def test_without_a_credential(plane: Plane) -> None:
    build.organization()
    plane.alias()
    plane.team()
    response = plane.chat()
    expected = error(502, "provider_authentication_error", "No provider credential is active for 'openai'")
    assert (response.status_code, response.json()) == (502, expected)
    assert plane.record()["outcome"] == "failed"


def test_the_organizations_credential_is_used_alone(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, answer(used=usage(1, 1)))
    plane.chat()
    plane.credential(organization_id="org_acme", credential_name="own", api_key="sk-of-the-organization")
    plane.chat()
    plane.provider.does(MODEL, refuse(401))
    refused = plane.chat()

    assert [call.credential for call in plane.provider.calls] == [SECRET, *["sk-of-the-organization"] * 2]
    assert refused.status_code == 502
    records = sorted(plane.books().records, key=lambda record: record["call_id"])
    assert [record["credential_source"] for record in records] == ["platform", "organization", "organization"]


def test_an_organizations_credential_is_its_own(plane: Plane, team: dict[str, Any]) -> None:
    build.organization("org_other")
    plane.credential(organization_id="org_other", credential_name="own", api_key="sk-of-the-other")
    plane.provider.does(MODEL, answer(used=usage(1, 1)))
    assert plane.chat().status_code == 200
    assert plane.provider.last.credential == SECRET


def test_a_changed_credential_counts_on_the_next_call(plane: Plane, team: dict[str, Any]) -> None:
    (credential,) = (item for item in all_items() if item["kind"] == "provider_credential")
    path = f"/api/provider-credentials/{credential['credential_id']}"
    plane.provider.does(MODEL, answer(used=usage(1, 1)))
    plane.chat()
    assert call("PUT", path, {"api_key": "sk-rotated-secret"}).status == 200
    plane.chat()
    assert [one.credential for one in plane.provider.calls] == [SECRET, "sk-rotated-secret"]
    assert call("PUT", f"{path}/deactivate").status == 200
    assert plane.chat().status_code == 502
    assert call("PUT", f"{path}/activate").status == 200
    assert plane.chat().status_code == 200
    assert call("DELETE", path).status == 200
    assert plane.chat().status_code == 502
    assert len(plane.provider.calls) == 3


def test_a_changed_alias_counts_on_the_next_call(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, answer(used=usage(1000, 0)))
    plane.provider.does("renamed", answer(used=usage(1000, 0)))
    plane.chat()
    assert call("PUT", "/api/model-aliases/fast", {"litellm_model": "openai/renamed", "pricing_input": 1}).status == 200
    assert plane.chat().headers["x-tollgate-cost-usd"] == "0.001"
    assert [one.body["model"] for one in plane.provider.calls] == [MODEL, "renamed"]
    assert call("PUT", "/api/model-aliases/fast", {"active": False}).status == 200
    refused = plane.chat()
    message = "Model group 'fast' not found or inactive"
    expected = error(403, "model_inactive", message, param="model", available_models=["local/echo"])
    assert (refused.status_code, refused.json()) == (403, expected)


def test_a_credential_that_kms_does_not_open(
    plane: Plane, team: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another owner's ciphertext: the encryption context does not fit."""
    from tests.support.environment import engine, template

    (item,) = (item for item in all_items() if item["kind"] == "provider_credential")
    engine.client("dynamodb").update_item(
        TableName=template.table()["TableName"],
        Key={"PK": {"S": item["PK"]}, "SK": {"S": item["SK"]}},
        UpdateExpression="SET credential_id = :other",
        ExpressionAttributeValues={":other": {"S": "other"}},
    )
    response = plane.chat()
    expected = error(502, "provider_authentication_error", "The provider credential cannot be opened")
    assert (response.status_code, response.json()) == (502, expected)
    assert plane.record()["outcome"] == "failed"


@pytest.mark.parametrize(
    ("name", "options", "path", "header"),
    [
        ("azure", {}, "/base/openai/v1/chat/completions", "api-key"),
        (
            "azure",
            {"api_version": "2024-10-21", "deployment": "mine"},
            "/base/openai/deployments/mine/chat/completions?api-version=2024-10-21",
            "api-key",
        ),
        ("anthropic", {}, "/base/chat/completions", "authorization"),
        ("custom", {}, "/base/chat/completions", "authorization"),
        ("bedrock", {"region": "eu-west-1"}, "/base/chat/completions", "authorization"),
    ],
)
def test_each_providers_way(plane: Plane, name: str, options: dict[str, str], path: str, header: str) -> None:
    build.organization()
    base = f"{plane.provider.url}/base"
    build.provider_credential(provider=name, api_key=SECRET, api_base=base, **({"options": options} if options else {}))
    plane.alias(litellm_model=f"{name}/{MODEL}")
    plane.team()
    plane.provider.does(MODEL, answer(used=usage(1, 1)))

    assert plane.chat().status_code == 200

    sent = plane.provider.last
    assert sent.path == path
    assert sent.headers[header].removeprefix("Bearer ") == SECRET
    assert {"api-key", "authorization"} & set(sent.headers) == {header}
    assert sent.body == question(MODEL)
