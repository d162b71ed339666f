"""Admin users, the users with a role on the platform, as requests and answers (contract 1.8, D-20)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Field

from tollgate.core.fields import Metadata, Name, RequestModel, ResponseModel, Timestamp
from tollgate.users.model import Email, Password, User, UserRole


class AdminRole(StrEnum):
    """A platform role in this surface's words (Q-07)."""

    OWNER = "owner"
    ADMIN = "admin"
    USER = "user"


STORED_ROLES = {
    AdminRole.OWNER: UserRole.PLATFORM_OWNER,
    AdminRole.ADMIN: UserRole.PLATFORM_ADMIN,
    AdminRole.USER: UserRole.PLATFORM_VIEWER,
}
SHOWN_ROLES = {stored: shown for shown, stored in STORED_ROLES.items()}


class CreateAdminUser(RequestModel):
    email: Email
    display_name: Name
    password: Password
    role: AdminRole = AdminRole.USER
    metadata: Annotated[Metadata, Field(default_factory=dict)]


class UpdateAdminUser(RequestModel):
    """Only the fields that are sent change (Q-25). A null name or metadata is cleared; role and state cannot be."""

    display_name: Name | None = None
    role: AdminRole | None = None
    is_active: bool | None = None
    metadata: Metadata | None = None


class AdminUserEntry(ResponseModel):
    """An admin user as lists show him. ``role`` is null for a user whose rights come from memberships only."""

    user_id: str
    email: str | None
    display_name: str | None
    role: AdminRole | None
    is_active: bool
    created_at: Timestamp | None
    last_login: Timestamp | None

    @classmethod
    def of(cls, user: User, **more: Any) -> Self:
        """The answer about a user; ``more`` are the fields that a subclass adds."""
        return cls(
            user_id=user.user_id,
            email=user.email,
            display_name=user.display_name,
            role=SHOWN_ROLES.get(user.role),
            is_active=user.is_active,
            created_at=user.created_at,
            last_login=user.last_login,
            **more,
        )


class AdminUserAnswer(AdminUserEntry):
    """An admin user in full; the master key is shown as one without e-mail address and dates."""

    metadata: dict[str, object]


class AdminUserList(ResponseModel):
    users: list[AdminUserEntry]
    next_cursor: str | None = None


class AdminUserDeleted(ResponseModel):
    user_id: str
    deleted: bool
