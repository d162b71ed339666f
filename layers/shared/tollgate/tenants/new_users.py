"""A new user together with his places in teams and organizations (Q-41, contract litellm 1.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from tollgate.auth.policy import PLATFORM, Action, admit, authorize, has_role
from tollgate.auth.principal import Principal
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import ForbiddenError, NotFoundError
from tollgate.limits.model import Scope
from tollgate.table.transactions import Work
from tollgate.tenants.members import Group, group_of, join
from tollgate.users import repository as users
from tollgate.users.access import authorize_over, missing
from tollgate.users.model import PLATFORM_ROLES, CreateUser, MemberFields, Membership, User
from tollgate.users.service import founded

# A membership, its team or organization, its audit event, a shared budget; a transaction has at most a hundred writes.
_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Place:
    """Where a user is to be a member, as what and how limited."""

    scope: Scope
    owner_id: str
    fields: MemberFields


@dataclass(frozen=True, slots=True)
class NewUserService:
    """Makes users who belong somewhere from the beginning."""

    clock: Clock = utc_now

    def create(self, caller: Principal, request: CreateUser, places: Sequence[Place]) -> tuple[User, list[Membership]]:
        """The user and his first twenty places at once, the others after that; nothing if one of them is refused.

        The platform's roles make anybody anywhere; who administers organizations makes users without a platform role,
        in at least one of these. Raises AlreadyExistsError for an id, an address or an identity provider's id that is
        taken, NotFoundError and ForbiddenError for places that are not the caller's.
        """
        _authorize(caller, request, places)
        groups = [group_of(caller, place.scope, place.owner_id, Action.MEMBER_WRITE) for place in places]
        joined = list(zip(groups, (place.fields for place in places), strict=True))
        now, work = self.clock(), Work()
        user = founded(work, caller, request, now)
        made = self._join(work, caller, user, joined[:_AT_ONCE])
        for first in range(_AT_ONCE, len(joined), _AT_ONCE):
            work = Work()
            users.require(work, user, otherwise=NotFoundError(missing(user.user_id)))
            made += self._join(work, caller, user, joined[first : first + _AT_ONCE])
        return user, made

    def _join(
        self, work: Work, caller: Principal, user: User, joined: Sequence[tuple[Group, MemberFields]]
    ) -> list[Membership]:
        made = [join(work, caller, group, user, fields, user.created_at) for group, fields in joined]
        work.commit()
        return made


def _authorize(caller: Principal, request: CreateUser, places: Sequence[Place]) -> None:
    if has_role(caller, Action.USER_WRITE, PLATFORM):
        authorize_over(caller, request.role)
        return
    admit(caller, Action.USER_MANAGE)
    if request.role in PLATFORM_ROLES:
        authorize(caller, Action.USER_PROMOTE)
    if not any(place.scope is Scope.ORGANIZATION_MEMBER for place in places):
        raise ForbiddenError("A user whom an organization's administrator makes needs an organization of his")


@cache
def new_user_service() -> NewUserService:
    return NewUserService()
