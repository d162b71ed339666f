"""Use cases of keys wherever they belong: to a team, a user, an organization, to several of them or to nobody (Q-05).

The other dialect manages keys so; ``service`` has what the native API does with a team's. Knows no HTTP and no storage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from tollgate.audit import repository as audit
from tollgate.auth import credentials
from tollgate.auth.policy import Action, Owner, admit, has_role
from tollgate.auth.principal import Principal
from tollgate.core import ids
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import ForbiddenError, InvalidRequestError, NotFoundError
from tollgate.keys import repository
from tollgate.keys.access import Reached, caller_as_user, event_of, reachable
from tollgate.keys.model import KeyChange, KeyStatus, VirtualKey
from tollgate.limits.fields import described
from tollgate.limits.model import NO_LIMITS
from tollgate.limits.service import changed
from tollgate.organizations import access as organization_access
from tollgate.organizations import repository as organizations
from tollgate.organizations.model import Organization
from tollgate.table.transactions import Work, retried
from tollgate.teams import access as team_access
from tollgate.teams import repository as teams
from tollgate.teams.model import Team
from tollgate.users import memberships
from tollgate.users import repository as users
from tollgate.users.model import User, UserRole

# A key, its alias, two links and its audit event: a transaction has at most a hundred writes.
_AT_ONCE = 20
_OWNERS = ("team_id", "user_id", "organization_id")
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
class KeyManagement:
    """What can be done with any key; every method checks the caller's right over it, and over where it is to be."""

    clock: Clock = utc_now

    def issue(self, caller: Principal, change: KeyChange, secret: str | None = None) -> tuple[str, VirtualKey]:
        """A new key with what ``change`` says, and its string, which may be given; it works at once.

        Raises ForbiddenError and NotFoundError where the caller may make none, InvalidRequestError for owners that do
        not fit each other, AlreadyExistsError if the key or its alias is taken.
        """
        admit(caller, Action.KEY_MAKE_OWN)
        place = self._place(caller, {name: change.owners.get(name) for name in _OWNERS})
        _check_delegation(caller, change)
        now = self.clock()
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
            **_UNSAID | place.fields() | dict(change.values),
        )
        work = Work()
        place.require(work)
        repository.create(work, key, caller.actor, change.metadata)
        audit.append(work, event_of(caller, key, "issued", now, after=_described(key, change)))
        work.commit()
        return string, key

    def change(self, caller: Principal, key_id: str, change: KeyChange) -> VirtualKey:
        """The key after the change; its next call follows. Raises as ``reachable`` does, and as ``issue``."""
        return retried(lambda: self._change(caller, key_id, change))

    def _change(self, caller: Principal, key_id: str, change: KeyChange) -> VirtualKey:
        reached = reachable(caller, key_id, Action.KEY_UPDATE)
        key, now, work = reached.key, self.clock(), Work()
        after = self._changed(caller, reached, change, work, now)
        states = {"before": _described(key, change), "after": _described(after, change)}
        event = event_of(caller, after, "updated", now, **states)
        repository.update(work, key, after, change.metadata, event)
        audit.append(work, event)
        work.commit()
        return replace(after, updated_at=now, updated_by=caller.actor, version=key.version + 1)

    def regenerate(
        self, caller: Principal, key_id: str, change: KeyChange, secret: str | None = None
    ) -> tuple[str, VirtualKey]:
        """Another string for the same key, which keeps its counters; the old one is dead at once."""
        return retried(lambda: self._regenerate(caller, key_id, change, secret))

    def _regenerate(
        self, caller: Principal, key_id: str, change: KeyChange, secret: str | None
    ) -> tuple[str, VirtualKey]:
        reached = reachable(caller, key_id, Action.KEY_UPDATE)
        old, now, work = reached.key, self.clock(), Work()
        string = secret or credentials.new_key()
        new = replace(
            self._changed(caller, reached, change, work, now),
            key_id=credentials.key_id_of(string),
            mask=credentials.masked(string),
            updated_at=now,
            updated_by=caller.actor,
            version=1,
        )
        metadata = change.metadata if change.metadata is not None else repository.metadata_of(key_id)
        repository.replace_with(work, old, new, caller.actor, metadata)
        states = {"before": {"key_id": key_id}, "after": {"key_id": new.key_id} | _described(new, change)}
        event = event_of(caller, old, "regenerated", now, **states)
        audit.append(work, event)
        team = teams.find(old.team_id) if old.team_id is not None else None
        if team is not None and team.key_id == key_id:
            teams.update(work, team, {"key_id": new.key_id, "key_mask": new.mask}, None, event)
        work.commit()
        return string, new

    def revoke(self, caller: Principal, key_ids: list[str]) -> None:
        """Ends the keys; their very next calls are refused. Nothing happens if the caller may not end one of them."""
        wanted = list(dict.fromkeys(key_ids))
        for key_id in wanted:
            reachable(caller, key_id, Action.KEY_REVOKE)
        for first in range(0, len(wanted), _AT_ONCE):
            batch = wanted[first : first + _AT_ONCE]
            retried(lambda batch=batch: self._revoke(caller, batch))  # type: ignore[misc]

    def _revoke(self, caller: Principal, key_ids: list[str]) -> None:
        now, work = self.clock(), Work()
        for key_id in key_ids:
            key = reachable(caller, key_id, Action.KEY_REVOKE).key
            repository.revoke(work, key, now, caller.actor)
            states = {"before": {"status": key.status.value}, "after": {"status": KeyStatus.REVOKED.value}}
            audit.append(work, event_of(caller, key, "revoked", now, **states))
        work.commit()

    def _changed(self, caller: Principal, reached: Reached, change: KeyChange, work: Work, now: datetime) -> VirtualKey:
        """The key after the change, and in ``work`` what has to be true for it."""
        key = reached.key
        _check_delegation(caller, change)
        if not reached.by_role:
            _check_own(caller, key, change)
        values = dict(change.values)
        if "kept" in values:
            kept = {**key.kept, **values["kept"]}
            values["kept"] = {name: value for name, value in kept.items() if value is not None}
        moved = {name: value for name, value in change.owners.items() if value != getattr(key, name)}
        if moved:
            place = self._moved(caller, key, moved)
            place.require(work)
            values |= place.fields()
        return replace(key, limits=changed(key.limits, change.limits, now), **values)

    def _moved(self, caller: Principal, key: VirtualKey, moved: Mapping[str, str | None]) -> Place:
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
        place = self._place(caller, owners)
        if caller.platform_role is None and place.fields()["organization_id"] != key.organization_id:
            raise ForbiddenError("You may not take this key out of its organization")
        return place

    def _place(self, caller: Principal, owners: Mapping[str, str | None]) -> Place:
        """The owners, if the caller may put a key there. Raises as ``issue`` says."""
        team_id, user_id, organization_id = (owners[name] for name in _OWNERS)
        team = team_access.reachable(caller, team_id, Action.KEY_ISSUE) if team_id is not None else None
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
            message = f"User can only create keys for themselves. Got user_id={user_id}, Your ID={caller.user_id}"
            raise ForbiddenError(message)
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


def _check_delegation(caller: Principal, change: KeyChange) -> None:
    """What nobody but the platform's roles gives away (contract 2.4). Raises ForbiddenError, InvalidRequestError."""
    if caller.platform_role is not None:
        return
    if change.values.get("allowed_routes") and not change.preset_routes:
        raise ForbiddenError("Only proxy admins can set `allowed_routes` on a key. Use `key_type` instead.")
    if (change.values.get("kept") or {}).get("permissions"):
        raise ForbiddenError("Only proxy admins can set `permissions` on a key.")
    wanted = change.limits.get("max_budget")
    user = caller_as_user(caller) if wanted is not None else None
    own = user.limits.max_budget if user is not None else None
    if wanted is not None and own is not None and wanted > own:
        message = f"max_budget ({wanted}) cannot exceed the caller's own max_budget ({own})."
        raise InvalidRequestError(message, param="max_budget")


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
    plain = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}
    return plain | {name: getattr(key, name) for name in change.owners} | described(key.limits, change.limits)


@cache
def key_management() -> KeyManagement:
    return KeyManagement()
