"""What API Gateway does to requests and answers of buffered functions."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from local.gateway import MAX_BODY
from local.responses import GatewayError, GatewayResponses
from local.template import GatewayResponse

if TYPE_CHECKING:
    from starlette.testclient import TestClient

WIDE = {"Authorization": "wide"}


def echoed(client: TestClient, method: str, path: str, **kwargs: Any) -> dict[str, Any]:
    answer = client.request(method, path, **kwargs)
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


@pytest.mark.parametrize(
    ("path", "resource", "parameters"),
    [
        ("/open", "/open", None),
        ("/open/", "/open", None),
        ("/items/fixed", "/items/fixed", None),
        ("/items/other", "/items/{item_id}", {"item_id": "other"}),
        ("/items/fixed/parts/1", "/items/{item_id}/parts/{part_id}", {"item_id": "fixed", "part_id": "1"}),
        ("/items/a%2Fb", "/items/{item_id}", {"item_id": "a%2Fb"}),
        ("/items/%40", "/items/{item_id}", {"item_id": "%40"}),
        ("/files/a/b%20c", "/files/{path+}", {"path": "a/b%20c"}),
    ],
)
def test_literal_before_variable_before_greedy_all_undecoded(
    client: TestClient, path: str, resource: str, parameters: dict[str, str] | None
) -> None:
    event = echoed(client, "GET", path)["event"]
    assert event["resource"] == event["requestContext"]["resourcePath"] == resource
    assert event["path"] == path
    assert event["pathParameters"] == parameters


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/nope"), ("GET", "/files/"), ("DELETE", "/open"), ("GET", "/items/a/b")]
)
def test_unknown_path_or_method_is_the_templates_404(client: TestClient, method: str, path: str) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})


def test_the_event_is_whole(client: TestClient) -> None:
    headers = [("X-One", "1"), ("X-Two", "a"), ("X-Two", "b")]
    shown = echoed(client, "POST", "/open?a=1&a=b%20c&empty=", headers=headers, content="plain ünï")
    event, context = shown["event"], shown["event"]["requestContext"]
    assert event["queryStringParameters"] == {"a": "b c", "empty": ""}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "b c"], "empty": [""]}
    assert event["headers"]["X-One"] == "1"
    assert event["headers"]["X-Two"] == "b"
    assert event["multiValueHeaders"]["X-Two"] == ["a", "b"]
    assert (event["body"], event["isBase64Encoded"]) == ("plain ünï", False)
    assert event["stageVariables"] is None
    assert (context["stage"], context["httpMethod"], context["path"]) == ("demo", "POST", "/open")
    assert context["identity"]["sourceIp"] == "testclient"
    assert "authorizer" not in context
    assert shown["function"] == "EchoFunction"
    assert shown["memory"] == 256
    assert 9_000 < shown["remaining"] <= 10_000


def test_without_query_and_body_the_event_has_nulls(client: TestClient) -> None:
    event = echoed(client, "GET", "/open")["event"]
    for name in ("queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "body"):
        assert event[name] is None


def test_a_body_that_is_no_text_is_base64(client: TestClient) -> None:
    event = echoed(client, "POST", "/open", content=b"\xff\xfe\x00")["event"]
    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == b"\xff\xfe\x00"


def test_every_answer_has_its_request_id(client: TestClient) -> None:
    answers = [client.get("/open"), client.get("/nope"), client.get("/default"), client.get("/v1/x", headers=WIDE)]
    ids = [answer.headers["x-amzn-requestid"] for answer in answers]
    assert len(set(ids)) == 4
    assert answers[0].json()["event"]["requestContext"]["requestId"] == ids[0]


def test_what_the_function_answers_comes_through(client: TestClient) -> None:
    response = {
        "statusCode": "201",
        "headers": {"X-Single": "one", "X-Both": "single", "X-Flag": True},
        "multiValueHeaders": {"X-Both": ["m1", "m2"], "Set-Cookie": ["a=1", "b=2"]},
        "body": base64.b64encode(b"\x00\x01").decode(),
        "isBase64Encoded": True,
    }
    answer = client.post("/answer", json=response)
    assert answer.status_code == 201
    assert answer.content == b"\x00\x01"
    assert answer.headers["x-single"] == "one"
    assert answer.headers["x-flag"] == "true"
    assert answer.headers.get_list("x-both") == ["m1", "m2"]
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert answer.headers["content-type"] == "application/json"


def test_functions_may_not_set_some_headers(client: TestClient) -> None:
    answer = client.post("/answer", json={"statusCode": 401, "headers": {"WWW-Authenticate": "Bearer"}})
    assert "www-authenticate" not in answer.headers
    assert answer.headers["x-amzn-remapped-www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "malformed",
    [
        None,
        "text",
        {},
        {"body": "no status"},
        {"statusCode": "many"},
        {"statusCode": 200, "body": {"not": "text"}},
        {"statusCode": 200, "unknown": 1},
        {"statusCode": 200, "body": "%", "isBase64Encoded": True},
        "raise",
    ],
)
def test_a_malformed_answer_is_502(client: TestClient, malformed: object) -> None:
    answer = client.post("/answer", json=malformed)
    assert (answer.status_code, answer.json()) == (502, {"message": "Internal server error"})


def test_a_late_answer_is_504_and_the_next_call_does_not_wait_for_it(client: TestClient) -> None:
    import localdemo.handlers

    localdemo.handlers.RELEASED.clear()
    try:
        late = client.get("/slow")
        assert (late.status_code, late.json()) == (504, {"message": "Endpoint request timed out"})
        # The first function is still at work.
        assert client.get("/open").status_code == 200
    finally:
        localdemo.handlers.RELEASED.set()


def test_bodies_over_the_limits_are_413(client: TestClient) -> None:
    for size in (MAX_BODY + 1, 6 * 1024 * 1024):
        answer = client.post("/open", content=b"x" * size)
        assert (answer.status_code, answer.json()) == (413, {"message": "Request Too Long"})
    assert client.post("/open", content=b"x" * (5 * 1024 * 1024)).status_code == 200


def test_a_mock_integration_answers_preflights(client: TestClient) -> None:
    answer = client.options("/open")
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"


def test_templates_of_a_family_serve_its_members() -> None:
    shared = {"application/json": '{"text":$context.error.messageString,"kind":"${context.error.responseType}"}'}
    responses = GatewayResponses({"DEFAULT_4XX": GatewayResponse(templates=shared)})
    answer = responses.render(GatewayError("UNAUTHORIZED"), {})
    assert (answer.status, answer.body) == (401, b'{"text":"Unauthorized","kind":"UNAUTHORIZED"}')
    assert responses.render(GatewayError("INTEGRATION_TIMEOUT"), {}).status == 504
