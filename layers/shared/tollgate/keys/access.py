"""How every use case gets at a key, whatever it belongs to: it is there, and the caller may do that with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tollgate.audit.model import AuditEvent
from tollgate.auth.policy import Action, Owner, admit, authorize, has_role
from tollgate.auth.principal import Principal
from tollgate.core.errors import ForbiddenError, NotFoundError
from tollgate.keys import repository
from tollgate.keys.model import KeyStatus, VirtualKey
from tollgate.teams import access as team_access
from tollgate.teams import permissions
from tollgate.teams import repository as teams
from tollgate.teams.model import Team
from tollgate.users import repository as users
from tollgate.users.model import User, UserRole


@dataclass(frozen=True, slots=True)
class Reached:
    """A key, and whether the caller has a role over it, or his team's permission; else it is his own."""

    key: VirtualKey
    by_role: bool


def missing(key_id: str) -> str:
    return f"Key '{key_id}' not found"


def owner_of(key: VirtualKey) -> Owner:
    return Owner(key.organization_id, key.team_id)


def reachable(caller: Principal, key_id: str, action: Action, route: str | None = None) -> Reached:
    """The key, if the caller may do ``action`` on it: by a role over its team or organization, because its team grants
    ``route`` to its members, or because it is his.

    His own is the one that he comes with, of which he sees all and changes nothing, and those that name him as user;
    a user who only looks on changes none. Raises NotFoundError for a key that is unknown or revoked, and as
    ``authorize`` does.
    """
    key = repository.find(key_id)
    if key is None or key.status is KeyStatus.REVOKED:
        raise NotFoundError(missing(key_id))
    if has_role(caller, action, owner_of(key)):
        return Reached(key, by_role=True)
    if route is not None and _is_permitted(caller, key, route):
        return Reached(key, by_role=True)
    if action is Action.KEY_READ and key.key_id == caller.key_id:
        return Reached(key, by_role=False)
    admit(caller, Action.KEY_READ_OWN if action is Action.KEY_READ else Action.KEY_MAKE_OWN)
    if is_of(caller_as_user(caller), key, writing=action is not Action.KEY_READ):
        return Reached(key, by_role=False)
    authorize(caller, action, owner_of(key), missing=missing(key_id))
    return Reached(key, by_role=True)


def team_for(caller: Principal, team_id: str, route: str | None = None) -> Team:
    """The team, if the caller may put keys into it: by a role, or because it grants ``route`` to its members.

    Raises as ``reachable`` of teams does.
    """
    try:
        return team_access.reachable(caller, team_id, Action.KEY_ISSUE)
    except (ForbiddenError, NotFoundError):
        team = teams.find(team_id) if permissions.is_member(caller, team_id) else None
        if route is None or team is None or team.deleting or not permissions.permits(caller, team, route):
            raise
        return team


def _is_permitted(caller: Principal, key: VirtualKey, route: str) -> bool:
    if key.team_id is None or not permissions.is_member(caller, key.team_id):
        return False
    team = teams.find(key.team_id)
    return team is not None and team.uid == key.team_uid and permissions.permits(caller, team, route)


def caller_as_user(caller: Principal) -> User | None:
    """The user who calls; None for the master key and a team's own keys."""
    return users.find(caller.user_id) if caller.user_id is not None else None


def is_of(user: User | None, key: VirtualKey, *, writing: bool = False) -> bool:
    """Whether the key names the user, and nobody who had his id before him."""
    if user is None or key.user_id != user.user_id or key.user_uid not in {None, user.uid}:
        return False
    return not (writing and user.role is UserRole.MEMBER_VIEWER)


def event_of(caller: Principal, key: VirtualKey, verb: str, at: datetime, **states: Any) -> AuditEvent:
    """The audit event of a change to a key; ``states`` are ``before`` and ``after``."""
    return AuditEvent(
        caller=caller,
        action=f"key.{verb}",
        resource_type="key",
        resource_id=key.key_id,
        at=at,
        organization_id=key.organization_id,
        organization_uid=key.organization_uid,
        **states,
    )
