"""Use cases of memberships: who belongs to a team or an organization, as what, and limited by what (Q-07, Q-08)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any
from uuid import uuid4

from tollgate.audit import repository as audit
from tollgate.audit.model import AuditEvent
from tollgate.auth.policy import GRANTS, Action, Owner, authorize
from tollgate.auth.principal import Principal, Role
from tollgate.core import ids
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import AlreadyExistsError, ForbiddenError, InvalidRequestError, NotFoundError
from tollgate.core.pagination import Page, PageRequest
from tollgate.limits import repository as limits
from tollgate.limits.fields import described
from tollgate.limits.model import NO_LIMITS, Scope
from tollgate.limits.service import changed
from tollgate.organizations import access as organization_access
from tollgate.organizations import repository as organizations
from tollgate.settings import settings
from tollgate.table.transactions import Work, retried
from tollgate.teams import access as team_access
from tollgate.teams import repository as teams
from tollgate.teams.model import Team
from tollgate.users import memberships
from tollgate.users import repository as users
from tollgate.users.model import (
    DEFAULT_ROLES,
    ROLES,
    AddMember,
    InviteMember,
    MemberAnswer,
    MemberFields,
    Membership,
    UpdateMember,
    User,
)
from tollgate.users.service import event_of as event_of_user
from tollgate.users.service import new_user


@dataclass(frozen=True, slots=True)
class Group:
    """A team or an organization as something that has members."""

    scope: Scope
    owner: Owner
    organization_uid: str | None
    team: Team | None = None

    @property
    def uid(self) -> str:
        return self.team.uid if self.team is not None else self.organization_uid or ""

    @property
    def has_defaults(self) -> bool:
        """Whether members without limits of their own are limited all the same."""
        return self.team is not None and self.team.member_budget_id is not None

    @property
    def name(self) -> str:
        return self.owner.team_id or self.owner.organization_id or ""


@dataclass(frozen=True, slots=True)
class MemberService:
    """``scope`` says whether ``owner_id`` is a team or an organization; the caller's right over it is checked."""

    clock: Clock = utc_now

    def add(self, caller: Principal, scope: Scope, owner_id: str, request: AddMember) -> MemberAnswer:
        """A user becomes a member. Raises AlreadyExistsError if he is one, InvalidRequestError for an unknown user."""
        group = group_of(caller, scope, owner_id, Action.MEMBER_WRITE)
        user = users.find(request.user_id)
        if user is None:
            raise _unknown_user(request.user_id)
        return MemberAnswer.of(self._add(caller, group, user, request))

    def invite(self, caller: Principal, scope: Scope, owner_id: str, request: InviteMember) -> Membership:
        """The same of somebody who may not be a user yet: he becomes one in the same transaction.

        Raises AlreadyExistsError if he is a member, or if the e-mail address is another user's.
        """
        group = group_of(caller, scope, owner_id, Action.MEMBER_WRITE)
        user = invited(request)
        if user is not None:
            return self._add(caller, group, user, request)
        try:
            user = new_user(request.user_id or str(uuid4()), request.email, self.clock())
            return self._add(caller, group, user, request, is_new=True)
        except AlreadyExistsError:
            # Another invitation was quicker to make him.
            user = invited(request)
            if user is None:
                raise
            return self._add(caller, group, user, request)

    def enter(self, caller: Principal, team_id: str) -> Membership:
        """The caller becomes a member of a team that is open to every user. NotFoundError for any other."""
        team = teams.find(team_id) if team_id in settings().available_teams else None
        user = users.find(caller.user_id) if caller.user_id is not None else None
        if team is None or team.deleting or user is None:
            raise NotFoundError(team_access.missing(team_id))
        return self._add(caller, _group_of_team(team), user, MemberFields())

    def _add(
        self, caller: Principal, group: Group, user: User, request: MemberFields, *, is_new: bool = False
    ) -> Membership:
        now, work = self.clock(), Work()
        if is_new:
            users.create(work, user, {}, caller.actor)
            after = {"user_id": user.user_id, "email": user.email, "role": user.role.value}
            audit.append(work, event_of_user(caller, user, "created", now, after=after))
        else:
            users.require(work, user, otherwise=_unknown_user(user.user_id))
        membership = join(work, caller, group, user, request, now)
        work.commit()
        return membership

    def list(self, caller: Principal, scope: Scope, owner_id: str, request: PageRequest) -> Page[Membership]:
        """The members of a team or an organization."""
        return memberships.members(group_of(caller, scope, owner_id, Action.MEMBER_READ).uid, request)

    def update(
        self, caller: Principal, scope: Scope, owner_id: str, user_id: str, request: UpdateMember
    ) -> MemberAnswer:
        """Changes role and limits. Raises WrongStateError if an organization would lose its last owner."""
        retried(lambda: self._update(caller, scope, owner_id, user_id, request))
        return MemberAnswer.of(member_of(caller, scope, owner_id, user_id, Action.MEMBER_WRITE))

    def _update(self, caller: Principal, scope: Scope, owner_id: str, user_id: str, request: UpdateMember) -> None:
        group = group_of(caller, scope, owner_id, Action.MEMBER_WRITE)
        user, membership = _member(group, user_id)
        role = request.role or membership.role
        _check_role(caller, group, role, membership.role)
        _check_user(caller, user)
        now = self.clock()
        sent = request.limits_sent()
        after = changed(membership.limits, sent, now)
        if after.max_budget is None and membership.limits.max_budget is not None and group.has_defaults:
            # The team's budget for its members counts for him from now on; what he spent before is known by usage.
            after = replace(after, budget_since=int(now.timestamp()))
        states = {
            "before": {"role": membership.role.value} | described(membership.limits, sent),
            "after": {"role": role.value} | described(after, sent),
        }
        event = _event(caller, membership, "updated", now, **states)
        work = Work()
        owners = (role is Role.ORG_OWNER) - (membership.role is Role.ORG_OWNER)
        _require(work, group, owners=owners)
        memberships.update(work, membership, role, after, event)
        audit.append(work, event)
        work.commit()

    def remove(self, caller: Principal, scope: Scope, owner_id: str, user_id: str) -> None:
        """Ends a membership. Raises WrongStateError for the last owner of an organization."""
        retried(lambda: self._remove(caller, scope, owner_id, user_id))

    def _remove(self, caller: Principal, scope: Scope, owner_id: str, user_id: str) -> None:
        group = group_of(caller, scope, owner_id, Action.MEMBER_WRITE)
        _, membership = _member(group, user_id)
        _check_role(caller, group, membership.role)
        work = Work()
        _require(work, group, owners=-int(membership.role is Role.ORG_OWNER))
        memberships.delete(work, membership)
        limits.unlink(work, [membership.limits])
        audit.append(work, event_of_removal(caller, membership, self.clock()))
        work.commit()


def join(  # noqa: PLR0913, PLR0917
    work: Work, caller: Principal, group: Group, user: User, request: MemberFields, at: datetime
) -> Membership:
    """A new membership in the transaction, which makes or requires the user. Raises as ``add``."""
    role = request.role or DEFAULT_ROLES[group.scope]
    _check_role(caller, group, role)
    _check_user(caller, user)
    membership = Membership(
        uid=ids.new_ulid(),
        scope=group.scope,
        team_id=group.team.team_id if group.team else None,
        team_uid=group.team.uid if group.team else None,
        organization_id=group.owner.organization_id,
        organization_uid=group.organization_uid,
        user_id=user.user_id,
        user_uid=user.uid,
        role=role,
        created_at=at,
        updated_at=at,
        limits=changed(NO_LIMITS, request.limits_sent()),
        created_by=caller.actor,
        updated_by=caller.actor,
    )
    _require(work, group, owners=int(role is Role.ORG_OWNER))
    memberships.create(work, membership, caller.actor)
    after = {"role": role.value} | described(membership.limits, request.limits_sent())
    audit.append(work, _event(caller, membership, "added", at, after=after))
    return membership


def member_of(caller: Principal, scope: Scope, owner_id: str, user_id: str, action: Action) -> Membership:
    """A membership, if the caller may do ``action`` in its team or organization; NotFoundError for an unknown one."""
    return _member(group_of(caller, scope, owner_id, action), user_id)[1]


def invited(request: InviteMember) -> User | None:
    """The user whom an invitation means: by his id, else by his e-mail address; None if he is no user yet."""
    if request.user_id is not None:
        return users.find(request.user_id)
    if request.email is None:
        raise InvalidRequestError("Either user_id or email must be given", param="user_id")
    return users.find_by_email(request.email)


def event_of_removal(caller: Principal, membership: Membership, at: datetime) -> AuditEvent:
    """The audit event of a membership that ends with its team or organization."""
    return _event(caller, membership, "removed", at, before={"role": membership.role.value})


def group_of(caller: Principal, scope: Scope, owner_id: str, action: Action) -> Group:
    """The team or organization, if the caller may do ``action`` there."""
    if scope is Scope.TEAM_MEMBER:
        return _group_of_team(team_access.reachable(caller, owner_id, action))
    organization = organization_access.reachable(caller, owner_id, action)
    return Group(scope, Owner(organization.organization_id), organization.uid)


def _group_of_team(team: Team) -> Group:
    return Group(Scope.TEAM_MEMBER, Owner(team.organization_id, team.team_id), team.organization_uid, team)


def _member(group: Group, user_id: str) -> tuple[User, Membership]:
    user = users.find(user_id)
    membership = memberships.find(group.uid, user.uid) if user is not None else None
    if user is None or membership is None:
        raise NotFoundError(f"User '{user_id}' is not a member of '{group.name}'")
    return user, membership


def _unknown_user(user_id: str) -> InvalidRequestError:
    return InvalidRequestError(f"Unknown user '{user_id}'", code="unknown_user", param="user_id")


def _check_user(caller: Principal, user: User) -> None:
    """Who has a platform role is made a member by the platform only: a key in his name would have his rights."""
    if user.is_admin and caller.platform_role not in GRANTS[Action.USER_WRITE]:
        raise ForbiddenError(f"Only platform admins may do this with user '{user.user_id}', who has a platform role")


def _check_role(caller: Principal, group: Group, *roles: Role) -> None:
    """Roles that exist there; and owners are made, changed and removed by owners only."""
    for role in roles:
        if role not in ROLES[group.scope]:
            raise InvalidRequestError(f"'{role}' is no role of a {group.scope.value}", param="role")
    if Role.ORG_OWNER in roles:
        authorize(caller, Action.MEMBER_OWN, group.owner)


def _require(work: Work, group: Group, *, owners: int) -> None:
    """The team or organization is still there; the number of its owners moves along."""
    if group.team is not None:
        teams.require(work, group.team)
        return
    organization_id, uid = group.owner.organization_id or "", group.organization_uid or ""
    if owners:
        organizations.count_owners(work, organization_id, uid, owners)
    else:
        missing = NotFoundError(organization_access.missing(organization_id))
        organizations.require(work, organization_id, uid, otherwise=missing)


def _event(caller: Principal, membership: Membership, verb: str, at: datetime, **states: Any) -> AuditEvent:
    return AuditEvent(
        caller=caller,
        action=f"member.{verb}",
        resource_type="member",
        resource_id=membership.member_id,
        at=at,
        organization_id=membership.organization_id,
        organization_uid=membership.organization_uid,
        **states,
    )


@cache
def member_service() -> MemberService:
    return MemberService()
