"""How every use case gets at an account: its owner is there, and the caller may do that with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from tollgate.audit.model import AuditEvent
from tollgate.auth.policy import Action
from tollgate.auth.principal import Principal
from tollgate.core.errors import InvalidRequestError
from tollgate.credits.model import AccountOwner, OfAccount
from tollgate.limits.account import AccountSettings, CreditsSource
from tollgate.organizations import access as organization_access
from tollgate.organizations import repository as organizations
from tollgate.table.transactions import Work
from tollgate.teams import access as team_access
from tollgate.teams import repository as teams
from tollgate.teams.model import Team


def reachable(caller: Principal, named: OfAccount, action: Action) -> AccountOwner:
    """The owner of the account that a request names, if the caller may do ``action`` with it.

    Raises InvalidRequestError unless exactly one owner is named; else as teams and organizations do.
    """
    if (named.team_id is None) == (named.organization_id is None):
        message = "Name the account by either team_id or organization_id"
        raise InvalidRequestError(message, param="team_id" if named.team_id is None else "organization_id")
    if named.team_id is not None:
        return AccountOwner(team=team_access.reachable(caller, named.team_id, action))
    return AccountOwner(organization=organization_access.reachable(caller, str(named.organization_id), action))


def payer_of(team: Team) -> AccountOwner | None:
    """Whose account pays for the team's calls and jobs now; None: nobody's (Q-06)."""
    if team.credits_source is CreditsSource.TEAM:
        return AccountOwner(team=team)
    if team.credits_source is CreditsSource.ORGANIZATION and team.organization_id is not None:
        organization = organizations.find(team.organization_id)
        return AccountOwner(organization=organization) if organization else None
    return None


def event_of(caller: Principal, owner: AccountOwner, verb: str, at: datetime, **states: Any) -> AuditEvent:
    """The audit event of a change to the owner's account; ``states`` are ``before`` and ``after``."""
    if owner.team is not None:
        return team_access.event_of(caller, owner.team, verb, at, **states)
    assert owner.organization is not None
    return organization_access.event_of(caller, owner.organization, verb, at, **states)


def change_settings(work: Work, owner: AccountOwner, settings: AccountSettings, event: AuditEvent) -> None:
    """Writes the owner's settings; the transaction loses the race if somebody else changed the owner meanwhile."""
    if owner.team is not None:
        teams.update(work, owner.team, teams.account_changes(replace(owner.team, account=settings)), None, event)
        return
    assert owner.organization is not None
    changes = organizations.account_changes(owner.organization, settings)
    organizations.change(work, owner.organization, changes, event)
