"""The end of a team, in steps that can be interrupted anywhere and repeated.

First the team is closed: from then on it exists for nobody, its keys are unknown, and no key can be added to it. Then
its keys go, some at a time, and last, in one transaction, the team with its links and its counter. Ledger, audit events
and call records stay under its uid.
"""

from __future__ import annotations

from itertools import islice

from tollgate.audit import repository as audit
from tollgate.audit.model import AuditEvent
from tollgate.auth.principal import Principal
from tollgate.core.clock import Clock
from tollgate.core.errors import WrongStateError
from tollgate.credits import repository as credits
from tollgate.keys import repository as keys
from tollgate.models import groups_repository as groups
from tollgate.organizations import repository as organizations
from tollgate.table.transactions import Work, retried
from tollgate.teams import repository
from tollgate.teams.access import event_of
from tollgate.teams.model import Team, TeamStatus

_KEYS_AT_ONCE = 50


def close(caller: Principal, team: Team, clock: Clock, *, force: bool) -> None:
    """The first step. Raises WrongStateError for an active team unless ``force``."""
    if team.deleting:
        return
    active = team.status is TeamStatus.ACTIVE
    if active and not force:
        message = f"Team '{team.team_id}' is active; suspend it first or delete it with force=true"
        raise WrongStateError(message, code="team_active")
    event = event_of(caller, team, "deletion_started", clock(), before={"status": team.status.value})
    work = Work()
    # Suspended, too: whoever looks at the status only refuses its calls as well.
    changes = {"deleting": True, "status": TeamStatus.SUSPENDED.value}
    repository.update(work, team, changes, None, event)
    if active:
        organizations.count_teams(work, team.organization_id, team.organization_uid, active=-1, leaving=True)
    audit.append(work, event)
    work.commit()


def finish(caller: Principal, team_id: str, clock: Clock) -> int:
    """The other steps, for a closed team: the number of keys deleted. Nothing is left to do if it is gone."""
    team = repository.find(team_id)
    if team is None or not team.deleting:
        return 0
    deleted = _delete_keys(team)
    retried(lambda: _delete_team(caller, team_id, deleted, clock))
    return deleted


def _delete_keys(team: Team) -> int:
    """Keys are found by an index. One that it does not show yet stays behind as an item that nothing accepts."""
    found = keys.all_of_team(team.uid)
    deleted = 0
    while batch := list(islice(found, _KEYS_AT_ONCE)):
        work = Work()
        for key in batch:
            keys.delete(work, key.key_id)
        work.commit()
        deleted += len(batch)
    return deleted


def _delete_team(caller: Principal, team_id: str, keys_deleted: int, clock: Clock) -> None:
    team = repository.find(team_id)
    if team is None or not team.deleting:
        return
    account = credits.find(team.uid)
    work = Work()
    for group in team.access_groups:
        groups.unlink_team(work, group, team.team_id)
    credits.close_account(work, team, account)
    repository.delete(work, team)
    organizations.count_teams(
        work,
        team.organization_id,
        team.organization_uid,
        teams=-1,
        allocated=-int(account.allocated),
        leaving=True,
    )
    audit.append(work, _deleted(caller, team, keys_deleted, clock))
    work.commit()


def _deleted(caller: Principal, team: Team, keys_deleted: int, clock: Clock) -> AuditEvent:
    before = {"team_alias": team.team_alias, "access_groups": list(team.access_groups), "keys_deleted": keys_deleted}
    return event_of(caller, team, "deleted", clock(), before=before)
