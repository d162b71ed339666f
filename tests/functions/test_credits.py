"""Credits, from the front."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import build
from tests.support.api import call, key, problem
from tests.support.clock import FakeClock
from tests.support.environment import TABLE, engine
from tests.support.items import all_items, audit_events
from tollgate.credits import repository
from tollgate.table import keys

# The settings of an account that nobody has changed.
DEFAULT_SETTINGS = {
    "limit_mode": "hard",
    "credit_limit": None,
    "auto_refill": False,
    "refill_amount": None,
    "refill_period": None,
    "last_refill_at": None,
    "next_refill_at": None,
    "suspend_at_zero": False,
    "grace_period_hours": None,
    "grace_until": None,
    "alert_at_percentage": None,
}
MISSING = problem(404, "not_found", "Team 'acme-dev' not found")


def account_uid() -> str:
    (item,) = [item for item in all_items() if item["kind"] == "account"]
    return str(item["PK"]).removeprefix("ACCOUNT#")


def spend(available: str, *, cost: str = "0", **holds: str) -> None:
    """Moves the counter as calls do: credits leave ``av`` for holds or for good."""
    engine.client("dynamodb").update_item(
        TableName=TABLE,
        Key={"PK": {"S": keys.account(account_uid())}, "SK": {"S": keys.counter()}},
        UpdateExpression="SET av = av - :a, us = us + :u, h = :h",
        ExpressionAttributeValues={
            ":a": {"N": available},
            ":u": {"N": cost},
            ":h": {
                "M": {
                    name: {"M": {"a": {"N": amount}, "x": {"N": "1"}, "k": {"S": "c"}}}
                    for name, amount in holds.items()
                }
            },
        },
    )


def balance(team_id: str = "acme-dev", **how: Any) -> Any:
    return call("GET", "/api/credits/balance", query={"team_id": team_id}, **how).body


def ledger(team_id: str = "acme-dev", **query: Any) -> Any:
    return call("GET", "/api/credits/transactions", query={"team_id": team_id} | query).body


@pytest.fixture(autouse=True)
def organization(empty_table: None) -> None:
    build.organization()


def test_add() -> None:
    build.team(credits_allocated=1000)
    answer = call(
        "POST",
        "/api/credits/add",
        {"team_id": "acme-dev", "amount": 500, "description": "Monthly credit top-up"},
    )
    assert answer.status == 200
    assert answer.body == ledger()["transactions"][0] | {"credits_added": 500, "credits_remaining": 1500}
    assert call("GET", "/api/organizations").body["organizations"][0]["total_credits_allocated"] == 1500


def test_balance_of_the_documentation(clock: FakeClock) -> None:
    build.team(credits_allocated=1000)
    spend("250")
    assert balance() == {
        "team_id": "acme-dev",
        "organization_id": "org_acme",
        "credits_remaining": 750,
        "credits_allocated": 1000,
        "credits_used": 250,
        "credits_reserved": 0,
        "overage": 0,
        "percentage_used": 25,
        "status": "active",
        "credits_source": "team",
        "suspended": False,
        "created_at": "2026-03-01T12:00:00Z",
        "updated_at": "2026-03-01T12:00:00Z",
        **DEFAULT_SETTINGS,
    }


def test_what_calls_hold_is_shown_and_not_subtracted() -> None:
    build.team(credits_allocated=10)
    spend("3.000000000001", cost="0.000000000001", first="1.5", second="1.25")
    figures = balance()
    assert {
        name: figures[name] for name in figures if name.startswith(("credits_r", "credits_a", "credits_u", "per"))
    } == {
        "credits_remaining": 9.749999999999,
        "credits_allocated": 10,
        "credits_used": 0.250000000001,
        "credits_reserved": 2.75,
        "percentage_used": 2.5,
    }
    team = call("GET", "/api/teams/acme-dev")
    assert '"credits_used":0.250000000001' in team.text
    assert '"total_cost_usd":0.000000000001' in team.text
    organization = call("GET", "/api/organizations/org_acme")
    assert '"usage_summary":{"total_jobs":0,"total_cost_usd":0.000000000001,"credits_used":0.250000000001}' in (
        organization.text
    )


def test_balance_of_an_account_that_nothing_was_added_to() -> None:
    build.team()
    assert balance()["percentage_used"] is None
    assert balance()["credits_remaining"] == 0


def test_added_credits_explain_the_balance_that_calls_have_moved(clock: FakeClock) -> None:
    build.team(credits_allocated=100)
    spend("40.5", held="0.5")
    clock.advance(hours=1)
    call("POST", "/api/credits/add", {"team_id": "acme-dev", "amount": 10, "description": "more"})
    body = ledger()
    identifiers = [entry.pop("transaction_id") for entry in body["transactions"]]
    assert identifiers == sorted(identifiers, reverse=True)
    assert body == {
        "team_id": "acme-dev",
        "organization_id": "org_acme",
        "total": 2,
        "transactions": [
            {
                "team_id": "acme-dev",
                "organization_id": "org_acme",
                "job_id": None,
                "call_id": None,
                "related_transaction_id": None,
                "transaction_type": "allocation",
                "credits_amount": 10,
                "credits_before": 60,
                "credits_after": 70,
                "reason": "more",
                "created_at": "2026-03-01T13:00:00Z",
                "type": "addition",
                "amount": 10,
                "description": "more",
                "timestamp": "2026-03-01T13:00:00Z",
                "balance_after": 70,
            },
            {
                "team_id": "acme-dev",
                "organization_id": "org_acme",
                "job_id": None,
                "call_id": None,
                "related_transaction_id": None,
                "transaction_type": "allocation",
                "credits_amount": 100,
                "credits_before": 0,
                "credits_after": 100,
                "reason": "Initial allocation",
                "created_at": "2026-03-01T12:00:00Z",
                "type": "addition",
                "amount": 100,
                "description": "Initial allocation",
                "timestamp": "2026-03-01T12:00:00Z",
                "balance_after": 100,
            },
        ],
        "next_cursor": None,
    }


def test_ledger_in_pages() -> None:
    build.team()
    for amount in range(1, 6):
        call("POST", "/api/credits/add", {"team_id": "acme-dev", "amount": amount})
    seen, cursor = [], None
    while True:
        page = ledger(limit=2, **({"cursor": cursor} if cursor else {}))
        assert page["total"] == 5
        seen += [entry["amount"] for entry in page["transactions"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [5, 4, 3, 2, 1]
    assert [entry["amount"] for entry in ledger(limit=2, offset=3)["transactions"]] == [2, 1]


@pytest.mark.parametrize("amount", [0, -5, 1.5, "5", True, None, 10**16])
def test_only_whole_positive_amounts_are_added(amount: object) -> None:
    build.team()
    answer = call("POST", "/api/credits/add", {"team_id": "acme-dev", "amount": amount})
    assert answer.status == 422
    assert [error["field"] for error in answer.body["errors"]] == ["amount"]
    assert ledger()["total"] == 0


@pytest.mark.parametrize("verb", ["suspend", "pause"])
def test_credits_are_added_in_any_state(verb: str) -> None:
    build.team()
    call("POST", f"/api/teams/acme-dev/{verb}")
    assert call("POST", "/api/credits/add", {"team_id": "acme-dev", "amount": 5}).body["credits_remaining"] == 5
    assert call("GET", "/api/teams/acme-dev").body["status"] != "active"


def test_unknown_teams() -> None:
    assert call("POST", "/api/credits/add", {"team_id": "acme-dev", "amount": 5}).body == MISSING
    assert balance() == MISSING
    assert ledger() == MISSING


def test_a_team_reads_its_own_account_only() -> None:
    own = key(build.team("acme-dev", credits_allocated=5)["virtual_key"])
    sister = key(build.team("acme-prod")["virtual_key"])
    build.organization("org_other")
    foreign = key(build.team("other-dev", "org_other")["virtual_key"])
    assert balance(caller=own)["credits_remaining"] == 5
    assert balance(caller=sister) == problem(403, "forbidden", "API key does not belong to team 'acme-dev'")
    assert balance(caller=foreign) == MISSING
    forbidden = call("POST", "/api/credits/add", {"team_id": "acme-dev", "amount": 5}, caller=own)
    assert (forbidden.status, balance()["credits_remaining"]) == (403, 5)


def test_entries_of_one_ledger_form_one_sequence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two add at the same moment: the second sees the first's entry before it writes its own."""
    build.team(credits_allocated=1)
    find, raced = repository.find, []

    def racing(owner_uid: str, *shards: int) -> Any:
        account = find(owner_uid, *shards)
        if not raced:
            raced.append(True)
            call("POST", "/api/credits/add", {"team_id": "acme-dev", "amount": 10})
        return account

    monkeypatch.setattr(repository, "find", racing)
    call("POST", "/api/credits/add", {"team_id": "acme-dev", "amount": 100})
    entries = ledger()["transactions"]
    assert [(entry["credits_before"], entry["credits_after"]) for entry in entries] == [(11, 111), (1, 11), (0, 1)]


def test_adding_leaves_an_audit_event() -> None:
    build.team()
    added = call("POST", "/api/credits/add", {"team_id": "acme-dev", "amount": 5}).body
    event = audit_events()[-1]
    assert (event["action"], event["resource_id"]) == ("team.credits_added", "acme-dev")
    assert event["after"] == f'{{"credits_added":5,"transaction_id":"{added["transaction_id"]}"}}'
