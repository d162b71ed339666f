"""Use cases of keys wherever they belong: to a team, a user, an organization, to several of them or to nobody (Q-05).

The other dialect manages keys so; ``service`` has what the native API does with a team's. Knows no HTTP and no storage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

from tollgate.audit import repository as audit
from tollgate.auth import credentials
from tollgate.auth.policy import Action, Owner, admit, has_role
from tollgate.auth.principal import Principal
from tollgate.core import ids
from tollgate.core.clock import Clock, utc_now
from tollgate.core.durations import later
from tollgate.core.errors import ForbiddenError, InvalidRequestError, NotFoundError
from tollgate.core.money import ZERO, plain
from tollgate.keys import repository
from tollgate.keys.access import Reached, caller_as_user, event_of, reachable, team_for
from tollgate.keys.model import KeyChange, KeyStatus, VirtualKey
from tollgate.keys.service import expiry_in
from tollgate.limits import repository as limits
from tollgate.limits.fields import described
from tollgate.limits.model import NO_LIMITS, Limits
from tollgate.limits.service import changed
from tollgate.organizations import access as organization_access
from tollgate.organizations import repository as organizations
from tollgate.organizations.model import Organization
from tollgate.table.transactions import Work, retried
from tollgate.teams import permissions
from tollgate.teams import repository as teams
from tollgate.teams.model import Team
from tollgate.users import memberships
from tollgate.users import repository as users
from tollgate.users.model import User, UserRole

# A key, its alias, two links, its audit event and up to three totals: a transaction has at most a hundred writes.
_AT_ONCE = 12
_OWNERS = ("team_id", "user_id", "organization_id")
# What says how much may be spent.
_BUDGET = frozenset({"max_budget", "temp_budget_increase", "budget_id"})
# Where keys are made that are nobody's.
SERVICE_ROUTE = "/key/service-account/generate"
_UNSAID: dict[str, Any] = {"key_alias": None, "blocked": False, "expires_at": None, "models": None}
# What anybody may say of a key that names him, even if others have made it.
_HARMLESS = frozenset({"key_alias", "unique_alias"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a key belongs. ``user_id`` without ``user``: somebody whom nobody has made (contract 1.6)."""

    team: Team | None = None
    organization: Organization | None = None
    user_id: str | None = None
    user: User | None = None

    def fields(self) -> dict[str, Any]:
        """The fields of ``VirtualKey`` that say so; a team implies its organization."""
        team, organization = self.team, self.organization
        return {
            "team_id": team.team_id if team else None,
            "team_uid": team.uid if team else None,
            "organization_id": team.organization_id if team else organization.organization_id if organization else None,
            "organization_uid": team.organization_uid if team else organization.uid if organization else None,
            "user_id": self.user_id,
            "user_uid": self.user.uid if self.user else None,
        }

    def require(self, work: Work) -> None:
        """Makes the transaction lose its race if something of it is gone by then."""
        if self.team is not None:
            teams.require(work, self.team)
        elif self.organization is not None:
            organization = self.organization
            unknown = NotFoundError(organization_access.missing(organization.organization_id))
            organizations.require(work, organization.organization_id, organization.uid, otherwise=unknown)
        if self.user is not None:
            users.require(work, self.user, otherwise=_unknown_user(self.user.user_id))


@dataclass(frozen=True, slots=True)
class Renewal:
    """Another string for a key: ``secret``, if it is given; the old one is dead at once, or at ``grace_until``."""

    secret: str | None = None
    grace_until: datetime | None = None


AT_ONCE = Renewal()


@dataclass(frozen=True, slots=True)
class KeyManagement:
    """What can be done with any key; every method checks the caller's right over it, and over where it is to be."""

    clock: Clock = utc_now

    def issue(
        self, caller: Principal, change: KeyChange, secret: str | None = None, route: str | None = None
    ) -> tuple[str, VirtualKey]:
        """A new key with what ``change`` says, and its string, which may be given; it works at once.

        ``route``, here and below, is what members of a team may be permitted to use on its keys.

        Raises ForbiddenError and NotFoundError where the caller may make none, InvalidRequestError for owners that do
        not fit each other, AlreadyExistsError if the key or its alias is taken.
        """
        admit(caller, Action.KEY_MAKE_OWN)
        owners = _own_owners(caller, {name: change.owners.get(name) for name in _OWNERS}, route)
        place = self._place(caller, owners, route)
        _check_delegation(caller, change)
        now = self.clock()
        _check_life(caller, change, place.team, now)
        string = secret or credentials.new_key()
        key = VirtualKey(
            key_id=credentials.key_id_of(string),
            uid=ids.new_ulid(),
            mask=credentials.masked(string),
            status=KeyStatus.ACTIVE,
            created_at=now,
            created_by=caller.actor,
            updated_at=now,
            updated_by=caller.actor,
            limits=changed(NO_LIMITS, change.limits),
            **_UNSAID | _expiring(place, now) | place.fields() | dict(change.values),
        )
        work = Work()
        place.require(work)
        repository.create(work, key, caller.actor, change.metadata)
        audit.append(work, event_of(caller, key, "issued", now, after=_described(key, change)))
        work.commit()
        return string, key

    def change(self, caller: Principal, key_id: str, change: KeyChange, route: str | None = None) -> VirtualKey:
        """The key after the change; its next call follows. Raises as ``reachable`` does, and as ``issue``."""
        return retried(lambda: self._change(caller, key_id, change, route))

    def _change(self, caller: Principal, key_id: str, change: KeyChange, route: str | None) -> VirtualKey:
        reached = reachable(caller, key_id, Action.KEY_UPDATE, route)
        key, now, work = reached.key, self.clock(), Work()
        after = self._changed(caller, reached, change, work, route)
        states = {"before": _described(key, change), "after": _described(after, change)}
        event = event_of(caller, after, "updated", now, **states)
        repository.update(work, key, after, change.metadata, event)
        audit.append(work, event)
        work.commit()
        return replace(after, updated_at=now, updated_by=caller.actor, version=key.version + 1)

    def regenerate(
        self,
        caller: Principal,
        key_id: str,
        change: KeyChange,
        renewal: Renewal = AT_ONCE,
        route: str | None = None,
    ) -> tuple[str, VirtualKey]:
        """Another string for the same key, which keeps its counters."""
        return retried(lambda: self._regenerate(caller, key_id, change, renewal, route))

    def _regenerate(
        self, caller: Principal, key_id: str, change: KeyChange, renewal: Renewal, route: str | None
    ) -> tuple[str, VirtualKey]:
        reached = reachable(caller, key_id, Action.KEY_UPDATE, route)
        old, now, work = reached.key, self.clock(), Work()
        string = renewal.secret or credentials.new_key()
        new = replace(
            self._changed(caller, reached, change, work, route),
            key_id=credentials.key_id_of(string),
            mask=credentials.masked(string),
            updated_at=now,
            updated_by=caller.actor,
            version=1,
        )
        metadata = change.metadata if change.metadata is not None else repository.metadata_of(key_id)
        repository.replace_with(work, old, new, caller.actor, metadata, renewal.grace_until)
        until = {"grace_until": renewal.grace_until.isoformat()} if renewal.grace_until is not None else {}
        states = {"before": {"key_id": key_id}, "after": {"key_id": new.key_id} | until | _described(new, change)}
        event = event_of(caller, old, "regenerated", now, **states)
        audit.append(work, event)
        team = teams.find(old.team_id) if old.team_id is not None else None
        if team is not None and team.key_id == key_id:
            teams.update(work, team, {"key_id": new.key_id, "key_mask": new.mask}, None, event)
        work.commit()
        return string, new

    def revoke(self, caller: Principal, key_ids: list[str], route: str | None = None) -> None:
        """Ends the keys; their very next calls are refused. Nothing happens if the caller may not end one of them."""
        wanted = list(dict.fromkeys(key_ids))
        for key_id in wanted:
            reachable(caller, key_id, Action.KEY_REVOKE, route)
        for first in range(0, len(wanted), _AT_ONCE):
            batch = wanted[first : first + _AT_ONCE]
            retried(lambda batch=batch: self._revoke(caller, batch, route))  # type: ignore[misc]

    def _revoke(self, caller: Principal, key_ids: list[str], route: str | None) -> None:
        now, work = self.clock(), Work()
        for key_id in key_ids:
            key = reachable(caller, key_id, Action.KEY_REVOKE, route).key
            repository.revoke(work, key, now, caller.actor)
            states = {"before": {"status": key.status.value}, "after": {"status": KeyStatus.REVOKED.value}}
            audit.append(work, event_of(caller, key, "revoked", now, **states))
        work.commit()

    def _changed(
        self, caller: Principal, reached: Reached, change: KeyChange, work: Work, route: str | None
    ) -> VirtualKey:
        """The key after the change, and in ``work`` what has to be true for it."""
        key = reached.key
        _check_delegation(caller, change, key)
        if key.team_id is not None and "expires_at" in change.values:
            _check_life(caller, change, teams.find(key.team_id), key.created_at)
        if not reached.by_role:
            _check_own(caller, key, change)
        values = dict(change.values)
        if "kept" in values:
            kept = {**key.kept, **values["kept"]}
            values["kept"] = {name: value for name, value in kept.items() if value is not None}
        moved = {name: value for name, value in change.owners.items() if value != getattr(key, name)}
        if moved:
            place = self._moved(caller, key, moved, route)
            place.require(work)
            values |= place.fields()
        return replace(key, limits=changed(key.limits, change.limits, self.clock()), **values)

    def _moved(self, caller: Principal, key: VirtualKey, moved: Mapping[str, str | None], route: str | None) -> Place:
        """Where a key goes. Only platform roles take it from its user or out of its organization (contract 2.4)."""
        if caller.platform_role is None and moved.keys() & {"user_id", "organization_id"}:
            raise ForbiddenError("You may not give this key to somebody else")
        team = teams.find(key.team_id) if key.team_id is not None and "team_id" in moved else None
        if team is not None and team.key_id == key.key_id:
            message = f"It is the primary key of team '{team.team_id}'; rotate that first"
            raise InvalidRequestError(message, param="team_id")
        owners = {name: getattr(key, name) for name in _OWNERS} | dict(moved)
        if moved.get("team_id") is not None and "organization_id" not in moved:
            # The team says which.
            owners["organization_id"] = None
        place = self._place(caller, owners, route)
        if caller.platform_role is None and place.fields()["organization_id"] != key.organization_id:
            raise ForbiddenError("You may not take this key out of its organization")
        return place

    def _place(self, caller: Principal, owners: Mapping[str, str | None], route: str | None) -> Place:
        """The owners, if the caller may put a key there. Raises as ``issue`` says."""
        team_id, user_id, organization_id = (owners[name] for name in _OWNERS)
        team = team_for(caller, team_id, route) if team_id is not None else None
        organization = None
        if organization_id is not None and team is None:
            organization = organization_access.reachable(caller, organization_id, Action.KEY_ISSUE)
        elif organization_id is not None and team is not None and team.organization_id != organization_id:
            message = f"Team '{team_id}' does not belong to organization '{organization_id}'"
            raise InvalidRequestError(message, param="organization_id")
        if team is None and organization is None and not has_role(caller, Action.KEY_ISSUE, Owner()):
            return self._own_place(caller, user_id)
        return Place(team, organization, user_id, _user_of(caller, team, organization, user_id))

    def _own_place(self, caller: Principal, user_id: str | None) -> Place:
        user = caller_as_user(caller)
        if user is None or user_id not in {None, user.user_id} or user.role is UserRole.MEMBER_VIEWER:
            raise _only_for_himself(caller, user_id)
        return Place(user_id=user.user_id, user=user)


def _user_of(
    caller: Principal, team: Team | None, organization: Organization | None, user_id: str | None
) -> User | None:
    """Whose key it is to be: anybody for the platform's roles, else a member of the team or the organization."""
    if user_id is None:
        return None
    user = users.find(user_id)
    if caller.platform_role is not None:
        return user
    uids = (team.uid, team.organization_uid) if team else (organization.uid if organization else None,)
    if user is None or not any(uid is not None and memberships.find(uid, user.uid) for uid in uids):
        raise _unknown_user(user_id)
    return user


def _unknown_user(user_id: str) -> InvalidRequestError:
    return InvalidRequestError(f"Unknown user '{user_id}'", code="unknown_user", param="user_id")


def _expiring(place: Place, now: datetime) -> dict[str, Any]:
    return {"expires_at": expiry_in(place.team, place.user_id, now)}


def _own_owners(caller: Principal, owners: Mapping[str, str | None], route: str | None) -> Mapping[str, str | None]:
    """Whose a new key is to be: who makes it by his team's permission only makes it for himself.

    Another permission lets him make those that are nobody's.
    """
    team_id, user_id = owners["team_id"], owners["user_id"]
    team = teams.find(team_id) if team_id is not None and permissions.is_member(caller, team_id) else None
    if team is None or has_role(caller, Action.KEY_ISSUE, Owner(team.organization_id, team.team_id)):
        return owners
    if user_id not in {None, caller.user_id}:
        raise _only_for_himself(caller, user_id)
    return owners if route == SERVICE_ROUTE else {**owners, "user_id": caller.user_id}


def _only_for_himself(caller: Principal, user_id: str | None) -> ForbiddenError:
    return ForbiddenError(f"User can only create keys for themselves. Got user_id={user_id}, Your ID={caller.user_id}")


def _check_delegation(caller: Principal, change: KeyChange, key: VirtualKey | None = None) -> None:
    """What nobody but the platform's roles gives away (contract 2.4). Raises ForbiddenError, InvalidRequestError."""
    if caller.platform_role is not None:
        return
    held = key.allowed_routes if key is not None else ()
    # Not even none: that means every route.
    if change.values.get("allowed_routes", held) != held and not change.preset_routes:
        raise ForbiddenError("Only proxy admins can set `allowed_routes` on a key. Use `key_type` instead.")
    if (change.values.get("kept") or {}).get("permissions"):
        raise ForbiddenError("Only proxy admins can set `permissions` on a key.")
    if "max_budget_alert_emails" in (change.metadata or {}):
        raise ForbiddenError("Only proxy admins can set `metadata.max_budget_alert_emails` on a key.")
    _check_budget(caller, change, key)


def _check_life(caller: Principal, change: KeyChange, team: Team | None, begun: datetime) -> None:
    """Who does not manage a team's keys keeps to how long they live there."""
    if team is None or team.member_key_duration is None or "expires_at" not in change.values:
        return
    wanted = change.values["expires_at"]
    within = wanted is not None and wanted <= later(begun, team.member_key_duration)
    if not within and not has_role(caller, Action.KEY_ISSUE, Owner(team.organization_id, team.team_id)):
        message = f"A key of a member lives at most {team.member_key_duration} in this team"
        raise InvalidRequestError(message, param="duration")


def _check_budget(caller: Principal, change: KeyChange, key: VirtualKey | None) -> None:
    """Nobody gives a key more than he may spend himself, by whichever field."""
    if not change.limits.keys() & _BUDGET:
        return
    user = caller_as_user(caller)
    own = _most(user.limits) if user is not None else None
    wanted = _most(changed(key.limits if key is not None else NO_LIMITS, change.limits))
    if wanted is not None and own is not None and wanted > own:
        message = f"max_budget ({plain(wanted)}) cannot exceed the caller's own max_budget ({plain(own)})."
        raise InvalidRequestError(message, param="max_budget")


def _most(own: Limits) -> Decimal | None:
    """The budget, raised by what is added for a time, or that of the row that it uses (Q-52)."""
    effective = own.over(limits.shared(own.budget_id))
    if effective.max_budget is None:
        return None
    return effective.max_budget + (effective.temp_budget_increase or ZERO)


def _check_own(caller: Principal, key: VirtualKey, change: KeyChange) -> None:
    """What somebody without a role over a key may change of his own: all that he could have made it with himself.

    He never opens what was blocked, and a key that others made for him stays as limited as they made it.
    """
    if "blocked" in change.values:
        raise ForbiddenError("You may not block or unblock this key")
    names = change.values.keys() | change.limits.keys()
    if key.created_by != caller.actor and names - _HARMLESS:
        raise ForbiddenError(f"You may not change {', '.join(sorted(names - _HARMLESS))} of this key")


def _described(key: VirtualKey, change: KeyChange) -> dict[str, Any]:
    """What a change is about, as the key has it, for the audit log; metadata is not read for it."""
    values = {name: getattr(key, name) for name in change.values}
    shown = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}
    return shown | {name: getattr(key, name) for name in change.owners} | described(key.limits, change.limits)


@cache
def key_management() -> KeyManagement:
    return KeyManagement()
