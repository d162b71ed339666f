"""Organizations, from the front."""

from __future__ import annotations

import json

import pytest

from tests.support import build
from tests.support.api import REQUEST_ID, SOURCE_IP, call, key, problem
from tests.support.budgets import NO_LIMITS, NO_SPEND
from tests.support.clock import FakeClock
from tests.support.items import all_items, audit_events, kinds_left, partition
from tollgate.auth.principal import ActorKind, Principal, Role
from tollgate.core.errors import StoreUnavailableError
from tollgate.organizations import repository
from tollgate.organizations.access import event_of
from tollgate.table.transactions import Work
from tollgate.tenants import teardown

NOW = "2026-03-01T12:00:00Z"
MISSING = problem(404, "not_found", "Organization 'org_acme' not found")
UNLIMITED = NO_LIMITS | {
    "tags": [],
    "rollover": "none",
    "allocated_total": 0,
    "account_shards": 1,
    "models": None,
    "model_aliases": {},
    "object_permission_id": None,
}


def own_budget() -> dict[str, str]:
    """Every organization has a budget of its own, even where it limits nothing (Q-22)."""
    (item,) = [item for item in all_items() if item["kind"] == "organization"]
    return {"budget_id": f"org-{item['uid']}"}


def test_create(clock: FakeClock) -> None:
    request = {
        "organization_id": "org_acme",
        "name": "ACME Corporation",
        "metadata": {"industry": "Technology", "tier": "Enterprise"},
    }
    answer = call("POST", "/api/organizations/create", request)
    assert answer.status == 200
    assert answer.body == UNLIMITED | own_budget() | request | {
        "status": "active",
        "blocked": False,
        "created_at": NOW,
        "updated_at": NOW,
    }


def test_the_id_is_taken_once() -> None:
    build.organization()
    answer = call("POST", "/api/organizations/create", {"organization_id": "org_acme", "name": "Other"})
    assert answer.status == 400
    assert answer.body == problem(400, "organization_exists", "Organization ID already exists: 'org_acme'")


@pytest.mark.parametrize("bad", ["ACME Corp", "org/acme", "123acme", "a", "a" * 65, "", "org_ä", "org#a"])
def test_ids_follow_the_rule(bad: str) -> None:
    answer = call("POST", "/api/organizations/create", {"organization_id": bad, "name": "x"})
    assert answer.status == 422
    assert [error["field"] for error in answer.body["errors"]] == ["organization_id"]


@pytest.mark.parametrize("good", ["org_acme", "org-acme-corp", "acme_corporation", "a1", "a" * 64])
def test_ids_of_the_documentation_are_fine(good: str) -> None:
    assert build.organization(good)["organization_id"] == good


def test_metadata_comes_back_as_it_was_sent() -> None:
    metadata = {
        "price": 1.1,
        "big": 10**30,
        "huge": 1e22,
        "small": 1e-300,
        "nested": {"list": [1, 2.50, None, True, "ä\N{EURO SIGN}"]},
    }
    build.organization(metadata=metadata)
    assert call("GET", "/api/organizations/org_acme").body["metadata"] == metadata


def test_metadata_is_bounded() -> None:
    request = {"organization_id": "org_acme", "name": "x", "metadata": {"a": "x" * 10_240}}
    answer = call("POST", "/api/organizations/create", request)
    assert answer.status == 422
    assert [error["field"] for error in answer.body["errors"]] == ["metadata"]


def test_list_is_newest_first_and_counts_teams(clock: FakeClock) -> None:
    build.organization("org_acme", name="ACME Corporation")
    clock.advance(seconds=1)
    build.organization("org_techco", name="TechCo Inc")
    build.team("acme-dev", credits_allocated=1000)
    build.team("acme-prod", credits_allocated=500)
    call("POST", "/api/teams/acme-prod/suspend")
    call("POST", "/api/credits/add", {"team_id": "acme-prod", "amount": 7})
    answer = call("GET", "/api/organizations")
    assert answer.body == {
        "organizations": [
            {
                "organization_id": "org_techco",
                "name": "TechCo Inc",
                "team_count": 0,
                "total_credits_allocated": 0,
                "status": "active",
                "blocked": False,
                "created_at": "2026-03-01T12:00:01Z",
            },
            {
                "organization_id": "org_acme",
                "name": "ACME Corporation",
                "team_count": 2,
                "total_credits_allocated": 1507,
                "status": "active",
                "blocked": False,
                "created_at": NOW,
            },
        ],
        "next_cursor": None,
        "truncated": False,
    }


def ids(**query: str) -> list[str]:
    answer = call("GET", "/api/organizations", query=query)
    return [entry["organization_id"] for entry in answer.body["organizations"]]


def test_search_and_filter() -> None:
    build.organization("org_acme", name="ACME Corporation")
    build.organization("org_techco", name="TechCo Inc")
    call("PUT", "/api/organizations/org_techco/status", {"status": "suspended"})
    assert ids(search="CORP") == ["org_acme"]
    assert ids(search="tech") == ["org_techco"]
    assert ids(status="active") == ["org_acme"]
    assert ids(status="suspended", search="acme") == []
    assert call("GET", "/api/organizations", query={"status": "paused"}).status == 422


def test_pages_follow_each_other(clock: FakeClock) -> None:
    made = [f"org_{number}" for number in range(5)]
    for name in made:
        build.organization(name)
        clock.advance(seconds=1)
    seen, cursor = [], None
    while True:
        answer = call("GET", "/api/organizations", query={"limit": 2} | ({"cursor": cursor} if cursor else {}))
        seen += [entry["organization_id"] for entry in answer.body["organizations"]]
        cursor = answer.body["next_cursor"]
        if cursor is None:
            break
    assert seen == made[::-1]
    assert ids(limit="2", offset="3") == ["org_1", "org_0"]


def test_a_cursor_belongs_to_its_list_and_filter() -> None:
    for number in range(3):
        build.organization(f"org_{number}")
    cursor = call("GET", "/api/organizations", query={"limit": 1}).body["next_cursor"]
    invalid = problem(
        400,
        "invalid_cursor",
        "The cursor is not valid for this list",
        errors=[{"field": "cursor", "message": "The cursor is not valid for this list"}],
    )
    for path, query in (("/api/organizations", {"search": "org"}), ("/api/teams", {}), ("/api/audit-logs", {})):
        answer = call("GET", path, query=query | {"cursor": cursor})
        assert (answer.status, answer.body) == (400, invalid)


def test_get(clock: FakeClock) -> None:
    build.organization(metadata={"tier": "Enterprise"})
    build.team("acme-dev", team_alias="ACME Dev Team", credits_allocated=850)
    clock.advance(seconds=1)
    build.team("acme-prod", team_alias="ACME Production", credits_allocated=1200)
    call("POST", "/api/teams/acme-prod/pause")
    answer = call("GET", "/api/organizations/org_acme")
    assert answer.status == 200
    assert answer.body == UNLIMITED | NO_SPEND | own_budget() | {
        "allocations": {},
        "organization_id": "org_acme",
        "name": "Name of org_acme",
        "metadata": {"tier": "Enterprise"},
        "status": "active",
        "blocked": False,
        "created_at": NOW,
        "updated_at": NOW,
        "team_count": 2,
        "total_credits_allocated": 2050,
        "teams": [
            {"team_id": "acme-dev", "team_alias": "ACME Dev Team", "credits_remaining": 850, "status": "active"},
            {"team_id": "acme-prod", "team_alias": "ACME Production", "credits_remaining": 1200, "status": "paused"},
        ],
        "usage_summary": {"total_jobs": 0, "total_cost_usd": 0, "credits_used": 0},
    }


def test_teams_of_an_organization() -> None:
    build.organization("org_acme")
    build.organization("org_other")
    for team in ("acme-a", "acme-b", "acme-c"):
        build.team(team)
    build.team("other-a", "org_other")
    first = call("GET", "/api/organizations/org_acme/teams", query={"limit": 2})
    cursor = first.body.pop("next_cursor")
    assert first.body == {"organization_id": "org_acme", "team_count": 3, "teams": ["acme-c", "acme-b"]}
    second = call("GET", "/api/organizations/org_acme/teams", query={"limit": 2, "cursor": cursor})
    assert second.body == {
        "organization_id": "org_acme",
        "team_count": 3,
        "teams": ["acme-a"],
        "next_cursor": None,
    }
    foreign = call("GET", "/api/organizations/org_other/teams", query={"limit": 2, "cursor": cursor})
    assert foreign.status == 400


def test_update_changes_what_is_sent(clock: FakeClock) -> None:
    build.organization(metadata={"tier": "Enterprise", "region": "eu"})
    clock.advance(hours=1)
    answer = call("PUT", "/api/organizations/org_acme", {"metadata": {"tier": "Enterprise Plus"}})
    assert answer.body == UNLIMITED | own_budget() | {
        "organization_id": "org_acme",
        "name": "Name of org_acme",
        "metadata": {"tier": "Enterprise Plus"},
        "status": "active",
        "blocked": False,
        "created_at": NOW,
        "updated_at": "2026-03-01T13:00:00Z",
    }
    renamed = call("PUT", "/api/organizations/org_acme", {"name": "ACME Corporation (Updated)"}).body
    assert (renamed["name"], renamed["metadata"]) == ("ACME Corporation (Updated)", {"tier": "Enterprise Plus"})
    assert call("PUT", "/api/organizations/org_acme", {"metadata": None}).body["metadata"] == {}
    assert call("PUT", "/api/organizations/org_acme", {"name": None}).status == 422


def test_suspension_bites_on_the_next_request_and_ends_with_it() -> None:
    build.organization()
    caller = key(build.team()["virtual_key"])
    assert call("GET", "/api/teams/acme-dev", caller=caller).status == 200
    answer = call("PUT", "/api/organizations/org_acme/status", {"status": "suspended", "reason": "unpaid"})
    answer.body.pop("updated_at")
    assert answer.body == {
        "organization_id": "org_acme",
        "status": "suspended",
        "previous_status": "active",
        "reason": "unpaid",
    }
    refused = call("GET", "/api/teams/acme-dev", caller=caller)
    assert (refused.status, refused.body) == (
        403,
        problem(403, "organization_suspended", "Organization access suspended - contact support"),
    )
    call("PUT", "/api/organizations/org_acme/status", {"status": "active"})
    assert call("GET", "/api/teams/acme-dev", caller=caller).status == 200


def test_writes_leave_an_audit_event_in_the_same_breath(clock: FakeClock) -> None:
    build.organization(metadata={})
    call("PUT", "/api/organizations/org_acme/status", {"status": "suspended", "reason": "unpaid"})
    created, suspended = audit_events()
    assert created["action"] == "organization.created"
    assert suspended["action"] == "organization.suspended"
    for event in (created, suspended):
        assert (event["actor"], event["actor_kind"]) == ("default_user_id", "platform")
        assert (event["resource_type"], event["resource_id"]) == ("organization", "org_acme")
        assert (event["ip_address"], event["request_id"]) == (SOURCE_IP, REQUEST_ID)
        assert event["organization_id"] == "org_acme"
    assert suspended["before"] == '{"status":"active"}'
    assert suspended["after"] == '{"status":"suspended","status_reason":"unpaid"}'


def test_delete_needs_quiet_teams() -> None:
    build.organization()
    build.team()
    answer = call("DELETE", "/api/organizations/org_acme")
    assert (answer.status, answer.body) == (
        409,
        problem(409, "organization_has_active_teams", "Organization has active teams"),
    )
    assert call("GET", "/api/organizations/org_acme").status == 200


def _busy_organization() -> str:
    """An organization with everything under it, teams suspended; returns a key of it."""
    build.organization()
    build.access_group()
    team = build.team("acme-dev", access_groups=["acme-models"], credits_allocated=100)
    build.team("acme-prod", access_groups=["gpt-models"])
    build.issued_key("acme-dev")
    build.provider_credential(organization_id="org_acme")
    for name in ("acme-dev", "acme-prod"):
        call("POST", f"/api/teams/{name}/suspend")
    return str(team["virtual_key"])


def _left_over() -> set[str]:
    """Kinds of items that a deletion must not leave."""
    kept = {"audit_event", "transaction", "access_group", "catalogue_version", "deletion"}
    return kinds_left() - kept


def test_delete_takes_all_but_the_books() -> None:
    virtual_key = _busy_organization()
    answer = call("DELETE", "/api/organizations/org_acme")
    assert (answer.status, answer.body) == (
        200,
        {"organization_id": "org_acme", "deleted": True, "state": "done", "teams_deleted": 2, "keys_deleted": 3},
    )
    assert _left_over() == set()
    assert [item["kind"] for item in all_items() if item["kind"] == "transaction"] == ["transaction"]
    assert call("GET", "/api/organizations/org_acme").body == MISSING
    assert call("GET", "/api/organizations").body["organizations"] == []
    assert call("GET", "/api/teams").body["teams"] == []
    assert call("GET", "/api/teams/acme-dev", caller=key(virtual_key)).status == 401
    assert call("GET", "/api/model-access-groups/acme-models").body["teams_with_access"] == []
    assert call("DELETE", "/api/organizations/org_acme").body == MISSING


def test_a_deleted_id_starts_empty() -> None:
    virtual_key = _busy_organization()
    call("DELETE", "/api/organizations/org_acme")
    build.organization(name="Second")
    build.team("acme-dev")
    details = call("GET", "/api/organizations/org_acme").body
    assert (details["name"], details["metadata"], details["total_credits_allocated"]) == ("Second", {}, 0)
    assert call("GET", "/api/credits/transactions", query={"team_id": "acme-dev"}).body["transactions"] == []
    assert call("GET", "/api/provider-credentials/organization/org_acme").body["next_cursor"] is None
    assert call("GET", "/api/teams/acme-dev", caller=key(virtual_key)).status == 401


def test_what_goes_with_an_organization_is_in_its_audit_log() -> None:
    _busy_organization()
    kept = {item["kind"]: item for item in all_items()}
    call("DELETE", "/api/organizations/org_acme")
    log = [event for event in audit_events() if event["action"].endswith((".closed", ".deleted"))]
    assert {event["PK"] for event in log} == {f"AUDIT#{kept['organization']['uid']}"}
    assert {event["organization_id"] for event in log} == {"org_acme"}
    assert {event["actor"] for event in log} == {"default_user_id"}
    (removed,) = (event for event in log if event["action"] == "provider_credential.deleted")
    assert removed["resource_id"] == kept["provider_credential"]["credential_id"]


def test_nothing_is_added_to_an_organization_that_is_being_deleted() -> None:
    _busy_organization()
    organization = repository.find("org_acme")
    assert organization is not None
    owner = Principal("somebody", ActorKind.PLATFORM, Role.PLATFORM_OWNER)
    work = Work()
    repository.close(work, organization, event_of(owner, organization, "closed", organization.created_at))
    work.commit()
    request = {"organization_id": "org_acme", "team_id": "acme-new"}
    assert call("POST", "/api/teams/create", request).body == MISSING
    answer = call("POST", "/api/teams/acme-dev/resume")
    assert (answer.status, answer.body) == (
        409,
        problem(409, "organization_deleting", "Organization 'org_acme' is being deleted"),
    )


def test_a_store_that_does_not_answer_is_a_503(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(_: Work) -> None:
        raise StoreUnavailableError("The data store did not answer; try again")

    monkeypatch.setattr(Work, "commit", silent)
    answer = call("POST", "/api/organizations/create", {"organization_id": "org_acme", "name": "x"})
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert answer.body["code"] == "store_unavailable"


def test_deleting_many_keys_takes_several_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teardown, "_AT_ONCE", 2)
    build.organization()
    build.team()
    for _ in range(4):
        build.issued_key()
    call("POST", "/api/teams/acme-dev/suspend")
    assert call("DELETE", "/api/organizations/org_acme").body["keys_deleted"] == 5
    assert partition("ORG#org_acme") == []


def test_models_other_names_and_blocking() -> None:
    """What its calls may use; null and an empty map take it away again, absent keeps (Q-23, Q-25)."""
    made = build.organization(models=["fast", "openai/*"], model_aliases={"quick": "fast"}, blocked=True)
    assert (made["models"], made["model_aliases"], made["blocked"]) == (["fast", "openai/*"], {"quick": "fast"}, True)
    kept = call("PUT", "/api/organizations/org_acme", {"models": ["slow"]}).body
    assert (kept["models"], kept["model_aliases"], kept["blocked"]) == (["slow"], {"quick": "fast"}, True)
    body = {"models": None, "model_aliases": {}, "blocked": None}
    cleared = call("PUT", "/api/organizations/org_acme", body).body
    assert (cleared["models"], cleared["model_aliases"], cleared["blocked"]) == (None, {}, False)
    event = audit_events()[-1]
    assert (json.loads(event["before"])["models"], json.loads(event["after"])["blocked"]) == (["slow"], None)
    refused = call("PUT", "/api/organizations/org_acme", {"models": []})
    assert (refused.status, refused.body["errors"][0]["field"]) == (422, "models")


def test_a_name_and_what_is_kept_beside_it() -> None:
    made = build.organization(object_permission={"vector_stores": ["docs"]})
    permission_id = made["object_permission_id"]
    assert permission_id is not None
    (item,) = [item for item in all_items() if item["kind"] == "object_permission"]
    assert (item["PK"], json.loads(item["permission"])) == ("ORG#org_acme", {"vector_stores": ["docs"]})
    merged = call("PUT", "/api/organizations/org_acme", {"object_permission": {"agents": ["x"]}}).body
    assert merged["object_permission_id"] == permission_id
    call("DELETE", "/api/organizations/org_acme")
    assert not [item for item in all_items() if item["kind"] == "object_permission"]
