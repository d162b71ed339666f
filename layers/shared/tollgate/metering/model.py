"""What the money path passes around. Plain dataclasses: this is the hot path."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from tollgate.core.money import ZERO


class Outcome(StrEnum):
    """How a call ended (Q-16)."""

    SUCCESS = "success"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class Detail(StrEnum):
    """What is to be said about an ending beyond success or failure (Q-16)."""

    CLIENT_DISCONNECTED = "client_disconnected"
    UPSTREAM_INCOMPLETE = "upstream_incomplete"
    DEADLINE = "deadline_exceeded"


@dataclass(frozen=True, slots=True)
class Account:
    """The one account that pays for a call (Q-06) and how its credits are counted.

    ``credits_per_dollar`` and ``tokens_per_credit`` are resolved: never null.
    """

    uid: str
    budget_mode: str = "job_based"
    credits_per_dollar: Decimal = Decimal(10)
    tokens_per_credit: int = 10_000
    markup: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Entitlement:
    """Who calls, what he may use and who pays: as it stood when the call was admitted.

    ``entries`` None means every model. ``account`` None: nobody pays (master key, ``credits_source: none``).
    """

    catalogue_version: int
    key_id: str | None = None
    key_entries: tuple[str, ...] | None = None
    team_id: str | None = None
    team_uid: str | None = None
    team_entries: tuple[str, ...] | None = None
    organization_id: str | None = None
    organization_uid: str | None = None
    user_id: str | None = None
    account: Account | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of a call. ``cached`` is part of ``input``, ``reasoning`` part of ``output``, as providers report them."""

    input: int = 0
    output: int = 0
    cached: int = 0
    reasoning: int = 0
    estimated: bool = False

    @property
    def total(self) -> int:
        return self.input + self.output


@dataclass(frozen=True, slots=True)
class Charge:
    """What a call costs: the provider's price, the client's cost in USD, and credits of the paying account."""

    provider_cost_usd: Decimal = ZERO
    cost_usd: Decimal = ZERO
    credits: Decimal = ZERO


@dataclass(slots=True)
class Call:
    """A call that was admitted, from its reservation to its settlement."""

    call_id: str
    hold_id: str
    entitlement: Entitlement
    requested_model: str
    streamed: bool
    started_at: float
    expires_at: int
    reserved: Decimal = ZERO
    max_output_tokens: int = 0
    # Set when the reservation could not carry what was asked for: the maximum that is sent instead.
    shortened: bool = False
    provider: str | None = None
    target_id: str | None = None
    model_used: str | None = None
    credential_source: str | None = None
    price_version: str | None = None
    provider_request_id: str | None = None
    first_token_at: float | None = None
    outcome: Outcome = Outcome.SUCCESS
    detail: Detail | None = None
    error: str | None = None
    usage: Usage = field(default_factory=Usage)
    charge: Charge = field(default_factory=Charge)
