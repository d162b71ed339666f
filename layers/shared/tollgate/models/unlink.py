"""Taking an access group from a team, when the group is deleted."""

from __future__ import annotations

from tollgate.audit import repository as audit
from tollgate.audit.model import AuditEvent
from tollgate.auth.principal import Principal
from tollgate.core import clock as times
from tollgate.core.clock import Clock
from tollgate.models.groups_repository import unlink_team
from tollgate.table import keys
from tollgate.table.transactions import Work, retried
from tollgate.teams.items import TeamItem


def remove_group(caller: Principal, team_id: str, group_name: str, clock: Clock) -> bool:
    """Takes the group out of the team's list together with its link. True if the team still had it."""
    return retried(lambda: _attempt(caller, team_id, group_name, clock))


def _attempt(caller: Principal, team_id: str, group_name: str, clock: Clock) -> bool:
    team = TeamItem.find(keys.team(team_id), keys.ENTITY)
    work = Work()
    unlink_team(work, group_name, team_id)
    held = team is not None and group_name in team.access_groups
    if team is not None and held:
        kept = [name for name in team.access_groups if name != group_name]
        event = AuditEvent(
            caller=caller,
            action="team.updated",
            resource_type="team",
            resource_id=team_id,
            at=clock(),
            organization_id=team.organization_id,
            organization_uid=team.organization_uid,
            before={"access_groups": list(team.access_groups)},
            after={"access_groups": kept},
        )
        stamp = {"updated_at": times.to_stored(event.at), "updated_by": caller.actor}
        work.update(team, team.changes({"access_groups": kept} | stamp))
        audit.append(work, event)
    work.commit()
    return held
