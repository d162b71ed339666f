"""Virtual keys as requests, answers and domain objects."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from tollgate.core.fields import Alias, Name, RequestModel, ResponseModel, Timestamp


class KeyStatus(StrEnum):
    ACTIVE = "active"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class VirtualKey:
    """A stored key: never the key itself. ``models`` None: every model that its team may use."""

    key_id: str
    uid: str
    mask: str
    key_alias: str | None
    team_id: str | None
    team_uid: str | None
    organization_id: str | None
    status: KeyStatus
    blocked: bool
    expires_at: datetime | None
    models: tuple[str, ...] | None
    created_at: datetime
    version: int = 1


class IssueKey(RequestModel):
    """How long it lives is said by ``duration`` (``30d``; s, m, h, d or w) or ``expires_at``; neither: for ever."""

    key_alias: Name | None = None
    duration: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,9}[smhdw]$"), Field(examples=["30d"])] | None = None
    expires_at: AwareDatetime | None = None
    models: Annotated[list[Alias], Field(min_length=1, max_length=100)] | None = None

    @model_validator(mode="after")
    def _one_expiry(self) -> Self:
        if self.duration is not None and self.expires_at is not None:
            message = "give duration or expires_at, not both"
            raise ValueError(message)
        return self


class KeyAnswer(ResponseModel):
    """A key as lists show it."""

    key_id: str
    masked: str
    key_alias: str | None
    team_id: str | None
    organization_id: str | None
    status: KeyStatus
    blocked: bool
    models: list[str] | None
    expires_at: Timestamp | None
    created_at: Timestamp

    @classmethod
    def of(cls, key: VirtualKey) -> KeyAnswer:
        return cls.model_validate(
            {
                "key_id": key.key_id,
                "masked": key.mask,
                "key_alias": key.key_alias,
                "team_id": key.team_id,
                "organization_id": key.organization_id,
                "status": key.status,
                "blocked": key.blocked,
                "models": list(key.models) if key.models is not None else None,
                "expires_at": key.expires_at,
                "created_at": key.created_at,
            }
        )


class KeyIssued(ResponseModel):
    """Answer of the creation; ``virtual_key`` is shown here and never again."""

    key_id: str
    virtual_key: str
    masked: str
    key_alias: str | None
    team_id: str
    organization_id: str | None
    status: KeyStatus
    expires_at: Timestamp | None
    created_at: Timestamp


class KeyList(ResponseModel):
    team_id: str
    keys: list[KeyAnswer]
    next_cursor: str | None = None


class KeyRevoked(ResponseModel):
    key_id: str
    revoked: bool
