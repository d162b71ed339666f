"""How every use case gets at a user: he is there, and the caller may do that with him (Q-08, contract litellm 2.3).

Users belong to the platform, and so does every right over them; but whoever administers an organization manages those
users who are nowhere else than in organizations and teams that he administers.
"""

from __future__ import annotations

from tollgate.auth.policy import PLATFORM, Action, Owner, admit, authorize, has_role
from tollgate.auth.principal import Principal
from tollgate.core.errors import ForbiddenError, NotFoundError
from tollgate.users import memberships, repository
from tollgate.users.model import PLATFORM_ROLES, Membership, User, UserRole

_PRIVILEGED = {UserRole.PLATFORM_OWNER, UserRole.PLATFORM_ADMIN}


def missing(user_id: str) -> str:
    return f"User '{user_id}' not found"


def reachable(caller: Principal, user_id: str, action: Action) -> User:
    """The user, if the caller may do ``action`` on the platform."""
    authorize(caller, action, missing=missing(user_id))
    return found(user_id)


def found(user_id: str) -> User:
    user = repository.find(user_id)
    if user is None:
        raise NotFoundError(missing(user_id))
    return user


def authorize_over(caller: Principal, *roles: UserRole) -> None:
    """Raises ForbiddenError unless the caller may manage users of these roles on the platform."""
    is_privileged = any(role in _PRIVILEGED for role in roles)
    authorize(caller, Action.USER_PROMOTE if is_privileged else Action.USER_WRITE)


def is_self(caller: Principal, user: User) -> bool:
    """Whether he calls himself, with a credential that has all his rights: a key in a team has no platform role."""
    return caller.user_id == user.user_id and (caller.platform_role is not None or not user.is_admin)


def visible(caller: Principal, user_id: str) -> User:
    """The user, if the caller may see him: everybody by a platform role, himself, and whom he manages partly.

    Raises NotFoundError for an unknown one, and where nothing of his is the caller's.
    """
    user = found(user_id)
    if has_role(caller, Action.USER_READ, PLATFORM) or caller.user_id == user_id:
        return user
    admit(caller, Action.USER_LIST)
    if not any(_has(caller, Action.USER_LIST, place) for place in memberships.all_of_user(user.uid)):
        raise NotFoundError(missing(user_id))
    return user


def managed(caller: Principal, user_id: str) -> User:
    """The user, if the caller may change and delete him; raises as ``check_managed``, and NotFoundError for nobody."""
    user = found(user_id)
    check_managed(caller, user)
    return user


def check_managed(caller: Principal, user: User) -> None:
    """Raises NotFoundError where nothing of the user's is the caller's, ForbiddenError where only a part of it is, or
    for a user with a platform role.
    """
    if has_role(caller, Action.USER_WRITE, PLATFORM):
        authorize_over(caller, user.role)
        return
    admit(caller, Action.USER_MANAGE)
    places = list(memberships.all_of_user(user.uid))
    own = [place for place in places if _has(caller, Action.USER_MANAGE, place)]
    if not own:
        raise NotFoundError(missing(user.user_id))
    if len(own) < len(places) or user.role in PLATFORM_ROLES:
        raise ForbiddenError(f"User '{user.user_id}' is not only in organizations that you administer")


def _has(caller: Principal, action: Action, place: Membership) -> bool:
    return has_role(caller, action, Owner(place.organization_id, place.team_id))
