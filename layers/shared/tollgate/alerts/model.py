"""Alert rules, alerts and their deliveries as requests, answers and domain objects (Q-39)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StringConstraints, WithJsonSchema

from tollgate.core.fields import Amount, Name, RequestModel, ResponseModel, Timestamp, Url, not_a_bool

RETENTION_DAYS = 400
MAX_RULES = 10
# Per cent used of budgets and soft credits, and per cent left of prepaid ones, where nobody says otherwise.
USED = (Decimal(50), Decimal(80), Decimal(100), Decimal(120))
LEFT = (Decimal(20), Decimal(10), Decimal(0))
ERROR_PERCENT = Decimal(5)
ERROR_MIN_CALLS = 50
# The error rate is that of the newest calls, at most so many and none older than this.
ERROR_SAMPLE = 200
ERROR_SECONDS = 300
# The stream's consumer tries at once; when it could not, the schedule takes over after this.
FIRST_RETRY_SECONDS = 60
_MIN_SECRET, _MAX_SECRET = 16, 256


class AlertEvent(StrEnum):
    """What alerts tell of; ``alert.test`` comes when it is asked for, and no rule names it."""

    BUDGET = "budget.threshold"
    CREDITS_LOW = "credits.low"
    CREDITS_EXHAUSTED = "credits.exhausted"
    OVERRUN = "call.overrun"
    ERROR_RATE = "error_rate.high"
    TEST = "alert.test"


EVENTS: tuple[AlertEvent, ...] = tuple(event for event in AlertEvent if event is not AlertEvent.TEST)


class Channel(StrEnum):
    """How an alert travels."""

    WEBHOOK = "webhook"
    SLACK = "slack"
    SNS = "sns"


class DeliveryState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class AlertRule:
    """Who hears of what: a rule hears of its owner and of everything below it.

    Attributes:
        organization_id, organization_uid: the owner's organization; None for the platform's rules, and for those of a
            team without organization.
        team_id, team_uid: the owner, if it is a team.
        target: URL or topic as it may be shown; of Slack only the host, because the whole URL is a secret.
        ciphertext: the webhook's signing secret or Slack's URL, sealed under ``owner_uid`` and ``rule_id``.
        thresholds: per cent used of budgets and soft credits; None: the account's own, else ``USED``.
        thresholds_left: per cent left of prepaid credits; None: the account's own, else ``LEFT``.
    """

    rule_id: str
    organization_id: str | None
    organization_uid: str | None
    team_id: str | None
    team_uid: str | None
    name: str | None
    channel: Channel
    target: str
    ciphertext: bytes | None
    events: tuple[AlertEvent, ...]
    thresholds: tuple[Decimal, ...] | None
    thresholds_left: tuple[Decimal, ...] | None
    error_rate_percent: Decimal
    error_rate_min_calls: int
    is_active: bool
    created_at: datetime
    updated_at: datetime
    version: int = 1

    @property
    def owner_uid(self) -> str | None:
        """None: the platform."""
        return self.team_uid or self.organization_uid


def _distinct(values: list[Any]) -> list[Any]:
    return sorted(set(values))


def _long_enough(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if not _MIN_SECRET <= len(text) <= _MAX_SECRET or not all("!" <= character <= "~" for character in text):
        message = f"must be {_MIN_SECRET} to {_MAX_SECRET} visible ASCII characters"
        raise ValueError(message)
    return secret


_NUMBER = WithJsonSchema({"type": "number"})
_Used = Annotated[Decimal, BeforeValidator(not_a_bool), Field(gt=0, le=1000, decimal_places=2), _NUMBER]
_Left = Annotated[Decimal, BeforeValidator(not_a_bool), Field(ge=0, lt=100, decimal_places=2), _NUMBER]
Thresholds = Annotated[list[_Used], Field(min_length=1, max_length=10), AfterValidator(_distinct)]
ThresholdsLeft = Annotated[list[_Left], Field(min_length=1, max_length=10), AfterValidator(_distinct)]
_Percent = Annotated[Decimal, BeforeValidator(not_a_bool), Field(gt=0, le=100, decimal_places=2), _NUMBER]
_Calls = Annotated[int, BeforeValidator(not_a_bool), Field(strict=True, ge=1, le=ERROR_SAMPLE)]


def _subscribable(event: AlertEvent) -> AlertEvent:
    if event is AlertEvent.TEST:
        message = f"Input should be one of {', '.join(EVENTS)}"
        raise ValueError(message)
    return event


Events = Annotated[
    list[Annotated[AlertEvent, AfterValidator(_subscribable)]],
    Field(min_length=1, max_length=len(EVENTS)),
    AfterValidator(_distinct),
]
Secret = Annotated[
    SecretStr,
    AfterValidator(_long_enough),
    Field(json_schema_extra={"writeOnly": True, "format": "password", "minLength": 16, "maxLength": _MAX_SECRET}),
]
TopicArn = Annotated[
    str,
    StringConstraints(pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$"),
    Field(examples=["arn:aws:sns:eu-central-1:123456789012:tollgate-alerts"]),
]
_Id = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class CreateAlertRule(RequestModel):
    """The owner is the team, or the organization, or with neither the platform.

    ``webhook`` and ``slack`` need ``url``, ``sns`` needs ``topic_arn``. A webhook without ``secret`` gets one.
    """

    organization_id: _Id | None = None
    team_id: _Id | None = None
    name: Name | None = None
    channel: Channel
    url: Url | None = None
    topic_arn: TopicArn | None = None
    secret: Secret | None = None
    events: Events = Field(default_factory=lambda: list(EVENTS))
    thresholds: Thresholds | None = None
    thresholds_left: ThresholdsLeft | None = None
    error_rate_percent: _Percent = ERROR_PERCENT
    error_rate_min_calls: _Calls = ERROR_MIN_CALLS
    is_active: bool = True


class UpdateAlertRule(RequestModel):
    """Only the fields that are sent change; null clears ``name`` and puts the others back to their default (Q-25)."""

    name: Name | None = None
    url: Url | None = None
    topic_arn: TopicArn | None = None
    secret: Secret | None = None
    events: Events | None = None
    thresholds: Thresholds | None = None
    thresholds_left: ThresholdsLeft | None = None
    error_rate_percent: _Percent | None = None
    error_rate_min_calls: _Calls | None = None
    is_active: bool | None = None


class AlertRuleAnswer(ResponseModel):
    """A rule without its secret; ``url`` of Slack without its path, which is one."""

    rule_id: str
    organization_id: str | None
    team_id: str | None
    name: str | None
    channel: Channel
    url: str | None
    topic_arn: str | None
    events: list[AlertEvent]
    thresholds: list[Amount] | None
    thresholds_left: list[Amount] | None
    error_rate_percent: Amount
    error_rate_min_calls: int
    is_active: bool
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, rule: AlertRule, **more: Any) -> AlertRuleAnswer:
        own = {name: getattr(rule, name) for name in cls.model_fields if hasattr(rule, name)}
        place = {
            "url": None if rule.channel is Channel.SNS else rule.target,
            "topic_arn": rule.target if rule.channel is Channel.SNS else None,
        }
        return cls.model_validate(own | place | more)


class AlertRuleCreated(AlertRuleAnswer):
    """``secret`` is shown this once, and only if it was made here."""

    secret: str | None = None


class AlertRuleList(ResponseModel):
    alert_rules: list[AlertRuleAnswer]
    next_cursor: str | None = None


class AlertRuleDeleted(ResponseModel):
    rule_id: str
    deleted: bool


class AlertTested(ResponseModel):
    """The test is on its way; ``GET /api/alerts/history`` shows how it ended."""

    rule_id: str
    alert_id: str
    state: DeliveryState = DeliveryState.PENDING


class AlertMessage(ResponseModel):
    """What is sent, and what the history shows. ``litellm_event`` to ``token`` and the ids have LiteLLM's names.

    Attributes:
        event_group: LiteLLM's word for the scope: ``proxy``, ``end_user``, ``team_member`` …
        threshold: per cent used, or for prepaid credits per cent left; null where there is none.
        limit: the setting that it is about, such as ``max_budget``.
        percentage: per cent used, or failed.
        spend: client cost in USD of the current window.
    """

    alert_id: str
    event: AlertEvent
    litellm_event: str
    event_group: str
    event_message: str
    created_at: Timestamp
    scope: str
    scope_id: str
    limit: str | None = None
    threshold: Amount | None = None
    percentage: Amount | None = None
    model: str | None = None
    spend: Amount | None = None
    max_budget: Amount | None = None
    soft_budget: Amount | None = None
    budget_reset_at: Timestamp | None = None
    credits_allocated: Amount | None = None
    credits_used: Amount | None = None
    credits_remaining: Amount | None = None
    credit_limit: Amount | None = None
    credits_charged: Amount | None = None
    credits_reserved: Amount | None = None
    call_id: str | None = None
    calls: int | None = None
    failed_calls: int | None = None
    organization_id: str | None = None
    team_id: str | None = None
    team_alias: str | None = None
    user_id: str | None = None
    user_email: str | None = None
    customer_id: str | None = None
    tag: str | None = None
    token: str | None = None
    key_alias: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """How far an alert got on one rule's channel; ``error`` says what went wrong last."""

    channel: Channel
    state: DeliveryState = DeliveryState.PENDING
    error: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert and its outbox: ``deliveries`` by rule id, ``attempts`` made at those that are pending.

    ``due_at`` is when the next attempt is due; None: nothing is pending.
    """

    message: AlertMessage
    organization_uid: str | None
    team_uid: str | None
    deliveries: Mapping[str, Delivery] = field(default_factory=dict)
    attempts: int = 0
    due_at: datetime | None = None

    @property
    def alert_id(self) -> str:
        return self.message.alert_id


class DeliveryAnswer(ResponseModel):
    rule_id: str
    channel: Channel
    state: DeliveryState
    error: str | None
    at: Timestamp | None


class AlertEntry(AlertMessage):
    """An alert as the history shows it."""

    attempts: int
    deliveries: list[DeliveryAnswer]

    @classmethod
    def from_alert(cls, alert: Alert) -> AlertEntry:
        deliveries = [
            DeliveryAnswer(rule_id=rule_id, channel=own.channel, state=own.state, error=own.error, at=own.at)
            for rule_id, own in alert.deliveries.items()
        ]
        return cls(**dict(alert.message), attempts=alert.attempts, deliveries=deliveries)


class AlertHistory(ResponseModel):
    alerts: list[AlertEntry]
    next_cursor: str | None = None
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Which alerts are asked for: those that agree with everything that is not None."""

    team_uid: str | None = None
    event: AlertEvent | None = None
