"""LiteLLM's clients who meet, on a real engine: services are called from threads that start together."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import build
from tests.support.api import call
from tests.support.items import all_items
from tests.support.races import at_once, persistently
from tollgate.core.clock import utc_now
from tollgate.litellm import keys, team_members, teams
from tollgate.litellm.errors import DialectError
from tollgate.litellm.key_requests import GenerateKey, KeyNames, UpdateKey
from tollgate.litellm.team_requests import AddTeamMembers, CreateTeamRow, UpdateTeamRow
from tollgate.tenants import moving

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("table")]

ADMIN = build.owner()
TEAM = {"team_id": "acme-dev"}


def test_of_many_creations_one_holds() -> None:
    create = persistently(lambda _: teams.new(ADMIN, CreateTeamRow.model_validate(TEAM)))
    answers = at_once(create, list(range(20)))
    refused = [answer for answer in answers if isinstance(answer, DialectError)]
    # Who was told that the store did not answer, and asked again, may find his own team.
    assert len(answers) - 1 <= len(refused) <= len(answers)
    assert {error.message for error in refused} == {
        "Team id = acme-dev already exists. Please use a different team id."
    }
    assert call("GET", "/v2/team/list").body["total"] == 1


def test_no_member_is_lost() -> None:
    """Users who are made by their addition, and one who is added by several at once."""
    teams.new(ADMIN, CreateTeamRow.model_validate(TEAM))

    def add(name: str) -> Any:
        member = {"role": "user", "user_id": name}
        return team_members.add(ADMIN, AddTeamMembers.model_validate(TEAM | {"member": member}))

    names = [f"user-{number}" for number in range(46)]
    answers = at_once(persistently(add), [*names, *["twice"] * 4])
    refused = [answer for answer in answers if isinstance(answer, Exception)]
    assert {getattr(error, "kind", error) for error in refused} == {"team_member_already_in_team"}
    assert len(refused) >= 3
    shown = call("GET", "/team/info", query=TEAM).body["team_info"]["members_with_roles"]
    assert sorted(member["user_id"] for member in shown) == sorted([*names, "twice"])


def test_of_many_different_teams_all_are_there() -> None:
    """And they are counted."""
    names = [f"team-{number:02d}" for number in range(20)]
    create = persistently(lambda name: teams.new(ADMIN, CreateTeamRow.model_validate({"team_id": name})))
    at_once(create, names)
    shown = call("GET", "/v2/team/list", query={"page_size": "100"}).body
    assert (sorted(team["team_id"] for team in shown["teams"]), shown["total"]) == (names, 20)
    listed = call("GET", "/v2/team/list", query={"organization_id": "default_organization", "page_size": "1"})
    assert listed.body["total"] == 20


def test_no_change_of_a_key_is_lost() -> None:
    """Each says something else of it."""
    row = call("POST", "/key/generate", {"metadata": {"a": 1}}).body
    changes: list[dict[str, Any]] = [
        {"key_alias": "ci"},
        {"max_budget": 5},
        {"rpm_limit": 7},
        {"tags": ["a"]},
        {"models": ["fast"]},
        {"metadata": {"b": 2}},
        {"duration": "30d"},
        {"aliases": {"quick": "fast"}},
        {"config": {"c": 3}},
        {"permissions": {"d": True}},
    ]

    def change(fields: dict[str, Any]) -> Any:
        return keys.update(ADMIN, UpdateKey.model_validate({"key": row["token"]} | fields))

    at_once(persistently(change), changes)
    info = call("GET", "/key/info", query={"key": row["token"]}).body["info"]
    wanted = {name: value for fields in changes for name, value in fields.items() if name != "duration"}
    assert {name: info[name] for name in wanted} == wanted
    assert info["expires"] is not None


def test_keys_that_come_and_go_at_once_are_counted() -> None:
    """In the lists of all, of the organization and of the team; and those that are gone in theirs."""
    build.organization()
    build.team()
    made = [call("POST", "/key/generate", {"team_id": "acme-dev"}).body["token"] for _ in range(8)]

    def act(token: str | None) -> None:
        if token is None:
            keys.generate(ADMIN, GenerateKey.model_validate({"team_id": "acme-dev"}))
        else:
            keys.delete(ADMIN, KeyNames.model_validate({"keys": [token]}))

    answers = at_once(persistently(act), [*made, *[None] * 8])
    # Who asked again may find that nothing is left to end.
    assert {answer.status for answer in answers if isinstance(answer, DialectError)} <= {404}
    for query in ({}, {"organization_id": "org_acme"}, {"team_id": "acme-dev"}):
        shown = call("GET", "/key/list", query=query | {"size": "100"}).body
        assert (shown["total_count"], len(shown["keys"])) == (len(shown["keys"]), shown["total_count"])
        assert shown["total_count"] >= 9
    gone = call("GET", "/key/list", query={"status": "deleted", "size": "100"}).body
    assert (gone["total_count"], set(gone["keys"])) == (8, set(made))


def test_a_team_moves_whole_whatever_comes_into_it() -> None:
    """A key or a member that is made at the same time is where the team is."""
    build.organization()
    build.organization("org_other")
    build.team()

    def act(number: int) -> None:
        if number == 0:
            change = UpdateTeamRow.model_validate({"team_id": "acme-dev", "organization_id": "org_other"})
            teams.update(ADMIN, change)
        elif number % 2:
            keys.generate(ADMIN, GenerateKey.model_validate({"team_id": "acme-dev"}))
        else:
            member = {"role": "user", "user_id": f"user-{number}"}
            team_members.add(ADMIN, AddTeamMembers.model_validate(TEAM | {"member": member}))

    at_once(persistently(act), range(9))
    # The index shows a key a moment late: by now it does.
    moving.follow(ADMIN, "acme-dev", utc_now())
    names = ("organization_id", "organization_uid")
    found = [
        tuple(item[name] for name in names) for item in all_items() if item["kind"] in {"team", "key", "membership"}
    ]
    assert len(set(found)) == 1, found
    assert found[0][0] == "org_other"
    total = call("GET", "/key/list", query={"organization_id": "org_other", "size": "100"}).body
    assert total["total_count"] == len(total["keys"]) >= 5
    assert call("GET", "/key/list", query={"organization_id": "org_acme"}).body["total_count"] == 0
