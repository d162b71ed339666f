"""What a call lacks where it was refused, and how that is told (Q-10, Q-12, Q-15, Q-56; contract litellm 3 and 4)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tollgate.aws.dynamodb import Item
from tollgate.core import clock
from tollgate.core.errors import (
    BudgetExceededError,
    InsufficientCreditsError,
    RateLimitedError,
    ReservedError,
    TollgateError,
)
from tollgate.core.money import ZERO, plain
from tollgate.limits.model import Ceiling, Scope, Unit
from tollgate.metering.bound import Bound
from tollgate.metering.counters import balance, held_in
from tollgate.metering.model import Amount, Hold, Meter

PARALLEL = "max_parallel_requests"
CREDITS = "credits"
# The order in which the contract asks (litellm 3): budgets, then rates, credits last.
_BUDGET_ORDER = (
    Scope.TEAM_MEMBER,
    Scope.KEY,
    Scope.TEAM,
    Scope.ORGANIZATION,
    Scope.ORGANIZATION_MEMBER,
    Scope.TAG,
    Scope.USER,
    Scope.CUSTOMER,
    Scope.PLATFORM,
)
_RATE_ORDER = (
    Scope.KEY,
    Scope.USER,
    Scope.TEAM,
    Scope.TEAM_MEMBER,
    Scope.CUSTOMER,
    Scope.ORGANIZATION,
    Scope.ORGANIZATION_MEMBER,
    Scope.TAG,
    Scope.PLATFORM,
)
# What the dialect calls a scope in its rate limit answers (contract litellm 4.4).
_DESCRIPTORS = {
    Scope.KEY: "api_key",
    Scope.CUSTOMER: "end_user",
    Scope.TEAM_MEMBER: "team_member",
    Scope.ORGANIZATION_MEMBER: "organization_member",
}
_NOTHING: Item = {"h": {"M": {}}}


@dataclass(frozen=True, slots=True)
class Shortage:
    """A limit that could not carry a call: its size, what is spent and what calls in flight hold of it.

    ``ceiling`` None: it is no counter of a window, but ``setting``.
    """

    meter: Meter
    setting: str
    size: Decimal
    spent: Decimal
    reserved: Decimal
    ceiling: Ceiling | None = None
    started_at: float = 0
    # Only for credits: what was ever allocated, and what is set apart for open jobs.
    allocated: Decimal = ZERO
    promised: Decimal = ZERO

    @property
    def unit(self) -> Unit:
        if self.ceiling is not None:
            return self.ceiling.unit
        return Unit.CREDITS if self.setting == CREDITS else Unit.REQUESTS

    @property
    def available(self) -> Decimal:
        return self.size - self.spent - self.reserved

    @property
    def is_budget(self) -> bool:
        return self.unit in {Unit.USD, Unit.SHARE}

    def carries(self, amount: Amount) -> bool:
        """Whether the limit would carry that now."""
        if self.setting == CREDITS and not self.meter.is_hard:
            return False
        return amount.of(self.unit) <= self.available

    def affordable(self, bound: Bound) -> int:
        """The most output tokens that the limit carries now."""
        return bound.affordable(self.unit, self.available)

    @property
    def rank(self) -> tuple[int, int]:
        """Where the contract asks for this limit: the first one that fails is told."""
        if self.is_budget:
            return 0, _BUDGET_ORDER.index(self._told_scope)
        if self.unit is Unit.CREDITS:
            return 2, 0
        return 1, _RATE_ORDER.index(self.meter.scope) + (20 if self.ceiling and self.ceiling.model else 0)

    @property
    def _told_scope(self) -> Scope:
        return Scope.ORGANIZATION if self.unit is Unit.SHARE else self.meter.scope

    def refusal(self, least: Amount) -> TollgateError:
        """The answer. 429 ``reserved`` if only calls in flight stand in the way of what a call takes at least."""
        figures = self._figures()
        if not (self.is_budget or self.unit is Unit.CREDITS):
            return self._throttled(figures)
        waits = self.setting != CREDITS or self.meter.is_hard
        if waits and least.of(self.unit) <= self.size - self.spent:
            what = "Credits are" if self.setting == CREDITS else f"The {self.setting} is"
            return ReservedError(f"{what} reserved by calls in flight; try again in a moment", retry_after=1, **figures)
        return self._exhausted(least, figures)

    def _figures(self) -> dict[str, Any]:
        figures: dict[str, Any] = {
            "limit": self.allocated if self.setting == CREDITS else self.size,
            "limit_type": self.setting,
            "scope": self._told_scope.value,
            "scope_id": self.meter.identity.get("organization_id", "")
            if self.unit is Unit.SHARE
            else self.meter.scope_id,
            "spent": self.spent,
            "reserved": self.reserved,
            "resets_at": clock.to_wire(self._resets_at) if self._resets_at else None,
        }
        if self.ceiling is not None and self.ceiling.model is not None:
            figures["model"] = self.ceiling.model
        return figures

    @property
    def _resets_at(self) -> datetime | None:
        end = self.ceiling.window(self.started_at).end if self.ceiling is not None else None
        return datetime.fromtimestamp(end, UTC) if end is not None else None

    def _exhausted(self, least: Amount, figures: dict[str, Any]) -> TollgateError:
        if self.setting == CREDITS:
            who = "Organization" if self.meter.scope is Scope.ORGANIZATION else "Team"
            remaining = self.size - self.spent
            used = self.allocated - remaining - self.promised
            in_jobs = f", Reserved by open jobs: {plain(self.promised)}" if self.promised else ""
            return InsufficientCreditsError(
                f"Insufficient credits. {who} has {plain(remaining)} credits remaining, but {plain(least.credits)} "
                f"required. Allocated: {plain(self.allocated)}, Used: {plain(used)}{in_jobs}",
                **figures | {"spent": used, "reserved": self.reserved + self.promised},
            )
        if self.setting == "credit_limit":
            return InsufficientCreditsError(
                f"Credit limit reached. {plain(self.spent)} of {plain(self.size)} credits of this period are used",
                **figures,
            )
        error = BudgetExceededError(_budget_words(self), **figures)
        error.message_80 = _budget_words_80(self)
        return error

    def _throttled(self, figures: dict[str, Any]) -> TollgateError:
        resets = self._resets_at
        seconds = max(1, int(resets.timestamp() - time.time()) + 1) if resets and self.setting != PARALLEL else 1
        kind = "requests" if self.setting.endswith("rpm_limit") else "tokens"
        kind = PARALLEL if self.setting == PARALLEL else kind
        told = f"{resets:%Y-%m-%d %H:%M:%S} UTC" if resets else "when a call in flight ends"
        return RateLimitedError(
            f"Rate limit exceeded for {_limited(self)}. Limit type: {kind}. Current limit: {plain(self.size)}, "
            f"Remaining: {plain(max(ZERO, self.available))}. Limit resets at: {told}",
            retry_after=seconds,
            kind=kind,
            reset_at=told if resets else None,
            **figures,
        )


def shortages(hold: Hold, item: Item | None, started_at: float) -> list[Shortage]:
    """What stands in the way of a hold; empty if nothing does (any more). ``item`` is the whole of all shards."""
    item = item or _NOTHING
    meter = hold.meter
    found = []
    for counter in hold.counters:
        value = Decimal(item[counter.name]["N"]) if counter.name in item else ZERO
        if value + hold.amount.of(counter.ceiling.unit) > counter.size:
            reserved = held_in(item, counter.code)
            found.append(
                Shortage(
                    meter,
                    counter.ceiling.setting,
                    counter.size,
                    value - reserved,
                    reserved,
                    counter.ceiling,
                    started_at,
                )
            )
    parallel = meter.limits.max_parallel_requests
    running = Decimal(len(item["h"]["M"]))
    if parallel is not None and running >= parallel:
        found.append(Shortage(meter, PARALLEL, Decimal(parallel), ZERO, running))
    return [*found, *_credits(hold, item)]


def _credits(hold: Hold, item: Item) -> list[Shortage]:
    account = hold.meter.account
    if account is None:
        return []
    standing = balance(item)
    short = standing.available < hold.amount.credits if account.hard else standing.available <= ZERO and account.floored
    if not short:
        return []
    # The size is what could be held: all that is neither spent nor set apart for jobs, which may stay open for long.
    return [
        Shortage(
            hold.meter,
            CREDITS,
            standing.remaining - standing.promised,
            ZERO,
            standing.held - standing.promised,
            allocated=standing.allocated,
            promised=standing.promised,
        )
    ]


def descriptor(scope: Scope, model: str | None) -> str:
    """What the dialect calls a rate limit (contract litellm 4.4): ``api_key``, ``team``, ``model_per_key`` …"""
    if model is not None:
        return f"model_per_{'key' if scope is Scope.KEY else _DESCRIPTORS.get(scope, scope.value)}"
    return _DESCRIPTORS.get(scope, scope.value)


def _limited(shortage: Shortage) -> str:
    """Which rate limit it is, and whose."""
    meter, ceiling = shortage.meter, shortage.ceiling
    model = ceiling.model if ceiling is not None else None
    scope_id = meter.scope_id.replace("~", ":")
    return f"{descriptor(meter.scope, model)}: {scope_id}{f':{model}' if model is not None else ''}"


def _budget_words(shortage: Shortage) -> str:
    """LiteLLM's texts (contract litellm 1.1)."""
    meter, spent, size = shortage.meter, plain(shortage.spent), plain(shortage.size)
    if shortage.ceiling is not None and shortage.ceiling.model is not None:
        return _words_of_model(meter, shortage.ceiling.model)
    match meter.scope:
        case Scope.USER:
            return f"ExceededBudget: User={meter.label} over budget. Spend={spent}, Budget={size}"
        case Scope.CUSTOMER:
            return f"ExceededBudget: End User={meter.label} over budget. Spend={spent}, Budget={size}"
        case Scope.PLATFORM:
            who = ""
        case Scope.KEY:
            who = f"Key={meter.label} ({meter.mask}) "
        case Scope.ORGANIZATION_MEMBER | Scope.TEAM_MEMBER:
            owner, _, user = meter.scope_id.partition("~")
            where = "Team" if meter.scope is Scope.TEAM_MEMBER else "Organization"
            who = f"User={user} in {where}={owner} "
        case _:
            name = "Organization" if shortage.unit is Unit.SHARE else meter.scope.value.capitalize()
            label = meter.identity.get("organization_id", "") if shortage.unit is Unit.SHARE else meter.label
            who = f"{name}={label} "
    return _plain_words(shortage, who)


def _words_of_model(meter: Meter, model: str) -> str:
    if meter.scope is not Scope.KEY:
        return f"{meter.scope.value}={meter.label}, exceeded budget for model={model}"
    alias = meter.label if meter.label != meter.mask else None
    return f"LiteLLM Virtual Key: {meter.scope_id}, key_alias: {alias}, exceeded budget for model={model}"


def _budget_words_80(shortage: Shortage) -> str | None:
    """Profile 1.80 does not say whose key or membership it is (contract litellm 1.1); None: it says the same."""
    of_model = shortage.ceiling is not None and shortage.ceiling.model is not None
    unnamed = shortage.meter.scope in {Scope.KEY, Scope.TEAM_MEMBER} and not of_model
    return _plain_words(shortage) if unnamed else None


def _plain_words(shortage: Shortage, who: str = "") -> str:
    spent, size = plain(shortage.spent), plain(shortage.size)
    return f"Budget has been exceeded! {who}Current cost: {spent}, Max budget: {size}"
