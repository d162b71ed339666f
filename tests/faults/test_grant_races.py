"""Credits that come from several sides at once, on a real engine: services in threads that start together."""

from __future__ import annotations

import pytest

from tests.support import build
from tests.support.api import call
from tests.support.items import all_items
from tests.support.races import at_once, persistently
from tollgate.core.errors import TollgateError
from tollgate.credits.grants import GrantedToTeams, GrantToTeams, grant_service
from tollgate.table.idempotency import Once
from tollgate.teams.model import SetModelGroups
from tollgate.tenants.teams import team_service

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("table")]

ADMIN = build.owner()
TEAMS = [f"team-{number}" for number in range(6)]


@pytest.fixture
def teams(table: None) -> None:
    build.organization()
    for team_id in TEAMS:
        build.team(team_id, credits_allocated=10)


def balances() -> list[float]:
    return [call("GET", f"/api/credits/teams/{team_id}/balance").body["credits_remaining"] for team_id in TEAMS]


@pytest.mark.usefixtures("teams")
def test_one_grant_sent_by_several_at_once_reaches_each_team_once() -> None:
    request = GrantToTeams.model_validate({"organization_id": "org_acme", "amount": 5})
    once = Once("operation", "body")

    def send(_: int) -> GrantedToTeams:
        while True:
            answer = grant_service().to_teams(ADMIN, request, once)
            if not answer.failed:
                return answer

    answers = at_once(send, range(4))

    assert not [answer for answer in answers if isinstance(answer, TollgateError)]
    assert balances() == [15] * len(TEAMS)
    booked = [item for item in all_items() if item["kind"] == "booked"]
    assert len(booked) == len(TEAMS)
    (organization,) = [item for item in all_items() if item["kind"] == "organization"]
    assert organization["total_credits_allocated"] == 15 * len(TEAMS)
    # Whoever came later was told the same transactions.
    told = {tuple(sorted(str(one.transaction_id) for one in answer.teams)) for answer in answers}  # type: ignore[union-attr]
    assert len(told) == 1


@pytest.mark.usefixtures("teams")
def test_an_alias_that_is_deleted_while_teams_take_it_is_left_with_nobody() -> None:
    build.alias("fast")
    build.alias("slow", "openai/gpt-4o")
    service = team_service()

    def act(name: str) -> None:
        if name == "delete":
            from tollgate.models.service import model_service

            model_service().delete(ADMIN, "fast")
            return
        service.set_model_groups(ADMIN, name, SetModelGroups(model_groups=["slow", "fast"]))

    at_once(persistently(act), [*TEAMS, "delete"])

    assert not [item for item in all_items() if item["PK"] == "MODEL#fast#TEAMS"]
    assert not [item for item in all_items() if item["kind"] == "team" and "fast" in item.get("models", [])]
