"""Users and memberships as requests, answers and domain objects (Q-07, Q-41, decisions sections 6 and 7)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import unquote

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints

from tollgate.auth.principal import Role
from tollgate.core import ids
from tollgate.core.fields import Alias, Metadata, Name, Timestamp
from tollgate.limits.fields import LimitFields, LimitsAnswer, LooseId, settings_of
from tollgate.limits.model import NO_LIMITS, Limits, Scope


class UserRole(StrEnum):
    """A user's role on the platform; the two last may nothing by themselves."""

    PLATFORM_OWNER = "platform_owner"
    PLATFORM_ADMIN = "platform_admin"
    PLATFORM_VIEWER = "platform_viewer"
    MEMBER = "member"
    MEMBER_VIEWER = "member_viewer"


PLATFORM_ROLES = frozenset({UserRole.PLATFORM_OWNER, UserRole.PLATFORM_ADMIN, UserRole.PLATFORM_VIEWER})
ORGANIZATION_ROLES = frozenset({Role.ORG_OWNER, Role.ORG_ADMIN, Role.ORG_DEVELOPER, Role.ORG_VIEWER})
TEAM_ROLES = frozenset({Role.TEAM_ADMIN, Role.TEAM_MEMBER})
# What a member is who is not said to be anything.
DEFAULT_ROLES = {Scope.ORGANIZATION_MEMBER: Role.ORG_DEVELOPER, Scope.TEAM_MEMBER: Role.TEAM_MEMBER}
ROLES = {Scope.ORGANIZATION_MEMBER: ORGANIZATION_ROLES, Scope.TEAM_MEMBER: TEAM_ROLES}


@dataclass(frozen=True, slots=True)
class User:
    """A stored user. ``models`` None: every model; ``email`` is lower-case.

    ``session_epoch`` counts how often all his sessions were ended together.
    """

    user_id: str
    uid: str
    email: str | None
    display_name: str | None
    role: UserRole
    is_active: bool
    access_expires_at: datetime | None
    models: tuple[str, ...] | None
    limits: Limits
    created_at: datetime
    updated_at: datetime
    session_epoch: int = 0
    last_login: datetime | None = None
    version: int = 1

    @property
    def is_admin(self) -> bool:
        """Whether he has a role on the platform (Q-41)."""
        return self.role in PLATFORM_ROLES

    @property
    def is_active_owner(self) -> bool:
        return self.role is UserRole.PLATFORM_OWNER and self.is_active


@dataclass(frozen=True, slots=True)
class Membership:
    """A user's place in a team (``TEAM_MEMBER``) or in an organization (``ORGANIZATION_MEMBER``)."""

    uid: str
    scope: Scope
    team_id: str | None
    team_uid: str | None
    organization_id: str | None
    organization_uid: str | None
    user_id: str
    user_uid: str
    role: Role
    created_at: datetime
    updated_at: datetime
    limits: Limits = NO_LIMITS
    version: int = 1
    created_by: str | None = None
    updated_by: str | None = None

    @property
    def owner_id(self) -> str:
        """External id of the team or the organization."""
        return (self.team_id if self.scope is Scope.TEAM_MEMBER else self.organization_id) or ""

    @property
    def owner_uid(self) -> str:
        return (self.team_uid if self.scope is Scope.TEAM_MEMBER else self.organization_uid) or ""

    @property
    def member_id(self) -> str:
        return ids.member_id(self.owner_id, self.user_id)


def parts_of(text: str) -> tuple[str, str] | None:
    """Owner and user of a ``member_id``; None if it is none."""
    owner, tilde, user = text.partition("~")
    return (unquote(owner), unquote(user)) if tilde and "~" not in user else None


Email = Annotated[
    str,
    StringConstraints(max_length=320, pattern=r"^[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+$"),
    AfterValidator(str.lower),
    Field(examples=["ana@example.com"]),
]
ModelList = Annotated[list[Alias], Field(min_length=1, max_length=100)]


class CreateUser(LimitFields):
    """``user_id`` is made up if none is given; ``models`` None: every model."""

    user_id: LooseId | None = None
    email: Email | None = None
    display_name: Name | None = None
    role: UserRole = UserRole.MEMBER
    access_expires_at: AwareDatetime | None = None
    models: ModelList | None = None
    metadata: Annotated[Metadata, Field(default_factory=dict)]


class MemberFields(LimitFields):
    role: Role | None = None


class AddMember(MemberFields):
    """Without ``role`` an ``org_developer``, or a ``team_member``."""

    user_id: LooseId


class InviteMember(MemberFields):
    """A user by his id or his e-mail address; he is made if there is none."""

    user_id: LooseId | None = None
    email: Email | None = None


class UpdateMember(MemberFields):
    """Only the fields that are sent change (Q-25)."""


class UserAnswer(LimitsAnswer):
    user_id: str
    email: str | None
    display_name: str | None
    role: UserRole
    is_active: bool
    access_expires_at: Timestamp | None
    models: list[str] | None
    metadata: dict[str, object]
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, user: User, metadata: dict[str, Any]) -> UserAnswer:
        return cls(
            **settings_of(user.limits),
            user_id=user.user_id,
            email=user.email,
            display_name=user.display_name,
            role=user.role,
            is_active=user.is_active,
            access_expires_at=user.access_expires_at,
            models=list(user.models) if user.models is not None else None,
            metadata=metadata,
            created_at=user.created_at,
            updated_at=user.updated_at,
        )


class MemberAnswer(LimitsAnswer):
    """A membership; ``team_id`` is null for one in an organization."""

    team_id: str | None
    organization_id: str | None
    user_id: str
    role: Role
    created_at: Timestamp

    @classmethod
    def of(cls, membership: Membership) -> MemberAnswer:
        return cls(
            **settings_of(membership.limits),
            team_id=membership.team_id,
            organization_id=membership.organization_id,
            user_id=membership.user_id,
            role=membership.role,
            created_at=membership.created_at,
        )
