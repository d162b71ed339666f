"""A team goes to another organization, or out of its own, with its keys and members, in one transaction (Q-46).

What was booked stays where it was, and calls in flight settle where they were admitted; all later ones are the new
owner's.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tollgate.auth.policy import Action, authorize
from tollgate.auth.principal import Principal
from tollgate.core.errors import NotFoundError, WrongStateError
from tollgate.credits import repository as credits
from tollgate.keys import repository as keys
from tollgate.keys.model import VirtualKey
from tollgate.limits import repository as limits
from tollgate.limits.account import CreditsSource
from tollgate.organizations import access as organization_access
from tollgate.organizations import repository as organizations
from tollgate.organizations.model import Organization
from tollgate.table.transactions import Work
from tollgate.teams import repository as teams
from tollgate.teams.model import Team, TeamStatus
from tollgate.users import memberships
from tollgate.users.model import Membership

# A transaction has at most a hundred writes. The rest is the team, both organizations, the audit event, and what else
# one request may change of the team.
_MOST_WRITES = 80
_WRITES_OF_KEY = 3


@dataclass(frozen=True, slots=True)
class Place:
    """Where a team is to be; None: it is the platform's (Q-03)."""

    organization: Organization | None

    @property
    def organization_id(self) -> str | None:
        return self.organization.organization_id if self.organization is not None else None

    @property
    def uid(self) -> str | None:
        return self.organization.uid if self.organization is not None else None


def place(caller: Principal, organization_id: str | None) -> Place:
    """The place, if the caller may make teams there. Raises as ``reachable`` of organizations does."""
    if organization_id is None:
        authorize(caller, Action.TEAM_CREATE)
        return Place(None)
    return Place(organization_access.reachable(caller, organization_id, Action.TEAM_CREATE))


def joined(work: Work, caller: Principal, team: Team, to: Place, now: datetime) -> dict[str, Any]:
    """Adds the move to a transaction that changes the team; the attributes of the team that change by it.

    Raises WrongStateError for a team with a share of its organization's budget, or with too many keys and members.
    """
    if team.allocated_budget is not None:
        raise WrongStateError("The team has a share of its organization's budget; take that away first")
    own_keys = list(keys.find_all(key.key_id for key in keys.all_of_team(team.uid)))
    members = list(memberships.all_members(team.uid))
    if _WRITES_OF_KEY * len(own_keys) + len(members) > _MOST_WRITES:
        message = f"The team has too many keys ({len(own_keys)}) and members ({len(members)}) to be moved at once"
        raise WrongStateError(message, code="team_too_large")
    for key in own_keys:
        after = replace(key, organization_id=to.organization_id, organization_uid=to.uid)
        keys.move(work, key, after, now, caller.actor)
    for member in members:
        memberships.move(work, member, to.organization_id, to.uid, now, caller.actor)
    _count(work, team, to)
    return teams.moved(work, team, to.organization_id, to.uid) | {"credits_source": _payer(caller, team, to).value}


def follow(caller: Principal, team_id: str, now: datetime) -> None:
    """After a move: who was made while it went on comes along, and counters tell of their new owner, who may have calls
    in flight there.

    Until then a key that was left behind is refused as unknown.
    """
    team = teams.find(team_id)
    if team is None:
        return
    found = keys.find_all(key.key_id for key in keys.all_of_team(team.uid))
    own: list[VirtualKey | Membership] = [*found, *memberships.all_members(team.uid)]
    # Where the team has moved on meanwhile, whoever moved it does this.
    with suppress(NotFoundError):
        for one in own:
            if one.organization_uid != team.organization_uid:
                _fetch(team, one, caller, now)
    uids = [one.uid for one in own]
    for uid, items in ((team.uid, team.account_items), *((uid, 1) for uid in uids)):
        limits.tell_owner(uid, items, team.organization_id, team.organization_uid)


def _fetch(team: Team, one: VirtualKey | Membership, caller: Principal, now: datetime) -> None:
    """A key or a member of the team's that is not where the team is."""
    work = Work()
    teams.require(work, team)
    if isinstance(one, VirtualKey):
        there = replace(one, organization_id=team.organization_id, organization_uid=team.organization_uid)
        keys.move(work, one, there, now, caller.actor)
    else:
        memberships.move(work, one, team.organization_id, team.organization_uid, now, caller.actor)
    work.commit()


def _count(work: Work, team: Team, to: Place) -> None:
    active = int(team.status is TeamStatus.ACTIVE)
    allocated = credits.find(team.uid, team.account_items).allocated
    organizations.count_teams(
        work,
        team.organization_id,
        team.organization_uid,
        teams=-1,
        active=-active,
        allocated=-allocated,
        leaving=True,
    )
    organizations.count_teams(work, to.organization_id, to.uid, teams=1, active=active, allocated=allocated)


def _payer(caller: Principal, team: Team, to: Place) -> CreditsSource:
    """Nobody gets around an organization's account by a move (Q-08), and without one it cannot pay (Q-06)."""
    if to.organization is None and team.credits_source is CreditsSource.ORGANIZATION:
        return CreditsSource.NONE
    escapes = team.credits_source is CreditsSource.NONE and caller.platform_role is None
    return (
        CreditsSource.ORGANIZATION
        if escapes and to.organization and to.organization.has_account
        else team.credits_source
    )
