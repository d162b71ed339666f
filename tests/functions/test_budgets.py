"""Budgets and limits on every scope, from the front (Q-13, Q-20, Q-22, Q-25, Q-45, Q-52, Q-53)."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.support import build
from tests.support.api import call, key, problem
from tests.support.budgets import NO_LIMITS
from tests.support.clock import FakeClock
from tests.support.items import all_items, audit_events, partition, put_raw, raw_items
from tollgate.auth.credentials import key_id_of
from tollgate.auth.principal import ActorKind, Principal, Role
from tollgate.core.errors import ForbiddenError, NotFoundError
from tollgate.limits.fields import LimitFields
from tollgate.limits.model import Limits, ModelBudget
from tollgate.limits.stored import from_map
from tollgate.table import keys
from tollgate.tenants.budgets import AdjustSpend, budget_service

NOON = 1772366400  # 2026-03-01T12:00:00Z, where the fake clock stands
MONTH = {"window": "calendar", "budget_reset_at": "2026-04-01T00:00:00Z"}
FORBIDDEN = problem(403, "forbidden", "This credential may not use this endpoint")


@pytest.fixture(scope="module")
def snapshot() -> dict[str, Any]:
    """What the first test made, for the others to put back."""
    return {}


@pytest.fixture
def acme(empty_table: None, clock: FakeClock, snapshot: dict[str, Any]) -> dict[str, Any]:
    """An organization with a team, a user in both, and a second tenant; the team's creation."""
    if snapshot:
        put_raw(snapshot["items"])
    else:
        build.organization("org_other")
        build.team("other-dev", "org_other")
        build.organization()
        made = build.team()
        build.user("ana")
        build.member("organization-member", "org_acme", "ana")
        build.member("team-member", "acme-dev", "ana")
        snapshot.update(team=made, items=raw_items())
    team: dict[str, Any] = snapshot["team"]
    return team


def path(scope: str, scope_id: str) -> str:
    return f"/api/budgets/{scope}/{scope_id}"


def scopes(team: dict[str, Any]) -> dict[str, str]:
    """Every scope with the id of one entity."""
    return {
        "platform": "platform",
        "organization": "org_acme",
        "team": "acme-dev",
        "user": "ana",
        "key": key_id_of(team["virtual_key"]),
        "customer": "end%20user%2F7",
        "tag": "batch",
        "organization-member": "org_acme~ana",
        "team-member": "acme-dev~ana",
    }


def stored(pk: str, sk: str = keys.ENTITY) -> Limits:
    """The limits that an item has, as the hot path reads them."""
    (item,) = [item for item in raw_items() if (item["PK"]["S"], item["SK"]["S"]) == (pk, sk)]
    return from_map(item["limits"]["M"]) if "limits" in item else Limits()


def uid_of(kind: str, **wanted: str) -> str:
    (item,) = [item for item in all_items() if item["kind"] == kind and wanted.items() <= item.items()]
    return str(item["uid"])


def test_every_scope_can_be_limited_read_and_freed(acme: dict[str, Any]) -> None:
    for scope, scope_id in scopes(acme).items():
        sent = {"max_budget": 12.5, "budget_duration": "1mo", "rpm_limit": 7, "model_rpm_limit": {"fast": 3}}
        answer = call("PUT", path(scope, scope_id), sent)
        own = {"budget_id": f"org-{uid_of('organization', organization_id='org_acme')}"}
        expected = (
            NO_LIMITS
            | sent
            | MONTH
            | (own if scope == "organization" else {})
            | {"spend": 0, "reserved": 0, "model_spend": {}, "shared": None, "uses": None}
            | {"scope": scope, "scope_id": scope_id.replace("%20", " ").replace("%2F", "/")}
        )
        assert (scope, answer.status, answer.body) == (scope, 200, expected)
        assert call("GET", path(scope, scope_id)).body == expected
        gone = call("DELETE", path(scope, scope_id))
        assert gone.body == {"scope": scope, "scope_id": expected["scope_id"], "deleted": True}
        if scope in {"customer", "tag"}:
            assert call("GET", path(scope, scope_id)).status == 404
        else:
            assert call("GET", path(scope, scope_id)).body["max_budget"] is None
    events = [event for event in audit_events() if event["resource_type"] == "budget"]
    assert [event["action"] for event in events] == ["budget.updated", "budget.deleted"] * 9
    assert json.loads(events[4]["after"]) == {
        "max_budget": 12.5,
        "budget_duration": "1mo",
        "rpm_limit": 7,
        "model_rpm_limit": {"fast": 3},
    }
    assert (events[4]["resource_id"], events[4]["organization_id"]) == ("team/acme-dev", "org_acme")


def test_put_changes_what_is_sent_and_null_clears(acme: dict[str, Any]) -> None:
    call("PUT", path("team", "acme-dev"), {"max_budget": 5, "rpm_limit": 1, "model_tpm_limit": {"fast": 1}})
    answer = call("PUT", path("team", "acme-dev"), {"max_budget": None, "model_tpm_limit": None, "tpm_limit": 0})
    assert {name: answer.body[name] for name in ("max_budget", "rpm_limit", "model_tpm_limit", "tpm_limit")} == {
        "max_budget": None,
        "rpm_limit": 1,
        "model_tpm_limit": {},
        "tpm_limit": 0,
    }
    assert stored("TEAM#acme-dev") == Limits(rpm_limit=1, tpm_limit=0)


def test_a_budget_remembers_since_when_it_counts(acme: dict[str, Any], clock: FakeClock) -> None:
    """Set on an entity that has been there, or with another window: what was spent before is not lost."""
    build.organization("org_new", max_budget=5)
    assert stored("ORG#org_new").budget_since is None
    team = path("team", "acme-dev")
    call("PUT", team, {"max_budget": 5, "model_max_budget": {"fast": {"max_budget": 1}}})
    assert stored("TEAM#acme-dev").budget_since == NOON
    assert stored("TEAM#acme-dev").model_max_budget == {"fast": ModelBudget(Decimal(1), None, NOON)}
    clock.advance(hours=1)
    call("PUT", team, {"max_budget": 50, "model_max_budget": {"fast": {"max_budget": 2}}})
    assert stored("TEAM#acme-dev").budget_since == NOON
    assert stored("TEAM#acme-dev").model_max_budget == {"fast": ModelBudget(Decimal(2), None, NOON)}
    call("PUT", team, {"budget_duration": "1d"})
    assert stored("TEAM#acme-dev").budget_since == NOON + 3600
    call("PUT", team, {"max_budget": None})
    assert stored("TEAM#acme-dev").budget_since is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"max_budget": -0.01}, "max_budget"),
        ({"max_budget": "NaN"}, "max_budget"),
        ({"max_budget": 10**13}, "max_budget"),
        ({"soft_budget": True}, "soft_budget"),
        ({"rpm_limit": 1.5}, "rpm_limit"),
        ({"tpm_limit": -1}, "tpm_limit"),
        ({"max_parallel_requests": "4"}, "max_parallel_requests"),
        ({"model_rpm_limit": {"a b": 1}}, "model_rpm_limit.a b.[key]"),
        ({"model_tpm_limit": {"fast": -1}}, "model_tpm_limit.fast"),
        ({"model_max_budget": {"fast": {"budget_limit": -1}}}, "model_max_budget.fast.budget_limit"),
        ({"model_max_budget": {"fast": {}}}, "model_max_budget.fast.max_budget"),
        ({"allowed_models": ["a b"]}, "allowed_models.0"),
        ({"temp_budget_increase": 5}, "temp_budget_expiry"),
        ({"temp_budget_increase": 5, "temp_budget_expiry": "2027-01-01"}, "temp_budget_expiry"),
        ({"budget_id": "none-such"}, "budget_id"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], field: str, acme: dict[str, Any]) -> None:
    before = all_items()
    answer = call("PUT", path("team", "acme-dev"), body)
    assert (answer.status, [error["field"] for error in answer.body["errors"]]) == (422, [field])
    assert all_items() == before


@pytest.mark.parametrize("duration", ["0d", "1y", "-1d", "d", "1.5h", "99999mo", "9999d", "monthly", "30 d"])
def test_durations_follow_the_grammar(duration: str, acme: dict[str, Any]) -> None:
    answer = call("PUT", path("team", "acme-dev"), {"budget_duration": duration})
    message = f"Invalid budget_duration '{duration}'. Use a format like '1h', '24h', '7d', or '30d'."
    assert (answer.status, answer.body["errors"]) == (422, [{"field": "budget_duration", "message": message}])


@pytest.mark.parametrize(
    ("duration", "resets"),
    [
        ("30d", "2026-04-01T00:00:00Z"),
        ("7d", "2026-03-02T00:00:00Z"),
        ("1d", "2026-03-02T00:00:00Z"),
        ("5h", "2026-03-01T15:00:00Z"),
        ("30m", "2026-03-01T12:30:00Z"),
    ],
)
def test_the_reset_is_told_by_the_clock(duration: str, resets: str, acme: dict[str, Any]) -> None:
    assert build.budget("team", "acme-dev", max_budget=1, budget_duration=duration)["budget_reset_at"] == resets


def test_a_shared_row_is_used_where_the_own_limits_say_nothing(acme: dict[str, Any]) -> None:
    build.budget("shared", "starter", max_budget=50, budget_duration="1mo", rpm_limit=9)
    build.budget("team", "acme-dev", budget_id="starter", rpm_limit=3)
    body = call("GET", path("team", "acme-dev")).body
    assert (body["budget_id"], body["max_budget"], body["rpm_limit"]) == ("starter", None, 3)
    assert body["shared"] == NO_LIMITS | {
        "budget_id": "starter",
        "max_budget": 50,
        "budget_duration": "1mo",
        "window": "calendar",
        "rpm_limit": 9,
    }
    assert body["budget_reset_at"] == "2026-04-01T00:00:00Z"
    build.issued_key(budget_id="starter")
    assert call("GET", path("shared", "starter")).body["uses"] == 2


def test_a_row_in_use_stays_and_a_free_one_goes(acme: dict[str, Any]) -> None:
    build.budget("shared", "starter", max_budget=50)
    build.budget("shared", "other", max_budget=5)
    users = {
        "organization": ("org_acme", "starter"),
        "team": ("acme-dev", "starter"),
        "user": ("ana", "starter"),
        "team-member": ("acme-dev~ana", "starter"),
        "organization-member": ("org_acme~ana", "starter"),
        "customer": ("c7", "starter"),
    }
    for scope, (scope_id, budget_id) in users.items():
        build.budget(scope, scope_id, budget_id=budget_id)
    build.issued_key(budget_id="starter")
    assert call("GET", path("shared", "starter")).body["uses"] == 7
    refused = call("DELETE", path("shared", "starter"))
    assert (refused.status, refused.body) == (409, problem(409, "budget_in_use", "Budget 'starter' is in use"))
    build.budget("user", "ana", budget_id="other")
    build.budget("team-member", "acme-dev~ana", budget_id="")
    call("DELETE", path("customer", "c7"))
    assert call("GET", path("shared", "starter")).body["uses"] == 4
    call("POST", "/api/teams/acme-dev/suspend")
    assert call("DELETE", "/api/organizations/org_acme").status == 200
    assert call("GET", path("shared", "starter")).body["uses"] == 0
    assert call("DELETE", path("shared", "starter")).status == 200
    assert call("GET", path("shared", "starter")).body == problem(404, "not_found", "Budget 'starter' not found")


def test_the_platform_tags_and_rows_use_no_row(acme: dict[str, Any]) -> None:
    build.budget("shared", "starter", max_budget=50)
    for scope, scope_id in (("platform", "platform"), ("tag", "batch"), ("shared", "other")):
        answer = call("PUT", path(scope, scope_id), {"budget_id": "starter"})
        message = f"A {scope} budget cannot use a shared one"
        assert (answer.status, answer.body["errors"]) == (422, [{"field": "budget_id", "message": message}])


def test_limits_of_any_call_raise_the_catalogue_s_version(acme: dict[str, Any]) -> None:
    def version() -> int:
        return int(next((item["number"] for item in partition(keys.CATALOGUE) if item["SK"] == "VERSION"), 0))

    before = version()
    build.budget("platform", "platform", rpm_limit=1)
    build.budget("tag", "batch", max_budget=1)
    call("DELETE", path("tag", "batch"))
    assert version() == before + 3
    build.budget("team", "acme-dev", max_budget=1)
    build.budget("customer", "c7", max_budget=1)
    assert version() == before + 3


def test_list(acme: dict[str, Any], clock: FakeClock) -> None:
    for name in ("one", "two", "three"):
        build.budget("shared", name, max_budget=1)
        build.budget("customer", f"c-{name}", rpm_limit=1)
        build.budget("tag", f"t-{name}", tpm_limit=1)
        clock.advance(seconds=1)
    first = call("GET", "/api/budgets", query={"limit": 2}).body
    assert [entry["scope_id"] for entry in first["budgets"]] == ["three", "two"]
    assert first["budgets"][0] == NO_LIMITS | {
        "budget_id": "three",
        "max_budget": 1,
        "scope": "shared",
        "scope_id": "three",
        "uses": 0,
    }
    second = call("GET", "/api/budgets", query={"limit": 2, "cursor": first["next_cursor"]}).body
    assert ([entry["scope_id"] for entry in second["budgets"]], second["next_cursor"]) == (["one"], None)
    customers = call("GET", "/api/budgets", query={"scope": "customer"}).body["budgets"]
    assert [(entry["scope_id"], entry["rpm_limit"]) for entry in customers] == [
        ("c-three", 1),
        ("c-two", 1),
        ("c-one", 1),
    ]
    tags = call("GET", "/api/budgets", query={"scope": "tag"}).body["budgets"]
    assert [entry["scope_id"] for entry in tags] == ["t-one", "t-three", "t-two"]
    assert call("GET", "/api/budgets", query={"scope": "team"}).status == 422


@pytest.mark.parametrize(
    ("scope", "scope_id"),
    [
        ("planet", "x"),
        ("platform", "other"),
        ("organization", "org_nobody"),
        ("team", "no-team"),
        ("key", "0" * 64),
        ("user", "nobody"),
        ("organization-member", "org_acme"),
        ("organization-member", "org_acme~nobody"),
        ("organization-member", "org_other~ana"),
        ("team-member", "acme-dev~ana~ana"),
    ],
)
def test_what_does_not_exist(scope: str, scope_id: str, acme: dict[str, Any]) -> None:
    for method, body in (("GET", None), ("PUT", {"rpm_limit": 1}), ("DELETE", None)):
        answer = call(method, path(scope, scope_id), body)
        assert (answer.status, answer.body["code"]) == (404, "not_found"), (method, scope)


def test_customers_and_tags_exist_only_with_limits(acme: dict[str, Any]) -> None:
    assert call("GET", path("customer", "c7")).body == problem(404, "not_found", "Customer 'c7' not found")
    assert call("DELETE", path("tag", "batch")).body == problem(404, "not_found", "Tag 'batch' not found")
    bad = call("PUT", path("customer", "a%0Ab"), {"rpm_limit": 1})
    assert (bad.status, bad.body["errors"][0]["field"]) == (422, "scope_id")


def test_a_team_key_reads_its_team_and_itself(acme: dict[str, Any]) -> None:
    caller = key(acme["virtual_key"])
    other = build.issued_key()
    own = scopes(acme)
    for scope in ("team", "key"):
        assert call("GET", path(scope, own[scope]), caller=caller).status == 200
    for scope in ("platform", "user", "customer", "tag"):
        assert call("GET", path(scope, own[scope]), caller=caller).status == 404
    for scope in ("organization", "organization-member", "team-member"):
        assert call("GET", path(scope, own[scope]), caller=caller).body == FORBIDDEN
    assert call("GET", path("key", other["key_id"]), caller=caller).body == FORBIDDEN
    assert call("PUT", path("team", "acme-dev"), {"rpm_limit": 1}, caller=caller).body == FORBIDDEN


def test_an_organization_limits_what_is_in_it_but_not_itself(acme: dict[str, Any]) -> None:
    service = budget_service()
    admin = Principal(
        "bo", ActorKind.USER, organization_roles=(("org_acme", Role.ORG_ADMIN),), organization_id="org_acme"
    )
    stranger = Principal(
        "eve", ActorKind.USER, organization_roles=(("org_other", Role.ORG_OWNER),), organization_id="org_other"
    )
    request = LimitFields(rpm_limit=5)
    own = scopes(acme)
    for scope in ("team", "key", "organization-member", "team-member"):
        assert service.put(admin, scope, own[scope], request).rpm_limit == 5
        with pytest.raises(NotFoundError):
            service.put(stranger, scope, own[scope], request)
        with pytest.raises(NotFoundError):
            service.get(stranger, scope, own[scope])
    assert service.get(admin, "organization", "org_acme").rpm_limit is None
    with pytest.raises(ForbiddenError):
        service.put(admin, "organization", "org_acme", request)
    for scope in ("platform", "user", "customer", "tag"):
        with pytest.raises(NotFoundError):
            service.put(admin, scope, own[scope], request)
    with pytest.raises(ForbiddenError):
        service.adjust(admin, "team", "acme-dev", AdjustSpend(spend=Decimal(0)))
