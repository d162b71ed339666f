"""Taking an access group from a team, when the group is deleted."""

from __future__ import annotations

from tollgate.audit import repository as audit
from tollgate.auth.principal import Principal
from tollgate.core.clock import Clock
from tollgate.models.groups_repository import unlink_team
from tollgate.table.transactions import Work, retried
from tollgate.teams import repository as teams
from tollgate.teams.access import event_of


def remove_group(caller: Principal, team_id: str, group_name: str, clock: Clock) -> bool:
    """Takes the group out of the team's list together with its link. True if the team still had it."""
    return retried(lambda: _attempt(caller, team_id, group_name, clock))


def _attempt(caller: Principal, team_id: str, group_name: str, clock: Clock) -> bool:
    team = teams.find(team_id)
    work = Work()
    unlink_team(work, group_name, team_id)
    held = team is not None and group_name in team.access_groups
    if team is not None and held:
        before = {"access_groups": list(team.access_groups)}
        after = {"access_groups": [name for name in team.access_groups if name != group_name]}
        event = event_of(caller, team, "updated", clock(), before=before, after=after)
        teams.update(work, team, after, None, event)
        audit.append(work, event)
    work.commit()
    return held
