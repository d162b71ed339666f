"""Daily activity by LiteLLM's API: whose, and how it is broken down (contract litellm 1.3 to 1.5, 1.9)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.litellm.test_keys import generate
from tests.litellm.test_spend_logs import of_team
from tests.support import build, calls
from tests.support.api import Answer, call, key
from tests.support.calls import NOON
from tests.support.items import put_raw, raw_items
from tollgate.core import clock

MARCH = {"start_date": "2026-03-01", "end_date": "2026-03-31"}
NOT_IN = "User does not belong to Team= {}. Call `/user/info` to see user's teams"
OWNERS = ("user", "team", "organization", "customer")
_snapshot: dict[str, Any] = {}


def asked(owner: str, caller: dict[str, str] | None = None, **query: Any) -> Answer:
    given = {"caller": caller} if caller is not None else {}
    return call("GET", f"/{owner}/daily/activity", query=query, **given)


def activity(owner: str, caller: dict[str, str] | None = None, **query: Any) -> Any:
    answer = asked(owner, caller, **MARCH | query)
    assert answer.status == 200, answer.text
    return answer.body


def spends(body: dict[str, Any], group: str = "entities") -> dict[str, dict[str, Any]]:
    """By day, what each of a group has spent."""
    return {
        day["date"]: {name: own["metrics"]["spend"] for name, own in day["breakdown"][group].items()}
        for day in body["results"]
    }


def metrics(spend: float, requests: int = 1, failed: int = 0) -> dict[str, Any]:
    return {
        "spend": spend,
        "prompt_tokens": 10 * requests,
        "completion_tokens": 5 * requests,
        "cache_read_input_tokens": 3 * requests,
        "cache_creation_input_tokens": 0,
        "total_tokens": 15 * requests,
        "successful_requests": requests - failed,
        "failed_requests": failed,
        "api_requests": requests,
    }


def spent(spend: str, **fields: Any) -> dict[str, Any]:
    return {"cost_usd": Decimal(spend), "cached_tokens": 3} | fields


@pytest.fixture
def world(noon: None) -> dict[str, dict[str, Any]]:
    """Two tenants with calls on two days; keys of a member, of a team's admin, of an organization's admin, of a team."""
    if _snapshot:
        put_raw(_snapshot["items"])
    else:
        _snapshot.update(made=_world(), items=raw_items())
    made: dict[str, dict[str, Any]] = _snapshot["made"]
    return made


def _world() -> dict[str, dict[str, Any]]:
    for organization_id, team_id in (("org_acme", "acme-dev"), ("org_other", "other-dev")):
        build.organization(organization_id)
        build.team(team_id, organization_id, team_alias=f"Name of {team_id}")
    build.team("acme-prod", "org_acme")
    for user_id in ("ana", "tess", "olga"):
        build.user(user_id)
    build.member("team-member", "acme-dev", "ana")
    build.member("organization-member", "org_acme", "ana", role="org_developer")
    build.member("team-member", "acme-dev", "tess", role="team_admin")
    build.member("organization-member", "org_acme", "olga", role="org_admin")
    made = {user_id: generate(user_id=user_id, key_alias=user_id) for user_id in ("ana", "tess", "olga")}
    made["team"] = generate(team_id="acme-dev", key_alias="service")
    made["foreign"] = generate(team_id="other-dev", key_alias="foreign")
    service, day = {"key_id": made["team"]["token"]}, timedelta(days=1)
    calls.counted(
        [
            of_team(**service, **spent("0.25")),
            of_team(**service, **spent("0.5", requested_model="slow", outcome="failed", provider="anthropic")),
            of_team(at=NOON + day, **service, **spent("1", user_id="ana", customer_id="c-1")),
            of_team("acme-prod", **spent("2")),
            of_team("other-dev", "org_other", key_id=made["foreign"]["token"], **spent("4", user_id="ana")),
            calls.record(NOON + day, key_id=made["ana"]["token"], **spent("8", user_id="ana")),
        ]
    )
    return made


def test_a_day_of_a_team_in_full(world: dict[str, dict[str, Any]]) -> None:
    token = world["team"]["token"]
    label = {"key_alias": "service", "team_id": "acme-dev"}

    def group(own: dict[str, Any], **metadata: Any) -> dict[str, Any]:
        return {
            "metrics": own,
            "metadata": metadata,
            "api_key_breakdown": {token: {"metrics": own, "metadata": label}},
        }

    fast, slow, both = metrics(0.25), metrics(0.5, failed=1), metrics(0.75, 2, 1)
    models = {"fast": group(fast), "slow": group(slow)}
    body = activity("team", team_ids="acme-dev")
    second, first = body["results"]
    assert (second["date"], second["metrics"]) == ("2026-03-02", metrics(1))
    assert first == {
        "date": "2026-03-01",
        "metrics": both,
        "breakdown": {
            "models": models,
            "model_groups": models,
            "mcp_servers": {},
            "providers": {"anthropic": group(slow), "openai": group(fast)},
            "api_keys": {token: {"metrics": both, "metadata": label}},
            "entities": {"acme-dev": group(both, team_alias="Name of acme-dev")},
        },
    }
    as_of = body["metadata"].pop("as_of")
    assert as_of.endswith("+00:00")
    assert body["metadata"] == {
        "total_spend": 1.75,
        "total_prompt_tokens": 30,
        "total_completion_tokens": 15,
        "total_tokens": 45,
        "total_api_requests": 3,
        "total_successful_requests": 2,
        "total_failed_requests": 1,
        "total_cache_read_input_tokens": 9,
        "total_cache_creation_input_tokens": 0,
        "page": 1,
        "total_pages": 1,
        "has_more": False,
    }


def test_pages_add_up(world: dict[str, dict[str, Any]]) -> None:
    pages = [activity("team", team_ids="acme-dev", page=number, page_size=1) for number in (1, 2, 3)]
    assert [[day["date"] for day in page["results"]] for page in pages] == [["2026-03-02"], ["2026-03-01"], []]
    assert [page["metadata"]["total_spend"] for page in pages] == [1, 0.75, 0]
    assert [page["metadata"]["has_more"] for page in pages] == [True, False, False]
    assert {page["metadata"]["total_pages"] for page in pages} == {2}


def test_the_platform_sees_everybody(world: dict[str, dict[str, Any]]) -> None:
    whole = activity("user")
    assert [(day["date"], day["metrics"]["spend"]) for day in whole["results"]] == [
        ("2026-03-02", 9),
        ("2026-03-01", 6.75),
    ]
    tokens = {name: world[name]["token"] for name in ("team", "foreign", "ana")}
    assert spends(whole, "api_keys") == {
        "2026-03-02": {tokens["team"]: 1, tokens["ana"]: 8},
        "2026-03-01": {tokens["team"]: 0.75, tokens["foreign"]: 4},
    }
    assert spends(activity("user", user_id="ana")) == {"2026-03-02": {"ana": 9}, "2026-03-01": {"ana": 4}}
    assert spends(activity("user", user_id="nobody")) == {}
    assert spends(activity("team")) == {
        "2026-03-02": {"acme-dev": 1},
        "2026-03-01": {"acme-dev": 0.75, "acme-prod": 2, "other-dev": 4},
    }
    assert spends(activity("team", exclude_team_ids="acme-dev")) == {"2026-03-01": {"acme-prod": 2, "other-dev": 4}}
    both = {"2026-03-02": {"org_acme": 1}, "2026-03-01": {"org_acme": 2.75, "org_other": 4}}
    assert spends(activity("organization")) == both
    assert spends(activity("organization", organization_ids="org_acme,org_other,nope")) == both
    assert spends(activity("organization", exclude_organization_ids="org_acme")) == {"2026-03-01": {"org_other": 4}}


def test_filters(world: dict[str, dict[str, Any]]) -> None:
    assert spends(activity("team", team_ids="acme-dev", model="slow")) == {"2026-03-01": {"acme-dev": 0.5}}
    by_key = {"2026-03-02": {"acme-dev": 1}, "2026-03-01": {"acme-dev": 0.75}}
    for name in ("token", "key"):
        assert spends(activity("team", api_key=world["team"][name])) == by_key
    assert activity("team", team_ids="acme-dev", api_key=world["foreign"]["token"])["results"] == []
    assert spends(activity("organization", api_key=world["foreign"]["token"])) == {"2026-03-01": {"org_other": 4}}
    assert activity("team", start_date="2026-02-01", end_date="2026-02-28")["results"] == []
    label = {"organization_alias": "Name of org_acme"}
    (day,) = activity("organization", organization_ids="org_acme", end_date="2026-03-01")["results"]
    assert day["breakdown"]["entities"]["org_acme"]["metadata"] == label


def test_customers(world: dict[str, dict[str, Any]]) -> None:
    """Under any id; without ids of those of whom something was said (Q-53)."""
    assert activity("customer")["results"] == []
    assert spends(activity("customer", end_user_ids="c-1,c-2")) == {"2026-03-02": {"c-1": 1}}
    build.budget("customer", "c-1", max_budget=5)
    assert spends(activity("customer")) == {"2026-03-02": {"c-1": 1}}
    assert activity("customer", exclude_end_user_ids="c-1")["results"] == []
    refused = asked("customer", **MARCH, api_key=world["team"]["token"])
    message = "What customers use is not told apart by key"
    assert (refused.status, refused.body) == (400, {"detail": {"error": message}})


def test_managers_see_all_of_theirs_members_their_own(world: dict[str, dict[str, Any]]) -> None:
    today = clock.utc_now() + timedelta(minutes=1)
    service = {"key_id": world["team"]["token"], "at": today}
    calls.counted([of_team(**service, **spent("16", user_id="ana")), of_team(**service, **spent("32"))])
    days = {"start_date": str(today.date()), "end_date": str(today.date())}
    ana, tess, olga = (key(world[user_id]["key"]) for user_id in ("ana", "tess", "olga"))
    now = str(today.date())
    assert spends(activity("user", ana, **days), "models") == {now: {"fast": 16}}
    assert activity("user", tess, **days)["results"] == []
    for query in ({}, {"team_ids": "acme-dev"}):
        assert spends(activity("team", ana, **days, **query)) == {now: {"acme-dev": 16}}
        assert spends(activity("team", tess, **days, **query)) == {now: {"acme-dev": 48}}
    assert spends(activity("team", olga, **days, team_ids="acme-dev,acme-prod")) == {now: {"acme-dev": 48}}
    assert spends(activity("organization", olga, **days)) == {now: {"org_acme": 48}}
    assert spends(activity("organization", ana, **days)) == {now: {"org_acme": 16}}
    assert activity("organization", tess, **days)["results"] == []
    assert activity("team", ana, **days, api_key=world["team"]["token"])["results"] == []


def test_nobody_inherits_what_was_used_under_his_id(world: dict[str, dict[str, Any]]) -> None:
    assert activity("user", key(world["ana"]["key"]))["results"] == []


@pytest.mark.parametrize("user_id", ["ana", "tess", "olga"])
@pytest.mark.parametrize(
    ("owner", "query", "refusal"),
    [
        ("user", {"user_id": "somebody"}, (403, "Non-admin users can only view their own spend data")),
        ("team", {"team_ids": "acme-dev,other-dev"}, (404, NOT_IN.format("other-dev"))),
        ("team", {"team_ids": "nope"}, (404, NOT_IN.format("nope"))),
        ("organization", {"organization_ids": "org_other"}, (403, "You do not have access to this organization")),
        ("organization", {"organization_ids": "nope"}, (403, "You do not have access to this organization")),
    ],
)
def test_what_is_others_is_refused(
    world: dict[str, dict[str, Any]], user_id: str, owner: str, query: dict[str, str], refusal: tuple[int, str]
) -> None:
    refused = asked(owner, key(world[user_id]["key"]), **MARCH | query)
    status, message = refusal
    assert (refused.status, refused.body) == (status, {"detail": {"error": message}})


def test_customers_are_the_platforms_business(world: dict[str, dict[str, Any]]) -> None:
    refused = asked("customer", key(world["olga"]["key"]), **MARCH)
    assert (refused.status, refused.body["error"]["type"]) == (401, "auth_error")
    for owner in OWNERS:
        assert asked(owner, key(world["team"]["key"]), **MARCH).status == 401


@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({}, "Please provide start_date and end_date"),
        ({"start_date": "2026-03-01"}, "Please provide start_date and end_date"),
        (MARCH | {"timezone": "Europe/Berlin"}, "timezone must be UTC"),
        ({"start_date": "2026-03-02", "end_date": "2026-03-01"}, "end_date is before start_date"),
        ({"start_date": "2024-03-02", "end_date": "2026-03-01"}, "At most 366 days can be asked for at once"),
    ],
)
def test_days_that_cannot_be_answered(owner: str, query: dict[str, str], message: str) -> None:
    refused = asked(owner, **query)
    assert (refused.status, refused.body) == (400, {"detail": {"error": message}})


@pytest.mark.parametrize("timezone", ["UTC", "0", "Etc/UTC"])
def test_utc_by_any_name(timezone: str) -> None:
    assert activity("user", timezone=timezone)["results"] == []
