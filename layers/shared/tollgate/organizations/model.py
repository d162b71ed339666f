"""Organizations as requests, answers and domain objects."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from tollgate.core.fields import (
    ExternalId,
    Metadata,
    Name,
    Reason,
    RequestModel,
    ResponseModel,
    Timestamp,
)


class OrganizationStatus(StrEnum):
    """``paused`` exists for teams only (Q-11)."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class Organization:
    """A stored organization. ``uid`` is internal; counters are kept in the transactions that change them."""

    organization_id: str
    uid: str
    name: str
    status: OrganizationStatus
    blocked: bool
    deleting: bool
    team_count: int
    active_team_count: int
    total_credits_allocated: int
    created_at: datetime
    updated_at: datetime
    version: int


class CreateOrganization(RequestModel):
    organization_id: ExternalId
    name: Name
    metadata: Annotated[Metadata, Field(default_factory=dict)]


class UpdateOrganization(RequestModel):
    """Only the fields that are sent change; ``metadata`` is replaced whole (Q-25)."""

    name: Name | None = None
    metadata: Metadata | None = None


class SetOrganizationStatus(RequestModel):
    status: OrganizationStatus
    reason: Reason | None = None


class OrganizationAnswer(ResponseModel):
    organization_id: ExternalId
    name: str
    metadata: dict[str, object]
    status: OrganizationStatus
    blocked: bool
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, organization: Organization, metadata: dict[str, Any]) -> OrganizationAnswer:
        return OrganizationAnswer(
            organization_id=organization.organization_id,
            name=organization.name,
            metadata=metadata,
            status=organization.status,
            blocked=organization.blocked,
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
    total_credits_allocated: int
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
