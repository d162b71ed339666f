"""The path families of credits: a team's account, asked for and changed under its own path."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.support import build
from tests.support.api import call, key, problem
from tests.support.clock import FakeClock
from tests.support.items import all_items, audit_events
from tollgate.auth.principal import ActorKind, Principal, Role
from tollgate.core.errors import ForbiddenError
from tollgate.teams.model import CreateTeam, UpdateTeam
from tollgate.tenants.teams import team_service

CREDITS = "/api/credits/teams/acme-dev"
TEAM = "/api/teams/acme-dev"
MISSING = problem(404, "not_found", "Team 'acme-dev' not found")
ORG_ADMIN = Principal("ana", ActorKind.USER, organization_roles=(("org_acme", Role.ORG_ADMIN),))


@pytest.fixture(autouse=True)
def organization(empty_table: None) -> None:
    build.organization()


def check(required: object, **how: Any) -> Any:
    return call("POST", f"{CREDITS}/check", {"credits_required": required}, **how)


def available(required: object) -> bool:
    answer: bool = check(required).body["available"]
    return answer


@pytest.mark.parametrize("path", [f"{CREDITS}/balance", f"{TEAM}/credits"])
def test_the_balance_is_the_same_on_every_path(path: str) -> None:
    build.team(credits_allocated=1000)
    answer = call("GET", path)
    assert (answer.status, answer.body) == (
        200,
        call("GET", "/api/credits/balance", query={"team_id": "acme-dev"}).body,
    )


@pytest.mark.parametrize("path", [f"{CREDITS}/transactions", f"{TEAM}/credits/transactions"])
def test_the_ledger_is_the_same_on_every_path(path: str) -> None:
    build.team(credits_allocated=1000)
    for amount in (5, 7):
        call("POST", f"{CREDITS}/add", {"amount": amount})
    whole = call("GET", "/api/credits/transactions", query={"team_id": "acme-dev"}).body
    assert call("GET", path).body == whole
    page = call("GET", path, query={"limit": "2"}).body
    rest = call("GET", path, query={"limit": "2", "cursor": page["next_cursor"]}).body
    assert (page["total"], [*page["transactions"], *rest["transactions"]]) == (3, whole["transactions"])
    assert [entry["credits_amount"] for entry in whole["transactions"]] == [7, 5, 1000]


@pytest.mark.parametrize("path", [f"{CREDITS}/add", f"{TEAM}/credits/allocate"])
@pytest.mark.parametrize(
    "body",
    [
        {"credits": 500, "reason": "March"},
        {"credits_amount": 500, "reason": "March", "metadata": {"invoice": "i-1"}},
        {"amount": 500, "description": "March"},
    ],
    ids=["credits", "credits_amount", "amount"],
)
def test_add_in_every_spelling(clock: FakeClock, path: str, body: dict[str, Any]) -> None:
    build.team(credits_allocated=1000)
    answer = call("POST", path, body)
    assert answer.status == 200
    assert answer.body == {
        "transaction_id": answer.body["transaction_id"],
        "team_id": "acme-dev",
        "organization_id": "org_acme",
        "job_id": None,
        "call_id": None,
        "related_transaction_id": None,
        "transaction_type": "allocation",
        "credits_amount": 500,
        "credits_before": 1000,
        "credits_after": 1500,
        "reason": "March",
        "created_at": "2026-03-01T12:00:00Z",
        "type": "addition",
        "amount": 500,
        "description": "March",
        "timestamp": "2026-03-01T12:00:00Z",
        "balance_after": 1500,
        "credits_added": 500,
        "credits_remaining": 1500,
    }
    assert ('"metadata":{"invoice":"i-1"}' in audit_events()[-1]["after"]) == ("metadata" in body)


def test_add_names_the_field_that_is_wrong() -> None:
    build.team()
    before = all_items()
    for body, field in (
        ({"credits": 0}, "credits"),
        ({"credits_amount": 1.5}, "credits_amount"),
        ({"amount": True}, "amount"),
        ({"reason": "no amount"}, "amount"),
        ({"amount": 1, "credits": 1}, "credits"),
        ({"amount": 1, "reason": "x" * 501}, "reason"),
    ):
        answer = call("POST", f"{CREDITS}/add", body)
        assert (answer.status, [error["field"] for error in answer.body["errors"]]) == (422, [field])
    assert all_items() == before


def test_add_to_a_suspended_team() -> None:
    build.team()
    call("POST", f"{TEAM}/suspend")
    assert call("POST", f"{CREDITS}/add", {"credits": 5}).body["credits_remaining"] == 5


def test_check() -> None:
    build.team(credits_allocated=10)
    assert check(10).body == {
        "team_id": "acme-dev",
        "organization_id": "org_acme",
        "available": True,
        "credits_required": 10,
        "credits_remaining": 10,
        "credits_reserved": 0,
        "credits_source": "team",
    }
    assert (available(10), available(10.000000000001)) == (True, False)
    for wrong in (0, -1, True):
        assert check(wrong).status == 422


def test_check_by_the_accounts_mode() -> None:
    build.team(credits_allocated=10, limit_mode="soft")
    assert available(1000)
    call("PUT", TEAM, {"limit_mode": "unlimited", "credit_limit": 5})
    assert available(1000)
    # A ceiling holds in the other modes, however much there is.
    call("PUT", TEAM, {"limit_mode": "hard"})
    assert (available(5), available(5.5)) == (True, False)


def test_a_soft_account_that_is_used_up_and_suspends() -> None:
    build.team(limit_mode="soft", suspend_at_zero=True)
    assert not available(1)
    call("POST", f"{CREDITS}/add", {"credits": 1})
    assert available(5)


def test_check_asks_whoever_pays() -> None:
    build.team(credits_source="organization", credits_allocated=3)
    assert check(1).body["available"] is False
    call("POST", "/api/credits/add", {"organization_id": "org_acme", "amount": 20})
    paid = check(20).body
    assert (paid["available"], paid["credits_remaining"], paid["credits_source"]) == (True, 20, "organization")
    call("PUT", TEAM, {"credits_source": "none"})
    free = check(10**6).body
    assert (free["available"], free["credits_remaining"], free["credits_reserved"]) == (True, None, None)


def test_conversion_rates() -> None:
    build.team()
    defaults = {
        "team_id": "acme-dev",
        "tokens_per_credit": 10000,
        "credits_per_dollar": 10,
        "budget_mode": "job_based",
        "using_defaults": {"tokens_per_credit": True, "credits_per_dollar": True},
    }
    path = f"{CREDITS}/conversion-rates"
    assert call("GET", path).body == defaults
    message = {"message": "Conversion rates updated successfully"}
    changed = call("PATCH", path, {"tokens_per_credit": 500})
    own = {"tokens_per_credit": 500, "using_defaults": {"tokens_per_credit": False, "credits_per_dollar": True}}
    assert (changed.status, changed.body) == (200, defaults | own | message)
    assert call("GET", path).body == defaults | own
    both = call("PATCH", path, {"tokens_per_credit": None, "credits_per_dollar": 12.5}).body
    own = {"credits_per_dollar": 12.5, "using_defaults": {"tokens_per_credit": True, "credits_per_dollar": False}}
    assert both == defaults | own | message
    assert call("PATCH", path, {}).body == both
    for wrong in ({"tokens_per_credit": 0}, {"tokens_per_credit": 1.5}, {"credits_per_dollar": 0}):
        answer = call("PATCH", path, wrong)
        assert (answer.status, [error["field"] for error in answer.body["errors"]]) == (422, list(wrong))


def test_markup(clock: FakeClock) -> None:
    build.team()
    clock.advance(hours=1)
    answer = call("PATCH", f"{TEAM}/markup", {"cost_markup_percentage": 25.5, "budget_mode": "consumption_usd"})
    assert (answer.status, answer.body) == (
        200,
        {
            "team_id": "acme-dev",
            "tokens_per_credit": 10000,
            "credits_per_dollar": 10,
            "budget_mode": "consumption_usd",
            "using_defaults": {"tokens_per_credit": True, "credits_per_dollar": True},
            "cost_markup_percentage": 25.5,
            "credit_price_usd": 0.1,
            "updated_at": "2026-03-01T13:00:00Z",
        },
    )
    assert audit_events()[-1]["after"] == '{"budget_mode":"consumption_usd","cost_markup_percentage":25.5}'
    assert (build.team_details()["cost_markup_percentage"], build.team_details()["credit_price_usd"]) == (25.5, 0.1)


def test_the_price_of_a_credit() -> None:
    """Q-19: 1 by job, 1 / rate by USD, unknown by tokens, unless it is set."""
    build.team()

    def price(**sent: object) -> Any:
        return call("PATCH", f"{TEAM}/markup", sent).body["credit_price_usd"]

    assert price(budget_mode="consumption_usd", credits_per_dollar=8) == 0.125
    assert price(budget_mode="consumption_tokens") is None
    assert price(credit_price_usd=0.09) == 0.09
    assert price(budget_mode="job_based") == 0.09
    assert price(credit_price_usd=None) == 1
    assert call("PATCH", f"{TEAM}/markup", {"credit_price_usd": -0.01}).status == 422


def test_a_teams_key_sees_its_own_and_changes_nothing() -> None:
    build.organization("org_other")
    own = key(build.team(credits_allocated=10)["virtual_key"])
    sister, foreign = key(build.team("acme-prod")["virtual_key"]), key(build.team("x1", "org_other")["virtual_key"])
    reads = [("GET", f"{CREDITS}/balance", None), ("GET", f"{TEAM}/credits/transactions", None)]
    reads += [("POST", f"{CREDITS}/check", {"credits_required": 1}), ("GET", f"{CREDITS}/conversion-rates", None)]
    for method, path, body in reads:
        assert call(method, path, body, caller=own).status == 200
        assert call(method, path, body, caller=sister).status == 403
        assert call(method, path, body, caller=foreign).body == MISSING
    writes = [("POST", f"{CREDITS}/add", {"credits": 1}), ("PATCH", f"{TEAM}/markup", {"cost_markup_percentage": 0})]
    writes += [("PATCH", f"{CREDITS}/conversion-rates", {"credits_per_dollar": 1000})]
    for method, path, body in writes:
        assert call(method, path, body, caller=own).status == 403


def test_what_credits_buy_is_the_platforms_to_say() -> None:
    """An organization's admin makes and changes teams, but neither creates credits nor makes them buy more (Q-06)."""
    service = team_service()
    plain = {"organization_id": "org_acme", "team_id": "acme-dev"}
    for given in ({"credits_allocated": 5}, {"credits_per_dollar": 100}, {"budget_mode": "consumption_tokens"}):
        with pytest.raises(ForbiddenError):
            service.create(ORG_ADMIN, CreateTeam.model_validate(plain | given))
    service.create(ORG_ADMIN, CreateTeam.model_validate(plain))
    for given in ({"credits_per_dollar": 100}, {"cost_markup_percentage": 5}, {"credit_price_usd": 0}):
        with pytest.raises(ForbiddenError):
            service.update(ORG_ADMIN, "acme-dev", UpdateTeam.model_validate(given))
    # What stays as it is changes nothing.
    unchanged = UpdateTeam(team_alias="Dev", cost_markup_percentage=Decimal(0))
    assert service.update(ORG_ADMIN, "acme-dev", unchanged).team_alias == "Dev"
