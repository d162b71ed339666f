"""Calls of members whom their team limits, and limits of 0, null and none, all said by LiteLLM's API."""

from __future__ import annotations

from typing import Any

import pytest

from tests.proxy.plane import MODEL, Plane
from tests.support import build
from tests.support.api import call
from tests.support.items import raw_items
from tests.support.stream import insert
from tests.support.upstream import answer, usage
from workers import rollup


@pytest.fixture
def ready(plane: Plane, team: dict[str, Any]) -> Plane:
    """A call costs 0.0015 USD; ``ana`` is a member of the team, and the plane has a key of hers in it."""
    plane.provider.does(MODEL, answer(used=usage(100, 10)))
    build.user("ana")
    build.member("organization-member", "org_acme", "ana")
    done("/team/member_add", team_id="acme-dev", member={"role": "user", "user_id": "ana"})
    plane.key = done("/key/generate", team_id="acme-dev", user_id="ana")["key"]
    return plane


def done(path: str, method: str = "POST", **body: Any) -> Any:
    made = call(method, path, body)
    assert made.status == 200, made.text
    return made.body


def roll_up() -> None:
    """Everything that was called so far is counted in its usage."""
    made = [item for item in raw_items() if item["kind"]["S"] == "call"]
    rollup.handler({"Records": [insert(item, number) for number, item in enumerate(made, start=1)]}, None)


def refused(plane: Plane, model: str = "fast") -> tuple[int, str]:
    response = plane.chat(model, max_tokens=10)
    return response.status_code, response.json().get("error", {}).get("type", "")


def spent() -> float:
    (row,) = call("GET", "/team/info", query={"team_id": "acme-dev"}).body["team_memberships"]
    return float(row["spend"])


BUDGET = (422, "budget_exceeded")


def test_who_was_there_before_is_bound_too(ready: Plane) -> None:
    """By a row that others could use as well, and whose change counts at the next call (Q-52)."""
    row = done("/team/update", team_id="acme-dev", team_member_budget=1, team_member_budget_duration="30d")["data"]
    assert ready.chat(max_tokens=10).status_code == 200
    assert spent() == 0.0015
    budget_id = row["metadata"]["team_member_budget_id"]
    done("/budget/update", budget_id=budget_id, max_budget=0.0015)
    assert refused(ready) == BUDGET
    done("/team/update", team_id="acme-dev", team_member_budget=1)
    assert ready.chat(max_tokens=10).status_code == 200
    assert spent() == 0.003


def test_what_members_spent_before_counts(ready: Plane) -> None:
    """The budget's first window begins with what usage knows of each of them."""
    assert ready.chat(max_tokens=10).status_code == 200
    roll_up()
    done("/team/update", team_id="acme-dev", team_member_budget=1, team_member_budget_duration="30d")
    assert ready.chat(max_tokens=10).status_code == 200
    assert spent() == 0.003
    done("/team/update", team_id="acme-dev", team_member_budget=0.003)
    assert refused(ready) == BUDGET


def test_a_members_own_values_win(ready: Plane) -> None:
    done("/team/update", team_id="acme-dev", team_member_budget=0)
    assert refused(ready) == BUDGET
    done("/team/member_update", team_id="acme-dev", user_id="ana", max_budget_in_team=1)
    assert ready.chat(max_tokens=10).status_code == 200
    done("/team/member_update", team_id="acme-dev", user_id="ana", max_budget_in_team=None)
    assert refused(ready) == BUDGET
    done("/team/update", team_id="acme-dev", team_member_budget=None)
    assert ready.chat(max_tokens=10).status_code == 200


def test_a_teams_limit_for_each_of_its_members(ready: Plane) -> None:
    """Each has it for himself; a key that is nobody's is not a member."""
    done("/team/update", team_id="acme-dev", team_member_rpm_limit=1, team_member_tpm_limit=100_000)
    assert ready.chat(max_tokens=10).status_code == 200
    assert refused(ready) == (429, "throttling_error")
    build.user("ben")
    done("/team/member_add", team_id="acme-dev", member={"role": "user", "user_id": "ben"})
    ready.key = done("/key/generate", team_id="acme-dev", user_id="ben")["key"]
    assert ready.chat(max_tokens=10).status_code == 200
    assert refused(ready) == (429, "throttling_error")
    ready.key = done("/key/generate", team_id="acme-dev")["key"]
    assert [ready.chat(max_tokens=10).status_code for _ in range(2)] == [200, 200]


def test_the_models_of_members(ready: Plane) -> None:
    ready.alias("slow")
    done("/team/update", team_id="acme-dev", default_team_member_models=["slow"])
    assert refused(ready) == (403, "team_member_model_access_denied")
    assert ready.chat("slow", max_tokens=10).status_code == 200
    done("/team/member_update", team_id="acme-dev", user_id="ana", allowed_models=["fast"])
    assert ready.chat(max_tokens=10).status_code == 200
    assert refused(ready, "slow") == (403, "team_member_model_access_denied")


def test_a_teams_own_name_for_a_model(ready: Plane) -> None:
    """The team's list needs not have it; the key's has the model, or a name of its own that counts first."""
    ready.alias("slow", f"openai/{MODEL}")
    done("/team/update", team_id="acme-dev", models=["slow"], model_aliases={"quick": "fast"})
    assert ready.chat("quick", max_tokens=10).status_code == 200
    assert refused(ready) == (403, "team_model_access_denied")
    ready.key = done("/key/generate", team_id="acme-dev", models=["slow"])["key"]
    assert refused(ready, "quick") == (403, "key_model_access_denied")
    ready.key = done("/key/generate", team_id="acme-dev", models=["slow"], aliases={"quick": "slow"})["key"]
    assert ready.chat("quick", max_tokens=10).status_code == 200
    done("/team/update", team_id="acme-dev", model_aliases=None)
    ready.key = done("/key/generate", team_id="acme-dev")["key"]
    assert refused(ready, "quick")[0] == 403


# How each level is changed, and what its limit is called there.
CHANGES: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "key": ("POST", "/key/update", {}, "max_budget"),
    "team": ("POST", "/team/update", {"team_id": "acme-dev"}, "max_budget"),
    "organization": ("PATCH", "/organization/update", {"organization_id": "org_acme"}, "max_budget"),
    "member": (
        "POST",
        "/team/member_update",
        {"team_id": "acme-dev", "user_id": "ana"},
        "max_budget_in_team",
    ),
    "organization-member": (
        "PATCH",
        "/organization/member_update",
        {"organization_id": "org_acme", "user_id": "ana"},
        "max_budget_in_organization",
    ),
}


@pytest.mark.parametrize("level", CHANGES)
def test_a_budget_of_0_refuses_everything_until_null_clears_it(ready: Plane, level: str) -> None:
    method, path, named, field = CHANGES[level]
    named = named or {"key": ready.key}
    done(path, method, **named, **{field: 0})
    assert refused(ready) == BUDGET
    done(path, method, **named)
    assert refused(ready) == BUDGET
    done(path, method, **named, **{field: None})
    assert ready.chat(max_tokens=10).status_code == 200


@pytest.mark.parametrize("level", ["key", "team", "organization", "member"])
def test_no_call_at_a_time_until_null_clears_it(ready: Plane, level: str) -> None:
    method, path, named, _ = CHANGES[level]
    named = named or {"key": ready.key}
    done(path, method, **named, max_parallel_requests=0)
    assert refused(ready) == (429, "throttling_error")
    done(path, method, **named, max_parallel_requests=None)
    assert ready.chat(max_tokens=10).status_code == 200


@pytest.mark.parametrize("level", ["key", "team", "organization", "member"])
def test_a_shared_budget_of_0_until_it_is_detached(ready: Plane, level: str) -> None:
    method, path, named, _ = CHANGES[level]
    named = named or {"key": ready.key}
    done("/budget/new", budget_id="nothing", max_budget=0)
    done(path, method, **named, budget_id="nothing")
    assert refused(ready) == BUDGET
    done(path, method, **named, budget_id="")
    assert ready.chat(max_tokens=10).status_code == 200


def test_a_key_that_leaves_its_team_leaves_its_limits(ready: Plane) -> None:
    done("/team/update", team_id="acme-dev", max_budget=0)
    assert refused(ready) == BUDGET
    done("/key/update", key=ready.key, team_id="", organization_id="", models=["fast"])
    assert ready.chat(max_tokens=10).status_code == 200
