"""How an account behaves: its settings, automatic refills, grace periods; and what the schedule does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.functions.test_credits import DEFAULT_SETTINGS
from tests.support import build
from tests.support.accounts import ORGANIZATION, TEAM, add, balance, configure, figures, ledger, spend, uid_of
from tests.support.api import call, problem
from tests.support.clock import FakeClock
from tests.support.items import all_items, audit_events, organization_counts
from tollgate.auth.principal import ActorKind, Principal, Role
from tollgate.core.errors import ForbiddenError
from tollgate.credits.model import OfAccount
from tollgate.credits.service import credit_service
from tollgate.limits.account import AccountSettings, CreditsSource, LimitMode, RefillPeriod
from tollgate.limits.account_fields import UpdateAccountSettings
from tollgate.teams.model import UpdateTeam
from tollgate.tenants.teams import team_service

MONTHLY = {"auto_refill": True, "refill_amount": 100, "refill_period": "monthly"}
GRACE = {"limit_mode": "soft", "suspend_at_zero": True, "grace_period_hours": 24}
OWNERS = pytest.mark.parametrize("owner", [TEAM, ORGANIZATION], ids=["team", "organization"])


@pytest.fixture(autouse=True)
def tenants(empty_table: None, clock: FakeClock) -> None:
    build.organization()
    build.team(credits_allocated=10)
    add(ORGANIZATION, 10)


def run() -> Any:
    """One run of the schedule."""
    from workers.refill import handler

    return handler({}, None)


def item_of(owner: dict[str, str]) -> dict[str, Any]:
    uid = uid_of(owner)
    (item,) = [item for item in all_items() if item.get("uid") == uid]
    return item


@OWNERS
def test_settings_are_shown_and_changed_one_by_one(owner: dict[str, str]) -> None:
    who = {"team_id": owner.get("team_id"), "organization_id": "org_acme"}
    who["credits_source"] = "team" if owner is TEAM else None
    assert call("GET", "/api/credits/settings", query=owner).body == DEFAULT_SETTINGS | who
    sent = MONTHLY | GRACE | {"credit_limit": 12.5, "alert_at_percentage": [50, 80.5]}
    expected = DEFAULT_SETTINGS | who | sent | {"next_refill_at": "2026-04-01T00:00:00Z"}
    assert configure(owner, **sent) == expected
    assert configure(owner, credit_limit=None, alert_at_percentage=None, limit_mode=None) == expected | {
        "credit_limit": None,
        "alert_at_percentage": None,
        "limit_mode": "hard",
    }
    shown = balance(owner)
    assert {name: shown[name] for name in DEFAULT_SETTINGS} == {
        name: value for name, value in configure(owner).items() if name in DEFAULT_SETTINGS
    }
    event = audit_events()[-1]
    assert event["action"] == f"{'team' if owner is TEAM else 'organization'}.credits_configured"
    assert event["before"] == '{"limit_mode":"soft","credit_limit":12.5,"alert_at_percentage":[50,80.5]}'


def test_settings_come_with_creation_and_update() -> None:
    team = build.team("acme-prod", limit_mode="unlimited", credits_source="organization", **MONTHLY)
    assert team["credits_source"] == "organization"
    shown = balance({"team_id": "acme-prod"})
    assert (shown["limit_mode"], shown["credits_source"]) == ("unlimited", "organization")
    assert shown["next_refill_at"] == "2026-04-01T00:00:00Z"
    updated = call("PUT", "/api/teams/acme-prod", {"limit_mode": "soft", "credits_source": None, "auto_refill": False})
    assert updated.body["credits_source"] == "team"
    shown = balance({"team_id": "acme-prod"})
    assert (shown["limit_mode"], shown["auto_refill"], shown["next_refill_at"]) == ("soft", False, None)
    assert audit_events()[-1]["before"] == '{"limit_mode":"unlimited","auto_refill":true}'
    build.organization("org_other", limit_mode="soft", **MONTHLY)
    other = {"organization_id": "org_other"}
    assert balance(other)["limit_mode"] == "soft"
    # It may be spent from before anything was added.
    assert item_of(other)["has_account"] is True
    call("PUT", "/api/organizations/org_other", {"limit_mode": "hard"})
    assert balance(other)["limit_mode"] == "hard"


def test_an_organization_has_an_account_from_its_first_credits_on() -> None:
    build.organization("org_other")
    other = {"organization_id": "org_other"}
    assert item_of(other)["has_account"] is False
    add(other, 1)
    assert item_of(other)["has_account"] is True


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("limit_mode", "none"),
        ("credit_limit", -1),
        ("auto_refill", "yes"),
        ("refill_amount", 0),
        ("refill_period", "yearly"),
        ("suspend_at_zero", 1),
        ("grace_period_hours", 0),
        ("alert_at_percentage", []),
        ("alert_at_percentage", [1001]),
        ("last_refill_at", "2026-03-01T12:00:00Z"),
        ("grace_until", None),
    ],
)
def test_settings_that_mean_nothing(field: str, value: object) -> None:
    answer = call("PUT", "/api/credits/settings", {field: value}, query=TEAM)
    assert (answer.status, answer.body["errors"][0]["field"].split(".")[0]) == (422, field)


@pytest.mark.parametrize("missing", ["refill_amount", "refill_period"])
def test_a_refill_needs_amount_and_period(missing: str) -> None:
    answer = call("PUT", "/api/credits/settings", MONTHLY | {missing: None}, query=TEAM)
    message = f"auto_refill needs {missing}"
    assert answer.body == problem(422, "invalid_request", message, errors=[{"field": missing, "message": message}])
    configure(TEAM, **MONTHLY)
    assert call("PUT", "/api/teams/acme-dev", {missing: None}).status == 422


def test_only_the_platform_says_how_an_account_behaves() -> None:
    role = (("org_acme", Role.ORG_ADMIN),)
    admin = Principal("u", ActorKind.USER, organization_roles=role, organization_id="org_acme")
    with pytest.raises(ForbiddenError):
        credit_service().configure(
            admin, OfAccount(team_id="acme-dev"), UpdateAccountSettings(limit_mode=LimitMode.SOFT)
        )
    with pytest.raises(ForbiddenError):
        team_service().update(admin, "acme-dev", UpdateTeam(limit_mode=LimitMode.SOFT))
    with pytest.raises(ForbiddenError):
        team_service().update(admin, "acme-dev", UpdateTeam(credits_source=CreditsSource.NONE))
    assert balance(TEAM)["limit_mode"] == "hard"
    answer = team_service().update(admin, "acme-dev", UpdateTeam(credits_source=CreditsSource.ORGANIZATION))
    assert answer.credits_source == "organization"


def test_a_soft_account_below_zero_shows_its_overage() -> None:
    configure(TEAM, limit_mode="soft")
    spend(TEAM, "12.5")
    shown = balance(TEAM)
    assert (shown["credits_remaining"], shown["credits_used"], shown["overage"]) == (-2.5, 12.5, 2.5)
    assert (shown["percentage_used"], shown["suspended"]) == (125, False)
    assert configure(TEAM, suspend_at_zero=True)["suspend_at_zero"] is True
    assert balance(TEAM)["suspended"] is True


@OWNERS
def test_a_refill_comes_when_the_period_begins_and_once(owner: dict[str, str], clock: FakeClock) -> None:
    configure(owner, **MONTHLY)
    assert run() == {"accounts": 0, "refills": 0, "graces": 0}
    clock.now = datetime(2026, 4, 1, tzinfo=UTC)
    assert run() == {"accounts": 1, "refills": 1, "graces": 0}
    assert run() == {"accounts": 0, "refills": 0, "graces": 0}
    assert figures(owner) == (110, 0, 110)
    entry = ledger(owner)[0]
    assert (entry["transaction_type"], entry["reason"]) == ("refill", "Auto-refill: monthly")
    assert (entry["credits_amount"], entry["credits_before"], entry["credits_after"]) == (100, 10, 110)
    shown = balance(owner)
    assert (shown["last_refill_at"], shown["next_refill_at"]) == ("2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z")
    assert organization_counts() == (1, 1, 110 if owner is TEAM else 10)
    event = audit_events()[-1]
    assert (event["actor"], event["actor_kind"]) == ("system", "system")
    assert event["action"].endswith(".credits_refilled")


def test_refills_that_were_missed_are_over(clock: FakeClock) -> None:
    configure(TEAM, auto_refill=True, refill_amount=1.5, refill_period="daily")
    clock.advance(days=5)
    assert run()["refills"] == 1
    assert figures(TEAM) == (11.5, 0, 11.5)
    assert balance(TEAM)["next_refill_at"] == "2026-03-07T00:00:00Z"


def test_switching_off_and_on_refills_nothing_twice(clock: FakeClock) -> None:
    configure(TEAM, **MONTHLY)
    clock.now = datetime(2026, 4, 1, tzinfo=UTC)
    run()
    configure(TEAM, auto_refill=False)
    configure(TEAM, auto_refill=True)
    configure(TEAM, refill_period="weekly")
    assert run()["accounts"] == 0
    # The next Monday.
    assert balance(TEAM)["next_refill_at"] == "2026-04-06T00:00:00Z"
    configure(TEAM, refill_period="monthly")
    clock.now = datetime(2026, 4, 30, tzinfo=UTC)
    assert run()["refills"] == 0
    assert figures(TEAM) == (110, 0, 110)


def test_a_changed_amount_waits_for_the_period(clock: FakeClock) -> None:
    configure(TEAM, **MONTHLY)
    clock.now = datetime(2026, 4, 1, tzinfo=UTC)
    configure(TEAM, refill_amount=7)
    run()
    assert figures(TEAM) == (17, 0, 17)


@OWNERS
def test_grace_begins_when_the_account_is_found_used_up(owner: dict[str, str], clock: FakeClock) -> None:
    configure(owner, **GRACE)
    assert run() == {"accounts": 1, "refills": 0, "graces": 0}
    spend(owner, "10")
    assert balance(owner)["suspended"] is False
    assert run()["graces"] == 1
    clock.advance(hours=23)
    assert run()["graces"] == 0
    shown = balance(owner)
    assert (shown["grace_until"], shown["suspended"]) == ("2026-03-02T12:00:00Z", False)
    clock.advance(hours=1)
    assert balance(owner)["suspended"] is True
    add(owner, 5)
    shown = balance(owner)
    assert (shown["grace_until"], shown["suspended"]) == (None, False)
    assert [event["action"].split(".")[1] for event in audit_events()[-2:]] == ["credits_grace_begun", "credits_added"]
    spend(owner, "5")
    run()
    assert balance(owner)["grace_until"] == "2026-03-03T12:00:00Z"


def test_a_transfer_ends_the_grace_of_whom_it_is_given_to() -> None:
    for owner in (TEAM, ORGANIZATION):
        configure(owner, **GRACE)
    spend(ORGANIZATION, "10")
    assert run()["graces"] == 1
    transfer = {"team_id": "acme-dev", "amount": 10, "direction": "to_organization"}
    assert call("POST", "/api/credits/transfer", transfer).status == 200
    assert balance(ORGANIZATION)["grace_until"] is None
    assert run()["graces"] == 1
    assert balance(TEAM)["grace_until"] is not None
    assert call("POST", "/api/credits/transfer", transfer | {"direction": "to_team"}).status == 200
    assert balance(TEAM)["grace_until"] is None


def test_credits_that_come_back_end_the_grace() -> None:
    configure(TEAM, **GRACE)
    spend(TEAM, "10")
    run()
    spend(TEAM, "-1")
    assert run()["graces"] == 1
    assert balance(TEAM)["grace_until"] is None


def test_a_refill_ends_the_grace(clock: FakeClock) -> None:
    configure(TEAM, **MONTHLY | GRACE)
    spend(TEAM, "10")
    assert run()["graces"] == 1
    clock.now = datetime(2026, 4, 1, tzinfo=UTC)
    assert run()["refills"] == 1
    assert balance(TEAM)["grace_until"] is None


@pytest.mark.parametrize("change", [{"suspend_at_zero": False}, {"grace_period_hours": None}, {"limit_mode": "hard"}])
def test_without_its_reason_grace_is_forgotten(change: dict[str, Any]) -> None:
    configure(TEAM, **GRACE)
    spend(TEAM, "10")
    run()
    assert configure(TEAM, **change)["grace_until"] is None
    assert "DUEPK" not in item_of(TEAM)
    assert run()["accounts"] == 0


def test_an_owner_that_is_gone_is_nobodys_business(clock: FakeClock) -> None:
    configure(TEAM, **MONTHLY)
    call("DELETE", "/api/teams/acme-dev", query={"force": "true"})
    clock.now = datetime(2026, 4, 1, tzinfo=UTC)
    assert run() == {"accounts": 0, "refills": 0, "graces": 0}


def test_one_account_that_fails_does_not_stop_the_others(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    from tollgate.core.errors import StoreUnavailableError
    from tollgate.credits import repository
    from workers.refill import RefillFailedError

    build.team("acme-prod", **MONTHLY)
    configure(TEAM, **MONTHLY)
    clock.now = datetime(2026, 4, 1, tzinfo=UTC)
    broken, find = uid_of(TEAM), repository.find

    def failing(uid: str, *shards: int) -> Any:
        if uid == broken:
            raise StoreUnavailableError("no answer")
        return find(uid, *shards)

    with monkeypatch.context() as patch:
        patch.setattr(repository, "find", failing)
        with pytest.raises(RefillFailedError, match="1 of 2 accounts"):
            run()
    assert figures({"team_id": "acme-prod"}) == (100, 0, 100)
    assert run()["refills"] == 1
    assert figures(TEAM) == (110, 0, 110)


@pytest.mark.parametrize(
    ("period", "moment", "expected"),
    [
        (RefillPeriod.DAILY, datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)),
        (RefillPeriod.WEEKLY, datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC)),
        (RefillPeriod.MONTHLY, datetime(2026, 12, 31, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)
def test_periods_are_the_clocks(period: RefillPeriod, moment: datetime, expected: datetime) -> None:
    sent = {"auto_refill": True, "refill_amount": 1, "refill_period": period}
    assert AccountSettings().changed(sent, moment).next_refill_at == expected
