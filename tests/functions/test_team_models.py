"""What a team's calls may use, in the vocabulary of model groups (D-11), and what its key is told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import build
from tests.support.api import call, key, problem
from tests.support.clock import FakeClock
from tests.support.items import all_items, audit_events, group_links
from tollgate.auth.credentials import key_id_of

TEAM = "/api/teams/acme-dev"
GROUPS = f"{TEAM}/model-groups"


@pytest.fixture(autouse=True)
def organization(empty_table: None) -> None:
    build.organization()
    build.alias("fast")
    build.alias("slow", "openai/gpt-4o")
    build.access_group("acme-models", model_aliases=["slow", "gpt-*"])


def model_links() -> set[tuple[str, str]]:
    return {(item["PK"], item["team_id"]) for item in all_items() if item["kind"] == "model_link"}


def held() -> tuple[list[str], list[str], list[str]]:
    team = build.team_details()
    return team["access_groups"], team["model_groups"], team["allowed_models"]


def unknown(name: str) -> dict[str, Any]:
    message = f"Unknown model group '{name}'"
    return problem(422, "unknown_model_group", message, errors=[{"field": "model_groups", "message": message}])


def test_a_team_of_groups_and_single_aliases() -> None:
    team = build.team(model_groups=["fast", "acme-models", "fast"])
    assert (team["access_groups"], team["model_groups"]) == (["acme-models"], ["acme-models", "fast"])
    assert team["allowed_models"] == ["fast", "gpt-*", "slow"]
    assert group_links() == {("GROUP#acme-models#TEAMS", "acme-dev")}
    assert model_links() == {("MODEL#fast#TEAMS", "acme-dev")}
    assert call("GET", "/api/model-aliases/fast").body["teams_with_access"] == 1


def test_replace_all() -> None:
    build.team(access_groups=["acme-models", "claude-models"])
    answer = call("PUT", GROUPS, {"model_groups": ["fast", "slow"]})
    assert (answer.status, answer.body) == (
        200,
        {
            "team_id": "acme-dev",
            "model_groups": ["fast", "slow"],
            "message": "Model groups assigned successfully",
        },
    )
    assert held() == ([], ["fast", "slow"], ["fast", "slow"])
    assert (group_links(), model_links()) == (
        set(),
        {("MODEL#fast#TEAMS", "acme-dev"), ("MODEL#slow#TEAMS", "acme-dev")},
    )
    event = audit_events()[-1]
    assert event["before"] == '{"access_groups":["acme-models","claude-models"],"models":[]}'
    assert event["after"] == '{"access_groups":[],"models":["fast","slow"]}'
    assert call("PUT", GROUPS, {"model_groups": []}).body["model_groups"] == []
    assert model_links() == set()


def test_access_groups_leave_single_aliases_alone() -> None:
    build.team(model_groups=["fast", "acme-models"])
    call("PUT", TEAM, {"access_groups": ["gpt-models"]})
    assert held()[:2] == (["gpt-models"], ["gpt-models", "fast"])
    call("PUT", TEAM, {"model_groups": None})
    assert held() == ([], [], [])


def test_names_that_nobody_knows() -> None:
    build.team(access_groups=["acme-models"])
    before = all_items()
    wrong = call("PUT", GROUPS, {"model_groups": ["fast", "nothing"]})
    assert (wrong.status, wrong.body) == (422, unknown("nothing"))
    new = {"organization_id": "org_acme", "team_id": "acme-new", "model_groups": ["nothing"]}
    assert call("POST", "/api/teams/create", new).body == unknown("nothing")
    # An alias is no access group.
    alias = call("PUT", TEAM, {"access_groups": ["fast"]})
    assert (alias.status, alias.body["code"]) == (422, "unknown_access_group")
    both = call("PUT", TEAM, {"access_groups": [], "model_groups": []})
    assert (both.status, both.body["errors"][0]["field"]) == (422, "model_groups")
    assert all_items() == before


def test_an_alias_that_goes_is_taken_from_its_teams() -> None:
    build.team(model_groups=["fast", "slow"])
    build.team("acme-prod", model_groups=["fast"])
    assert call("DELETE", "/api/model-aliases/fast").status == 200
    assert held()[1] == ["slow"]
    assert build.team_details("acme-prod")["model_groups"] == []
    assert model_links() == {("MODEL#slow#TEAMS", "acme-dev")}


def test_a_team_that_goes_leaves_no_link() -> None:
    build.team(model_groups=["fast", "acme-models"])
    assert call("DELETE", TEAM, query={"force": "true"}).status == 200
    assert (group_links(), model_links()) == (set(), set())


def test_default_model() -> None:
    assert build.team(default_model="fast")["default_model"] == "fast"
    assert call("PUT", TEAM, {"default_model": "slow"}).body["default_model"] == "slow"
    message = "Unknown model alias 'nothing'"
    wrong = call("PUT", TEAM, {"default_model": "nothing"})
    assert (wrong.status, wrong.body) == (
        422,
        problem(422, "invalid_request", message, errors=[{"field": "default_model", "message": message}]),
    )
    assert call("PUT", TEAM, {"default_model": None}).body["default_model"] is None


def test_a_key_is_told_its_team(clock: FakeClock) -> None:
    virtual_key = build.team(model_groups=["fast", "acme-models"], credits_allocated=7)["virtual_key"]
    answer = call("GET", "/api/teams/verify", caller=key(virtual_key))
    assert (answer.status, answer.body) == (
        200,
        {
            "valid": True,
            "team_id": "acme-dev",
            "organization_id": "org_acme",
            "team_alias": "acme-dev",
            "status": "active",
            "key_id": key_id_of(virtual_key),
            "key_alias": None,
            "access_groups": ["acme-models"],
            "model_groups": ["acme-models", "fast"],
            "credits_remaining": 7,
        },
    )
    assert virtual_key not in answer.text
    further = build.issued_key(key_alias="ci")
    assert call("GET", "/api/teams/verify", caller=key(further["virtual_key"])).body["key_alias"] == "ci"
    call("POST", f"{TEAM}/suspend")
    assert call("GET", "/api/teams/verify", caller=key(virtual_key)).status == 403


def test_a_credential_without_a_team() -> None:
    answer = call("GET", "/api/teams/verify")
    assert (answer.status, answer.body) == (403, problem(403, "key_has_no_team", "Key has no team"))


def test_no_team_may_be_called_as_the_endpoint() -> None:
    answer = call("POST", "/api/teams/create", {"organization_id": "org_acme", "team_id": "verify"})
    assert (answer.status, answer.body["errors"][0]["field"]) == (422, "team_id")
