"""Virtual keys, from the front."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support import build
from tests.support.api import call, key, problem
from tests.support.budgets import NO_LIMITS
from tests.support.clock import FakeClock
from tests.support.items import all_items, audit_events, put_raw, raw_items
from tollgate.auth.credentials import key_id_of
from tollgate.keys.items import KeyItem
from tollgate.organizations.items import OrganizationItem
from tollgate.table import keys
from tollgate.teams.items import TeamItem

UNAUTHENTICATED = problem(401, "invalid_api_key", "Invalid or missing API key")


@pytest.fixture(autouse=True)
def team(empty_table: None) -> dict[str, Any]:
    build.organization()
    return build.team()


def whoami(virtual_key: str) -> tuple[int, Any]:
    answer = call("GET", "/api/teams/acme-dev", caller=key(virtual_key))
    return answer.status, answer.body


def test_issue(clock: FakeClock) -> None:
    answer = call(
        "POST", "/api/teams/acme-dev/keys", {"key_alias": "ci", "duration": "30d", "models": ["gpt-4o", "claude-*"]}
    )
    assert answer.status == 200
    virtual_key = answer.body["virtual_key"]
    assert re.fullmatch(r"sk-[0-9a-f]{32}", virtual_key)
    assert answer.body == NO_LIMITS | {
        "user_id": None,
        "blocked": False,
        "models": ["gpt-4o", "claude-*"],
        "tags": [],
        "metadata": {},
        "key_id": key_id_of(virtual_key),
        "virtual_key": virtual_key,
        "masked": f"sk-...{virtual_key[-4:]}",
        "key_alias": "ci",
        "team_id": "acme-dev",
        "organization_id": "org_acme",
        "status": "active",
        "expires_at": "2026-03-31T12:00:00Z",
        "first_call_at": None,
        "created_at": "2026-03-01T12:00:00Z",
    }
    assert whoami(virtual_key)[0] == 200
    assert not [item for item in all_items() if virtual_key in str(item)]


def test_issue_without_a_body_is_a_key_for_ever() -> None:
    answer = call("POST", "/api/teams/acme-dev/keys")
    assert (answer.status, answer.body["expires_at"], answer.body["key_alias"]) == (200, None, None)


def test_issued_keys_do_not_change_the_primary_one(team: dict[str, Any]) -> None:
    build.issued_key()
    assert call("GET", "/api/teams/acme-dev").body["virtual_key"] == f"sk-...{team['virtual_key'][-4:]}"


@pytest.mark.parametrize(
    ("duration", "until"),
    [("90s", "12:01:30Z"), ("5m", "12:05:00Z"), ("2h", "14:00:00Z")],
)
def test_durations(duration: str, until: str, clock: FakeClock) -> None:
    assert build.issued_key(duration=duration)["expires_at"] == f"2026-03-01T{until}"


def test_expires_at_in_another_time_zone(clock: FakeClock) -> None:
    assert build.issued_key(expires_at="2026-03-02T01:00:00+02:00")["expires_at"] == "2026-03-01T23:00:00Z"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"duration": "0d"}, "duration"),
        ({"duration": "1mo"}, "duration"),
        ({"duration": "999999999w"}, "duration"),
        ({"duration": "-1d"}, "duration"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2030-01-01T00:00:00"}, "expires_at"),
        ({"expires_at": "9999-12-31T23:59:59-14:00"}, "expires_at"),
        ({"expires_at": "soon"}, "expires_at"),
        ({"duration": "1d", "expires_at": "2030-01-01T00:00:00Z"}, "body"),
        ({"models": []}, "models"),
        ({"models": ["a b"]}, "models.0"),
        ({"key_alias": ""}, "key_alias"),
    ],
)
def test_issue_names_the_field_that_is_wrong(body: dict[str, Any], field: str) -> None:
    before = all_items()
    answer = call("POST", "/api/teams/acme-dev/keys", body)
    assert answer.status == 422, answer.text
    assert [error["field"] for error in answer.body["errors"]] == [field]
    assert all_items() == before


def test_list_shows_every_key_masked(team: dict[str, Any], clock: FakeClock) -> None:
    clock.advance(days=300)
    issued = build.issued_key(key_alias="ci", models=["gpt-4o"])
    answer = call("GET", "/api/teams/acme-dev/keys")
    first, second = answer.body.pop("keys")
    assert answer.body == {"team_id": "acme-dev", "next_cursor": None}
    assert first == NO_LIMITS | {
        "user_id": None,
        "tags": [],
        "key_id": issued["key_id"],
        "masked": f"sk-...{issued['virtual_key'][-4:]}",
        "key_alias": "ci",
        "team_id": "acme-dev",
        "organization_id": "org_acme",
        "status": "active",
        "blocked": False,
        "models": ["gpt-4o"],
        "expires_at": None,
        "first_call_at": None,
        "created_at": "2026-12-26T12:00:00Z",
    }
    assert (second["key_id"], second["models"]) == (key_id_of(team["virtual_key"]), None)
    assert issued["virtual_key"] not in answer.text


def test_list_in_pages() -> None:
    made = {build.issued_key()["key_id"] for _ in range(3)}
    first = call("GET", "/api/teams/acme-dev/keys", query={"limit": 3}).body
    second = call("GET", "/api/teams/acme-dev/keys", query={"limit": 3, "cursor": first["next_cursor"]}).body
    seen = [entry["key_id"] for entry in first["keys"] + second["keys"]]
    assert (len(seen), len(set(seen)), second["next_cursor"]) == (4, 4, None)
    assert made < set(seen)
    build.team("acme-prod")
    foreign = call("GET", "/api/teams/acme-prod/keys", query={"limit": 3, "cursor": first["next_cursor"]})
    assert (foreign.status, foreign.body["code"]) == (400, "invalid_cursor")


def test_revoke_ends_a_key_on_its_next_request() -> None:
    issued = build.issued_key()
    assert whoami(issued["virtual_key"])[0] == 200
    path = f"/api/teams/acme-dev/keys/{issued['key_id']}"
    answer = call("DELETE", path)
    assert (answer.status, answer.body) == (200, {"key_id": issued["key_id"], "revoked": True})
    assert whoami(issued["virtual_key"]) == (401, UNAUTHENTICATED)
    before = all_items()
    assert call("DELETE", path).body == {"key_id": issued["key_id"], "revoked": True}
    assert all_items() == before
    statuses = {entry["key_id"]: entry["status"] for entry in call("GET", "/api/teams/acme-dev/keys").body["keys"]}
    assert statuses[issued["key_id"]] == "revoked"
    assert len(statuses) == 2


def test_the_primary_key_can_be_revoked_and_replaced(team: dict[str, Any]) -> None:
    call("DELETE", f"/api/teams/acme-dev/keys/{key_id_of(team['virtual_key'])}")
    assert whoami(team["virtual_key"]) == (401, UNAUTHENTICATED)
    rotated = call("POST", "/api/teams/acme-dev/rotate-key")
    assert whoami(rotated.body["virtual_key"])[0] == 200


def test_a_key_is_revoked_under_its_own_team_only() -> None:
    issued = build.issued_key()
    build.team("acme-prod")
    answer = call("DELETE", f"/api/teams/acme-prod/keys/{issued['key_id']}")
    assert (answer.status, answer.body) == (
        404,
        problem(404, "not_found", f"Key '{issued['key_id']}' not found"),
    )
    assert whoami(issued["virtual_key"])[0] == 200


def test_expiry(clock: FakeClock) -> None:
    issued = build.issued_key(duration="1h")
    clock.advance(minutes=59)
    assert whoami(issued["virtual_key"])[0] == 200
    clock.advance(minutes=1)
    assert whoami(issued["virtual_key"]) == (401, problem(401, "expired_key", "API key has expired"))


def _set(item: Any, **values: Any) -> None:
    item.refresh()
    item.update(item.changes(values))


def _key_item(virtual_key: str) -> KeyItem:
    return KeyItem(PK=keys.key(key_id_of(virtual_key)), SK=keys.ENTITY)


def _team_item() -> TeamItem:
    return TeamItem(PK=keys.team("acme-dev"), SK=keys.ENTITY)


def _organization_item() -> OrganizationItem:
    return OrganizationItem(PK=keys.organization("org_acme"), SK=keys.ENTITY)


def test_the_first_row_that_refuses_wins(team: dict[str, Any], clock: FakeClock) -> None:
    """Everything is wrong at once; taken away from the top, each row of Q-10 shows in its turn."""
    virtual_key = team["virtual_key"]
    _set(
        _key_item(virtual_key),
        status="revoked",
        expires_at="2026-03-01T11:00:00.000000Z",
        blocked=True,
    )
    _set(_team_item(), status="suspended", blocked=True)
    _set(_organization_item(), status="suspended", blocked=True)
    steps: list[tuple[tuple[int, str], Any, dict[str, Any]]] = [
        ((401, "Invalid or missing API key"), _key_item(virtual_key), {"status": "active"}),
        ((401, "API key has expired"), _key_item(virtual_key), {"expires_at": None}),
        ((403, "Key is blocked"), _key_item(virtual_key), {"blocked": False}),
        ((403, "Team is blocked"), _team_item(), {"blocked": False}),
        ((403, "Organization is blocked"), _organization_item(), {"blocked": False}),
        ((403, "Organization access suspended - contact support"), _organization_item(), {"status": "active"}),
        ((403, "Team access suspended - contact support"), _team_item(), {"status": "paused"}),
        ((403, "Team access temporarily paused"), _team_item(), {"status": "active"}),
    ]
    for (status, detail), item, repair in steps:
        answer = call("GET", "/api/teams/acme-dev", caller=key(virtual_key))
        assert (answer.status, answer.body["detail"]) == (status, detail)
        _set(item, **repair)
    assert whoami(virtual_key)[0] == 200


@pytest.mark.parametrize("owner", ["team", "organization"])
def test_a_key_of_an_owner_that_is_gone_or_going_is_unknown(owner: str, team: dict[str, Any]) -> None:
    item = _team_item() if owner == "team" else _organization_item()
    _set(item, deleting=True)
    assert whoami(team["virtual_key"]) == (401, UNAUTHENTICATED)
    item.delete()
    assert whoami(team["virtual_key"]) == (401, UNAUTHENTICATED)


def test_a_key_does_not_come_back_with_its_team_id(team: dict[str, Any]) -> None:
    left_behind = [item for item in raw_items() if item["kind"]["S"] == "key"]
    call("DELETE", "/api/teams/acme-dev", query={"force": "true"})
    put_raw(left_behind)
    build.team()
    assert whoami(team["virtual_key"]) == (401, UNAUTHENTICATED)


def test_writes_leave_audit_events() -> None:
    issued = build.issued_key(key_alias="ci")
    call("DELETE", f"/api/teams/acme-dev/keys/{issued['key_id']}")
    events = [event for event in audit_events() if event["resource_type"] == "key"]
    assert [(event["action"], event["resource_id"]) for event in events] == [
        ("key.issued", issued["key_id"]),
        ("key.revoked", issued["key_id"]),
    ]
    assert events[0]["after"] == '{"key_alias":"ci","team_id":"acme-dev"}'
    assert (events[1]["before"], events[1]["after"]) == ('{"status":"active"}', '{"status":"revoked"}')
