"""Use cases of users. Knows no HTTP and no storage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import uuid4

from tollgate.audit import repository as audit
from tollgate.audit.model import AuditEvent
from tollgate.auth.policy import Action, authorize
from tollgate.auth.principal import Principal
from tollgate.core import ids
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import NotFoundError
from tollgate.core.pagination import Page, PageRequest
from tollgate.limits.fields import LIMIT_FIELDS, described
from tollgate.limits.model import NO_LIMITS
from tollgate.limits.service import changed
from tollgate.table.transactions import Work
from tollgate.users import memberships, repository
from tollgate.users.model import CreateUser, Membership, User, UserAnswer, UserRole

_PRIVILEGED = {UserRole.PLATFORM_OWNER, UserRole.PLATFORM_ADMIN}


@dataclass(frozen=True, slots=True)
class UserService:
    """What can be done with users; every method checks the caller's right."""

    clock: Clock = utc_now

    def create(self, caller: Principal, request: CreateUser) -> UserAnswer:
        """A new, active user. Raises AlreadyExistsError if id or e-mail are taken (Q-41)."""
        authorize(caller, Action.USER_PROMOTE if request.role in _PRIVILEGED else Action.USER_WRITE)
        now = self.clock()
        sent = request.limits_sent()
        user = User(
            user_id=request.user_id or str(uuid4()),
            uid=ids.new_ulid(),
            email=request.email,
            display_name=request.display_name,
            role=request.role,
            is_active=True,
            access_expires_at=request.access_expires_at,
            models=tuple(request.models) if request.models is not None else None,
            limits=changed(NO_LIMITS, sent),
            created_at=now,
            updated_at=now,
        )
        after = request.model_dump(mode="json", exclude=set(LIMIT_FIELDS)) | described(user.limits, sent)
        work = Work()
        repository.create(work, user, request.metadata, caller.actor)
        audit.append(work, event_of(caller, user, "created", now, after=after | {"user_id": user.user_id}))
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


def missing(user_id: str) -> str:
    return f"User '{user_id}' not found"


def reachable(caller: Principal, user_id: str, action: Action) -> User:
    """The user, if the caller may do ``action``; users belong to the platform, and so does every right over them."""
    authorize(caller, action, missing=missing(user_id))
    user = repository.find(user_id)
    if user is None:
        raise NotFoundError(missing(user_id))
    return user


def event_of(caller: Principal, user: User, verb: str, at: datetime, **states: Any) -> AuditEvent:
    """The audit event of a change to a user; ``states`` are ``before`` and ``after``."""
    return AuditEvent(
        caller=caller, action=f"user.{verb}", resource_type="user", resource_id=user.user_id, at=at, **states
    )


@cache
def user_service() -> UserService:
    return UserService()
