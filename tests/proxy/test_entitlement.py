"""Who may call: read anew on every call, in the order of Q-10; and what reading and booking it costs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.proxy.plane import MODEL, Plane, change, error, question
from tests.support import build
from tests.support.api import call
from tests.support.environment import engine, template
from tests.support.items import all_items
from tests.support.refusals import MALFORMED, NO_KEY, body, expired, no_virtual_key, unknown, without_times
from tests.support.upstream import answer, usage
from tollgate.aws.dynamodb import DynamoDB


@pytest.fixture
def ready(plane: Plane, team: dict[str, Any]) -> Plane:
    plane.provider.does(MODEL, answer(used=usage(1, 1)))
    return plane


@pytest.fixture
def operations(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is asked of DynamoDB, in order."""
    asked: list[str] = []
    real = DynamoDB.call

    async def noted(self: DynamoDB, operation: str, payload: dict[str, Any], **how: Any) -> dict[str, Any]:
        asked.append(operation)
        return await real(self, operation, payload, **how)

    monkeypatch.setattr(DynamoDB, "call", noted)
    return iter([asked])


def _refused(plane: Plane) -> tuple[int, Any]:
    """Every route answers the same, at its time."""
    answers = [plane.chat(), plane.chat(stream=True), plane.get("/models"), plane.get("/models/fast")]
    (one,) = {(response.status_code, without_times(response.text)) for response in answers}
    assert plane.provider.calls == []
    return one[0], json.loads(one[1])


@pytest.mark.parametrize(
    ("authorization", "told"),
    [
        (None, NO_KEY),
        ("", NO_KEY),
        ("Bearer", MALFORMED),
        ("Basic dTpw", MALFORMED),
        ("sk-without-a-scheme", MALFORMED),
        (f"Bearer {'x' * 2000}", MALFORMED),
        ("Bearer abcd-no-virtual-key-wxyz", no_virtual_key("abcd****wxyz")),
    ],
)
def test_no_or_malformed_credential(ready: Plane, authorization: str | None, told: tuple[str, str, str]) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    response = ready.client.post("/v1/chat/completions", json=question(), headers=headers)
    assert (response.status_code, response.json()) == (401, body(told))
    assert ready.client.get(f"/v1/models?key={ready.key}").status_code == 401


def test_an_unknown_key(ready: Plane) -> None:
    ready.key = "sk-0123456789abcdef0123456789abcdef"
    assert _refused(ready) == (401, body(unknown(ready.key)))


def test_blanks_around_a_key_are_trimmed(ready: Plane) -> None:
    ready.key = f"  {ready.key}"
    assert ready.chat().status_code == 200


@pytest.mark.parametrize(
    ("act", "status", "kind", "message"),
    [
        (lambda: change("key", blocked=True), 401, "auth_error", "Authentication Error, Key is blocked. Update via `/key/unblock` if you're an admin."),
        (lambda: change("team", blocked=True), 401, "auth_error", "Authentication Error, Team=acme-dev is blocked. Update via `/team/unblock` if you're an admin."),
        (lambda: change("organization", blocked=True), 401, "auth_error", "Authentication Error, Organization=org_acme is blocked. Update via `/organization/unblock` if you're an admin."),
        (lambda: call("POST", "/api/teams/acme-dev/suspend"), 403, "team_suspended", "Team access suspended - contact support"),
        (lambda: call("POST", "/api/teams/acme-dev/pause"), 403, "team_paused", "Team access temporarily paused"),
        (lambda: call("PUT", "/api/organizations/org_acme/status", {"status": "suspended"}), 403, "organization_suspended", "Organization access suspended - contact support"),
    ],
)  # fmt: skip
def test_who_may_not(ready: Plane, act: Callable[[], Any], status: int, kind: str, message: str) -> None:
    act()
    param = "None" if kind == "auth_error" else None
    assert _refused(ready) == (status, error(status, kind, message, param=param))
    assert ready.books().records == []


@pytest.mark.parametrize(
    ("kind", "attributes", "told"),
    [
        ("key", {"status": "revoked"}, unknown),
        ("team", {"deleting": True}, unknown),
        ("organization", {"deleting": True}, unknown),
        ("key", {"expires_at": "2020-01-01T00:00:00.000000Z"}, expired),
    ],
)
def test_whose_key_is_none_any_more(ready: Plane, kind: str, attributes: dict[str, Any], told: Any) -> None:
    change(kind, **attributes)
    assert _refused(ready) == (401, body(told(ready.key)))
    assert ready.books().records == []


def test_the_first_row_wins(ready: Plane) -> None:
    """From the last row of Q-10 up, each refusal is covered by the one above it."""
    rows: list[tuple[Callable[[], Any], str]] = [
        (lambda: call("POST", "/api/teams/acme-dev/pause"), "team_paused"),
        (lambda: call("PUT", "/api/organizations/org_acme/status", {"status": "suspended"}), "organization_suspended"),
        (lambda: change("organization", blocked=True), "auth_error"),
        (lambda: change("key", expires_at="2020-01-01T00:00:00.000000Z"), "expired_key"),
        (lambda: change("key", status="revoked"), "token_not_found_in_db"),
    ]
    for act, kind in rows:
        act()
        assert _refused(ready)[1]["error"]["type"] == kind


def test_a_team_deleted_and_made_again_does_not_know_the_old_key(ready: Plane) -> None:
    old = ready.key
    before = {item["PK"]: item for item in all_items() if item["kind"] == "key"}
    assert call("DELETE", "/api/teams/acme-dev", query={"force": "true"}).status == 200
    ready.team()
    new = ready.key
    ready.key = old
    assert _refused(ready) == (401, body(unknown(ready.key)))
    # Even where the old key's item was left behind.
    (item,) = before.values()
    engine.client("dynamodb").put_item(
        TableName=template.table()["TableName"],
        Item={
            name: {"BOOL": value} if isinstance(value, bool) else {"S": str(value)}
            for name, value in item.items()
            if isinstance(value, str | bool)
        },
    )
    assert _refused(ready) == (401, body(unknown(ready.key)))
    ready.key = new
    assert ready.chat().status_code == 200


# Hints and operations

READS, WRITES = {"BatchGetItem": 1}, {"UpdateItem": 2, "PutItem": 1}


def _hint(**context: Any) -> dict[str, str]:
    return {"x-amzn-request-context": json.dumps({"authorizer": context})}


def _key_id(plane: Plane) -> str:
    from tollgate.auth.credentials import key_id_of

    return key_id_of(plane.key)


def _right(plane: Plane) -> dict[str, str]:
    return _hint(kind="key", key_id=_key_id(plane), team_id="acme-dev", organization_id="org_acme", user_id="")


def test_four_operations_with_a_right_hint(ready: Plane, operations: Iterator[list[str]]) -> None:
    (asked,) = operations
    ready.chat()
    asked.clear()
    for fields in ({}, {"stream": True}):
        assert ready.post("/chat/completions", question(**fields), **_right(ready)).status_code == 200
        # Read and reserve before the provider, record and settle after it.
        assert asked == ["BatchGetItem", "UpdateItem", "PutItem", "UpdateItem"]
        asked.clear()
    assert ready.get("/models", **_right(ready)).status_code == 200
    assert asked == ["BatchGetItem"]


def test_a_wrong_hint_only_costs_a_read(ready: Plane, operations: Iterator[list[str]]) -> None:
    """It is believed in nothing: not another tenant's team, not another key's, not garbage."""
    key_id = _key_id(ready)
    build.organization("org_other")
    build.team("other-team", "org_other", access_groups=["*"], credits_allocated=7)
    (asked,) = operations
    hints = [
        {},
        _hint(),
        _hint(key_id=key_id),
        _hint(key_id=key_id, team_id="other-team", organization_id="org_other"),
        _hint(key_id="0" * 64, team_id="acme-dev", organization_id="org_acme"),
        _hint(key_id=key_id, team_id="acme-dev", organization_id="org_other"),
        _hint(key_id=5, team_id=None, organization_id=[1]),
        *({"x-amzn-request-context": text} for text in ("", "garbage", "[]", "5", '"x"', "{", '{"authorizer": "x"}')),
        *(
            {"x-amzn-request-context": text}
            for text in ('{"authorizer": [1]}', '{"authorizer": null}', '{"a": "\\ud800"}')
        ),
    ]
    ready.chat()
    for hint in hints:
        asked.clear()
        response = ready.post("/chat/completions", question(), **hint)
        assert response.status_code == 200, hint
        assert Counter(asked) == {"BatchGetItem": 2, **WRITES}, hint
        assert asked[:3] == ["BatchGetItem", "BatchGetItem", "UpdateItem"]
    assert {record["team_id"] for record in ready.books().records} == {"acme-dev"}
    assert ready.books("other-team").available == 7


@pytest.mark.parametrize("text", ["", "x", "[]", '{"deadline": "soon"}', '{"deadline": null}', '{"deadline": [1]}'])
def test_a_deadline_that_is_none(ready: Plane, text: str) -> None:
    response = ready.post("/chat/completions", question(), **{"x-amzn-lambda-context": text})
    assert response.status_code == 200


def test_a_refused_key_costs_one_read(ready: Plane, operations: Iterator[list[str]]) -> None:
    hint = _right(ready)
    call("POST", "/api/teams/acme-dev/suspend")
    (asked,) = operations
    assert ready.post("/chat/completions", question(), **hint).status_code == 403
    assert asked == ["BatchGetItem"]


def test_who_only_looks_on_calls_nothing(ready: Plane) -> None:
    """By a key in a team neither (decisions, section 6)."""
    viewer = build.admin_user("vera@example.com")["user_id"]
    for fields in ({}, {"team_id": "acme-dev"}):
        ready.key = call("POST", "/key/generate", fields | {"user_id": viewer}).body["key"]
        message = "user not allowed to access this OpenAI routes, role= proxy_admin_viewer"
        assert _refused(ready) == (403, error(403, "auth_error", message, param="None"))


def test_a_user_who_is_gone_takes_his_keys_along(ready: Plane) -> None:
    user_id = build.admin_user("adam@example.com", role="admin")["user_id"]
    ready.key = build.issued_key(user_id=user_id)["virtual_key"]
    assert ready.chat().status_code == 200
    assert call("DELETE", f"/api/admin-users/{user_id}").status == 200
    refused = ready.chat()
    assert (refused.status_code, refused.json()) == (401, body(unknown(ready.key)))
