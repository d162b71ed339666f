"""Use cases of virtual keys, and whether a key still counts. Knows no HTTP and no storage."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from tollgate.audit import repository as audit
from tollgate.audit.model import AuditEvent
from tollgate.auth import credentials, routes
from tollgate.auth.policy import Action
from tollgate.auth.principal import ActorKind, Principal, Role
from tollgate.core import ids
from tollgate.core.clock import Clock, utc_now
from tollgate.core.durations import LONGEST, later
from tollgate.core.errors import (
    BlockedError,
    InvalidRequestError,
    KeyExpiredError,
    NotFoundError,
    OrganizationSuspendedError,
    RouteNotAllowedError,
    TeamPausedError,
    TeamSuspendedError,
    UnauthenticatedError,
    WrongStateError,
)
from tollgate.core.pagination import Page, PageRequest
from tollgate.keys import repository
from tollgate.keys.access import missing
from tollgate.keys.model import (
    IssueKey,
    KeyAnswer,
    KeyDetails,
    KeyIssued,
    KeyRevoked,
    KeyStatus,
    UpdateKey,
    VirtualKey,
)
from tollgate.limits.fields import LIMIT_FIELDS, described
from tollgate.limits.model import NO_LIMITS
from tollgate.limits.service import changed
from tollgate.organizations import repository as organizations
from tollgate.organizations.model import Organization, OrganizationStatus
from tollgate.table.transactions import Work, retried
from tollgate.teams import repository as teams
from tollgate.teams import roles
from tollgate.teams.access import reachable
from tollgate.teams.model import Team, TeamStatus
from tollgate.users import memberships
from tollgate.users import repository as users
from tollgate.users.model import User, UserRole

# An id that no team has.
_NO_TEAM = ""


def new_key(
    team: Team, at: datetime, request: IssueKey | None = None, user: User | None = None
) -> tuple[str, VirtualKey]:
    """A new key of a team: the key itself, which nobody stores, and what is stored of it."""
    secret = credentials.new_key()
    wanted = request or IssueKey()
    key = VirtualKey(
        key_id=credentials.key_id_of(secret),
        uid=ids.new_ulid(),
        mask=credentials.masked(secret),
        key_alias=wanted.key_alias,
        team_id=team.team_id,
        team_uid=team.uid,
        organization_id=team.organization_id,
        status=KeyStatus.ACTIVE,
        blocked=False,
        expires_at=_expiry(wanted, at) or expiry_in(team, user.user_id if user else None, at),
        models=tuple(wanted.models) if wanted.models is not None else None,
        created_at=at,
        organization_uid=team.organization_uid,
        user_id=user.user_id if user else None,
        user_uid=user.uid if user else None,
        tags=tuple(wanted.tags),
        limits=changed(NO_LIMITS, wanted.limits_sent()),
    )
    return secret, key


@dataclass(frozen=True, slots=True)
class KeyService:
    """What can be done with the keys of a team."""

    clock: Clock = utc_now

    def issue(self, caller: Principal, team_id: str, request: IssueKey) -> KeyIssued:
        """A further key of the team; it works at once."""
        team = reachable(caller, team_id, Action.KEY_ISSUE)
        user = _user_of(caller, team, request.user_id) if request.user_id is not None else None
        now = self.clock()
        secret, key = new_key(team, now, request, user)
        work = Work()
        teams.require(work, team)
        if user is not None:
            users.require(work, user, otherwise=_unknown_user(user.user_id))
        repository.create(work, key, caller.actor, request.metadata)
        after = request.model_dump(mode="json", exclude_unset=True, exclude_none=True) | {"team_id": team.team_id}
        audit.append(work, event_of(caller, team, key.key_id, "issued", now, after=after))
        work.commit()
        return KeyIssued.of(key, metadata=request.metadata, virtual_key=secret)

    def update(self, caller: Principal, team_id: str, key_id: str, request: UpdateKey) -> KeyDetails:
        """Changes the fields that were sent; the key's next call follows. Raises WrongStateError for a revoked key."""
        retried(lambda: self._update(caller, team_id, key_id, request))
        key = _key_of(reachable(caller, team_id, Action.KEY_UPDATE), key_id)
        return KeyDetails.of(key, metadata=repository.metadata_of(key_id))

    def _update(self, caller: Principal, team_id: str, key_id: str, request: UpdateKey) -> None:
        team = reachable(caller, team_id, Action.KEY_UPDATE)
        key = _key_of(team, key_id)
        if key.status is KeyStatus.REVOKED:
            raise WrongStateError(f"Key '{key_id}' is revoked")
        now = self.clock()
        after = _changed(key, request, now)
        sent = request.model_fields_set - LIMIT_FIELDS
        limited = request.limits_sent()
        states = {
            "before": described(key.limits, limited) | _described(key, sent),
            "after": described(after.limits, limited) | request.model_dump(mode="json", include=sent),
        }
        event = event_of(caller, team, key_id, "updated", now, **states)
        work = Work()
        metadata = (request.metadata or {}) if "metadata" in sent else None
        repository.update(work, key, after, metadata, event)
        audit.append(work, event)
        work.commit()

    def list(self, caller: Principal, team_id: str, request: PageRequest) -> Page[VirtualKey]:
        """The team's keys, newest first, revoked ones included."""
        return repository.search(reachable(caller, team_id, Action.KEY_LIST).uid, request)

    def revoke(self, caller: Principal, team_id: str, key_id: str) -> KeyRevoked:
        """Ends a key; its very next call is refused. Revoking it again changes nothing."""
        return retried(lambda: self._revoke(caller, team_id, key_id))

    def _revoke(self, caller: Principal, team_id: str, key_id: str) -> KeyRevoked:
        team = reachable(caller, team_id, Action.KEY_REVOKE)
        key = _key_of(team, key_id)
        if key.status is not KeyStatus.REVOKED:
            now = self.clock()
            work = Work()
            repository.revoke(work, key, now, caller.actor)
            states = {"before": {"status": key.status.value}, "after": {"status": KeyStatus.REVOKED.value}}
            audit.append(work, event_of(caller, team, key_id, "revoked", now, **states))
            work.commit()
        return KeyRevoked(key_id=key_id, revoked=True)

    def principal(self, key_id: str, route: str, *, looks_on: bool = False) -> Principal:
        """The caller behind a key, if the key may be used now, and for that route.

        Key, team, organization and user are read strongly consistent. Raises the first row of Q-10 that refuses:
        unknown, expired, blocked, suspended, paused, route not allowed. A user who only looks on by LiteLLM's API
        (``looks_on``) does so whatever is suspended; a key of nobody does nothing then (Q-11).
        """
        key = repository.find_used(key_id, self.clock())
        if key is None or key.status is KeyStatus.REVOKED:
            raise UnauthenticatedError
        team, organization = _owners(key)
        user = _caller_of(key)
        expiries = (key.expires_at, user.access_expires_at if user else None)
        now = self.clock()
        for expires_at in expiries:
            if expires_at is not None and expires_at <= now:
                raise KeyExpiredError(expires_at, now)
        _check_blocked(key, team, organization)
        if user is not None and not user.is_active:
            raise BlockedError("User", user.user_id)
        _check_status(team, organization, suspended_too=looks_on and user is not None)
        if not routes.allows(key.allowed_routes, route):
            raise RouteNotAllowedError(key.allowed_routes, route)
        if user is None:
            return _team_key(key)
        return replace(_user_key(key, user), only_looks=user.role is UserRole.MEMBER_VIEWER)


def event_of(caller: Principal, team: Team, key_id: str, verb: str, at: datetime, **states: Any) -> AuditEvent:
    """The audit event of a change to a key; ``states`` are ``before`` and ``after``."""
    return AuditEvent(
        caller=caller,
        action=f"key.{verb}",
        resource_type="key",
        resource_id=key_id,
        at=at,
        organization_id=team.organization_id,
        organization_uid=team.organization_uid,
        **states,
    )


def _team_key(key: VirtualKey) -> Principal:
    """A team's own key reads its team. One without team comes in as such a key, and has that role over nothing."""
    return Principal(
        actor=key.team_id or key.key_id,
        kind=ActorKind.TEAM,
        team_roles=((key.team_id or _NO_TEAM, Role.TEAM_KEY),),
        organization_id=key.organization_id,
        key_id=key.key_id,
    )


def _user_key(key: VirtualKey, user: User) -> Principal:
    """A user's key may what the user may, but of his memberships only those where the key is (Q-09).

    A key that is neither in a team nor in an organization is the user's wherever he is.
    """
    if key.team_id is None and key.organization_id is None:
        held = roles.of_user(user)
        return replace(
            _team_key(key),
            actor=user.user_id,
            kind=ActorKind.USER,
            user_id=user.user_id,
            platform_role=held.platform,
            organization_roles=held.organizations,
            team_roles=held.teams,
        )
    team = _role(key.team_uid, user)
    organization = _role(key.organization_uid, user)
    return replace(
        _team_key(key),
        actor=user.user_id,
        kind=ActorKind.USER,
        user_id=user.user_id,
        # No platform role: whoever manages the team or the organization can make keys in its members' names.
        organization_roles=((key.organization_id, organization),) if key.organization_id and organization else (),
        team_roles=tuple((key.team_id, role) for role in (Role.TEAM_KEY, team) if key.team_id and role),
    )


def _role(owner_uid: str | None, user: User) -> Role | None:
    membership = memberships.find(owner_uid, user.uid) if owner_uid else None
    return membership.role if membership else None


def _caller_of(key: VirtualKey) -> User | None:
    """Whose key it is; None for a team's own, and where it names somebody whom nobody has made (contract 1.6).

    Raises UnauthenticatedError if that user is gone.
    """
    if key.user_id is None or key.user_uid is None:
        return None
    user = users.find(key.user_id)
    if user is None or user.uid != key.user_uid:
        raise UnauthenticatedError
    return user


def _key_of(team: Team, key_id: str) -> VirtualKey:
    key = repository.find(key_id)
    if key is None or key.team_uid != team.uid:
        raise NotFoundError(missing(key_id))
    return key


def _unknown_user(user_id: str) -> InvalidRequestError:
    return InvalidRequestError(f"Unknown user '{user_id}'", code="unknown_user", param="user_id")


def _user_of(caller: Principal, team: Team, user_id: str) -> User:
    """Whose key it will be: any user for the platform's roles, for others a member of the team or its organization.

    So nobody learns of another tenant's users, nor uses up what they are limited by.
    """
    user = users.find(user_id)
    owners = [uid for uid in (team.uid, team.organization_uid) if uid is not None]
    known = user is not None and (
        caller.platform_role is not None or any(memberships.find(owner, user.uid) for owner in owners)
    )
    if user is None or not known:
        raise _unknown_user(user_id)
    return user


def _changed(key: VirtualKey, request: UpdateKey, now: datetime) -> VirtualKey:
    """The key with the fields that were sent."""
    sent = request.model_fields_set
    if "expires_at" in sent:
        _check_expiry(request.expires_at, now)
    values: dict[str, Any] = {name: getattr(request, name) for name in ("key_alias", "expires_at") if name in sent}
    if "blocked" in sent:
        values["blocked"] = bool(request.blocked)
    if "models" in sent:
        values["models"] = tuple(request.models) if request.models is not None else None
    if "tags" in sent:
        values["tags"] = tuple(request.tags or ())
    return replace(key, limits=changed(key.limits, request.limits_sent(), now), **values)


def _described(key: VirtualKey, names: set[str]) -> dict[str, Any]:
    """A key's own fields as JSON, for the audit log; metadata is not read for it."""
    return KeyAnswer.of(key).model_dump(mode="json", include=names)


def _expiry(request: IssueKey, now: datetime) -> datetime | None:
    if request.duration is not None:
        try:
            return later(now, request.duration)
        except ValueError:
            raise InvalidRequestError("duration must be between 1s and 36500d", param="duration") from None
    _check_expiry(request.expires_at, now)
    return request.expires_at


def expiry_in(team: Team | None, user_id: str | None, now: datetime) -> datetime | None:
    """When a member's new key ends for which nothing else was said (``member_key_duration``)."""
    if team is None or team.member_key_duration is None or user_id is None:
        return None
    return later(now, team.member_key_duration)


def _check_expiry(expires_at: datetime | None, now: datetime) -> None:
    if expires_at is not None and not now < expires_at <= now + LONGEST:
        raise InvalidRequestError("expires_at must be in the future, at most 36500 days away", param="expires_at")


def _owners(key: VirtualKey) -> tuple[Team | None, Organization | None]:
    """The key's team and organization; UnauthenticatedError if one of them is deleted, or being deleted."""
    team = teams.find(key.team_id) if key.team_id else None
    if key.team_id and (team is None or team.deleting or team.uid != key.team_uid):
        raise UnauthenticatedError
    organization = organizations.find(key.organization_id) if key.organization_id else None
    if key.organization_id and (organization is None or organization.deleting):
        raise UnauthenticatedError
    if team is None and organization is not None and organization.uid != key.organization_uid:
        raise UnauthenticatedError
    if team is not None and organization is not None and team.organization_uid != organization.uid:
        raise UnauthenticatedError
    return team, organization


def _check_blocked(key: VirtualKey, team: Team | None, organization: Organization | None) -> None:
    if key.blocked:
        raise BlockedError("Key", key.key_id)
    if team is not None and team.blocked:
        raise BlockedError("Team", team.team_id)
    if organization is not None and organization.blocked:
        raise BlockedError("Organization", organization.organization_id)


def _check_status(team: Team | None, organization: Organization | None, *, suspended_too: bool) -> None:
    if organization is not None and organization.status is OrganizationStatus.SUSPENDED and not suspended_too:
        raise OrganizationSuspendedError
    if team is not None and team.status is TeamStatus.SUSPENDED and not suspended_too:
        raise TeamSuspendedError
    if team is not None and team.status is TeamStatus.PAUSED:
        raise TeamPausedError


@cache
def key_service() -> KeyService:
    return KeyService()
