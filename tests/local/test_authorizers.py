"""Lambda authorizers: who is asked when, what is cached, and what a refusal looks like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from local.authorizers import evaluate

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from local.cloud import Cloud

ARN = "arn:aws:execute-api:us-east-1:123456789012:localapi00/demo/GET/items/1"


@pytest.fixture
def asked(client: TestClient) -> list[dict[str, Any]]:
    """The events the authorizer was invoked with."""
    import localdemo.handlers

    events: list[dict[str, Any]] = localdemo.handlers.AUTHORIZED
    events.clear()
    return events


def get(client: TestClient, path: str, credential: str | None) -> Any:
    return client.get(path, headers={} if credential is None else {"Authorization": credential})


def test_the_context_reaches_the_function_as_text(client: TestClient, asked: list[dict[str, Any]]) -> None:
    context = get(client, "/default", "good").json()["event"]["requestContext"]["authorizer"]
    assert context == {
        "message": "good may not",
        "number": "7",
        "flag": "true",
        "principalId": "good",
        "integrationLatency": 0,
    }
    (event,) = asked
    assert event["type"] == "REQUEST"
    assert event["methodArn"].endswith("localapi00/demo/GET/default")
    assert event["headers"]["Authorization"] == "good"
    assert event["requestContext"]["resourcePath"] == event["resource"] == "/default"
    assert "body" not in event


def test_without_its_identity_source_a_cached_authorizer_is_not_asked(
    client: TestClient, asked: list[dict[str, Any]]
) -> None:
    for credential in (None, ""):
        answer = get(client, "/default", credential)
        assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized"})
    assert asked == []


def test_an_uncached_authorizer_is_asked_every_time_also_without_a_credential(
    client: TestClient, asked: list[dict[str, Any]]
) -> None:
    for credential in ("good", "good", None):
        client.put("/items/1", headers={} if credential is None else {"Authorization": credential})
    assert len(asked) == 3


def test_results_are_cached_by_the_identity_source(client: TestClient, asked: list[dict[str, Any]]) -> None:
    assert [get(client, "/default", "wide").status_code for _ in range(3)] == [200] * 3
    assert get(client, "/v1/x", "wide").status_code == 200
    assert len(asked) == 1
    assert get(client, "/default", "denied").status_code == 401
    assert get(client, "/default", "denied").status_code == 401
    assert len(asked) == 2


def test_a_cached_policy_is_held_against_every_method(client: TestClient, asked: list[dict[str, Any]]) -> None:
    """A policy for one method, cached, refuses another: the reason for whole-stage policies."""
    assert get(client, "/default", "good").status_code == 200
    refused = get(client, "/v1/x", "good")
    assert refused.status_code == 401
    assert refused.json()["own"] == "User is not authorized to access this resource"
    assert len(asked) == 1


def test_unauthorized_is_not_cached(client: TestClient, asked: list[dict[str, Any]]) -> None:
    assert [get(client, "/default", "unknown").status_code for _ in range(2)] == [401, 401]
    assert len(asked) == 2


def test_a_cached_result_ends_with_its_ttl(
    client: TestClient, asked: list[dict[str, Any]], cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("local.authorizers.time.monotonic", lambda: now[0])
    for now[0], calls in ((0.0, 1), (299.0, 1), (301.0, 2)):
        get(client, "/default", "wide")
        assert len(asked) == calls
    assert cloud.template.authorizers()["Cached"].ttl == 300


def test_a_denial_is_the_templates_answer(client: TestClient) -> None:
    answer = get(client, "/default", "denied")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["x-path"] == "/default"
    assert answer.json() == {
        "detail": "denied may not",
        "own": "User is not authorized to access this resource with an explicit deny",
        "id": answer.headers["x-amzn-requestid"],
    }


@pytest.mark.parametrize("credential", ["broken", "malformed"])
def test_a_broken_authorizer_is_500(client: TestClient, credential: str) -> None:
    answer = get(client, "/default", credential)
    assert (answer.status_code, answer.json()) == (500, {"message": None})


@pytest.mark.parametrize(
    ("statements", "effect"),
    [
        ([("Allow", ARN)], "Allow"),
        ([("Allow", "arn:aws:execute-api:*:*:*/demo/*")], "Allow"),
        ([("Allow", "*/demo/GET/items/?")], "Allow"),
        ([("Allow", ["x", ARN])], "Allow"),
        ([("Allow", "*/demo/POST/*")], None),
        ([("Allow", "*/items")], None),
        ([("Allow", "*"), ("Deny", "*/GET/*")], "Deny"),
        ([], None),
    ],
)
def test_policies(statements: list[tuple[str, Any]], effect: str | None) -> None:
    policy = {
        "Statement": [
            {"Effect": one, "Action": "execute-api:Invoke", "Resource": resource} for one, resource in statements
        ]
    }
    assert evaluate(policy, ARN) == effect


def test_another_action_allows_nothing() -> None:
    assert evaluate({"Statement": {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}}, ARN) is None
    assert evaluate({"Statement": {"Effect": "Allow", "Action": "execute-api:*", "Resource": "*"}}, ARN) == "Allow"
