"""Use cases of users. Knows no HTTP and no storage."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any
from uuid import uuid4

from tollgate.audit import repository as audit
from tollgate.audit.model import AuditEvent
from tollgate.auth.policy import PLATFORM, Action, authorize, has_role
from tollgate.auth.principal import Principal
from tollgate.core import ids
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import ForbiddenError
from tollgate.core.object_permissions import ObjectPermission
from tollgate.core.pagination import Page, PageRequest
from tollgate.limits.model import NO_LIMITS
from tollgate.limits.service import changed
from tollgate.table.transactions import Work, retried
from tollgate.users import memberships, passwords, repository
from tollgate.users.access import authorize_over, found, is_self, managed, reachable
from tollgate.users.model import (
    PLATFORM_ROLES,
    CreateUser,
    Membership,
    UpdateUser,
    User,
    UserAnswer,
    UserFields,
    UserRole,
)

# What a user may change of himself: nothing that others limit him by.
OWN_FIELDS = frozenset({"email", "display_name"})
_PLAIN = (
    "email",
    "display_name",
    "access_expires_at",
    "sso_user_id",
    "allowed_model_region",
    "allowed_model_max_input_tokens",
    "allowed_model_max_output_tokens",
)
# What audit events do not tell: it is kept elsewhere, or secret.
_UNTOLD = {"metadata", "object_permission", "password"}


@dataclass(frozen=True, slots=True)
class UserService:
    """What can be done with users; every method checks the caller's right."""

    clock: Clock = utc_now

    def create(self, caller: Principal, request: CreateUser) -> UserAnswer:
        """A new user. Raises AlreadyExistsError if id, e-mail or the identity provider's id are taken (Q-41)."""
        authorize_over(caller, request.role)
        work = Work()
        user = founded(work, caller, request, self.clock())
        work.commit()
        return UserAnswer.of(user, request.metadata)

    def get(self, caller: Principal, user_id: str) -> UserAnswer:
        return UserAnswer.of(reachable(caller, user_id, Action.USER_READ), repository.metadata_of(user_id))

    def list(self, caller: Principal, request: PageRequest, text: str | None = None) -> Page[User]:
        """Users, newest first; ``text`` searches id, e-mail and name."""
        authorize(caller, Action.USER_READ)
        return repository.search(request, text)

    def memberships(self, caller: Principal, user_id: str, request: PageRequest) -> Page[Membership]:
        """A user's places in teams and organizations, oldest first."""
        return memberships.of_user(reachable(caller, user_id, Action.USER_READ).uid, request)

    def update(self, caller: Principal, user_id: str, request: UpdateUser) -> User:
        """Changes the fields that were sent; his next call follows. Everybody may change his own address and name.

        Raises AlreadyExistsError as ``create``, WrongStateError if no active owner of the platform would be left.
        """
        return retried(lambda: self._update(caller, user_id, request))

    def _update(self, caller: Principal, user_id: str, request: UpdateUser) -> User:
        user = _changeable(caller, user_id, request)
        now = self.clock()
        stored = repository.object_permission_of(user_id) if request.object_permission is not None else {}
        permission = _permission(request, stored)
        after = _changed(user, request, permission, now)
        if after.role is not user.role and PLATFORM_ROLES & {user.role, after.role}:
            authorize_over(caller, user.role, after.role)
        names = request.model_fields_set - _UNTOLD
        event = event_of(caller, user, "updated", now, before=_described(user, names), after=_described(after, names))
        work = Work()
        metadata = (request.metadata or {}) if "metadata" in request.model_fields_set else None
        repository.update(work, user, after, metadata, event, permission)
        if request.password is not None:
            repository.set_password(work, user_id, passwords.hashed(request.password))
        audit.append(work, event)
        work.commit()
        return replace(after, updated_at=now, version=user.version + 1)


def founded(work: Work, caller: Principal, request: CreateUser, at: datetime) -> User:
    """The user of a request, added to the transaction; whether the caller may make him is the caller's business."""
    permission = _permission(request, {})
    user = new_user(request.user_id or str(uuid4()), None, at)
    user = _changed(replace(user, role=request.role), request, permission, None)
    repository.create(work, user, request.metadata, caller.actor, permission)
    if request.password is not None:
        repository.set_password(work, user.user_id, passwords.hashed(request.password))
    names = (request.model_fields_set - _UNTOLD) | {"user_id", "role"}
    audit.append(work, event_of(caller, user, "created", at, after=_described(user, names)))
    return user


def new_user(user_id: str, email: str | None, at: datetime) -> User:
    """A user who is nothing yet but somebody's member."""
    return User(
        user_id=user_id,
        uid=ids.new_ulid(),
        email=email,
        display_name=None,
        role=UserRole.MEMBER,
        is_active=True,
        access_expires_at=None,
        models=None,
        limits=NO_LIMITS,
        created_at=at,
        updated_at=at,
    )


def event_of(caller: Principal, user: User, verb: str, at: datetime, **states: Any) -> AuditEvent:
    """The audit event of a change to a user; ``states`` are ``before`` and ``after``."""
    return AuditEvent(
        caller=caller, action=f"user.{verb}", resource_type="user", resource_id=user.user_id, at=at, **states
    )


def _changeable(caller: Principal, user_id: str, request: UpdateUser) -> User:
    """The user, if the caller may change of him what was sent."""
    # Invitations go by address: nobody gives himself one that might be somebody else's.
    own = OWN_FIELDS if caller.platform_role is not None else OWN_FIELDS - {"email"}
    other = request.model_fields_set - own
    if caller.user_id != user_id or (other and has_role(caller, Action.USER_WRITE, PLATFORM)):
        return managed(caller, user_id)
    user = found(user_id)
    if other or not is_self(caller, user):
        names = ", ".join(sorted(other or request.model_fields_set))
        raise ForbiddenError(f"You may not change {names} of yourself")
    return user


def _changed(user: User, request: UserFields, permission: dict[str, Any] | None, at: datetime | None) -> User:
    """The user with what was sent; ``at`` None: he is only being made. Who is switched off, or gets another password,
    loses his sessions for good.
    """
    sent = request.model_fields_set
    values: dict[str, Any] = {name: getattr(request, name) for name in _PLAIN if name in sent}
    if "models" in sent:
        values["models"] = tuple(dict.fromkeys(request.models)) if request.models is not None else None
    if "allowed_cache_controls" in sent:
        values["allowed_cache_controls"] = tuple(request.allowed_cache_controls or ())
    if permission is not None:
        values["object_permission_id"] = (user.object_permission_id or ids.new_ulid()) if permission else None
    for name in ("role", "is_active"):
        wanted = getattr(request, name, None)
        if name in sent and wanted is not None:
            values[name] = wanted
    ended = (user.is_active and not values.get("is_active", True)) or request.password is not None
    return replace(
        user,
        limits=changed(user.limits, request.limits_sent(), at),
        session_epoch=user.session_epoch + ended,
        **values,
    )


def _permission(request: UserFields, stored: dict[str, Any]) -> dict[str, Any] | None:
    """What is to be stored; None: nothing was said of it."""
    if "object_permission" not in request.model_fields_set:
        return None
    return (request.object_permission or ObjectPermission()).over(stored)


def _described(user: User, names: set[str]) -> dict[str, Any]:
    """The user's own fields as JSON, for the audit log."""
    return UserAnswer.of(user, {}).model_dump(mode="json", include=names)


@cache
def user_service() -> UserService:
    return UserService()
