"""Taking an access group or an alias from a team, when it is deleted."""

from __future__ import annotations

from tollgate.audit import repository as audit
from tollgate.auth.principal import Principal
from tollgate.core.clock import Clock
from tollgate.models.groups_repository import unlink_model, unlink_team
from tollgate.table.transactions import Work, retried
from tollgate.teams import repository as teams
from tollgate.teams.access import event_of


def remove_group(caller: Principal, team_id: str, group_name: str, clock: Clock) -> bool:
    """Takes the group out of the team's list together with its link. True if the team still had it."""
    return retried(lambda: _attempt(caller, team_id, "access_groups", group_name, clock))


def remove_model(caller: Principal, team_id: str, alias: str, clock: Clock) -> bool:
    """The same of an alias that the team holds by itself."""
    return retried(lambda: _attempt(caller, team_id, "models", alias, clock))


def _attempt(caller: Principal, team_id: str, field: str, name: str, clock: Clock) -> bool:
    team = teams.find(team_id)
    work = Work()
    (unlink_model if field == "models" else unlink_team)(work, name, team_id)
    entries = getattr(team, field) if team is not None else ()
    if team is not None and name in entries:
        before = {field: list(entries)}
        after = {field: [entry for entry in entries if entry != name]}
        event = event_of(caller, team, "updated", clock(), before=before, after=after)
        teams.update(work, team, after, None, event)
        audit.append(work, event)
    work.commit()
    return name in entries
