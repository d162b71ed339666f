"""How much an alias is used, over all teams: from the usage buckets, never from calls."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta

from tollgate.core.money import ZERO, ratio
from tollgate.models.model import UsageStats
from tollgate.usage import repository as usage
from tollgate.usage.figures import NOTHING, Figures

DAYS = 30


def by_alias(now: datetime) -> dict[str, UsageStats]:
    """What each alias that was called in the last ``DAYS`` days used. Costs their buckets of the whole platform."""
    today = now.date()
    sums: dict[str, Figures] = defaultdict(lambda: NOTHING)
    for used in usage.of_platform(today - timedelta(days=DAYS - 1), today):
        if used.model:
            sums[used.model] += used.figures
    return {alias: of_figures(figures) for alias, figures in sums.items()}


def of_figures(figures: Figures = NOTHING) -> UsageStats:
    return UsageStats(
        days=DAYS,
        total_calls=int(figures.calls),
        total_cost_usd=figures.cost_usd,
        avg_tokens_per_call=ratio(figures.tokens, figures.calls) or ZERO,
    )
