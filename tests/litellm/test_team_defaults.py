"""What a team says of members who have nothing of their own, by LiteLLM's API (contract litellm 1.4, 8)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.litellm.test_teams import ROW, done, e1, info, new, update
from tests.support import build
from tests.support.api import call, key
from tests.support.clock import FakeClock
from tests.support.items import all_items, audit_events

SENT = {
    "team_member_budget": 5,
    "team_member_budget_duration": "30d",
    "team_member_rpm_limit": 10,
    "team_member_tpm_limit": 1000,
    "team_member_key_duration": "7d",
    "default_team_member_models": ["fast"],
    "model_aliases": {"quick": "fast"},
}


@pytest.fixture(autouse=True)
def at_noon(clock: FakeClock) -> None:
    """Everything happens at the same moment."""


def made(**fields: Any) -> tuple[dict[str, Any], str]:
    """A new team's row, and the id of the row that limits its members."""
    row = new(team_id="blue", **SENT | fields)
    return row, row["metadata"]["team_member_budget_id"]


def budget_row(budget_id: str) -> Any:
    (row,) = done(call("POST", "/budget/info", {"budgets": [budget_id]}))
    return row


def test_a_team_with_limits_for_its_members() -> None:
    row, budget_id = made(metadata={"plan": "gold"})
    assert row == ROW | {
        "team_id": "blue",
        "metadata": {"plan": "gold", "team_member_budget_id": budget_id, "team_member_key_duration": "7d"},
        "default_team_member_models": ["fast"],
        "model_aliases": {"quick": "fast"},
        "litellm_model_table": {"model_aliases": {"quick": "fast"}},
    }
    table = budget_row(budget_id)
    names = ("budget_id", "max_budget", "budget_duration", "rpm_limit", "tpm_limit", "created_by")
    assert [table[name] for name in names] == [budget_id, 5, "30d", 10, 1000, "default_user_id"]
    assert info("blue")["team_info"] == row | {"team_member_budget_table": table}
    # Of one moment: nobody says which of them comes first.
    events = {event["action"]: event for event in audit_events()}
    assert sorted(events) == ["budget.updated", "team.created"]
    after = json.loads(events["budget.updated"]["after"])
    assert after == {"max_budget": 5, "budget_duration": "30d", "rpm_limit": 10, "tpm_limit": 1000}
    native = call("GET", "/api/teams/blue").body
    wanted = {
        "member_budget_id": budget_id,
        "member_key_duration": "7d",
        "default_member_models": ["fast"],
        "model_aliases": {"quick": "fast"},
    }
    assert {name: native[name] for name in wanted} == wanted


def test_only_what_is_sent_changes_and_null_clears() -> None:
    _, budget_id = made()
    row = update("blue", team_member_rpm_limit=None, team_member_key_duration=None, default_team_member_models=None)
    assert row == ROW | {
        "team_id": "blue",
        "metadata": {"team_member_budget_id": budget_id},
        "model_aliases": {"quick": "fast"},
        "litellm_model_table": {"model_aliases": {"quick": "fast"}},
    }
    assert (budget_row(budget_id)["rpm_limit"], budget_row(budget_id)["max_budget"]) == (None, 5)
    # As clients send rows back.
    row = update("blue", metadata=row["metadata"] | {"a": 1}, model_aliases={})
    assert (row["metadata"], row["model_aliases"]) == ({"team_member_budget_id": budget_id, "a": 1}, {})
    assert call("GET", "/api/teams/blue").body["metadata"] == {"a": 1}


def test_a_row_comes_with_the_first_limit_only() -> None:
    new(team_id="blue", team_member_budget=None)
    assert info("blue")["team_info"]["metadata"] == {}
    row = update("blue", team_member_budget=0)
    assert budget_row(row["metadata"]["team_member_budget_id"])["max_budget"] == 0


def test_each_member_shows_what_counts_for_him() -> None:
    _, budget_id = made()
    for name in ("ana", "ben"):
        done(call("POST", "/team/member_add", {"team_id": "blue", "member": {"role": "user", "user_id": name}}))
    limited = {"team_id": "blue", "user_id": "ben", "max_budget_in_team": 2}
    done(call("POST", "/team/member_update", limited))
    ana, ben = info("blue")["team_memberships"]
    assert (ana["budget_id"], ana["litellm_budget_table"]) == (budget_id, budget_row(budget_id))
    own = ben["litellm_budget_table"]
    assert ben["budget_id"] == own["budget_id"] != budget_id
    assert [own[name] for name in ("max_budget", "budget_duration", "rpm_limit", "tpm_limit")] == [2, "30d", 10, 1000]


def test_the_row_goes_with_the_team_unless_others_use_it() -> None:
    _, own = made()
    in_use = call("POST", "/budget/delete", {"id": own})
    assert (in_use.status, in_use.body["detail"]["error"]) == (409, f"Budget '{own}' is in use")
    done(call("POST", "/team/delete", {"team_ids": ["blue"]}))
    assert [item for item in all_items() if item["kind"] == "budget"] == []
    _, shared = made()
    build.user("ana")
    build.budget("user", "ana", budget_id=shared)
    done(call("POST", "/team/delete", {"team_ids": ["blue"]}))
    assert [item["uses"] for item in all_items() if item["kind"] == "budget"] == [1]


@pytest.mark.parametrize(("duration", "expires"), [("7d", "2026-03-08T12:00:00"), ("1mo", "2026-04-01T12:00:00")])
def test_keys_of_members_live_so_long(duration: str, expires: str) -> None:
    made(team_member_key_duration=duration)
    done(call("POST", "/team/member_add", {"team_id": "blue", "member": {"role": "user", "user_id": "ana"}}))

    def generated(**fields: Any) -> Any:
        return done(call("POST", "/key/generate", {"team_id": "blue"} | fields))["expires"]

    assert generated(user_id="ana") == f"{expires}.000000+00:00"
    assert generated(user_id="ana", duration="1h") == "2026-03-01T13:00:00.000000+00:00"
    assert generated(user_id="ana", duration="-1") is None
    assert generated() is None
    issued = call("POST", "/api/teams/blue/keys", {"user_id": "ana"}).body
    assert issued["expires_at"] == f"{expires}Z"


def test_a_member_does_not_outlive_what_his_team_says() -> None:
    """Who makes his own key by his team's permission may only make it shorter."""
    made(team_member_permissions=["/key/generate", "/key/update"])
    done(call("POST", "/team/member_add", {"team_id": "blue", "member": {"role": "user", "user_id": "ana"}}))
    ana = key(done(call("POST", "/key/generate", {"user_id": "ana"}))["key"])
    for duration in ("8d", "-1", None):
        body = {"team_id": "blue", "duration": duration}
        refused = call("POST", "/key/generate", body, caller=ana)
        message = "{'error': 'A key of a member lives at most 7d in this team'}"
        assert (refused.status, refused.body) == e1(400, message, param="duration")
    row = done(call("POST", "/key/generate", {"team_id": "blue", "duration": "1d"}, caller=ana))
    refused = call("POST", "/key/update", {"key": row["token"], "duration": "30d"}, caller=ana)
    assert (refused.status, refused.body["error"]["param"]) == (400, "duration")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("team_member_budget", -1),
        ("team_member_budget_duration", "1y"),
        ("team_member_rpm_limit", 1.5),
        ("team_member_key_duration", "0d"),
        ("team_member_key_duration", "999999999mo"),
        ("model_aliases", {"a b": "fast"}),
        ("default_team_member_models", "fast"),
    ],
)
def test_what_is_wrong_is_named(field: str, value: Any) -> None:
    refused = call("POST", "/team/new", {field: value})
    assert refused.status in {400, 422}, refused.text
    assert field.removeprefix("team_member_") in refused.text
