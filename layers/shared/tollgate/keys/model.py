"""Virtual keys as requests, answers and domain objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from tollgate.core.fields import Alias, Metadata, Name, ResponseModel, Timestamp
from tollgate.limits.fields import LimitFields, LimitsAnswer, LooseId, Tags, settings_of
from tollgate.limits.model import NO_LIMITS, Limits


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
    organization_uid: str | None = None
    user_id: str | None = None
    user_uid: str | None = None
    tags: tuple[str, ...] = ()
    limits: Limits = NO_LIMITS
    first_call_at: datetime | None = None
    # Nobody else's may be the same (only where the other dialect has named it).
    unique_alias: bool = False
    aliases: Mapping[str, str] = field(default_factory=dict)
    allowed_routes: tuple[str, ...] = ()
    kept: Mapping[str, Any] = field(default_factory=dict)
    created_by: str | None = None
    updated_at: datetime | None = None
    updated_by: str | None = None
    version: int = 1


@dataclass(frozen=True, slots=True)
class KeyChange:
    """What is to become of a key; what is not named stays.

    ``values`` are fields of ``VirtualKey``, ``limits`` those of ``Limits``; ``owners`` are ``team_id``, ``user_id`` and
    ``organization_id``, None for nobody. ``metadata`` None stays. ``preset_routes``: its ``allowed_routes`` are those
    of a kind of key, not of the caller's choice.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, Any] = field(default_factory=dict)
    owners: Mapping[str, str | None] = field(default_factory=dict)
    metadata: dict[str, Any] | None = None
    preset_routes: bool = False

    @property
    def is_empty(self) -> bool:
        return not (self.values or self.limits or self.owners) and self.metadata is None


ModelList = Annotated[list[Alias], Field(min_length=1, max_length=100)]


class IssueKey(LimitFields):
    """How long it lives is said by ``duration`` (``30d``; s, m, h, d or w) or ``expires_at``; neither: for ever.

    ``user_id``: whose key it is; his limits count for it, too.
    """

    key_alias: Name | None = None
    duration: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,9}[smhdw]$"), Field(examples=["30d"])] | None = None
    expires_at: AwareDatetime | None = None
    models: ModelList | None = None
    user_id: LooseId | None = None
    tags: Tags = Field(default_factory=list)
    metadata: Metadata = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_expiry(self) -> Self:
        if self.duration is not None and self.expires_at is not None:
            message = "give duration or expires_at, not both"
            raise ValueError(message)
        return self


class UpdateKey(LimitFields):
    """Only the fields that are sent change; null clears, objects and lists are replaced whole (Q-25)."""

    key_alias: Name | None = None
    blocked: bool | None = None
    expires_at: AwareDatetime | None = None
    models: ModelList | None = None
    tags: Tags | None = None
    metadata: Metadata | None = None


class KeyAnswer(LimitsAnswer):
    """A key as lists show it."""

    key_id: str
    masked: str
    key_alias: str | None
    team_id: str | None
    organization_id: str | None
    user_id: str | None
    status: KeyStatus
    blocked: bool
    models: list[str] | None
    tags: list[str]
    expires_at: Timestamp | None
    first_call_at: Timestamp | None
    created_at: Timestamp

    @classmethod
    def of(cls, key: VirtualKey, **more: Any) -> Self:
        """The answer about a key; ``more`` are the fields that a subclass adds."""
        return cls.model_validate(
            {
                **settings_of(key.limits),
                "key_id": key.key_id,
                "masked": key.mask,
                "key_alias": key.key_alias,
                "team_id": key.team_id,
                "organization_id": key.organization_id,
                "user_id": key.user_id,
                "status": key.status,
                "blocked": key.blocked,
                "models": list(key.models) if key.models is not None else None,
                "tags": list(key.tags),
                "expires_at": key.expires_at,
                "first_call_at": key.first_call_at,
                "created_at": key.created_at,
                **more,
            }
        )


class KeyDetails(KeyAnswer):
    """A key in full."""

    metadata: dict[str, object]


class KeyIssued(KeyDetails):
    """Answer of the creation; ``virtual_key`` is shown here and never again."""

    virtual_key: str


class KeyList(ResponseModel):
    team_id: str
    keys: list[KeyAnswer]
    next_cursor: str | None = None


class KeyRevoked(ResponseModel):
    key_id: str
    revoked: bool
