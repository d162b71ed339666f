"""Who pays for a team's calls, and how its account behaves: what creating and changing a team have in common."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from tollgate.auth.policy import Action, Owner, authorize
from tollgate.auth.principal import Principal
from tollgate.core.errors import InvalidRequestError
from tollgate.limits.account import CreditsSource
from tollgate.limits.account_fields import TeamAccountFields, changed_settings
from tollgate.teams.model import Team


def paying(caller: Principal, request: TeamAccountFields, team: Team, now: datetime) -> Team:
    """The team as the request wants it to pay (Q-06).

    An organization's admins choose between the team's account and the organization's; that nobody pays, and how an
    account behaves, is the platform's to say (Q-08). Raises ForbiddenError, InvalidRequestError.
    """
    owner = Owner(team.organization_id, team.team_id)
    source = team.credits_source
    if "credits_source" in request.model_fields_set:
        source = request.credits_source or CreditsSource.TEAM
    if source is CreditsSource.NONE and source is not team.credits_source:
        authorize(caller, Action.CREDITS_CONFIGURE, owner)
    if source is CreditsSource.ORGANIZATION and team.organization_id is None:
        raise InvalidRequestError("The team has no organization whose account could pay", param="credits_source")
    return replace(team, credits_source=source, account=changed_settings(caller, request, owner, team.account, now))
