"""What a user may by his own right: his platform role, and his memberships as they stand at this moment (Q-07).

A membership in an organization or team that is suspended, blocked or being deleted counts for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from tollgate.auth.principal import Role
from tollgate.limits.model import Scope
from tollgate.organizations import repository as organizations
from tollgate.organizations.model import OrganizationStatus
from tollgate.teams import repository as teams
from tollgate.teams.model import TeamStatus
from tollgate.users import memberships
from tollgate.users.model import Membership, User, UserRole

# Who has every right that a membership could add: for them none is read.
_MANAGERS = {UserRole.PLATFORM_OWNER, UserRole.PLATFORM_ADMIN}


@dataclass(frozen=True, slots=True)
class Roles:
    """A user's roles; those of organizations and teams by external id."""

    platform: Role | None
    organizations: tuple[tuple[str, Role], ...] = ()
    teams: tuple[tuple[str, Role], ...] = ()


def of_user(user: User) -> Roles:
    """Every role that the user has somewhere."""
    platform = Role(user.role.value) if user.is_admin else None
    if user.role in _MANAGERS:
        return Roles(platform)
    found = [membership for membership in memberships.all_of_user(user.uid) if _counts(membership)]
    return Roles(
        platform,
        tuple((one.owner_id, one.role) for one in found if one.scope is Scope.ORGANIZATION_MEMBER),
        tuple((one.owner_id, one.role) for one in found if one.scope is Scope.TEAM_MEMBER),
    )


def _counts(membership: Membership) -> bool:
    if membership.organization_id is not None:
        organization = organizations.find(membership.organization_id)
        if organization is None or organization.uid != membership.organization_uid or organization.deleting:
            return False
        if organization.blocked or organization.status is not OrganizationStatus.ACTIVE:
            return False
    if membership.team_id is None:
        return True
    team = teams.find(membership.team_id)
    if team is None or team.uid != membership.team_uid or team.deleting or team.blocked:
        return False
    return team.status is TeamStatus.ACTIVE
