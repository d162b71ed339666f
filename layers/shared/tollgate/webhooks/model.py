"""Webhooks and events as requests, answers and domain objects (contract 1.8, D-44)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from tollgate.alerts.model import Delivery
from tollgate.core.fields import RequestModel, ResponseModel, Timestamp, Url

MAX_WEBHOOKS = 10
RETENTION_DAYS = 30
_MAX_HEADER = 500


class EventName(StrEnum):
    """What webhooks tell of."""

    JOB_CREATED = "job.created"
    JOB_STARTED = "job.started"
    JOB_COMPLETED = "job.completed"
    JOB_FAILED = "job.failed"
    JOB_CANCELLED = "job.cancelled"
    TEAM_SUSPENDED = "team.suspended"
    TEAM_PAUSED = "team.paused"
    TEAM_RESUMED = "team.resumed"
    TEAM_DELETED = "team.deleted"
    TEAM_FIRST_CALL = "team.first_call"


@dataclass(frozen=True, slots=True)
class Webhook:
    """A registration: hears of its team, or of every team of its organization.

    Attributes:
        organization_id, organization_uid: the owner's organization; None for a team without one.
        team_id, team_uid: the owner, if it is a team.
        ciphertext: the signing secret and the ``auth_header``, sealed under ``owner_uid`` and ``webhook_id``.
        ended: its owner is gone; it only hears of that, and nobody sees it any more.
    """

    webhook_id: str
    organization_id: str | None
    organization_uid: str | None
    team_id: str | None
    team_uid: str | None
    url: str
    ciphertext: bytes
    has_auth_header: bool
    events: tuple[EventName, ...]
    is_active: bool
    created_at: datetime
    last_triggered_at: datetime | None = None
    ended: bool = False

    @property
    def owner_uid(self) -> str:
        uid = self.team_uid or self.organization_uid
        assert uid is not None
        return uid


class EventMessage(ResponseModel):
    """The body that a webhook gets; ``job_id`` is null in events of teams."""

    event_id: str
    event: EventName
    job_id: str | None
    team_id: str
    organization_id: str | None
    timestamp: Timestamp
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, and its outbox: ``deliveries`` by webhook id, ``attempts`` made at those pending."""

    message: EventMessage
    deliveries: Mapping[str, Delivery] = field(default_factory=dict)
    attempts: int = 0
    due_at: datetime | None = None


def _distinct(events: list[EventName]) -> list[EventName]:
    return sorted(set(events))


def _a_header(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not 0 < len(text) <= _MAX_HEADER or text != text.strip() or not all(" " <= one <= "~" for one in text):
        message = f"must be 1 to {_MAX_HEADER} printable ASCII characters, without blanks at its ends"
        raise ValueError(message)
    return value


_Id = Annotated[str, StringConstraints(min_length=1, max_length=256)]
AuthHeader = Annotated[
    SecretStr,
    AfterValidator(_a_header),
    Field(
        description="sent as `Authorization`",
        json_schema_extra={"writeOnly": True, "format": "password", "minLength": 1, "maxLength": _MAX_HEADER},
    ),
]


class RegisterWebhook(RequestModel):
    """The owner is the team or the organization, one of them."""

    team_id: _Id | None = None
    organization_id: _Id | None = None
    webhook_url: Annotated[Url, StringConstraints(max_length=500)]
    events: Annotated[list[EventName], Field(min_length=1, max_length=len(EventName)), AfterValidator(_distinct)]
    auth_header: AuthHeader | None = None


class WebhookAnswer(ResponseModel):
    """A webhook without its secrets; ``is_active`` is false once its receiver has answered 410."""

    webhook_id: str
    team_id: str | None
    organization_id: str | None
    webhook_url: str
    events: list[EventName]
    has_auth_header: bool
    is_active: bool
    last_triggered_at: Timestamp | None
    created_at: Timestamp

    @classmethod
    def of(cls, webhook: Webhook) -> WebhookAnswer:
        return cls(
            webhook_id=webhook.webhook_id,
            team_id=webhook.team_id,
            organization_id=webhook.organization_id,
            webhook_url=webhook.url,
            events=list(webhook.events),
            has_auth_header=webhook.has_auth_header,
            is_active=webhook.is_active,
            last_triggered_at=webhook.last_triggered_at,
            created_at=webhook.created_at,
        )


class WebhookRegistered(WebhookAnswer):
    """Answer of the registration; ``secret`` signs every request to the webhook, and is shown here only."""

    secret: str


class WebhookList(ResponseModel):
    webhooks: list[WebhookAnswer]
    next_cursor: str | None = None


class WebhookDeleted(ResponseModel):
    webhook_id: str
    deleted: bool
