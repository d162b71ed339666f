"""How every use case gets at a team: found, not gone, and the caller may do that with it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tollgate.audit.model import AuditEvent
from tollgate.auth.policy import Action, Owner, authorize
from tollgate.auth.principal import Principal
from tollgate.core.errors import NotFoundError
from tollgate.teams import repository
from tollgate.teams.model import Team


def missing(team_id: str) -> str:
    return f"Team '{team_id}' not found"


def reachable(caller: Principal, team_id: str, action: Action, *, leaving: bool = False) -> Team:
    """The team, if the caller may do ``action`` on it; ``leaving`` finds one that is being deleted, too.

    Raises NotFoundError for an unknown team and, in the same words, for another tenant's; ForbiddenError for one of the
    caller's own organization that he has no right over (Q-10).
    """
    team = repository.find(team_id)
    if team is None or (team.deleting and not leaving):
        raise NotFoundError(missing(team_id))
    authorize(caller, action, Owner(team.organization_id, team.team_id), missing=missing(team_id))
    return team


def event_of(caller: Principal, team: Team, verb: str, at: datetime, **states: Any) -> AuditEvent:
    """The audit event of a change to a team; ``states`` are ``before`` and ``after``."""
    return AuditEvent(
        caller=caller,
        action=f"team.{verb}",
        resource_type="team",
        resource_id=team.team_id,
        at=at,
        organization_id=team.organization_id,
        organization_uid=team.organization_uid,
        **states,
    )
