"""What a usage bucket counts, and what one call adds to it. Pure: the hot path and the stream consumer use it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from operator import add
from typing import Any, NamedTuple

from tollgate.core.money import ZERO

Image = Mapping[str, Mapping[str, Any]]

# How each figure is named in an item, in the order of Figures: terse, because every write carries the names.
ATTRIBUTES = {
    "calls": "cn",
    "errors": "er",
    "interrupted": "ir",
    "estimated": "es",
    "input_tokens": "ti",
    "cached_tokens": "tc",
    "output_tokens": "to",
    "reasoning_tokens": "tr",
    "cost_usd": "us",
    "provider_cost_usd": "pu",
    "credits": "cr",
    "latency_ms": "lm",
    "latency_calls": "ln",
    "first_token_ms": "fm",
    "first_token_calls": "fn",
    "jobs": "jb",
    "jobs_successful": "js",
    "jobs_failed": "jf",
    "jobs_cancelled": "jc",
    "unbilled_usd": "ub",
}
# How a job may end, and what that is counted as.
_ENDS = {"completed": "jobs_successful", "failed": "jobs_failed", "cancelled": "jobs_cancelled"}


_NAMES = tuple(ATTRIBUTES.values())


class Figures(NamedTuple):
    """Sums over calls: counts, tokens, USD, credits, milliseconds.

    ``errors`` are calls that failed, ``interrupted`` those whose process died, ``estimated`` those whose tokens we
    counted ourselves. ``cached_tokens`` are part of the input, ``reasoning_tokens`` of the output. The sums of
    milliseconds go with the number of calls that had such a figure. ``jobs`` are those that were made, open ones too
    (D-29); the split is by how they ended. ``unbilled_usd`` is what jobs cost that were not charged (Q-57).
    """

    calls: Decimal = ZERO
    errors: Decimal = ZERO
    interrupted: Decimal = ZERO
    estimated: Decimal = ZERO
    input_tokens: Decimal = ZERO
    cached_tokens: Decimal = ZERO
    output_tokens: Decimal = ZERO
    reasoning_tokens: Decimal = ZERO
    cost_usd: Decimal = ZERO
    provider_cost_usd: Decimal = ZERO
    credits: Decimal = ZERO
    latency_ms: Decimal = ZERO
    latency_calls: Decimal = ZERO
    first_token_ms: Decimal = ZERO
    first_token_calls: Decimal = ZERO
    jobs: Decimal = ZERO
    jobs_successful: Decimal = ZERO
    jobs_failed: Decimal = ZERO
    jobs_cancelled: Decimal = ZERO
    unbilled_usd: Decimal = ZERO

    def __add__(self, other: Figures) -> Figures:  # type: ignore[override]
        """The sum figure by figure, not one tuple after the other."""
        return Figures(*map(add, self, other))

    def counted(self) -> dict[str, Decimal]:
        """The figures that are not 0, by the names that items use."""
        return {name: value for name, value in zip(ATTRIBUTES.values(), self, strict=True) if value}

    @property
    def tokens(self) -> Decimal:
        return self.input_tokens + self.output_tokens


NOTHING = Figures()


def total(parts: Iterable[Figures]) -> Figures:
    """The sum of all parts: column by column, which takes a fraction of the time of adding one to the other."""
    columns = list(zip(*parts, strict=True))
    return Figures(*[sum(column, ZERO) for column in columns]) if columns else NOTHING


def of_bucket(item: Image) -> Figures:
    """The figures of a bucket as DynamoDB gives it."""
    find = item.get
    return Figures._make([Decimal(found["N"]) if (found := find(name)) else ZERO for name in _NAMES])


def of_call(call: Image) -> Figures:
    """What a call's record adds to every bucket that it belongs to."""
    one = Decimal(1)
    outcome = text(call, "outcome")
    latency, first_token = number(call, "latency_ms"), number(call, "first_token_ms")
    return Figures(
        calls=one,
        errors=one if outcome == "failed" else ZERO,
        interrupted=one if outcome == "interrupted" else ZERO,
        estimated=one if call.get("estimated", {}).get("BOOL") else ZERO,
        input_tokens=number(call, "input_tokens"),
        cached_tokens=number(call, "cached_tokens"),
        output_tokens=number(call, "output_tokens"),
        reasoning_tokens=number(call, "reasoning_tokens"),
        cost_usd=number(call, "cost_usd"),
        provider_cost_usd=number(call, "provider_cost_usd"),
        credits=number(call, "credits_charged"),
        latency_ms=latency,
        latency_calls=one if "latency_ms" in call else ZERO,
        first_token_ms=first_token,
        first_token_calls=one if "first_token_ms" in call else ZERO,
    )


MADE = Figures(jobs=Decimal(1))


def has_ended(job: Image) -> bool:
    """Whether a job's item, as it stands in an image, is at its end."""
    return text(job, "status") in _ENDS


def of_ended_job(job: Image) -> Figures:
    """What the end of a job adds: how it ended, what it was charged, what of its cost was not (Q-17, Q-57)."""
    ended = {_ENDS[text(job, "status") or ""]: Decimal(1)}
    return Figures(**ended, credits=number(job, "credits_charged"), unbilled_usd=number(job, "unbilled_cost_usd"))


def number(item: Image, name: str) -> Decimal:
    """A number of an item; 0 where it is absent."""
    return Decimal(item[name]["N"]) if name in item else ZERO


def text(item: Image, name: str) -> str | None:
    """A text of an item; None where it is absent."""
    return str(item[name]["S"]) if name in item else None
