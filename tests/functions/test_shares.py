"""Parts of an organization's budget for its teams (Q-51): the sum fits, and nothing can be spent twice."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import build
from tests.support.api import call, problem
from tests.support.clock import FakeClock
from tests.support.items import all_items, put_raw, raw_items
from tollgate.limits import repository as limits
from tollgate.table import keys


@pytest.fixture(autouse=True)
def acme(empty_table: None, clock: FakeClock) -> None:
    build.organization(max_budget=100, budget_duration="1mo")
    build.team("acme-dev")
    build.team("acme-prod")


def share(team_id: str, amount: Any) -> tuple[int, Any]:
    answer = call("PUT", f"/api/teams/{team_id}", {"allocated_budget": amount})
    return answer.status, answer.body


def refusal(detail: str, code: str = "budget_allocated", field: str = "allocated_budget") -> tuple[int, Any]:
    return 409, problem(409, code, detail, errors=[{"field": field, "message": detail}])


def organization() -> dict[str, Any]:
    (item,) = [item for item in all_items() if item["kind"] == "organization"]
    return item


def uid_of(team_id: str) -> str:
    (item,) = [item for item in all_items() if item["kind"] == "team" and item["team_id"] == team_id]
    return str(item["uid"])


def month(unit: str) -> str:
    """The name of this month's counter."""
    from tollgate.limits.model import counter_name

    return counter_name(f"{unit}1mo", 1772366400)


def spend(uid: str, name: str, amount: float) -> None:
    """What calls have counted, as they would leave it."""
    place = {"PK": {"S": keys.account(uid)}, "SK": {"S": keys.counter()}}
    found = [item for item in raw_items() if place.items() <= item.items()]
    item = found[0] if found else place | {"kind": {"S": "account"}, "h": {"M": {}}}
    put_raw([{**item, name: {"N": str(amount)}}])


def others(amount: float) -> None:
    spend(organization()["uid"], month("b"), amount)


def test_shares_are_shown_and_add_up() -> None:
    assert share("acme-dev", 60)[1]["allocated_budget"] == 60
    build.team("acme-new", allocated_budget=15.5)
    body = call("GET", "/api/organizations/org_acme").body
    assert (body["allocated_total"], body["allocations"]) == (75.5, {"acme-dev": 60, "acme-new": 15.5})
    share("acme-dev", 20)
    share("acme-new", None)
    assert call("GET", "/api/organizations/org_acme").body["allocations"] == {"acme-dev": 20}
    assert organization()["allocated_total"] == 20
    call("DELETE", "/api/teams/acme-dev", query={"force": "true"})
    assert organization()["allocated_total"] == 0


def test_the_sum_stays_below_the_budget() -> None:
    share("acme-dev", 60)
    message = "The teams' shares would be 100.01, more than the organization's max_budget of 100"
    before = all_items()
    assert share("acme-prod", 40.01) == refusal(message)
    request = {"organization_id": "org_acme", "team_id": "acme-new", "allocated_budget": 40.01}
    created = call("POST", "/api/teams/create", request)
    assert (created.status, created.body) == refusal(message)
    assert all_items() == before
    assert share("acme-prod", 40)[0] == 200


def test_the_budget_stays_above_the_sum() -> None:
    share("acme-dev", 60)
    message = "max_budget must be at least 60, which is allocated to teams"
    for value in (59.99, None):
        answer = call("PUT", "/api/organizations/org_acme", {"max_budget": value})
        assert (answer.status, answer.body) == refusal(message, field="max_budget")
        answer = call("PUT", "/api/budgets/organization/org_acme", {"max_budget": value})
        assert (answer.status, answer.body) == refusal(message, field="max_budget")
    assert call("DELETE", "/api/budgets/organization/org_acme").status == 409
    assert call("PUT", "/api/organizations/org_acme", {"max_budget": 60}).status == 200


def test_without_a_budget_there_is_nothing_to_share() -> None:
    build.organization("org_free")
    build.team("free-dev", "org_free")
    assert share("free-dev", 1) == refusal(
        "Organization 'org_free' has no max_budget to allocate from", "nothing_to_allocate"
    )
    assert share("free-dev", None)[0] == 200


def test_a_share_takes_only_what_the_others_have_not_spent() -> None:
    others(30)
    message = "The teams without a share have spent 30 of this window; only 29.99 would be left for them"
    assert share("acme-dev", 70.01) == refusal(message)
    assert share("acme-dev", 70)[0] == 200


def test_a_call_between_the_check_and_the_write_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The counter is a condition of the transaction, so that the rest can never be spent already."""
    others(10)
    read, raced = limits.counters, []

    def racing(*args: Any) -> Any:
        found = read(*args)
        if not raced:
            raced.append(True)
            others(45)
        return found

    monkeypatch.setattr(limits, "counters", racing)
    assert share("acme-dev", 60)[0] == 409
    assert "allocated_total" not in organization() or organization()["allocated_total"] == 0


def test_a_share_that_is_lowered_leaves_behind_what_it_has_spent(clock: FakeClock) -> None:
    share("acme-dev", 60)
    spend(uid_of("acme-dev"), month("a"), 50)
    assert share("acme-dev", 20)[0] == 200
    kept = organization()
    assert (kept["allocated_total"], list(kept["spent_shares"].values())) == (20, [30])
    assert share("acme-prod", 50.01)[0] == 409
    assert share("acme-prod", 50)[0] == 200
    clock.advance(days=31)
    assert share("acme-prod", 80)[0] == 200
    assert organization()["spent_shares"] == {}


def test_a_share_that_is_taken_away_leaves_behind_what_it_has_spent() -> None:
    share("acme-dev", 60)
    spend(uid_of("acme-dev"), month("a"), 25)
    share("acme-dev", None)
    item = organization()
    (window,) = item["spent_shares"]
    assert (item["allocated_total"], item["spent_shares"]) == (0, {window: 25})
    assert window == month("b").partition("@")[2]
    others(10)
    assert share("acme-prod", 65.01)[0] == 409
    assert share("acme-prod", 65)[0] == 200


def test_a_deleted_team_leaves_behind_what_it_has_spent() -> None:
    share("acme-dev", 60)
    spend(uid_of("acme-dev"), month("a"), 25)
    call("DELETE", "/api/teams/acme-dev", query={"force": "true"})
    item = organization()
    assert (item["allocated_total"], list(item["spent_shares"].values())) == (0, [25])


def test_what_was_overrun_is_nobody_s_share() -> None:
    share("acme-dev", 60)
    spend(uid_of("acme-dev"), month("a"), 70)
    assert share("acme-dev", None)[0] == 200
    assert list(organization()["spent_shares"].values()) == [60]


def test_shares_and_rollover_are_set_by_who_may() -> None:
    answer = call("PUT", "/api/organizations/org_acme", {"rollover": "next", "tags": ["a", "a", "b"]})
    assert (answer.body["rollover"], answer.body["tags"]) == ("next", ["a", "b"])
    cleared = call("PUT", "/api/organizations/org_acme", {"rollover": None, "tags": None})
    assert (cleared.body["rollover"], cleared.body["tags"]) == ("none", [])
