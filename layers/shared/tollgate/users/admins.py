"""Use cases of admin users: owners manage all of them, admins only those who read (contract 1.8)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any
from uuid import uuid4

from tollgate.audit import repository as audit
from tollgate.auth.policy import Action, authorize
from tollgate.auth.principal import Principal
from tollgate.core import ids
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import NotFoundError
from tollgate.core.pagination import Page, PageRequest
from tollgate.limits.model import NO_LIMITS
from tollgate.table.transactions import Work, retried
from tollgate.users import passwords, repository
from tollgate.users.access import authorize_over, missing
from tollgate.users.admin_model import SHOWN_ROLES, STORED_ROLES, AdminUserAnswer, CreateAdminUser, UpdateAdminUser
from tollgate.users.model import User, UserRole
from tollgate.users.service import event_of


@dataclass(frozen=True, slots=True)
class AdminUserService:
    """Every method checks the caller's right over the very user, by his role and the one he is to have."""

    clock: Clock = utc_now

    def create(self, caller: Principal, request: CreateAdminUser) -> AdminUserAnswer:
        """A user who may log in at once. Raises AlreadyExistsError if the e-mail address is taken."""
        role = STORED_ROLES[request.role]
        authorize_over(caller, role)
        now = self.clock()
        user = new_admin(request.email, request.display_name, role, now)
        work = Work()
        repository.create(work, user, request.metadata, caller.actor)
        repository.set_password(work, user.user_id, passwords.hashed(request.password))
        after = request.model_dump(mode="json", exclude={"password"})
        audit.append(work, event_of(caller, user, "created", now, after=after))
        work.commit()
        return AdminUserAnswer.of(user, metadata=request.metadata)

    def list(self, caller: Principal, request: PageRequest) -> Page[User]:
        """Admin users, newest first."""
        authorize(caller, Action.USER_READ)
        return repository.admins(request)

    def get(self, caller: Principal, user_id: str) -> AdminUserAnswer:
        authorize(caller, Action.USER_READ)
        return AdminUserAnswer.of(find(user_id), metadata=repository.metadata_of(user_id))

    def update(self, caller: Principal, user_id: str, request: UpdateAdminUser) -> AdminUserAnswer:
        """Changes the fields that were sent; counts on the user's next request. Raises WrongStateError if no active
        owner would be left.
        """
        retried(lambda: self._update(caller, user_id, request))
        return self.get(caller, user_id)

    def _update(self, caller: Principal, user_id: str, request: UpdateAdminUser) -> None:
        authorize(caller, Action.USER_WRITE)
        user = find(user_id)
        after = _changed(user, request)
        authorize_over(caller, user.role, after.role)
        sent = request.model_fields_set
        now = self.clock()
        states = {"before": _described(user, sent), "after": request.model_dump(mode="json", include=sent)}
        event = event_of(caller, user, "updated", now, **states)
        work = Work()
        metadata = (request.metadata or {}) if "metadata" in sent else None
        repository.update(work, user, after, metadata, event)
        audit.append(work, event)
        work.commit()


def new_admin(email: str, display_name: str, role: UserRole, at: datetime) -> User:
    """A new, active user with a platform role."""
    return User(
        user_id=str(uuid4()),
        uid=ids.new_ulid(),
        email=email,
        display_name=display_name,
        role=role,
        is_active=True,
        access_expires_at=None,
        models=None,
        limits=NO_LIMITS,
        created_at=at,
        updated_at=at,
    )


def find(user_id: str) -> User:
    """The user of that id, if he has a platform role; else NotFoundError: others are no admin users (Q-41)."""
    user = repository.find(user_id)
    if user is None or not user.is_admin:
        raise NotFoundError(missing(user_id))
    return user


def _changed(user: User, request: UpdateAdminUser) -> User:
    """The user with the fields that were sent; who is switched off loses his sessions for good."""
    is_active = user.is_active if request.is_active is None else request.is_active
    return replace(
        user,
        display_name=request.display_name if "display_name" in request.model_fields_set else user.display_name,
        role=user.role if request.role is None else STORED_ROLES[request.role],
        is_active=is_active,
        session_epoch=user.session_epoch + (user.is_active and not is_active),
    )


def _described(user: User, names: set[str]) -> dict[str, Any]:
    """The user's own fields as JSON, for the audit log; metadata is not read for it."""
    described = {"display_name": user.display_name, "role": SHOWN_ROLES[user.role].value, "is_active": user.is_active}
    return {name: value for name, value in described.items() if name in names}


@cache
def admin_user_service() -> AdminUserService:
    return AdminUserService()
