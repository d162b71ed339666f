"""Users and memberships as requests, answers and domain objects (Q-07, Q-41, decisions sections 6 and 7)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import unquote

from pydantic import AfterValidator, AwareDatetime, Field, SecretStr, StringConstraints

from tollgate.auth.principal import Role
from tollgate.core import ids
from tollgate.core.fields import Alias, Metadata, Name, Timestamp
from tollgate.core.object_permissions import ObjectPermission
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

    ``session_epoch`` counts how often all his sessions were ended together. ``allowed_model_region`` is the only one
    whose targets serve him; the two maxima are tokens of one request and of one answer.
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
    sso_user_id: str | None = None
    allowed_model_region: str | None = None
    allowed_model_max_input_tokens: int | None = None
    allowed_model_max_output_tokens: int | None = None
    object_permission_id: str | None = None
    allowed_cache_controls: tuple[str, ...] = ()

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


# Providers' names of regions begin with it: ``eu``, ``us-east-1``.
Region = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$"), Field(examples=["eu"])]
Tokens = Annotated[int, Field(strict=True, ge=1, le=100_000_000)]
CacheControls = Annotated[list[LooseId], Field(max_length=20)]
Password = Annotated[SecretStr, Field(min_length=8, max_length=256, examples=["correct horse battery staple"])]


class UserFields(LimitFields):
    """What may be said of a user when he is made and later."""

    email: Email | None = None
    display_name: Name | None = None
    access_expires_at: AwareDatetime | None = None
    models: ModelList | None = None
    sso_user_id: LooseId | None = None
    allowed_model_region: Region | None = None
    allowed_model_max_input_tokens: Tokens | None = None
    allowed_model_max_output_tokens: Tokens | None = None
    allowed_cache_controls: CacheControls | None = None
    object_permission: ObjectPermission | None = None
    password: Password | None = None


class CreateUser(UserFields):
    """``user_id`` is made up if none is given; ``models`` None: every model."""

    user_id: LooseId | None = None
    role: UserRole = UserRole.MEMBER
    is_active: bool = True
    metadata: Annotated[Metadata, Field(default_factory=dict)]


class UpdateUser(UserFields):
    """Only the fields that are sent change; null clears; role and state cannot be null (Q-25)."""

    role: UserRole | None = None
    is_active: bool | None = None
    metadata: Metadata | None = None


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
    sso_user_id: str | None
    allowed_model_region: str | None
    allowed_model_max_input_tokens: int | None
    allowed_model_max_output_tokens: int | None
    allowed_cache_controls: list[str]
    object_permission_id: str | None
    metadata: dict[str, object]
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, user: User, metadata: dict[str, Any]) -> UserAnswer:
        return cls(
            **settings_of(user.limits),
            **{name: getattr(user, name) for name in _SAME},
            models=list(user.models) if user.models is not None else None,
            allowed_cache_controls=list(user.allowed_cache_controls),
            metadata=metadata,
        )


_SAME = (
    "user_id",
    "email",
    "display_name",
    "role",
    "is_active",
    "access_expires_at",
    "sso_user_id",
    "allowed_model_region",
    "allowed_model_max_input_tokens",
    "allowed_model_max_output_tokens",
    "object_permission_id",
    "created_at",
    "updated_at",
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
