"""Accounts that are spread over several counter items: set, read, moved, deleted (decision 18)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.support import build
from tests.support.accounts import ORGANIZATION, TEAM, add, balance, figures, ledger, uid_of
from tests.support.api import call
from tests.support.environment import TABLE, engine
from tests.support.items import all_items, audit_events
from tests.support.limits import limit
from tollgate.auth.principal import ActorKind, Principal, Role
from tollgate.core.errors import ForbiddenError
from tollgate.organizations.model import UpdateOrganization
from tollgate.organizations.service import organization_service
from tollgate.table import keys
from tollgate.teams.model import UpdateTeam
from tollgate.tenants.teams import team_service

PATHS = {"team": "/api/teams/acme-dev", "organization": "/api/organizations/org_acme"}
OWNERS = {"team": TEAM, "organization": ORGANIZATION}


@pytest.fixture(autouse=True)
def tenants(empty_table: None) -> None:
    build.organization()
    build.team(credits_allocated=100)


def spread(shards: object, owner: str = "team", **how: Any) -> Any:
    return call("PUT", PATHS[owner], {"account_shards": shards}, **how)


def items_of(owner: str = "team") -> dict[str, dict[str, Any]]:
    place = keys.account(uid_of(OWNERS[owner]))
    return {item["SK"]: item for item in all_items() if item["PK"] == place and item["SK"].startswith("HOT#")}


def move(amounts: dict[int, str]) -> None:
    """Credits between shards, as calls move them."""
    for shard, amount in amounts.items():
        engine.client("dynamodb").update_item(
            TableName=TABLE,
            Key={"PK": {"S": keys.account(uid_of(TEAM))}, "SK": {"S": keys.counter(shard)}},
            UpdateExpression="SET av = av + :by",
            ExpressionAttributeValues={":by": {"N": amount}},
        )


def available() -> list[Decimal]:
    return [item["av"] for _, item in sorted(items_of().items())]


@pytest.mark.parametrize("owner", ["team", "organization"])
def test_raising_makes_the_items_and_lowering_keeps_them(owner: str) -> None:
    raised = spread(3, owner)

    assert (raised.status, raised.body["account_shards"]) == (200, 3)
    made = items_of(owner)
    assert sorted(made) == ["HOT#0", "HOT#1", "HOT#2"]
    identity = {name: made["HOT#0"].get(name) for name in ("scope", "scope_id", "team_id", "organization_id", "kind")}
    for number in (1, 2):
        item = made[f"HOT#{number}"]
        assert {name: item.get(name) for name in identity} == identity
        assert (item["av"], item["us"], item["tk"], item["cn"], item["h"], item["z"], item["sn"]) == (
            *(0, 0, 0, 0),
            *({}, {}, 3),
        )
    assert (made["HOT#0"]["z"], made["HOT#0"]["sn"]) == ({}, 3)

    lowered = spread(None, owner)
    again = spread(2, owner)

    assert (lowered.body["account_shards"], again.body["account_shards"]) == (1, 2)
    assert {item["sn"] for item in items_of(owner).values()} == {3}
    event = [event for event in audit_events() if event["action"] == f"{owner}.updated"][-1]
    assert event["resource_id"] == next(iter(OWNERS[owner].values()))


@pytest.mark.parametrize("owner", ["team", "organization"])
@pytest.mark.parametrize("shards", [0, 17, 1.5, "2", True])
def test_there_are_1_to_16(owner: str, shards: object) -> None:
    answer = spread(shards, owner)

    assert (answer.status, [error["field"] for error in answer.body["errors"]]) == (422, ["account_shards"])
    assert sorted(items_of(owner)) == (["HOT#0"] if owner == "team" else [])


def test_grants_go_to_the_first_and_the_balance_is_that_of_all() -> None:
    spread(3)
    move({0: "-70", 1: "40", 2: "30"})

    assert figures(TEAM) == (100, 0, 100)
    add(TEAM, 11)

    assert available() == [41, 40, 30]
    assert figures(TEAM) == (111, 0, 111)
    assert (balance(TEAM)["credits_remaining"], build.team_details()["credits_remaining"]) == (111, 111)
    (listed,) = call("GET", "/api/teams").body["teams"]
    assert (listed["credits_remaining"], listed["credits_allocated"]) == (111, 111)


def test_what_is_taken_comes_from_all_of_them() -> None:
    spread(3)
    move({0: "-70", 1: "40", 2: "30"})

    body = TEAM | {"amount": 75, "direction": "to_organization"}
    taken = call("POST", "/api/credits/transfer", body)

    assert (taken.status, taken.body["team_credits_remaining"]) == (200, 25)
    assert available() == [0, 0, 25]
    assert figures(ORGANIZATION) == (75, 0, 75)
    beyond = call("POST", "/api/credits/adjust", TEAM | {"amount": -26, "reason": "too many"})
    assert (beyond.status, beyond.body["code"]) == (403, "insufficient_credits")
    assert (sum(entry["credits_amount"] for entry in ledger(TEAM)), figures(TEAM)) == (25, (25, 0, 25))


def test_setting_what_is_spent_has_it_divided_anew() -> None:
    spread(2)
    limit("team", "acme-dev", max_budget=Decimal(10))
    divided = {"M": {"b@0": {"S": "2/10"}}}
    for shard in range(2):
        engine.client("dynamodb").update_item(
            TableName=TABLE,
            Key={"PK": {"S": keys.account(uid_of(TEAM))}, "SK": {"S": keys.counter(shard)}},
            UpdateExpression="SET #b = :b, z = :z",
            ExpressionAttributeNames={"#b": "b@0"},
            ExpressionAttributeValues={":b": {"N": "2"}, ":z": divided},
        )

    answer = call("POST", "/api/budgets/team/acme-dev/adjust", {"spend": 9, "reason": "was not counted"})

    assert (answer.status, answer.body["spend"]) == (200, 9)
    assert [(item["b@0"], item["z"]) for _, item in sorted(items_of().items())] == [(7, {}), (2, {})]


def test_all_go_with_their_owner() -> None:
    spread(4)
    spread(2, "organization")
    uids = uid_of(TEAM), uid_of(ORGANIZATION)

    assert call("DELETE", "/api/teams/acme-dev", query={"force": "true"}).status == 200
    assert call("DELETE", "/api/organizations/org_acme").status == 200

    places = {keys.account(uid) for uid in uids}
    assert [item["SK"] for item in all_items() if item["PK"] in places and item["SK"].startswith("HOT#")] == []


@pytest.mark.parametrize("owner", ["team", "organization"])
def test_only_the_platform_says_how_many(owner: str) -> None:
    admin = Principal("ada", ActorKind.USER, organization_roles=(("org_acme", Role.ORG_ADMIN),))
    ask = {
        "team": lambda: team_service().update(admin, "acme-dev", UpdateTeam(account_shards=2)),
        "organization": lambda: organization_service().update(admin, "org_acme", UpdateOrganization(account_shards=2)),
    }
    with pytest.raises(ForbiddenError):
        ask[owner]()
    assert sorted(items_of()) == ["HOT#0"]
