"""What a budget says is spent and reserved, and what an adjustment of it changes (Q-45)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support import build
from tests.support.api import call, problem
from tests.support.clock import FakeClock
from tests.support.items import all_items, audit_events, partition, put_raw
from tollgate.auth.credentials import key_id_of
from tollgate.core import ids
from tollgate.limits.model import counter_name
from tollgate.table import keys
from tollgate.usage.figures import ATTRIBUTES
from tollgate.usage.layout import Dimensions, buckets_of

NOON = 1772366400  # 2026-03-01T12:00:00Z, where the fake clock stands


@pytest.fixture
def acme(empty_table: None, clock: FakeClock) -> dict[str, Any]:
    """An organization with a team, a user in both, and a second tenant; the team's creation."""
    build.organization("org_other")
    build.team("other-dev", "org_other")
    build.organization()
    team = build.team()
    build.user("ana")
    build.member("organization-member", "org_acme", "ana")
    build.member("team-member", "acme-dev", "ana")
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


def counter(uid: str, **attributes: Any) -> None:
    """A counter item as calls leave it: numbers by name; ``holds`` as they are."""
    values = {name: {"N": str(value)} for name, value in attributes.items() if name != "holds"}
    place = {"PK": {"S": keys.account(uid)}, "SK": {"S": keys.counter()}, "kind": {"S": "counter"}}
    put_raw([place | {"h": {"M": attributes.get("holds", {})}} | values])


def uid_of(kind: str, **wanted: str) -> str:
    (item,) = [item for item in all_items() if item["kind"] == kind and wanted.items() <= item.items()]
    return str(item["uid"])


def test_what_is_spent_and_reserved_is_told_apart(acme: dict[str, Any], clock: FakeClock) -> None:
    """A counter has both; its holds say what is reserved, each in the window of its own time."""
    limits = {"max_budget": 100, "budget_duration": "1d", "model_max_budget": {"fast": {"max_budget": 9}}}
    build.budget("customer", "c7", **limits)
    uid = uid_of("customer", customer_id="c7")
    today = ids.hold_id_of(ids.new_call_id(NOON * 1000))
    yesterday = ids.hold_id_of(ids.new_call_id((NOON - 86_400) * 1000))
    codes = {"S": f"b1d~{NOON} b~{NOON}:fast r1m"}
    day, once = counter_name(f"b1d~{NOON}", NOON), counter_name(f"b~{NOON}:fast", NOON)
    holds = {
        today: {"M": {"x": {"N": "1"}, "u": {"N": "2.5"}, "w": codes}},
        yesterday: {"M": {"x": {"N": "1"}, "u": {"N": "4"}, "w": codes}},
    }
    counter(uid, **{day: "7.25", once: "8"}, holds=holds)
    body = call("GET", path("customer", "c7")).body
    assert (body["spend"], body["reserved"]) == (4.75, 2.5)
    assert body["model_spend"] == {"fast": {"spend": 1.5, "reserved": 6.5, "budget_reset_at": None}}
    clock.advance(days=1)
    assert call("GET", path("customer", "c7")).body["spend"] == 0


def used(day: str, cost: str, **names: str) -> None:
    """What the rollups would have of a call."""
    record = {name: {"S": value} for name, value in names.items()} | {"started_at": {"S": f"{day}T01:00:00.000000Z"}}
    for bucket in buckets_of(record, Dimensions("fast", "openai")):
        texts = {name: {"S": value} for name, value in {**dict(bucket.texts), "PK": bucket.pk, "SK": bucket.sk}.items()}
        put_raw([texts | {"kind": {"S": "usage"}, ATTRIBUTES["cost_usd"]: {"N": cost}}])


def test_what_nothing_counts_is_told_by_the_usage(acme: dict[str, Any], clock: FakeClock) -> None:
    """A scope without a budget counts nothing, and one that got it midway began with what it had spent."""
    names = {
        "team_uid": uid_of("team", team_id="acme-dev"),
        "organization_uid": uid_of("organization", organization_id="org_acme"),
        "user_id": "ana",
        "customer_id": "end user/7",
        "key_id": scopes(acme)["key"],
    }
    for scope in ("customer", "tag"):
        build.budget(scope, scopes(acme)[scope], rpm_limit=5)
    used("2026-03-01", "1.5", **names)
    used("2026-02-28", "0.25", **names)
    clock.advance(days=1)
    used("2026-03-02", "2", **names)
    for scope, scope_id in scopes(acme).items():
        if scope in {"tag", "platform"}:
            continue
        expected = 3.75 if scope == "customer" else 3.5
        assert (scope, call("GET", path(scope, scope_id)).body["spend"]) == (scope, expected)
        sent = {"max_budget": 9, "budget_duration": "1d", "model_max_budget": {"fast": {"max_budget": 1}}}
        body = build.budget(scope, scope_id, **sent)
        assert (scope, body["spend"], body["model_spend"]["fast"]["spend"]) == (scope, 2, expected)
    assert call("GET", path("platform", "platform")).body["spend"] == 3.75


def test_an_adjustment_sets_what_is_spent_and_nothing_else(acme: dict[str, Any]) -> None:
    build.budget("team", "acme-dev", max_budget=100)
    before = {item["SK"]: item for item in partition(f"ACCOUNT#{uid_of('team', team_id='acme-dev')}")}
    adjust = path("team", "acme-dev") + "/adjust"
    answer = call("POST", adjust, {"spend": 12.5, "reason": "migrated"})
    assert (answer.status, answer.body["spend"], answer.body["reserved"]) == (200, 12.5, 0)
    assert call("POST", adjust, {"spend": 3}).body["spend"] == 3
    after = {item["SK"]: item for item in partition(f"ACCOUNT#{uid_of('team', team_id='acme-dev')}")}
    changed = {name for name, value in after["HOT#0"].items() if before["HOT#0"].get(name) != value}
    assert changed == {"aj", next(name for name in after["HOT#0"] if name.startswith("b@"))}
    first, second = [event for event in audit_events() if event["action"] == "budget.adjusted"]
    assert (json.loads(first["before"]), json.loads(first["after"])) == (
        {"spend": 0},
        {"spend": 12.5, "reason": "migrated"},
    )
    assert json.loads(second["before"]) == {"spend": 12.5}


def test_an_adjustment_makes_the_counter_that_calls_would_make(acme: dict[str, Any]) -> None:
    build.budget("team-member", "acme-dev~ana", max_budget=100)
    assert call("POST", path("team-member", "acme-dev~ana") + "/adjust", {"spend": 1}).body["spend"] == 1
    (item,) = [item for item in all_items() if item["kind"] == "counter"]
    known = {name: item[name] for name in ("h", "us", "tk", "cn", "scope", "scope_id", "team_id", "user_id", "aj")}
    assert known == {
        "h": {},
        "us": 0,
        "tk": 0,
        "cn": 0,
        "scope": "team-member",
        "scope_id": "acme-dev~ana",
        "team_id": "acme-dev",
        "user_id": "ana",
        "aj": 1,
    }
    assert "av" not in item


def test_adjustments_at_once_leave_the_last_one(acme: dict[str, Any]) -> None:
    build.budget("team", "acme-dev", max_budget=100)
    adjust = path("team", "acme-dev") + "/adjust"
    call("POST", adjust, {"spend": 50})
    for spend in (1, 2, 3):
        assert call("POST", adjust, {"spend": spend}).body["spend"] == spend


def test_calls_between_reading_and_adjusting_are_counted_on_top(
    acme: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tollgate.limits import repository

    build.budget("customer", "c7", max_budget=100)
    adjust = path("customer", "c7") + "/adjust"
    call("POST", adjust, {"spend": 10})
    read = repository.counters

    def racing(*args: Any) -> Any:
        found = read(*args)
        if not raced:
            raced.append(True)
            (name,) = [name for name in found[0] if "@" in name]
            item = {**found[0], name: {"N": "10.5"}}
            put_raw([item])
        return found

    raced: list[bool] = []
    monkeypatch.setattr(repository, "counters", racing)
    assert call("POST", adjust, {"spend": 2}).body["spend"] == 2.5


def test_without_a_budget_there_is_nothing_to_adjust(acme: dict[str, Any]) -> None:
    answer = call("POST", path("team", "acme-dev") + "/adjust", {"spend": 1})
    expected = problem(409, "nothing_to_adjust", "Without a max_budget there is nothing to adjust")
    assert (answer.status, answer.body) == (409, expected)
    build.budget("shared", "row", max_budget=1)
    assert call("POST", path("shared", "row") + "/adjust", {"spend": 1}).status == 409
