"""Many at once by the dialect: each item by itself, in order, with a result of its own (contract litellm 5, Q-37)."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from tests.support import build
from tests.support.api import call, key
from tests.support.items import all_items, audit_events
from tollgate.litellm import bulk, bulk_operations, teams
from tollgate.litellm.bulk import BulkItems

ROOT = "/management/v1"
MEMBERS = f"{ROOT}/teams/acme-dev/members"


def send(path: str, items: list[Any], name: str = "items", **options: Any) -> dict[str, Any]:
    answer = call("POST", path, {name: items}, **options)
    assert answer.status == 200, answer.text
    body: dict[str, Any] = answer.body
    assert body["total_requested"] == len(items) == body["successful"] + body["failed"]
    assert [result["index"] for result in body["results"]] == list(range(len(items)))
    assert body["successful"] == sum(result["success"] for result in body["results"])
    return body


def told(body: dict[str, Any]) -> list[tuple[Any, ...]]:
    """What became of each, without the answers."""
    return [(result["id"], result["status"], result["error"]) for result in body["results"]]


def failed(index: int, name: str | None, status: int, error: str) -> dict[str, Any]:
    return {"index": index, "id": name, "success": False, "error": error, "status": status, "result": None}


@pytest.fixture
def acme() -> dict[str, Any]:
    build.organization()
    return build.team()


def test_organizations() -> None:
    items = [
        {"organization_id": "a", "organization_alias": "A", "max_budget": 5},
        {"organization_id": "b"},
        {"organization_id": "a", "organization_alias": "Again"},
        {"organization_id": "c", "organization_alias": "C", "max_budget": -1},
        {"organization_id": "d", "organization_alias": "D", "no_such_field": 1},
    ]
    body = send(f"{ROOT}/organizations/bulk", items)
    taken = "Organization ID already exists: 'a'"
    assert body["results"][1:4] == [
        failed(1, "b", 422, "organization_alias: Field required"),
        failed(2, "a", 400, taken),
        failed(3, "c", 400, "max_budget must be a non-negative finite number. Received: -1.0"),
    ]
    assert body["results"][0]["result"].items() >= {"organization_id": "a", "organization_alias": "A"}.items()
    assert body["results"][0]["result"]["litellm_budget_table"]["max_budget"] == 5
    assert (body["successful"], body["failed"]) == (2, 3)
    # What was done is refused as it would be alone: nothing is there twice.
    again = send(f"{ROOT}/organizations/bulk", [items[0], items[4]])
    assert told(again) == [("a", 400, taken), ("d", 400, "Organization ID already exists: 'd'")]
    changes = [{"organization_id": "a", "organization_alias": "AA", "max_budget": None}, {"organization_id": "nope"}]
    changed = send(f"{ROOT}/organizations/bulk_update", changes)
    assert told(changed) == [("a", 200, None), ("nope", 404, "Organization not found")]
    assert changed["results"][0]["result"]["organization_alias"] == "AA"
    shown = call("GET", "/organization/info", query={"organization_id": "a"}).body
    assert (shown["organization_alias"], shown["litellm_budget_table"]["max_budget"]) == ("AA", None)
    for first in ((200, None), (404, "Organization=a not found")):
        gone = send(f"{ROOT}/organizations/bulk_delete", [{"organization_id": "a"}, {"organization_id": "x"}, {}])
        missing = ("x", 404, "Organization=x not found")
        assert told(gone) == [("a", *first), missing, (None, 422, "organization_id: Field required")]
    assert [row["organization_id"] for row in call("GET", "/organization/list").body] == ["d"]


def test_teams(acme: dict[str, Any]) -> None:
    items = [{"team_id": "t1", "organization_id": "org_acme"}, {"team_id": "acme-dev"}, {"organization_id": "nope"}, {}]
    body = send(f"{ROOT}/teams/bulk", items)
    made = body["results"][3]["result"]["team_id"]
    assert told(body) == [
        ("t1", 200, None),
        ("acme-dev", 400, "Team id = acme-dev already exists. Please use a different team id."),
        (None, 400, "Organization not found for organization_id=nope"),
        (made, 200, None),
    ]
    shown = call("GET", "/team/info", query={"team_id": "t1"}).body["team_info"]
    assert body["results"][0]["result"].items() <= shown.items()
    changed = send(f"{ROOT}/teams/bulk_update", [{"team_id": "t1", "rpm_limit": 7}, {"team_id": "nope"}, {}])
    missing = "Team not found, passed team_id=nope"
    assert told(changed) == [("t1", 200, None), ("nope", 404, missing), (None, 422, "team_id: Field required")]
    assert changed["results"][0]["result"]["data"]["rpm_limit"] == 7
    for first in ((200, None), (404, "Team not found, passed team_id=t1")):
        gone = send(f"{ROOT}/teams/bulk_delete", [{"team_id": "t1"}, {"team_id": "nope"}])
        assert told(gone) == [("t1", *first), ("nope", 404, missing)]
    assert call("GET", "/v2/team/list").body["total"] == 2


@pytest.mark.parametrize("name", ["items", "users"])
def test_users(name: str, acme: dict[str, Any]) -> None:
    items = [
        {"user_id": "ana", "user_email": "Ana@Example.com", "user_alias": "Ana"},
        {"user_id": "ana"},
        {"user_id": "bo", "user_email": "ana@example.com"},
        {"user_email": "cy@example.com", "teams": ["acme-dev"], "auto_create_key": False},
    ]
    body = send(f"{ROOT}/users/bulk", items, name)
    first, *_, last = body["results"]
    assert [(result["status"], result["error"]) for result in body["results"]] == [
        (200, None),
        (409, "User with id ana already exists"),
        (409, "User with email ana@example.com already exists"),
        (200, None),
    ]
    assert (first["id"], first["result"]["user_email"], first["result"]["key"][:3]) == ("ana", "ana@example.com", "sk-")
    assert (last["id"], last["result"]["teams"], last["result"]["key"]) == (
        last["result"]["user_id"],
        ["acme-dev"],
        None,
    )
    changed = send(f"{ROOT}/users/bulk_update", [{"user_id": "ana", "max_budget": 3}, {"user_id": "no"}], name)
    assert changed["results"][0]["result"]["data"]["max_budget"] == 3
    assert [result["status"] for result in changed["results"]] == [200, 404]
    for status in (200, 404):
        gone = send(f"{ROOT}/users/bulk_delete", [{"user_id": "ana"}, {"user_id": "no"}], name)
        assert [(result["id"], result["status"]) for result in gone["results"]] == [("ana", status), ("no", 404)]
    # His key went along.
    assert call("GET", "/key/info", query={"key": first["result"]["key"]}).status == 404


def test_keys(acme: dict[str, Any]) -> None:
    items = [
        {"key_alias": "ci", "team_id": "acme-dev", "max_budget": 5},
        {"key_alias": "ci"},
        {"key": "sk-chosen-by-client"},
        {"key": "short"},
        {"team_id": "nope"},
    ]
    body = send(f"{ROOT}/keys/bulk", items)
    made, chosen = (body["results"][index]["result"] for index in (0, 2))
    assert told(body)[:3] == [
        (made["token"], 200, None),
        ("ci", 400, "Key with alias 'ci' already exists. Unique key aliases across all keys are required."),
        (chosen["token"], 200, None),
    ]
    assert [result["status"] for result in body["results"]] == [200, 400, 200, 400, 400]
    assert chosen["key"] == "sk-chosen-by-client"
    changes = [{"key": made["key"], "rpm_limit": 3}, {"key": "0" * 64}, {"key_alias": "ci", "tpm_limit": 5}, {}]
    changed = send(f"{ROOT}/keys/bulk_update", changes)
    assert told(changed) == [
        (made["token"], 200, None),
        ("0" * 64, 404, "Key not found."),
        ("ci", 200, None),
        (None, 422, "item: Value error, key or key_alias is required"),
    ]
    row = call("GET", "/key/info", query={"key": made["token"]}).body["info"]
    assert (row["rpm_limit"], row["tpm_limit"]) == (3, 5)
    for status in (200, 404):
        gone = send(f"{ROOT}/keys/bulk_delete", [{"key": chosen["key"]}, {"key_alias": "ci"}, {"key_alias": "none"}])
        assert [(result["id"], result["status"]) for result in gone["results"]] == [
            (chosen["token"], status),
            ("ci", status),
            ("none", 404),
        ]
    assert call("GET", "/key/info", query={"key": made["token"]}).status == 404


@pytest.mark.parametrize("name", ["items", "members"])
def test_members(name: str, acme: dict[str, Any]) -> None:
    build.user("ana", email="ana@example.com")
    items = [
        {"user_id": "ana", "role": "admin", "max_budget_in_team": 5},
        {"user_email": "bo@example.com", "role": "user", "team_id": "another"},
        {"user_id": "ana", "role": "user"},
        {"role": "user"},
        {"user_id": "cy", "role": "boss"},
    ]
    body = send(f"{MEMBERS}/bulk", items, name)
    ana, bo, *refused = body["results"]
    assert ana["result"].items() >= {"user_id": "ana", "team_id": "acme-dev"}.items()
    assert ana["result"]["litellm_budget_table"]["max_budget"] == 5
    assert (bo["id"], bo["result"]["team_id"]) == (bo["result"]["user_id"], "acme-dev")
    assert refused == [
        failed(2, "ana", 400, "User already in team. Member: ana, team_id=acme-dev"),
        failed(3, None, 422, "item: Value error, Either user id or user email must be provided"),
        failed(4, "cy", 422, "role: Input should be 'admin' or 'user'"),
    ]
    changes = [{"user_id": "ana", "role": "user", "rpm_limit": 2}, {"user_id": "no"}]
    changed = send(f"{MEMBERS}/bulk_update", changes, name)
    missing = ("no", 400, "User not found in team. Team=acme-dev, user_id=no")
    assert told(changed) == [("ana", 200, None), missing]
    assert changed["results"][0]["result"].items() >= {"role": "user", "rpm_limit": 2, "max_budget_in_team": 5}.items()
    gone = send(f"{MEMBERS}/bulk_delete", [{"user_email": "bo@example.com"}, {"user_id": "no"}], name)
    assert told(gone) == [("bo@example.com", 200, None), missing]
    left = call("GET", "/team/info", query={"team_id": "acme-dev"}).body["team_info"]["members_with_roles"]
    assert [member["user_id"] for member in left] == ["ana"]
    unknown = call("POST", f"{ROOT}/teams/nope/members/bulk", {name: [{"user_id": "ana", "role": "user"}]}).body
    assert told(unknown) == [("ana", 404, "Team not found, passed team_id=nope")]


@pytest.mark.parametrize(
    ("items", "status", "detail"),
    [
        ([], 400, {"error": "Between 1 and 500 items can be sent at once. Received: 0"}),
        ([{}] * 501, 400, {"error": "Between 1 and 500 items can be sent at once. Received: 501"}),
        (["a"], 422, [{"type": "dict_type", "loc": ["body", "items", 0], "msg": "Input should be a valid dictionary"}]),
        (None, 422, [{"type": "list_type", "loc": ["body", "items"], "msg": "Input should be a valid list"}]),
    ],
)
def test_how_many_there_may_be(items: Any, status: int, detail: Any) -> None:
    for path in (f"{ROOT}/teams/bulk", f"{MEMBERS}/bulk_delete"):
        answer = call("POST", path, {"items": items})
        assert (answer.status, answer.body) == (status, {"detail": detail})
    assert all_items() == []


def test_an_organization_does_it_to_its_own_only(acme: dict[str, Any]) -> None:
    """Every item is decided as it would be alone."""
    build.organization("org_other")
    build.team("other-dev", "org_other")
    build.user("boss")
    build.member("organization-member", "org_acme", "boss", role="org_admin")
    boss = key(call("POST", "/key/generate", {"user_id": "boss", "organization_id": "org_acme"}).body["key"])
    made = send(
        f"{ROOT}/teams/bulk",
        [{"team_id": "own", "organization_id": "org_acme"}, {"team_id": "x", "organization_id": "org_other"}, {}],
        caller=boss,
    )
    assert [result["status"] for result in made["results"]] == [200, 401, 401]
    changed = send(
        f"{ROOT}/teams/bulk_update",
        [{"team_id": "own", "team_alias": "Own"}, {"team_id": "other-dev", "team_alias": "Mine"}],
        caller=boss,
    )
    assert [result["status"] for result in changed["results"]] == [200, 403]
    foreign = send(f"{ROOT}/teams/other-dev/members/bulk", [{"user_id": "boss", "role": "admin"}], caller=boss)
    assert [result["success"] for result in foreign["results"]] == [False]
    assert build.team_details("other-dev")["team_alias"] == "other-dev"
    for path in ("organizations/bulk", "organizations/bulk_delete"):
        answer = call("POST", f"{ROOT}/{path}", {"items": [{"organization_id": "org_other"}]}, caller=boss)
        assert (answer.status, answer.body["error"]["type"]) == (401, "auth_error")
    team_key = key(acme["virtual_key"])
    assert call("POST", f"{ROOT}/teams/bulk", {"items": [{}]}, caller=team_key).status == 401


def test_the_same_request_again(acme: dict[str, Any]) -> None:
    """Under an Idempotency-Key: the whole answer, with masks in the place of keys."""
    items = [{"key_alias": "a", "team_id": "acme-dev"}, {"key_alias": "a"}, {"team_id": "acme-dev"}]
    headers = {"Idempotency-Key": "once"}
    first = send(f"{ROOT}/keys/bulk", items, headers=headers)
    before = sorted(item["PK"] for item in all_items())
    second = send(f"{ROOT}/keys/bulk", items, headers=headers)
    assert sorted(item["PK"] for item in all_items()) == before
    for index in (0, 2):
        secret = first["results"][index]["result"]["key"]
        first["results"][index]["result"]["key"] = f"sk-...{secret[-4:]}"
        assert secret not in str([item for item in all_items() if item["kind"] == "idempotent"])
    assert second == first
    other = call("POST", f"{ROOT}/keys/bulk", {"items": items[:1]}, headers=headers)
    assert other.status == 400


def test_a_long_answer_is_kept_whole() -> None:
    """An item of the table has 400 KB at most; the answer is more."""
    text = {"text": "lorem " * 1680}
    items = [{"user_id": f"u-{number}", "metadata": text, "auto_create_key": False} for number in range(42)]
    headers = {"Idempotency-Key": "long"}
    first = send(f"{ROOT}/users/bulk", items, headers=headers)
    assert first["successful"] == 42
    assert len(str(first)) > 400 * 1024
    assert send(f"{ROOT}/users/bulk", items, headers=headers) == first


def test_a_request_that_was_cut_off_can_be_repeated(acme: dict[str, Any], clock: Any) -> None:
    """Its key is free again after a minute; what was done is not done again."""
    items = [{"team_id": "one"}, {"team_id": "two"}]
    headers = {"Idempotency-Key": "cut"}

    class Killed(BaseException):
        """Nothing in the process catches it."""

    real = teams.new

    def dies(caller: Any, request: Any) -> Any:
        if request.team_id == "two":
            raise Killed
        return real(caller, request)

    def unended(*_: Any, **__: Any) -> None:
        """The process is gone before it can free its key."""

    operation = bulk.Operation(bulk_operations.TEAMS_CREATE.model, dies, bulk_operations.TEAMS_CREATE.name)
    module = "litellm.bulk.create_teams.TEAMS_CREATE"
    with (
        patch(module, operation),
        patch("tollgate.table.idempotency.RequestClaim.finish", unended),
        pytest.raises(Killed),
    ):
        call("POST", f"{ROOT}/teams/bulk", {"items": items}, headers=headers)
    running = call("POST", f"{ROOT}/teams/bulk", {"items": items}, headers=headers)
    assert running.status == 409
    clock.advance(seconds=61)
    body = send(f"{ROOT}/teams/bulk", items, headers=headers)
    taken = "Team id = one already exists. Please use a different team id."
    assert told(body) == [("one", 400, taken), ("two", 200, None)]
    assert send(f"{ROOT}/teams/bulk", items, headers=headers) == body
    created = [event["resource_id"] for event in audit_events() if event["action"] == "team.created"]
    assert sorted(created) == ["acme-dev", "one", "two"]


def run(items: list[dict[str, Any]], **changes: Any) -> bulk.BulkAnswer:
    create = bulk_operations.TEAMS_CREATE
    fields = {"model": create.model, "run": create.run, "name": create.name, "made": create.made} | changes
    return bulk.run(build.owner(), BulkItems(items=items), bulk.Operation(**fields))


def test_what_there_is_no_time_for_is_said(acme: dict[str, Any]) -> None:
    ticks = iter([0.0, 1.0, 21.9, 22.1, 25.0])
    with patch("tollgate.litellm.bulk.monotonic", lambda: next(ticks)):
        answer = run([{"team_id": name} for name in ("a", "b", "c", "d")])
    late = "There was no time left for this item; send it again"
    assert [(one.id, one.status, one.error) for one in answer.results] == [
        ("a", 200, None),
        ("b", 200, None),
        ("c", 503, late),
        ("d", 503, late),
    ]
    assert call("GET", "/v2/team/list").body["total"] == 3


def test_a_crash_costs_only_its_item(acme: dict[str, Any]) -> None:
    def crash_at_b(caller: Any, request: Any) -> Any:
        if request.team_id == "b":
            message = "a secret of the code"
            raise RuntimeError(message)
        return teams.new(caller, request)

    answer = run([{"team_id": name} for name in ("a", "b", "c")], run=crash_at_b)
    assert [(one.status, one.error) for one in answer.results] == [
        (200, None),
        (500, "Internal server error"),
        (200, None),
    ]


@pytest.mark.parametrize(("kept", "last"), [(frozenset(), None), (frozenset({"team_id"}), {"team_id": "b"})])
def test_an_answer_that_would_be_too_large(
    kept: frozenset[str], last: Any, acme: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It could not be sent, and what is shown only once would be lost."""
    monkeypatch.setattr(bulk, "_MOST_BYTES", 300)
    answer = run([{"team_id": "a"}, {"team_id": "b"}], kept=kept)
    first, second = answer.results
    assert (first.result["team_id"], second.result, second.success, second.id) == ("a", last, True, "b")


def test_of_a_new_key_there_is_always_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "_MOST_BYTES", 0)
    (result,) = send(f"{ROOT}/keys/bulk", [{"key_alias": "ci"}])["results"]
    assert result["result"].keys() == {"key", "token", "key_alias"}
    (result,) = send(f"{ROOT}/users/bulk", [{"user_id": "ana"}])["results"]
    assert result["result"].keys() == {"key", "token"}
