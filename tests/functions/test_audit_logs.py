"""The audit list: who changed what (contract 1.8, Q-26, Q-38)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import build
from tests.support.api import NOBODY, REQUEST_ID, SOURCE_IP, call, key, problem
from tests.support.clock import FakeClock
from tests.support.items import all_items

PATHS = ["/api/audit-logs", "/api/admin-users/audit-logs"]
LOGS = PATHS[0]
NOON = "2026-03-01T12:00:00Z"


def listed(**query: Any) -> list[str]:
    """Action and resource of the events that a query finds."""
    answer = call("GET", LOGS, query=query)
    assert answer.status == 200, answer.text
    return [f"{event['action']} {event['resource_id']}" for event in answer.body["audit_logs"]]


@pytest.fixture
def history(clock: FakeClock) -> None:
    build.organization("org_acme", name="ACME")
    build.organization("org_other")
    call("PUT", "/api/organizations/org_acme", {"name": "Better"})
    build.alias("fast")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.usefixtures("history")
def test_newest_first(path: str) -> None:
    answer = call("GET", path, query={"limit": 2})
    ids = [event.pop("audit_id") for event in answer.body["audit_logs"]]
    assert sorted(ids, reverse=True) == ids
    common = {
        "user_id": "default_user_id",
        "actor_kind": "platform",
        "ip_address": SOURCE_IP,
        "request_id": REQUEST_ID,
        "created_at": NOON,
    }
    assert answer.status == 200
    assert answer.body["audit_logs"] == [
        {
            "action": "model_alias.created",
            "resource_type": "model_alias",
            "resource_id": "fast",
            "organization_id": None,
            "details": {"before": {}, "after": {"alias": "fast", "litellm_model": "openai/gpt-4o-mini"}},
        }
        | common,
        {
            "action": "organization.updated",
            "resource_type": "organization",
            "resource_id": "org_acme",
            "organization_id": "org_acme",
            "details": {"before": {"name": "ACME"}, "after": {"name": "Better"}},
        }
        | common,
    ]
    assert answer.body["truncated"] is False
    rest = call("GET", path, query={"cursor": answer.body["next_cursor"]}).body
    assert [event["resource_id"] for event in rest["audit_logs"]] == ["org_other", "org_acme"]
    assert rest["next_cursor"] is None


@pytest.mark.usefixtures("history")
def test_filters() -> None:
    assert listed(action="organization.updated") == ["organization.updated org_acme"]
    assert listed(resource_type="model_alias") == ["model_alias.created fast"]
    assert len(listed(user_id="default_user_id")) == 4
    assert listed(user_id="somebody") == []
    assert listed(organization_id="org_acme") == ["organization.updated org_acme", "organization.created org_acme"]
    assert listed(organization_id="org_acme", action="organization.created") == ["organization.created org_acme"]
    assert listed(organization_id="org_never") == []
    assert listed(offset=3) == ["organization.created org_acme"]


@pytest.mark.usefixtures("history")
def test_events_of_a_deleted_organization_stay() -> None:
    assert call("DELETE", "/api/organizations/org_other").status == 200
    found = listed(organization_id="org_other")
    assert found[-1] == "organization.created org_other"
    assert found[0] == "organization.deleted org_other"


def test_fifty_are_listed_unless_asked_for_more() -> None:
    for number in range(52):
        build.access_group(f"group-{number}")
    assert len(listed()) == 50
    assert len(listed(limit=100)) == 52


@pytest.mark.parametrize(
    ("query", "field"),
    [({"limit": 101}, "limit"), ({"limit": 0}, "limit"), ({"limit": "x"}, "limit"), ({"action": "x" * 257}, "action")],
)
def test_a_wrong_query_names_the_parameter(query: dict[str, Any], field: str) -> None:
    answer = call("GET", LOGS, query=query)
    assert (answer.status, [error["field"] for error in answer.body["errors"]]) == (422, [field])


@pytest.mark.usefixtures("history")
def test_a_cursor_belongs_to_its_filter() -> None:
    cursor = call("GET", LOGS, query={"limit": 1}).body["next_cursor"]
    for query in ({"action": "x"}, {"organization_id": "org_acme"}, {"user_id": "default_user_id"}):
        answer = call("GET", LOGS, query=query | {"cursor": cursor})
        text = "The cursor is not valid for this list"
        expected = problem(400, "invalid_cursor", text, errors=[{"field": "cursor", "message": text}])
        assert (answer.status, answer.body) == (400, expected)


@pytest.mark.parametrize("path", PATHS)
def test_only_platform_roles_read_it(path: str) -> None:
    build.organization()
    mine = key(build.team()["virtual_key"])
    before = all_items()
    for query in ({}, {"organization_id": "org_acme"}):
        answer = call("GET", path, query=query, caller=mine)
        expected = problem(403, "forbidden", "This credential may not use this endpoint")
        assert (answer.status, answer.body) == (403, expected)
    assert call("GET", path, caller=NOBODY).status == 401
    assert all_items() == before
