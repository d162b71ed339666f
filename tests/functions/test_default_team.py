"""An organization made with its first team (contract 1.1, D-36)."""

from __future__ import annotations

from typing import Any

from tests.support import build
from tests.support.api import call, key
from tests.support.items import all_items, audit_events


def founded(**fields: Any) -> Any:
    request = {"organization_id": "org_acme", "name": "ACME", "create_default_team": True}
    answer = call("POST", "/api/organizations/create", request | fields)
    assert answer.status == 200, answer.text
    return answer.body


def test_with_a_name_groups_and_credits() -> None:
    build.access_group("acme-models")
    answer = founded(
        default_team_name="First", default_team_model_groups=["acme-models", "no-such"], default_team_credits=50
    )
    virtual_key = answer["default_team"].pop("virtual_key")
    assert answer["default_team"] == {
        "team_id": "org_acme_default",
        "team_alias": "First",
        "model_groups": ["acme-models"],
        "credits_allocated": 50,
    }
    assert answer["warnings"] == ["Unknown access group 'no-such' was left out"]
    team = call("GET", "/api/teams/org_acme_default", caller=key(virtual_key)).body
    assert (team["organization_id"], team["credits_remaining"]) == ("org_acme", 50)
    assert [event["action"] for event in audit_events()][-2:] == ["organization.created", "team.created"]
    assert "default_team" not in audit_events()[-2]["after"]


def test_without_anything_said_of_it() -> None:
    answer = founded()
    assert answer["default_team"]["team_alias"] == "ACME"
    assert (answer["default_team"]["model_groups"], answer["warnings"]) == ([], [])


def test_nobody_asked() -> None:
    answer = founded(create_default_team=False, default_team_credits=50)
    assert "default_team" not in answer
    assert not [item for item in all_items() if item["kind"] == "team"]


def test_a_team_that_cannot_be_made_leaves_the_organization() -> None:
    build.organization("org_other")
    build.team("org_acme_default", "org_other")
    assert founded()["default_team"] == {"error": "Team 'org_acme_default' already exists"}
    assert call("GET", "/api/organizations/org_acme").status == 200


def test_an_id_too_long_for_a_team() -> None:
    long = "o" * 60
    error = founded(organization_id=long)["default_team"]["error"]
    assert error.startswith("team_id: ")
    assert call("GET", f"/api/organizations/{long}").status == 200
