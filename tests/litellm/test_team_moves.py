"""Teams that go to another organization, or out of theirs, by LiteLLM's API (Q-25, Q-46)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.litellm.test_teams import admin_of, done, e1, info, update
from tests.support import build
from tests.support.api import Answer, call
from tests.support.clock import FakeClock
from tests.support.items import all_items, audit_events, put_raw, raw_items
from tests.support.sessions import session_of

KINDS = ("team", "key", "membership", "account")
_items: list[dict[str, Any]] = []


@pytest.fixture(autouse=True)
def world(empty_table: None, clock: FakeClock) -> None:
    """Two organizations, and a team of the first with three keys and a member."""
    if _items:
        put_raw(_items)
        return
    build.organization()
    build.organization("org_other")
    build.team(credits_allocated=7, access_groups=["*"])
    build.user("ana")
    build.member("team-member", "acme-dev", "ana")
    for alias in ("hers", "gone"):
        done(call("POST", "/key/generate", {"team_id": "acme-dev", "user_id": "ana", "key_alias": alias}))
    done(call("POST", "/key/delete", {"key_aliases": ["gone"]}))
    _items.extend(raw_items())


def move(organization_id: str | None, caller: dict[str, str] | None = None, **fields: Any) -> Answer:
    body = {"team_id": "acme-dev", "organization_id": organization_id} | fields
    return call("POST", "/team/update", body, **({"caller": caller} if caller is not None else {}))


def keys_in(organization_id: str, **query: str) -> int:
    shown = call("GET", "/key/list", query={"organization_id": organization_id} | query)
    return int(done(shown)["total_count"])


def counts(organization_id: str) -> tuple[int, int]:
    shown = call("GET", f"/api/organizations/{organization_id}").body
    return shown["team_count"], shown["total_credits_allocated"]


def owners() -> dict[str, set[Any]]:
    """To which organization the items say that they belong that name one, by kind."""
    found: dict[str, set[Any]] = {}
    for item in all_items():
        if item["kind"] in KINDS:
            found.setdefault(item["kind"], set()).add(item.get("organization_id"))
    return found


def test_it_goes_with_its_keys_and_members() -> None:
    row = done(move("org_other", team_alias="Moved"))["data"]
    assert (row["organization_id"], row["team_alias"]) == ("org_other", "Moved")
    assert owners() == {kind: {"org_other"} for kind in KINDS}
    assert (counts("org_acme"), counts("org_other")) == ((0, 0), (1, 7))
    for status, number in ({}, 2), ({"status": "deleted"}, 1):
        assert (keys_in("org_acme", **status), keys_in("org_other", **status)) == (0, number)
    assert [key["organization_id"] for key in info("acme-dev")["keys"]] == ["org_other"] * 2
    (event,) = [event for event in audit_events() if event["action"] == "team.updated"]
    assert (event["organization_id"], '"organization_id":"org_other"' in event["after"]) == ("org_acme", True)


@pytest.mark.parametrize("nothing", ["", None])
def test_it_becomes_the_platforms(nothing: str | None) -> None:
    call("PUT", "/api/teams/acme-dev", {"credits_source": "organization"})
    row = done(move(nothing))["data"]
    assert row["organization_id"] is None
    assert owners() == {kind: {None} for kind in KINDS}
    assert counts("org_acme") == (0, 0)
    assert call("GET", "/api/teams/acme-dev").body["credits_source"] == "none"
    assert (
        done(call("GET", "/team/list", query={"organization_id": "default_organization"}))[0]["team_id"] == "acme-dev"
    )
    assert done(move("org_acme"))["data"]["organization_id"] == "org_acme"
    assert counts("org_acme") == (1, 7)


def test_where_it_is_it_stays() -> None:
    assert update("acme-dev", organization_id="org_acme", team_alias="A")["team_alias"] == "A"
    assert counts("org_acme") == (1, 7)


def test_only_who_manages_both_moves_it() -> None:
    olga, otto = admin_of("org_acme"), admin_of("org_other", "otto")
    for organization_id in ("org_other", "org_nobody", ""):
        refused = move(organization_id, olga)
        wanted = organization_id or None
        message = f"You may not move team=acme-dev to organization={wanted}. route=/team/update"
        assert (refused.status, refused.body) == e1(403, f"{{'error': {message!r}}}")
    message = "Call not allowed. User not proxy admin OR team admin. route=/team/update, team_id=acme-dev"
    refused = move("org_other", otto)
    assert (refused.status, refused.body["error"]["message"]) == (403, f"{{'error': {message!r}}}")
    build.member("organization-member", "org_other", "olga", role="org_admin")
    assert done(move("org_other", session_of("olga")))["data"]["organization_id"] == "org_other"


def test_an_unknown_organization() -> None:
    refused = move("org_nobody")
    message = "Organization not found for organization_id=org_nobody"
    assert (refused.status, refused.body) == e1(400, f"{{'error': {message!r}}}")


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"max_budget": 5}, "Team max_budget (9) exceeds organization's max_budget (5). Organization: org_other"),
        ({"rpm_limit": 1}, "Team rpm_limit (2) exceeds organization's rpm_limit (1). Organization: org_other"),
        (
            {"models": ["slow"]},
            "Model 'fast' not in organization's allowed models. Allowed: ['slow']. Organization: org_other",
        ),
    ],
)
def test_everything_that_it_has_fits_where_it_goes(limits: dict[str, Any], message: str) -> None:
    update("acme-dev", max_budget=9, rpm_limit=2, models=["fast"])
    done(call("PATCH", "/organization/update", {"organization_id": "org_other"} | limits))
    refused = move("org_other")
    assert (refused.status, refused.body) == e1(400, str({"error": message}))
    assert done(move("org_other", max_budget=5, rpm_limit=1, models=["slow"]))["data"]["models"] == ["slow"]


def test_a_move_that_fails_has_not_begun() -> None:
    """Everything that a request says is one transaction."""
    before = raw_items()
    assert move("org_other", budget_id="unknown").status == 400
    assert move("org_other", team_alias="A", max_budget=-1).status in {400, 422}
    assert raw_items() == before


def test_a_share_is_given_back_first() -> None:
    call("PUT", "/api/budgets/organization/org_acme", {"max_budget": 100})
    call("PUT", "/api/teams/acme-dev", {"allocated_budget": 10})
    assert move("org_other").status == 409
    call("PUT", "/api/teams/acme-dev", {"allocated_budget": None})
    assert move("org_other").status == 200


def test_as_much_as_a_transaction_holds() -> None:
    for _ in range(23):
        build.issued_key()
    done(move("org_other"))
    assert keys_in("org_other") == 25
    build.issued_key()
    refused = move("org_acme")
    message = "The team has too many keys (27) and members (1) to be moved at once"
    assert (refused.status, refused.body) == e1(409, f"{{'error': {message!r}}}")


def test_nobody_gets_around_an_organizations_account() -> None:
    call("PUT", "/api/teams/acme-dev", {"credits_source": "none"})
    call("POST", "/api/credits/add", {"organization_id": "org_other", "amount": 5, "reason": "start"})
    olga = admin_of("org_acme")
    build.member("organization-member", "org_other", "olga", role="org_admin")
    done(move("org_other", olga))
    assert call("GET", "/api/teams/acme-dev").body["credits_source"] == "organization"
