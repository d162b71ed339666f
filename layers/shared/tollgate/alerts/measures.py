"""What a counter says of budgets and credits, measured against what they are limited to. Pure: no storage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tollgate.alerts.model import LEFT, USED, AlertEvent
from tollgate.alerts.watched_repository import Watched
from tollgate.core import ids, money
from tollgate.core.money import ZERO
from tollgate.limits.account import LimitMode
from tollgate.limits.model import Ceiling, Unit, counter_name
from tollgate.limits.repository import figures

RawItem = dict[str, Any]

_HUNDRED = Decimal(100)
# Less than this many per cent of prepaid credits are none: no call is that small.
_NOTHING_LEFT = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class Measure:
    """How far one limit is used.

    Attributes:
        limit: the setting: ``max_budget``, ``soft_budget``, ``credits`` …
        period: what an alert of it is told once for: the counter's window, or the credits allocated so far.
        used, size: USD or credits.
        prepaid: thresholds are per cent left, not used.
        once: there is one threshold, the size itself, and nobody configures it.
        figures: members of the message.
    """

    limit: str
    period: str
    used: Decimal
    size: Decimal
    model: str | None = None
    credits: bool = False
    prepaid: bool = False
    once: bool = False
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        return f"{self.limit}:{self.model}" if self.model else self.limit

    @property
    def percentage(self) -> Decimal | None:
        """Per cent used; None of nothing."""
        return money.ratio(self.used * 100, self.size)

    def reached(self, threshold: Decimal) -> bool:
        """Whether so many per cent are used; or, of prepaid credits, no more than so many are left."""
        if self.prepaid:
            return (self.size - self.used) * _HUNDRED <= self.size * max(threshold, _NOTHING_LEFT)
        return self.used > ZERO and self.used * _HUNDRED >= self.size * threshold

    def event(self, threshold: Decimal) -> AlertEvent:
        if not self.credits:
            return AlertEvent.BUDGET
        gone = threshold <= ZERO if self.prepaid else threshold >= _HUNDRED
        return AlertEvent.CREDITS_EXHAUSTED if gone else AlertEvent.CREDITS_LOW

    def defaults(self, own: Sequence[Decimal] | None) -> tuple[Decimal, ...]:
        """The account's own percentages, which are of what is used; else those that count everywhere (Q-39)."""
        if self.once:
            return (_HUNDRED,)
        if own is None:
            return LEFT if self.prepaid else USED
        return tuple(_HUNDRED - used for used in own if used <= _HUNDRED) if self.prepaid else tuple(own)


def measures(items: Sequence[RawItem], watched: Watched, moment: float) -> Iterator[Measure]:
    """Everything that the counter items of one scope (several where it is sharded) say at ``moment``, epoch seconds."""
    yield from _budgets(items, watched, moment)
    if any("av" in item for item in items):
        yield from _credits(items, watched)
        yield from _credit_limit(items, watched, moment)


def _budgets(items: Sequence[RawItem], watched: Watched, moment: float) -> Iterator[Measure]:
    limits = watched.limits
    size = limits.budget_at(moment)
    whole = Ceiling("max_budget", Unit.USD, ZERO, limits.budget_duration, since=limits.budget_since)
    if size is not None:
        size = max(ZERO, size - watched.given)
        yield from _budget(items, whole, size, moment, max_budget=size, soft_budget=limits.soft_budget)
    if limits.soft_budget is not None:
        figures_of = {"max_budget": size, "soft_budget": limits.soft_budget}
        for measure in _budget(items, whole, limits.soft_budget, moment, **figures_of):
            yield Measure("soft_budget", measure.period, measure.used, measure.size, once=True, figures=measure.figures)
    for model, own in limits.model_max_budget.items():
        ceiling = Ceiling("model_max_budget", Unit.USD, ZERO, own.budget_duration, model, own.since)
        yield from _budget(items, ceiling, own.max_budget, moment, max_budget=own.max_budget)


def share(items: Sequence[RawItem], watched: Watched, duration: str | None, moment: float) -> Iterator[Measure]:
    """How far a team's part of its organization's budget is used; ``duration`` is that budget's."""
    if watched.share is not None:
        ceiling = Ceiling("allocated_budget", Unit.SHARE, ZERO, duration)
        yield from _budget(items, ceiling, watched.share, moment, max_budget=watched.share)


def _budget(
    items: Sequence[RawItem], ceiling: Ceiling, size: Decimal, moment: float, **limits: Decimal | None
) -> Iterator[Measure]:
    known = figures(items, ceiling, moment)
    if known is None:
        return
    end = ceiling.window(moment).end
    resets = datetime.fromtimestamp(end, UTC) if end is not None else None
    yield Measure(
        ceiling.setting,
        counter_name(ceiling.code, moment),
        known.spent,
        size,
        ceiling.model,
        figures={"spend": known.spent, "budget_reset_at": resets, **limits},
    )


def _credits(items: Sequence[RawItem], watched: Watched) -> Iterator[Measure]:
    """Of an account that is refilled the refill is the whole, else all that was ever allocated."""
    settings = watched.settings
    allocated = _sum(items, "al")
    size = settings.refill_amount if settings.auto_refill and settings.refill_amount else allocated
    if settings.limit_mode is LimitMode.UNLIMITED or not size:
        return
    # What is set apart for open jobs (jh) is not used either.
    remaining = _sum(items, "av") + _sum(items, "jh") + sum((_held(item) for item in items), ZERO)
    yield Measure(
        "credits",
        f"al{money.plain(allocated)}",
        max(ZERO, size - remaining),
        size,
        credits=True,
        prepaid=settings.limit_mode is LimitMode.HARD,
        figures={
            "credits_allocated": allocated,
            "credits_used": allocated - remaining,
            "credits_remaining": remaining,
        },
    )


def _credit_limit(items: Sequence[RawItem], watched: Watched, moment: float) -> Iterator[Measure]:
    settings = watched.settings
    if settings.limit_mode is LimitMode.UNLIMITED or settings.credit_limit is None:
        return
    duration = settings.refill_period.duration if settings.refill_period else None
    name = counter_name(Ceiling("credit_limit", Unit.CREDITS, ZERO, duration).code, moment)
    if not any(name in item for item in items):
        return
    used = _sum(items, name) - sum((_held(item, name) for item in items), ZERO)
    figures_of = {"credit_limit": settings.credit_limit, "credits_used": used}
    yield Measure("credit_limit", name, used, settings.credit_limit, credits=True, figures=figures_of)


def _held(item: RawItem, name: str | None = None) -> Decimal:
    """Credits that calls in flight hold: of the whole account, or in one counter."""
    holds: Iterable[tuple[str, RawItem]] = item["h"]["M"].items() if "h" in item else ()
    return sum(
        (
            Decimal(hold["M"]["a"]["N"])
            for hold_id, hold in holds
            if "a" in hold["M"] and (name is None or name in _counted_in(hold_id, hold["M"]))
        ),
        ZERO,
    )


def _counted_in(hold_id: str, hold: RawItem) -> list[str]:
    codes = str(hold["w"]["S"]).split() if "w" in hold else []
    return [counter_name(code, ids.time_of_hold(hold_id)) for code in codes]


def _sum(items: Sequence[RawItem], name: str) -> Decimal:
    return sum((Decimal(item[name]["N"]) for item in items if name in item), ZERO)
