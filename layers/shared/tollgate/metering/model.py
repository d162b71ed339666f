"""What the money path passes around. Plain dataclasses: this is the hot path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

from tollgate.core.money import ZERO
from tollgate.limits.model import NO_LIMITS, Ceiling, Limits, Scope, Unit
from tollgate.limits.windows import MINUTE
from tollgate.metering.allowances import Allowances
from tollgate.metering.parts import share_of, step_of


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
    """The one account that pays for a call (Q-06), how its credits are counted, and what it refuses.

    ``credits_per_dollar`` and ``tokens_per_credit`` are resolved: never null. ``hard``: nothing is spent that is not
    there. ``floored``: more may be spent than is there, but nothing any more once nothing is left.
    """

    uid: str
    budget_mode: str = "job_based"
    credits_per_dollar: Decimal = Decimal(10)
    tokens_per_credit: int = 10_000
    markup: Decimal = ZERO
    hard: bool = True
    floored: bool = False
    credit_limit: Decimal | None = None
    refill_duration: str | None = None


@dataclass(frozen=True, slots=True)
class Meter:
    """A scope that a call is counted in, because it has limits or because it pays.

    Attributes:
        scope_id: the scope's external id; ``a~b`` for memberships.
        label: what refusals call it.
        mask: of a key what is shown of its string, after the label.
        uid: owner of the counters.
        identity: what a record or an alert must know of the scope: ``team_id``, ``key_id`` …
        account: set where the scope pays for the call.
        share: the team's part of its organization's budget, counted here instead of there (Q-51).
        carries: what is left of ``max_budget`` goes over into the next window.
        shards: over how many counter items calls are spread.
        items: how many counter items there are: more than ``shards`` where there were more of them once (decision 18).
        since: epoch seconds of the scope's creation.
    """

    scope: Scope
    scope_id: str
    label: str
    uid: str
    limits: Limits
    identity: dict[str, str] = field(default_factory=dict)
    account: Account | None = None
    share: Ceiling | None = None
    carries: bool = False
    shards: int = 1
    items: int = 1
    since: float = 0
    mask: str = ""

    @property
    def is_job(self) -> bool:
        """Whether it is the job that a call is made in."""
        return self.scope is Scope.JOB

    @property
    def is_sharded(self) -> bool:
        return self.items > 1

    @property
    def usage_id(self) -> str:
        """What the rollups call the scope."""
        if self.scope in {Scope.TEAM, Scope.ORGANIZATION}:
            return self.uid
        return self.identity.get("user_id", self.scope_id) if self.usage_within else self.scope_id

    @property
    def usage_within(self) -> str | None:
        """For memberships, the uid of the team or the organization."""
        match self.scope:
            case Scope.TEAM_MEMBER:
                return self.identity["team_uid"]
            case Scope.ORGANIZATION_MEMBER:
                return self.identity["organization_uid"]
            case _:
                return None

    @property
    def is_hard(self) -> bool:
        """Whether its credits can never go below zero."""
        return self.account is not None and self.account.hard

    def ceilings(self, model: str, moment: float) -> list[Ceiling]:
        """Everything that bounds a call of ``model`` here, in the order in which it is told."""
        budgets = self.limits.budgets(model, moment)
        if self.carries:
            budgets = [replace(ceiling, carries=ceiling.setting == "max_budget") for ceiling in budgets]
        shares = [self.share] if self.share is not None else []
        return [*budgets, *shares, *self.limits.rates(model), *self._credit_limit()]

    def _credit_limit(self) -> list[Ceiling]:
        account = self.account
        if account is None or account.credit_limit is None:
            return []
        return [Ceiling("credit_limit", Unit.CREDITS, account.credit_limit, account.refill_duration)]


@dataclass(frozen=True, slots=True)
class Job:
    """The job that a call is made in: what its record says of it, and what its counter item said last.

    Attributes:
        models: the models that its calls have asked for.
        promised: credits that the paying account has set apart for it (Q-17).
        usd, tokens: what its settled calls came to, and what those in flight may come to.
        calls, running: settled calls, calls in flight.
        account_uid: who pays, from its first call on.
    """

    job_id: str
    job_type: str
    team_uid: str
    status: str
    models: tuple[str, ...] = ()
    purpose: str | None = None
    # As JSON: nothing here looks into it.
    call_metadata: str | None = None
    promised: Decimal = ZERO
    usd: Decimal = ZERO
    tokens: int = 0
    calls: int = 0
    running: int = 0
    account_uid: str | None = None


@dataclass(frozen=True, slots=True)
class Entitlement:
    """Who calls, what he may use, what he is counted in and who pays: as it stood when the call was admitted.

    ``levels`` are the lists of models that each have to allow a model, by the name of the level; what is not there does
    not restrict. ``aliases`` are own names for models, each with the level that has it and the model. ``account`` None:
    nobody pays (master key, ``credits_source: none``).
    """

    catalogue_version: int
    key_id: str | None = None
    team_id: str | None = None
    team_uid: str | None = None
    organization_id: str | None = None
    organization_uid: str | None = None
    user_id: str | None = None
    customer_id: str | None = None
    tags: tuple[str, ...] = ()
    levels: tuple[tuple[str, tuple[str, ...]], ...] = ()
    account: Account | None = None
    meters: tuple[Meter, ...] = ()
    # What is asked for where a request in a job names no model, and where any request of this customer does not.
    default_model: str | None = None
    customers_model: str | None = None
    aliases: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    allowances: Allowances = field(default_factory=Allowances)


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


@dataclass(frozen=True, slots=True)
class Amount:
    """What a call takes from the limits that it is under, at most or in the end.

    ``failed`` and ``latency_ms`` are of a call that ended: its job sums them up.
    """

    usd: Decimal = ZERO
    credits: Decimal = ZERO
    tokens: int = 0
    failed: bool = False
    latency_ms: int = 0

    def of(self, unit: Unit) -> Decimal:
        """The part that a counter of ``unit`` counts."""
        match unit:
            case Unit.USD | Unit.SHARE:
                return self.usd
            case Unit.CREDITS:
                return self.credits
            case Unit.TOKENS:
                return Decimal(self.tokens)
            case _:
                return Decimal(1)


@dataclass(frozen=True, slots=True)
class Counter:
    """A ceiling in the window of a call: the attribute that counts it, and the most that it may come to."""

    ceiling: Ceiling
    code: str
    name: str
    size: Decimal


@dataclass(slots=True)
class Hold:
    """What a call holds in one counter item: where, how much, and in which counters."""

    meter: Meter
    shard: int
    amount: Amount
    counters: tuple[Counter, ...]
    # In how many counter items the call has one: with fewer it was never made.
    of: int = 1
    # Set for the call of a job: its credits are not spent when it ends, but set apart for the job. In the job's own
    # item, ``payer`` is the account that does it, None where nobody's credits bound the call.
    job: Job | None = None
    payer: Account | None = None
    # Values of the counters after the reservation, where somebody wants to know them, and names that mean nothing more.
    values: dict[str, Decimal] = field(default_factory=dict)
    # What is spent of ``max_budget`` once the call is settled; None: not known, or there is none.
    spent: Decimal | None = None
    stale: tuple[str, ...] = ()

    @property
    def pays(self) -> bool:
        return self.meter.account is not None

    def share(self, counter: Counter) -> Decimal:
        """The part of a limit that this hold's shard enforces."""
        return share_of(counter.size, self.meter.shards, self.shard, step_of(counter.ceiling.unit))

    def mark(self, counter: Counter) -> str:
        """Tells for which size and how many shards a counter is divided: a shard counts for no other (decision 18)."""
        return f"{self.meter.shards}/{counter.size.normalize():f}"

    @property
    def codes(self) -> str:
        """As the stored hold has them: the sweeper needs no more to give back or settle."""
        return " ".join(counter.code for counter in self.counters)

    def see(self, attributes: Mapping[str, dict[str, Any]]) -> None:
        """Remembers what a write says that the counters have come to; of one shard, what that means for all of them."""
        self.values |= {
            counter.name: counter.size
            - (self.share(counter) - Decimal(attributes[counter.name]["N"])) * self.meter.shards
            for counter in self.counters
            if counter.name in attributes
        }

    def rates(self) -> list[Counter]:
        """The counters of this minute: what rate limit headers tell of."""
        return [counter for counter in self.counters if counter.ceiling.duration == MINUTE]


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
    reserved: Amount = field(default_factory=Amount)
    holds: list[Hold] = field(default_factory=list)
    max_output_tokens: int = 0
    # Set when the reservation could not carry what was asked for: the maximum that is sent instead.
    shortened: bool = False
    provider: str | None = None
    target_id: str | None = None
    region: str | None = None
    model_used: str | None = None
    credential_source: str | None = None
    price_version: str | None = None
    provider_request_id: str | None = None
    # The endpoint that was called, without ``/v1``; None where nobody knows.
    route: str | None = None
    first_token_at: float | None = None
    outcome: Outcome = Outcome.SUCCESS
    detail: Detail | None = None
    error: str | None = None
    usage: Usage = field(default_factory=Usage)
    charge: Charge = field(default_factory=Charge)
    job: Job | None = None

    @property
    def meters(self) -> tuple[Meter, ...]:
        """Everything that the call is counted in; its job last."""
        if self.job is None:
            return self.entitlement.meters
        own = Meter(Scope.JOB, self.job.job_id, self.job.job_id, self.job.job_id, NO_LIMITS)
        return (*self.entitlement.meters, own)
