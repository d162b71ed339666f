"""LiteLLM's clients who meet, on a real engine: services are called from threads that start together."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import build
from tests.support.api import call
from tests.support.races import at_once, persistently
from tollgate.litellm import team_members, teams
from tollgate.litellm.errors import DialectError
from tollgate.litellm.team_requests import AddTeamMembers, CreateTeamRow

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("table")]

ADMIN = build.owner()
TEAM = {"team_id": "acme-dev"}


def test_of_many_creations_one_holds() -> None:
    create = persistently(lambda _: teams.new(ADMIN, CreateTeamRow.model_validate(TEAM)))
    answers = at_once(create, list(range(10)))
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

    names = [f"user-{number}" for number in range(8)]
    answers = at_once(persistently(add), [*names, *["twice"] * 4])
    refused = [answer for answer in answers if isinstance(answer, Exception)]
    assert {getattr(error, "kind", error) for error in refused} == {"team_member_already_in_team"}
    assert len(refused) >= 3
    shown = call("GET", "/team/info", query=TEAM).body["team_info"]["members_with_roles"]
    assert sorted(member["user_id"] for member in shown) == sorted([*names, "twice"])
