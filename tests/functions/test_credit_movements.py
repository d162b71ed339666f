"""Credits that move: organization accounts, transfers, refunds, adjustments; and what an Idempotency-Key does."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.support import build
from tests.support.accounts import (
    ORGANIZATION,
    TEAM,
    add,
    balance,
    configure,
    figures,
    ledger,
    recorded_call,
    spend,
    stored,
    uid_of,
)
from tests.support.api import call, key, problem
from tests.support.clock import FakeClock
from tests.support.items import audit_events, organization_counts, put_raw
from tollgate.auth.principal import ActorKind, Principal, Role
from tollgate.core.errors import ForbiddenError, NotFoundError
from tollgate.credits.model import Direction, TransferCredits
from tollgate.credits.movements import movement_service
from tollgate.table import keys

FORBIDDEN = problem(403, "forbidden", "This credential may not use this endpoint")


@pytest.fixture(autouse=True)
def tenants(empty_table: None) -> None:
    build.organization()
    build.team(credits_allocated=100)


def transfer(amount: float, direction: str = "to_team", **how: Any) -> Any:
    body = {"team_id": "acme-dev", "amount": amount, "direction": direction}
    return call("POST", "/api/credits/transfer", body, **how)


def refund(**fields: Any) -> Any:
    return call("POST", "/api/credits/refund", TEAM | {"reason": "interrupted"} | fields)


def adjust(amount: object, owner: dict[str, str] = TEAM, **how: Any) -> Any:
    return call("POST", "/api/credits/adjust", owner | {"amount": amount, "reason": "counted twice"}, **how)


def test_an_organizations_account_is_made_with_its_first_credits() -> None:
    before = balance(ORGANIZATION)
    assert (before["team_id"], before["credits_source"], before["credits_allocated"]) == (None, None, 0)
    added = add(ORGANIZATION, 500)
    assert added == ledger(ORGANIZATION)[0] | {"credits_added": 500, "credits_remaining": 500}
    assert figures(ORGANIZATION) == (500, 0, 500)
    (entry,) = ledger(ORGANIZATION)
    assert (entry["team_id"], entry["organization_id"], entry["credits_amount"]) == (None, "org_acme", 500)
    item = stored(ORGANIZATION)
    assert {name: item[name] for name in ("kind", "scope", "scope_id", "h", "us", "tk", "cn", "sq")} == {
        "kind": "account",
        "scope": "organization",
        "scope_id": "org_acme",
        "h": {},
        "us": 0,
        "tk": 0,
        "cn": 0,
        "sq": 1,
    }
    # What is allocated to teams is counted apart.
    assert organization_counts() == (1, 1, 100)
    assert audit_events()[-1]["action"] == "organization.credits_added"


def test_a_counter_that_calls_made_becomes_the_account() -> None:
    counter = {
        "PK": {"S": keys.account(uid_of(ORGANIZATION))},
        "SK": {"S": keys.counter()},
        "kind": {"S": "account"},
        "h": {"M": {"hold": {"M": {"u": {"N": "2"}, "x": {"N": "1"}}}}},
        "us": {"N": "3.5"},
        "tk": {"N": "70"},
        "cn": {"N": "7"},
    }
    put_raw([counter])
    assert figures(ORGANIZATION) == (0, 0, 0)
    add(ORGANIZATION, 5)
    item = stored(ORGANIZATION)
    assert (item["av"], item["al"], item["sq"], item["us"], item["cn"]) == (5, 5, 1, Decimal("3.5"), 7)
    assert list(item["h"]) == ["hold"]


@pytest.mark.parametrize("owner", [{}, TEAM | ORGANIZATION])
def test_an_account_has_exactly_one_owner(owner: dict[str, str]) -> None:
    field = "organization_id" if owner else "team_id"
    expected = problem(
        422,
        "invalid_request",
        "Name the account by either team_id or organization_id",
        errors=[{"field": field, "message": "Name the account by either team_id or organization_id"}],
    )
    assert call("POST", "/api/credits/add", owner | {"amount": 5}).body == expected
    assert call("GET", "/api/credits/balance", query=owner).body == expected
    assert call("GET", "/api/credits/transactions", query=owner).body == expected
    assert call("GET", "/api/credits/settings", query=owner).body == expected


def test_a_transfer_is_two_lines_that_name_each_other(clock: FakeClock) -> None:
    add(ORGANIZATION, 50)
    answer = transfer(12.5)
    assert answer.status == 200
    taken, given = answer.body["transactions"]
    assert answer.body == {
        "team_id": "acme-dev",
        "organization_id": "org_acme",
        "direction": "to_team",
        "credits_transferred": 12.5,
        "team_credits_remaining": 112.5,
        "organization_credits_remaining": 37.5,
        "transactions": [taken, given],
    }
    assert (taken["transaction_type"], taken["credits_amount"], taken["team_id"]) == ("transfer_out", -12.5, None)
    assert (given["transaction_type"], given["credits_amount"], given["team_id"]) == ("transfer_in", 12.5, "acme-dev")
    assert taken["related_transaction_id"] == given["transaction_id"]
    assert given["related_transaction_id"] == taken["transaction_id"]
    assert ledger(ORGANIZATION)[0] == taken
    assert ledger(TEAM)[0] == given
    # What was given on is not used: it is allocated elsewhere.
    assert figures(ORGANIZATION) == (37.5, 0, 37.5)
    assert figures(TEAM) == (112.5, 0, 112.5)
    assert organization_counts() == (1, 1, Decimal("112.5"))
    assert sorted(event["action"] for event in audit_events()[-2:]) == [
        "organization.credits_transferred",
        "team.credits_transferred",
    ]


def test_back_to_an_organization_that_had_no_account() -> None:
    assert transfer(100, "to_organization").status == 200
    assert figures(TEAM) == (0, 0, 0)
    assert figures(ORGANIZATION) == (100, 0, 100)
    assert organization_counts() == (1, 1, 0)


def test_only_what_is_available_moves() -> None:
    spend(TEAM, "30", first="20")
    held = transfer(70, "to_organization")
    figured = {"scope": "team", "limit": 100, "spent": 30, "reserved": 20}
    message = "Credits are reserved by calls in flight; try again in a moment"
    assert (held.body, held.headers["retry-after"]) == (problem(429, "reserved", message, **figured), "1")
    short = transfer(70.5, "to_organization")
    assert short.body == problem(
        403,
        "insufficient_credits",
        "Insufficient credits. Team has 70 credits remaining, but 70.5 required. Allocated: 100, Used: 30",
        **figured,
    )
    assert transfer(50, "to_organization").status == 200
    assert (stored(TEAM)["av"], figures(TEAM)) == (0, (50, 30, 20))


def test_an_empty_organization_gives_nothing() -> None:
    answer = transfer(1)
    assert (answer.status, answer.body["code"], answer.body["scope"]) == (403, "insufficient_credits", "organization")
    assert (figures(TEAM), len(ledger(TEAM))) == ((100, 0, 100), 1)


@pytest.mark.parametrize("role", [Role.ORG_OWNER, Role.ORG_ADMIN])
def test_an_organizations_admin_moves_credits_down_only(role: Role) -> None:
    add(ORGANIZATION, 50)
    admin = Principal("u", ActorKind.USER, organization_roles=(("org_acme", role),), organization_id="org_acme")
    movement_service().transfer(admin, TransferCredits(team_id="acme-dev", amount=Decimal(5)))
    assert figures(TEAM) == (105, 0, 105)
    back = TransferCredits(team_id="acme-dev", amount=Decimal(5), direction=Direction.TO_ORGANIZATION)
    with pytest.raises(ForbiddenError):
        movement_service().transfer(admin, back)
    stranger = Principal("s", ActorKind.USER, organization_roles=(("org_other", role),), organization_id="org_other")
    with pytest.raises(NotFoundError, match="Team 'acme-dev' not found"):
        movement_service().transfer(stranger, TransferCredits(team_id="acme-dev", amount=Decimal(5)))
    assert figures(TEAM) == (105, 0, 105)


def test_a_team_key_neither_moves_credits_nor_sees_its_organizations() -> None:
    add(ORGANIZATION, 50)
    own = key(build.team("acme-prod")["virtual_key"])
    assert transfer(1, caller=own).body == FORBIDDEN
    assert adjust(1, caller=own).body == FORBIDDEN
    answer = call("GET", "/api/credits/balance", query=ORGANIZATION, caller=own)
    assert answer.status == 403
    build.organization("org_other")
    foreign = key(build.team("other-dev", "org_other")["virtual_key"])
    assert balance(ORGANIZATION, caller=foreign) == problem(404, "not_found", "Organization 'org_acme' not found")


@pytest.mark.parametrize("amount", [0, -1, "x", True, None, 10**16, 1e-13])
def test_only_positive_amounts_are_transferred(amount: object) -> None:
    answer = call("POST", "/api/credits/transfer", {"team_id": "acme-dev", "amount": amount})
    assert (answer.status, [error["field"] for error in answer.body["errors"]]) == (422, ["amount"])


def test_an_adjustment_corrects_what_was_allocated(clock: FakeClock) -> None:
    spend(TEAM, "0.000000000001")
    answer = adjust(-0.999999999999)
    entry = answer.body
    assert entry == {
        "transaction_id": entry["transaction_id"],
        "team_id": "acme-dev",
        "organization_id": "org_acme",
        "job_id": None,
        "call_id": None,
        "related_transaction_id": None,
        "transaction_type": "adjustment",
        "credits_amount": -0.999999999999,
        "credits_before": 99.999999999999,
        "credits_after": 99,
        "reason": "counted twice",
        "created_at": "2026-03-01T12:00:00Z",
        "type": "deduction",
        "amount": 0.999999999999,
        "description": "counted twice",
        "timestamp": "2026-03-01T12:00:00Z",
        "balance_after": 99,
    }
    assert figures(TEAM) == (99.000000000001, 0.000000000001, 99)
    assert adjust(1.5).body["credits_after"] == 100.5
    assert organization_counts() == (1, 1, Decimal("100.500000000001"))
    assert audit_events()[-1]["action"] == "team.credits_adjusted"


def test_an_adjustment_takes_nothing_that_is_held_or_not_there() -> None:
    configure(TEAM, limit_mode="unlimited")
    spend(TEAM, "90", first="5")
    assert (adjust(-10).status, adjust(-10).body["code"]) == (429, "reserved")
    assert adjust(-10.5).status == 403
    assert adjust(-5).status == 200
    assert (stored(TEAM)["av"], balance(TEAM)["credits_reserved"]) == (0, 5)


@pytest.mark.parametrize("amount", [0, "x", True, None, -(10**16)])
def test_adjustments_by_nothing_or_nonsense(amount: object) -> None:
    answer = adjust(amount)
    assert (answer.status, [error["field"] for error in answer.body["errors"]]) == (422, ["amount"])


def test_an_interrupted_call_is_refunded_once() -> None:
    call_id = recorded_call(TEAM, "0.75")
    spend(TEAM, "0.75")
    entry = refund(call_id=f"chatcmpl-{call_id}").body
    assert (entry["transaction_type"], entry["credits_amount"], entry["call_id"]) == ("refund", 0.75, call_id)
    # Used is what falls; allocated is not touched.
    assert figures(TEAM) == (100, 0, 100)
    assert organization_counts() == (1, 1, 100)
    again = refund(call_id=call_id, amount=0.25)
    assert again.body == problem(409, "already_refunded", "It was refunded before")
    assert (figures(TEAM), len(ledger(TEAM))) == ((100, 0, 100), 2)
    assert audit_events()[-1]["action"] == "team.credits_refunded"


def test_a_refund_gives_back_a_part_and_never_more_than_was_charged() -> None:
    call_id = recorded_call(TEAM, "0.75")
    spend(TEAM, "0.75")
    too_much = refund(call_id=call_id, amount=0.76)
    message = "At most 0.75 credits were charged"
    errors = [{"field": "amount", "message": message}]
    assert too_much.body == problem(422, "invalid_request", message, errors=errors)
    assert refund(call_id=call_id, amount=0.5).body["credits_after"] == 99.75


def test_what_is_not_refunded() -> None:
    answered = recorded_call(TEAM, "0.75", outcome="success")
    assert refund(call_id=answered).body["code"] == "not_refundable"
    free = recorded_call(TEAM, "0")
    assert refund(call_id=free).body == problem(409, "not_charged", "Nothing was charged")
    allocation = ledger(TEAM)[0]["transaction_id"]
    assert refund(transaction_id=allocation).body["code"] == "not_refundable"
    for unknown in ("019283f1-7a00-7000-8000-00000000abcd", "no-call", "#"):
        assert refund(call_id=unknown).body == problem(404, "not_found", f"Call '{unknown}' not found")
    assert refund(transaction_id="#").body == problem(404, "not_found", "Transaction '#' not found")
    for wrong in ({}, {"call_id": answered, "transaction_id": allocation}):
        assert refund(**wrong).status == 422
    assert figures(TEAM) == (100, 0, 100)


def test_a_call_is_refunded_to_whom_it_was_charged() -> None:
    build.organization("org_other")
    build.team("other-dev", "org_other")
    foreign = recorded_call({"team_id": "other-dev"}, "0.75")
    assert refund(call_id=foreign).body == problem(404, "not_found", f"Call '{foreign}' not found")
    paid_above = recorded_call(TEAM, "0.75", account_uid=uid_of(ORGANIZATION))
    assert refund(call_id=paid_above).status == 404
    given = refund(**ORGANIZATION, team_id=None, call_id=paid_above)
    assert (given.status, given.body["credits_amount"]) == (200, 0.75)


def test_a_deduction_is_refunded_once() -> None:
    entry = ledger(TEAM)[0]
    deduction = {
        "PK": keys.account(uid_of(TEAM)),
        "SK": keys.transaction("01DEDUCTION"),
        "kind": "transaction",
        "transaction_id": "01DEDUCTION",
        "transaction_type": "deduction",
        "actor": "acme-dev",
        "created_at": "2026-03-01T12:00:00.000000Z",
    }
    amounts = {"credits_amount": "-3", "credits_before": "100", "credits_after": "97"}
    put_raw(
        [
            {name: {"S": value} for name, value in deduction.items()}
            | {name: {"N": value} for name, value in amounts.items()}
        ]
    )
    spend(TEAM, "3")
    given = refund(transaction_id="01DEDUCTION").body
    assert (given["credits_amount"], given["related_transaction_id"]) == (3, "01DEDUCTION")
    assert refund(transaction_id="01DEDUCTION").body["code"] == "already_refunded"
    assert figures(TEAM) == (100, 0, 100)
    assert entry["transaction_type"] == "allocation"


SPENDING = [
    ("/api/credits/add", TEAM | {"amount": 5}),
    ("/api/credits/adjust", TEAM | {"amount": 5, "reason": "r"}),
    ("/api/credits/transfer", TEAM | {"amount": 5, "direction": "to_organization"}),
]


@pytest.mark.parametrize(("path", "body"), SPENDING)
def test_the_same_key_and_body_do_nothing_twice(path: str, body: dict[str, Any]) -> None:
    once = {"Idempotency-Key": "a"}
    first = call("POST", path, body, headers=once)
    entries, before = ledger(TEAM), figures(TEAM)
    again = call("POST", path, body, headers={"idempotency-key": "a"})
    assert (again.status, again.text) == (first.status, first.text) == (200, first.text)
    assert (ledger(TEAM), figures(TEAM)) == (entries, before)
    other = call("POST", path, body | {"amount": 6}, headers=once)
    message = "This Idempotency-Key was used for another body"
    errors = [{"field": "idempotency-key", "message": message}]
    assert other.body == problem(422, "idempotency_key_reused", message, errors=errors)
    assert call("POST", path, body, headers={"Idempotency-Key": "b"}).text != first.text
    assert call("POST", path, body).text != first.text


def test_a_refund_under_a_key_answers_again() -> None:
    call_id = recorded_call(TEAM, "0.75")
    body = json.dumps(TEAM | {"call_id": call_id, "reason": "r"})
    answers = [call("POST", "/api/credits/refund", body, headers={"Idempotency-Key": "a"}) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 200]
    assert answers[0].text == answers[1].text


def test_a_key_belongs_to_its_path_and_its_day(clock: FakeClock) -> None:
    once = {"Idempotency-Key": "a"}
    body = TEAM | {"amount": 5, "reason": "r"}
    assert call("POST", "/api/credits/adjust", body, headers=once).status == 200
    assert call("POST", "/api/credits/add", TEAM | {"amount": 5}, headers=once).status == 200
    clock.advance(hours=23, minutes=59)
    call("POST", "/api/credits/adjust", body, headers=once)
    assert figures(TEAM) == (110, 0, 110)
    clock.advance(minutes=1)
    assert call("POST", "/api/credits/adjust", body, headers=once).status == 200
    assert figures(TEAM) == (115, 0, 115)


def test_a_refused_request_uses_no_key() -> None:
    once = {"Idempotency-Key": "a"}
    body = TEAM | {"amount": -500, "reason": "r"}
    assert call("POST", "/api/credits/adjust", body, headers=once).status == 403
    add(TEAM, 1000)
    assert call("POST", "/api/credits/adjust", body, headers=once).status == 200


@pytest.mark.parametrize("given", ["", "x" * 256])
def test_keys_of_no_or_great_length(given: str) -> None:
    answer = call("POST", "/api/credits/add", TEAM | {"amount": 5}, headers={"Idempotency-Key": given})
    assert (answer.status, [error["field"] for error in answer.body["errors"]]) == (422, ["idempotency-key"])


def test_the_end_of_an_organization_is_the_end_of_its_account() -> None:
    add(ORGANIZATION, 50)
    call("POST", "/api/teams/acme-dev/suspend")
    old = uid_of(ORGANIZATION)
    assert call("DELETE", "/api/organizations/org_acme").status == 200
    build.organization()
    assert uid_of(ORGANIZATION) != old
    assert figures(ORGANIZATION) == (0, 0, 0)
