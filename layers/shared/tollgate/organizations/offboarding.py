"""The end of an organization, in steps that can be interrupted anywhere and repeated.

It is closed first: from then on it exists for nobody, its keys are unknown, and it takes no new team. Then its teams
and provider credentials go, and last the organization itself, so that its id is free only when nothing hangs under it.
"""

from __future__ import annotations

from dataclasses import dataclass

from tollgate.auth.principal import Principal
from tollgate.core.clock import Clock
from tollgate.organizations import repository
from tollgate.organizations.model import Organization
from tollgate.table.transactions import retried
from tollgate.teams import offboarding as team_offboarding
from tollgate.teams import repository as teams


@dataclass(slots=True)
class Removed:
    """What this run has deleted."""

    teams: int = 0
    keys: int = 0


def remove_contents(caller: Principal, organization: Organization, clock: Clock, removed: Removed) -> None:
    """Deletes the teams that the index shows, and the credentials, of a closed organization."""
    for team in teams.all_of_organization(organization.uid):
        removed.keys += _remove_team(caller, team.team_id, clock)
        removed.teams += 1
    repository.remove_credentials(organization.uid)


def _remove_team(caller: Principal, team_id: str, clock: Clock) -> int:
    def close() -> None:
        team = teams.find(team_id)
        if team is not None:
            team_offboarding.close(caller, team, clock, force=True)

    retried(close)
    return team_offboarding.finish(caller, team_id, clock)
