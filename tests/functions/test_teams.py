"""Teams, from the front."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from tests.support import build
from tests.support.api import call, key, problem
from tests.support.budgets import NO_LIMITS, NO_SPEND
from tests.support.clock import FakeClock
from tests.support.items import all_items, group_links, organization_counts
from tollgate.auth.credentials import key_id_of
from tollgate.teams.model import MAX_ACCESS_GROUPS

NOW = "2026-03-01T12:00:00Z"
SEED = {
    "organization_id": "org_acme",
    "team_id": "acme-prod",
    "team_alias": "ACME Production",
    "access_groups": ["gpt-models"],
    "credits_allocated": 1000,
}


def test_create(clock: FakeClock) -> None:
    build.organization()
    answer = call("POST", "/api/teams/create", SEED)
    assert answer.status == 200
    virtual_key = answer.body.pop("virtual_key")
    assert re.fullmatch(r"sk-[0-9a-f]{32}", virtual_key)
    assert answer.body == NO_LIMITS | {
        "tags": [],
        "allocated_budget": None,
        "credits_source": "team",
        "team_id": "acme-prod",
        "organization_id": "org_acme",
        "team_alias": "ACME Production",
        "credits_allocated": 1000,
        "credits_remaining": 1000,
        "status": "active",
        "access_groups": ["gpt-models"],
        "model_groups": ["gpt-models"],
        "allowed_models": ["azure/gpt-*", "gpt-*", "openai/gpt-*"],
        "default_model": None,
        "budget_mode": "job_based",
        "credits_per_dollar": 10,
        "tokens_per_credit": 10000,
        "cost_markup_percentage": 0,
        "credit_price_usd": 1,
        "charge_failed_jobs": False,
        "message": "Team 'acme-prod' has been created",
        "blocked": False,
        "model_access": "listed",
        "team_member_permissions": None,
        "object_permission_id": None,
        "member_budget_id": None,
        "member_key_duration": None,
        "default_member_models": [],
        "model_aliases": {},
        "created_at": NOW,
    }
    assert organization_counts() == (1, 1, 1000)
    assert group_links() == {("GROUP#gpt-models#TEAMS", "acme-prod")}
    assert not [item for item in all_items() if virtual_key in str(item)]


def test_create_stores_the_counter_that_calls_write() -> None:
    build.organization()
    build.team(credits_allocated=7)
    (account,) = [item for item in all_items() if item["kind"] == "account"]
    assert {name: value for name, value in account.items() if len(name) < 3 and name.islower()} == {
        "av": Decimal(7),
        "al": Decimal(7),
        "h": {},
        "us": Decimal(0),
        "tk": Decimal(0),
        "cn": Decimal(0),
        "sq": Decimal(1),
    }
    assert account["SK"] == "HOT#0"


def test_create_takes_the_other_name_of_access_groups() -> None:
    build.organization()
    assert build.team(model_groups=["gpt-models", "gpt-models", "*"])["access_groups"] == ["gpt-models", "*"]
    both = {"organization_id": "org_acme", "team_id": "x1", "access_groups": [], "model_groups": []}
    assert call("POST", "/api/teams/create", both).status == 422


def test_create_without_the_optional_fields() -> None:
    build.organization()
    team = build.team()
    assert (team["team_alias"], team["access_groups"], team["credits_allocated"]) == ("acme-dev", [], 0)
    assert call("GET", "/api/credits/transactions", query={"team_id": "acme-dev"}).body["total"] == 0


def test_create_refusals() -> None:
    build.organization()
    build.team("acme-prod")
    before = all_items()
    taken = call("POST", "/api/teams/create", SEED)
    assert (taken.status, taken.body) == (400, problem(400, "team_exists", "Team 'acme-prod' already exists"))
    nowhere = call("POST", "/api/teams/create", SEED | {"organization_id": "org_nobody"})
    assert (nowhere.status, nowhere.body) == (
        404,
        problem(404, "not_found", "Organization 'org_nobody' not found"),
    )
    unknown = call("POST", "/api/teams/create", SEED | {"team_id": "acme-new", "access_groups": ["gpt-models", "x"]})
    message = "Unknown access group 'x'"
    assert (unknown.status, unknown.body) == (
        422,
        problem(422, "unknown_access_group", message, errors=[{"field": "access_groups", "message": message}]),
    )
    assert all_items() == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("credits_allocated", -1),
        ("credits_allocated", 1.5),
        ("credits_allocated", True),
        ("credits_allocated", "5"),
        ("credits_per_dollar", 0),
        ("credits_per_dollar", True),
        ("tokens_per_credit", 0),
        ("tokens_per_credit", 1.5),
        ("cost_markup_percentage", -0.01),
        ("cost_markup_percentage", 1000),
        ("cost_markup_percentage", 1.001),
        ("budget_mode", "free"),
        ("team_alias", ""),
        ("team_alias", "a\nb"),
        ("access_groups", "gpt-models"),
        ("access_groups", [f"g{number}" for number in range(MAX_ACCESS_GROUPS + 1)]),
        ("metadata", {"a": "x" * 11_000}),
    ],
)
def test_create_names_the_field_that_is_wrong(field: str, value: object) -> None:
    build.organization()
    answer = call("POST", "/api/teams/create", SEED | {field: value})
    assert answer.status == 422
    assert [error["field"].split(".")[0] for error in answer.body["errors"]] == [field]


def test_get(clock: FakeClock) -> None:
    build.organization()
    created = build.team(credits_allocated=1000, metadata={"env": "dev"}, access_groups=["gpt-models"])
    assert build.team_details() == NO_LIMITS | NO_SPEND | {
        "account_shards": 1,
        "first_call_at": None,
        "tags": [],
        "allocated_budget": None,
        "credits_source": "team",
        "team_id": "acme-dev",
        "organization_id": "org_acme",
        "team_alias": "acme-dev",
        "virtual_key": f"sk-...{created['virtual_key'][-4:]}",
        "credits_allocated": 1000,
        "credits_remaining": 1000,
        "credits_used": 0,
        "credits_reserved": 0,
        "credits": {
            "team_id": "acme-dev",
            "organization_id": "org_acme",
            "credits_allocated": 1000,
            "credits_used": 0,
            "credits_remaining": 1000,
            "virtual_key": f"sk-...{created['virtual_key'][-4:]}",
        },
        "access_groups": ["gpt-models"],
        "model_groups": ["gpt-models"],
        "allowed_models": ["azure/gpt-*", "gpt-*", "openai/gpt-*"],
        "default_model": None,
        "status": "active",
        "status_reason": None,
        "blocked": False,
        "model_access": "listed",
        "team_member_permissions": None,
        "object_permission_id": None,
        "member_budget_id": None,
        "member_key_duration": None,
        "default_member_models": [],
        "model_aliases": {},
        "budget_mode": "job_based",
        "credits_per_dollar": 10,
        "tokens_per_credit": 10000,
        "cost_markup_percentage": 0,
        "credit_price_usd": 1,
        "charge_failed_jobs": False,
        "key_id": key_id_of(created["virtual_key"]),
        "metadata": {"env": "dev"},
        "usage_summary": {"total_jobs": 0, "total_cost_usd": 0},
        "created_at": NOW,
        "updated_at": NOW,
    }


def test_a_team_reads_itself_with_its_own_key() -> None:
    build.organization()
    created = build.team(credits_allocated=1)
    answer = call("GET", "/api/teams/acme-dev", caller=key(created["virtual_key"]))
    assert (answer.status, answer.body) == (200, build.team_details())
    assert created["virtual_key"] not in answer.text


def test_list(clock: FakeClock) -> None:
    build.organization("org_acme")
    build.organization("org_other")
    build.team("acme-dev", credits_allocated=5)
    clock.advance(seconds=1)
    build.team("acme-prod", team_alias="Production")
    clock.advance(seconds=1)
    build.team("other-dev", "org_other")
    call("POST", "/api/teams/acme-prod/suspend")

    def listed(**query: str) -> list[str]:
        return [team["team_id"] for team in call("GET", "/api/teams", query=query).body["teams"]]

    assert listed() == ["other-dev", "acme-prod", "acme-dev"]
    assert listed(organization_id="org_acme") == ["acme-prod", "acme-dev"]
    assert listed(organization_id="none") == []
    assert listed(search="DEV") == ["other-dev", "acme-dev"]
    assert listed(search="product") == ["acme-prod"]
    assert listed(status="suspended") == ["acme-prod"]
    assert listed(organization_id="org_acme", status="active") == ["acme-dev"]
    assert listed(limit="1", offset="2") == ["acme-dev"]
    nobody = call("GET", "/api/teams", query={"organization_id": "org_nobody"})
    assert (nobody.status, nobody.body["detail"]) == (404, "Organization 'org_nobody' not found")
    page = call("GET", "/api/teams", query={"search": "acme-dev"})
    assert page.body == {
        "teams": [
            NO_LIMITS
            | {
                "tags": [],
                "allocated_budget": None,
                "credits_source": "team",
                "team_id": "acme-dev",
                "organization_id": "org_acme",
                "team_alias": "acme-dev",
                "virtual_key": build.team_details("acme-dev")["virtual_key"],
                "credits_allocated": 5,
                "credits_remaining": 5,
                "status": "active",
                "access_groups": [],
                "model_groups": [],
                "default_model": None,
                "budget_mode": "job_based",
                "credits_per_dollar": 10,
                "tokens_per_credit": 10000,
                "cost_markup_percentage": 0,
                "credit_price_usd": 1,
                "charge_failed_jobs": False,
                "blocked": False,
                "model_access": "listed",
                "team_member_permissions": None,
                "object_permission_id": None,
                "member_budget_id": None,
                "member_key_duration": None,
                "default_member_models": [],
                "model_aliases": {},
                "created_at": NOW,
            }
        ],
        "next_cursor": None,
        "truncated": False,
    }


def test_update_changes_what_is_sent(clock: FakeClock) -> None:
    build.organization()
    build.team(access_groups=["gpt-models", "fast-models"], metadata={"a": 1}, credits_allocated=5)
    before = build.team_details()
    clock.advance(hours=1)
    request = {
        "team_alias": "ACME Production (Updated)",
        "access_groups": ["gpt-models", "claude-models"],
        "metadata": {"environment": "production", "contact": "tech@acme.com"},
        "budget_mode": "consumption_usd",
        "credits_per_dollar": 12.5,
        "cost_markup_percentage": 20.25,
    }
    answer = call("PUT", "/api/teams/acme-dev", request)
    assert answer.status == 200
    assert answer.body == before | request | {
        "updated_at": "2026-03-01T13:00:00Z",
        "model_groups": ["gpt-models", "claude-models"],
        "allowed_models": ["anthropic/*", "azure/gpt-*", "claude-*", "gpt-*", "openai/gpt-*"],
        "credit_price_usd": 0.08,
    }
    assert answer.body == build.team_details()
    assert group_links() == {("GROUP#gpt-models#TEAMS", "acme-dev"), ("GROUP#claude-models#TEAMS", "acme-dev")}


def test_null_puts_a_field_back_to_its_default() -> None:
    build.organization()
    settings = {
        "access_groups": ["gpt-models"],
        "metadata": {"a": 1},
        "budget_mode": "consumption_usd",
        "credits_per_dollar": 5,
        "tokens_per_credit": 5,
        "cost_markup_percentage": 5,
        "credit_price_usd": 0.05,
    }
    build.team(**settings)
    answer = call("PUT", "/api/teams/acme-dev", dict.fromkeys([*settings, "team_alias"]))
    assert answer.status == 200
    assert {name: answer.body[name] for name in [*settings, "team_alias"]} == {
        "access_groups": [],
        "metadata": {},
        "budget_mode": "job_based",
        "credits_per_dollar": 10,
        "tokens_per_credit": 10000,
        "cost_markup_percentage": 0,
        "credit_price_usd": 1,
        "team_alias": None,
    }
    assert group_links() == set()


def test_a_full_list_of_groups_is_replaced_by_another_full_one() -> None:
    build.organization()
    groups = [f"group-{number}" for number in range(2 * MAX_ACCESS_GROUPS)]
    for name in groups:
        build.access_group(name)
    first, second = groups[:MAX_ACCESS_GROUPS], groups[MAX_ACCESS_GROUPS:]
    build.team(access_groups=first)
    assert call("PUT", "/api/teams/acme-dev", {"access_groups": second}).body["access_groups"] == second
    assert {group for group, _ in group_links()} == {f"GROUP#{name}#TEAMS" for name in second}


def test_update_with_an_unknown_group_changes_nothing() -> None:
    build.organization()
    build.team(access_groups=["gpt-models"])
    before = all_items()
    answer = call("PUT", "/api/teams/acme-dev", {"team_alias": "x", "access_groups": ["nope"]})
    assert (answer.status, answer.body["detail"]) == (422, "Unknown access group 'nope'")
    assert all_items() == before
