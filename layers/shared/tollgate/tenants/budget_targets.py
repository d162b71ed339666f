"""Whatever a budget can be on, found by scope and id, with the caller's right over it checked (Q-08, Q-20)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from pydantic import TypeAdapter, ValidationError

from tollgate.audit import repository as audit
from tollgate.audit.model import AuditEvent
from tollgate.auth.policy import PLATFORM, Action, Owner, admit, authorize
from tollgate.auth.principal import Principal
from tollgate.core import ids
from tollgate.core.errors import InvalidRequestError, NotFoundError
from tollgate.customers import repository as customers
from tollgate.customers.service import new_customer
from tollgate.keys import repository as keys
from tollgate.keys.access import missing as missing_key
from tollgate.limits import repository as limits
from tollgate.limits.fields import LooseId
from tollgate.limits.model import NO_LIMITS, Limits, Scope
from tollgate.limits.repository import SHARED, Holder
from tollgate.models import repository as models
from tollgate.organizations import access as organization_access
from tollgate.organizations import repository as organizations
from tollgate.organizations.service import check_shares
from tollgate.table.keys import PLATFORM as PLATFORM_ID
from tollgate.table.transactions import Work
from tollgate.teams import access as team_access
from tollgate.teams import repository as teams
from tollgate.tenants.members import member_of
from tollgate.tenants.spending import (
    EPOCH,
    Spender,
    customer_spender,
    key_spender,
    member_spender,
    organization_spender,
    team_spender,
    user_spender,
)
from tollgate.users import memberships
from tollgate.users import repository as users
from tollgate.users.access import reachable as reachable_user
from tollgate.users.model import parts_of

_ID = TypeAdapter(LooseId)


class Access(Enum):
    """What is to be done with a budget."""

    READ = 1
    WRITE = 2
    ADJUST = 3


@dataclass(frozen=True, slots=True)
class Target:
    """An entity with its limits. ``save`` writes others, with their audit event, or loses the race.

    ``clear`` is what DELETE does. ``spender`` None: a shared row, which nothing is counted for. ``stored`` is false
    where saving makes the item. ``budget_id`` is what answers show where no shared row is used.
    """

    scope: str
    scope_id: str
    limits: Limits
    save: Callable[[Limits, AuditEvent], None]
    clear: Callable[[AuditEvent], None]
    spender: Spender | None
    organization_id: str | None = None
    organization_uid: str | None = None
    stored: bool = True
    uses: int | None = None
    budget_id: str | None = None


def find(caller: Principal, scope: str, scope_id: str, access: Access, now: datetime) -> Target:
    """The target. NotFoundError for an unknown scope or id and for another tenant's; ForbiddenError by the policy."""
    resolve = _RESOLVERS.get(scope)
    if resolve is None:
        raise NotFoundError(f"There is no budget scope '{scope}'")
    action = _action(caller, scope, scope_id, access)
    admit(caller, action)
    return resolve(_Asked(caller, scope, scope_id, action, access, now))


@dataclass(frozen=True, slots=True)
class _Asked:
    caller: Principal
    scope: str
    scope_id: str
    action: Action
    access: Access
    now: datetime


def _action(caller: Principal, scope: str, scope_id: str, access: Access) -> Action:
    if access is Access.ADJUST:
        # Who limits a key or a member may also forgive what was spent.
        return _FORGIVING.get(scope, Action.BUDGET_ADJUST)
    if access is Access.WRITE:
        return Action.ORGANIZATION_LIMIT if scope == Scope.ORGANIZATION else Action.BUDGET_WRITE
    match scope:
        case Scope.ORGANIZATION:
            return Action.ORGANIZATION_READ
        case Scope.ORGANIZATION_MEMBER | Scope.TEAM_MEMBER:
            return Action.MEMBER_READ
        case Scope.KEY if scope_id != caller.key_id:
            return Action.KEY_LIST
        case _:
            return Action.BUDGET_READ


_FORGIVING: dict[str, Action] = {Scope.KEY: Action.KEY_UPDATE, Scope.TEAM_MEMBER: Action.MEMBER_WRITE}


def _organization(asked: _Asked) -> Target:
    organization = organization_access.reachable(asked.caller, asked.scope_id, asked.action)

    def save(after: Limits, event: AuditEvent) -> None:
        check_shares(organization, after)
        organizations.update(organization, {"limits": after}, None, event)

    return Target(
        asked.scope,
        asked.scope_id,
        organization.limits,
        save,
        lambda event: save(NO_LIMITS, event),
        organization_spender(organization),
        organization.organization_id,
        organization.uid,
        budget_id=organization.budget_id,
    )


def _team(asked: _Asked) -> Target:
    team = team_access.reachable(asked.caller, asked.scope_id, asked.action)

    def save(after: Limits, event: AuditEvent) -> None:
        work = Work()
        teams.update(work, team, {"limits": after}, None, event)
        _commit(work, event)

    return Target(
        asked.scope,
        asked.scope_id,
        team.limits,
        save,
        lambda event: save(NO_LIMITS, event),
        team_spender(team),
        team.organization_id,
        team.organization_uid,
    )


def _key(asked: _Asked) -> Target:
    key = keys.find(asked.scope_id)
    owner = Owner(key.organization_id, key.team_id) if key is not None else PLATFORM
    authorize(asked.caller, asked.action, owner, missing=missing_key(asked.scope_id))
    if key is None:
        raise NotFoundError(missing_key(asked.scope_id))

    def save(after: Limits, event: AuditEvent) -> None:
        work = Work()
        keys.update(work, key, replace(key, limits=after), None, event)
        _commit(work, event)

    return Target(
        asked.scope,
        asked.scope_id,
        key.limits,
        save,
        lambda event: save(NO_LIMITS, event),
        key_spender(key),
        key.organization_id,
        key.organization_uid,
    )


def _user(asked: _Asked) -> Target:
    user = reachable_user(asked.caller, asked.scope_id, asked.action)

    def save(after: Limits, event: AuditEvent) -> None:
        work = Work()
        users.set_limits(work, user, after, event)
        _commit(work, event)

    spender = user_spender(user)
    return Target(asked.scope, user.user_id, user.limits, save, lambda event: save(NO_LIMITS, event), spender)


def _member(asked: _Asked) -> Target:
    parts = parts_of(asked.scope_id)
    if parts is None:
        raise NotFoundError(f"Member '{asked.scope_id}' not found")
    member = member_of(asked.caller, Scope(asked.scope), *parts, asked.action)
    team = teams.find(member.team_id) if member.team_id is not None else None

    def save(after: Limits, event: AuditEvent) -> None:
        work = Work()
        memberships.update(work, member, member.role, after, event)
        _commit(work, event)

    return Target(
        asked.scope,
        asked.scope_id,
        member.limits,
        save,
        lambda event: save(NO_LIMITS, event),
        member_spender(member, team.member_budget_id if team is not None else None),
        member.organization_id,
        member.organization_uid,
    )


def _customer(asked: _Asked) -> Target:
    """A customer: PUT makes one who is not there yet, and one of whom nothing else is known goes with his limits."""
    missing = f"Customer '{asked.scope_id}' not found"
    authorize(asked.caller, asked.action, missing=missing)
    stored = customers.find(asked.scope_id)
    if stored is None and asked.access is not Access.WRITE:
        raise NotFoundError(missing)
    customer = stored or new_customer(_new_id(asked), asked.now)

    def save(after: Limits, event: AuditEvent) -> None:
        work = Work()
        if stored is None:
            customers.create(work, replace(customer, limits=after), {}, event)
        else:
            customers.update(work, customer, replace(customer, limits=after), None, event)
        _commit(work, event)

    def clear(event: AuditEvent) -> None:
        if stored is None:
            raise NotFoundError(missing)
        if not customer.is_only_limited:
            save(NO_LIMITS, event)
            return
        work = Work()
        customers.delete(work, customer)
        _commit(work, event)

    return Target(
        asked.scope,
        asked.scope_id,
        customer.limits,
        save,
        clear,
        customer_spender(customer),
        stored=stored is not None,
    )


def _holder(asked: _Asked) -> Target:
    """The platform, a tag or a shared row: PUT makes what is not there yet."""
    missing = f"{asked.scope.capitalize()} '{asked.scope_id}' not found"
    if asked.scope == SHARED:
        missing = f"Budget '{asked.scope_id}' not found"
    authorize(asked.caller, asked.action, missing=missing)
    if asked.scope == Scope.PLATFORM and asked.scope_id != PLATFORM_ID:
        raise NotFoundError(missing)
    holder = limits.find(asked.scope, asked.scope_id)
    if holder is None:
        if asked.access is not Access.WRITE and asked.scope != Scope.PLATFORM:
            raise NotFoundError(missing)
        holder = _new_holder(asked)

    def save(after: Limits, event: AuditEvent) -> None:
        work = Work()
        limits.save(work, replace(holder, limits=after), holder.limits, event)
        _commit(work, event, catalogue=holder.scope in {Scope.PLATFORM, Scope.TAG})

    def clear(event: AuditEvent) -> None:
        work = Work()
        if holder.version is None:
            raise NotFoundError(missing)
        limits.delete(work, holder)
        _commit(work, event, catalogue=holder.scope in {Scope.PLATFORM, Scope.TAG})

    return Target(
        asked.scope,
        asked.scope_id,
        holder.limits,
        save,
        clear,
        _holder_spender(holder),
        stored=holder.version is not None,
        uses=holder.uses if asked.scope == SHARED else None,
    )


def _new_holder(asked: _Asked) -> Holder:
    uid = PLATFORM_ID if asked.scope == Scope.PLATFORM else ids.new_ulid()
    return Holder(asked.scope, _new_id(asked), uid, NO_LIMITS, asked.now, asked.now)


def _new_id(asked: _Asked) -> str:
    try:
        return _ID.validate_python(asked.scope_id)
    except ValidationError:
        message = "an id has 1 to 256 characters and no control characters"
        raise InvalidRequestError(message, param="scope_id") from None


def _holder_spender(holder: Holder) -> Spender | None:
    if holder.scope == SHARED:
        return None
    # What it spent before it had limits counts as well, so it is as old as time.
    return _spender(Scope(holder.scope), holder.scope_id, holder.uid, holder.limits, EPOCH, {})


def _spender(  # noqa: PLR0913, PLR0917
    scope: Scope, scope_id: str, uid: str, own: Limits, created_at: datetime, identity: dict[str, str | None]
) -> Spender:
    known = {name: value for name, value in identity.items() if value is not None}
    return Spender(scope, limits.Owner(scope, scope_id, uid, known), own, created_at, scope_id)


def _commit(work: Work, event: AuditEvent, *, catalogue: bool = False) -> None:
    if catalogue:
        models.bump(work)
    audit.append(work, event)
    work.commit()


_RESOLVERS: dict[str, Callable[[_Asked], Target]] = {
    Scope.PLATFORM: _holder,
    Scope.ORGANIZATION: _organization,
    Scope.TEAM: _team,
    Scope.USER: _user,
    Scope.KEY: _key,
    Scope.CUSTOMER: _customer,
    Scope.TAG: _holder,
    Scope.ORGANIZATION_MEMBER: _member,
    Scope.TEAM_MEMBER: _member,
    SHARED: _holder,
}
