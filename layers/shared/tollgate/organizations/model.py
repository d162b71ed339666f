"""Organizations as requests, answers and domain objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, StrictBool, StringConstraints

from tollgate.core.fields import (
    Alias,
    Amount,
    Credits,
    ExternalId,
    Metadata,
    Name,
    Reason,
    RequestModel,
    ResponseModel,
    Timestamp,
)
from tollgate.core.object_permissions import ObjectPermission
from tollgate.limits.account import AccountSettings
from tollgate.limits.account_fields import AccountFields, AccountShards
from tollgate.limits.fields import LimitFields, LimitsAnswer, Tags, settings_of
from tollgate.limits.model import NO_LIMITS, Limits


class OrganizationStatus(StrEnum):
    """``paused`` exists for teams only (Q-11)."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


class Rollover(StrEnum):
    """What becomes of what a window leaves of the budget: nothing, or it is added to the next window, once (Q-51)."""

    NONE = "none"
    NEXT = "next"


@dataclass(frozen=True, slots=True)
class Organization:
    """A stored organization. ``uid`` is internal; counters are kept in the transactions that change them.

    ``allocated_total`` is the sum of its teams' shares of its budget, ``spent_shares`` what shares that are gone or
    were lowered have spent in a window, by the window's name (USD, Q-51). Calls are spread over ``account_shards`` of
    its ``account_items`` counter items (decision 18). ``models`` None: every model;
    ``model_aliases`` are other names of models, for its own calls.
    """

    organization_id: str
    uid: str
    name: str
    status: OrganizationStatus
    blocked: bool
    deleting: bool
    team_count: int
    active_team_count: int
    total_credits_allocated: Decimal
    created_at: datetime
    updated_at: datetime
    version: int
    has_account: bool = False
    account: AccountSettings = field(default_factory=AccountSettings)
    limits: Limits = NO_LIMITS
    tags: tuple[str, ...] = ()
    rollover: Rollover = Rollover.NONE
    allocated_total: Decimal = Decimal(0)
    spent_shares: Mapping[str, Decimal] = field(default_factory=dict)
    owner_count: int = 0
    account_shards: int = 1
    account_items: int = 1
    models: tuple[str, ...] | None = None
    model_aliases: Mapping[str, str] = field(default_factory=dict)
    object_permission_id: str | None = None
    created_by: str | None = None
    updated_by: str | None = None

    @property
    def budget_id(self) -> str:
        """The id of its budget: of the shared row that it uses, else of its own, which all of them have (Q-22)."""
        return self.limits.budget_id or f"org-{self.uid}"


@dataclass(frozen=True, slots=True)
class ShareChange:
    """What becomes of the parts of an organization's budget, as it was read: the new figures (USD)."""

    organization: Organization
    allocated_total: Decimal
    spent_shares: Mapping[str, Decimal]


GroupName = Annotated[str, StringConstraints(min_length=1, max_length=64)]
# An organization is read on every call and should stay small.
_Models = Annotated[list[Alias], Field(min_length=1, max_length=100)]
_ModelAliases = Annotated[dict[Alias, Alias], Field(max_length=50)]


class _Settings(LimitFields, AccountFields):
    """What both creation and change may say; ``models`` null: every model (Q-23)."""

    models: _Models | None = None
    model_aliases: _ModelAliases | None = None
    object_permission: ObjectPermission | None = None


class CreateOrganization(_Settings):
    organization_id: ExternalId
    name: Name
    metadata: Annotated[Metadata, Field(default_factory=dict)]
    tags: Annotated[Tags, Field(default_factory=list)]
    rollover: Rollover = Rollover.NONE
    blocked: StrictBool = False
    create_default_team: Annotated[bool, Field(description="also make the team `<organization_id>_default`")] = False
    default_team_name: Name | None = None
    default_team_model_groups: Annotated[list[GroupName], Field(max_length=20, default_factory=list)]
    default_team_credits: Credits = 0


# What is asked of the organization's first team, which is not the organization's own.
DEFAULT_TEAM_FIELDS = frozenset(name for name in CreateOrganization.model_fields if "default_team" in name)


class UpdateOrganization(_Settings):
    """Only the fields that are sent change; ``metadata`` is replaced whole (Q-25)."""

    name: Name | None = None
    metadata: Metadata | None = None
    tags: Tags | None = None
    rollover: Rollover | None = None
    blocked: StrictBool | None = None
    account_shards: AccountShards | None = None


class SetOrganizationStatus(RequestModel):
    status: OrganizationStatus
    reason: Reason | None = None


class OrganizationAnswer(LimitsAnswer):
    """``allocated_total`` is the part of ``max_budget`` that teams have as their share."""

    organization_id: str
    name: str
    metadata: dict[str, object]
    status: OrganizationStatus
    blocked: bool
    tags: list[str]
    rollover: Rollover
    allocated_total: Amount
    account_shards: int
    models: list[str] | None
    model_aliases: dict[str, str]
    object_permission_id: str | None
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, organization: Organization, metadata: dict[str, Any]) -> OrganizationAnswer:
        return OrganizationAnswer(
            **(settings_of(organization.limits) | {"budget_id": organization.budget_id}),
            organization_id=organization.organization_id,
            name=organization.name,
            metadata=metadata,
            status=organization.status,
            blocked=organization.blocked,
            tags=list(organization.tags),
            rollover=organization.rollover,
            allocated_total=organization.allocated_total,
            account_shards=organization.account_shards,
            models=list(organization.models) if organization.models is not None else None,
            model_aliases=dict(organization.model_aliases),
            object_permission_id=organization.object_permission_id,
            created_at=organization.created_at,
            updated_at=organization.updated_at,
        )


class OrganizationTeams(ResponseModel):
    """A page of an organization's team ids."""

    organization_id: str
    team_count: int
    teams: list[str]
    next_cursor: str | None = None


class OrganizationSummary(ResponseModel):
    """An entry of the list (contract 1.1)."""

    organization_id: str
    name: str
    team_count: int
    total_credits_allocated: Amount
    status: OrganizationStatus
    blocked: bool
    created_at: Timestamp

    @classmethod
    def of(cls, organization: Organization) -> OrganizationSummary:
        return cls.model_validate(organization, from_attributes=True)


class OrganizationList(ResponseModel):
    organizations: list[OrganizationSummary]
    next_cursor: str | None = None
    truncated: bool = False


class OrganizationStatusAnswer(ResponseModel):
    organization_id: str
    status: OrganizationStatus
    previous_status: OrganizationStatus
    updated_at: Timestamp
    reason: str | None = None


class OrganizationDeleted(ResponseModel):
    """Answer of a deletion (Q-21)."""

    organization_id: str
    deleted: bool
    state: str
    teams_deleted: int
    keys_deleted: int
