"""Daily activity as LiteLLM shows it (contract litellm 1.9, "SpendAnalytics"): sums by day, broken down."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tollgate.core.fields import Amount
from tollgate.litellm.fields import DialectRow, Moment
from tollgate.usage.daily import Part
from tollgate.usage.figures import Figures, total

NameOf = Callable[[Part], str | None]


@dataclass(frozen=True, slots=True)
class Activity:
    """What was used, and the same by key (``name`` of a part) as far as keys are known.

    ``entity_of`` tells whose a part is; ``entities`` and ``keys`` say what there is to be said of each.
    """

    parts: list[Part]
    keyed: list[Part] = field(default_factory=list)
    entity_of: NameOf = lambda _: None
    entities: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    keys: Mapping[str, dict[str, Any]] = field(default_factory=dict)


class Metrics(DialectRow):
    """Client cost in USD, tokens, requests. What is written to a provider's cache is not told apart: always 0."""

    spend: Amount
    prompt_tokens: int
    completion_tokens: int
    cache_read_input_tokens: int
    cache_creation_input_tokens: int = 0
    total_tokens: int
    successful_requests: int
    failed_requests: int
    api_requests: int


class KeyGroup(DialectRow):
    metrics: Metrics
    metadata: dict[str, Any]


class Group(KeyGroup):
    api_key_breakdown: dict[str, KeyGroup]


class ActivityBreakdown(DialectRow):
    """``models`` and ``model_groups`` are the same: upstream names are not told (Q-58)."""

    models: dict[str, Group]
    model_groups: dict[str, Group]
    mcp_servers: dict[str, Group]
    providers: dict[str, Group]
    api_keys: dict[str, KeyGroup]
    entities: dict[str, Group]


class ActivityDay(DialectRow):
    date: str
    metrics: Metrics
    breakdown: ActivityBreakdown


class ActivityTotals(DialectRow):
    """Of the days on this page: clients add the pages up. ``as_of`` is when the usage was read (Q-47)."""

    total_spend: Amount
    total_prompt_tokens: int
    total_completion_tokens: int
    total_tokens: int
    total_api_requests: int
    total_successful_requests: int
    total_failed_requests: int
    total_cache_read_input_tokens: int
    total_cache_creation_input_tokens: int
    page: int
    total_pages: int
    has_more: bool
    as_of: Moment


class SpendAnalytics(DialectRow):
    """A page of days that have calls, newest first."""

    results: list[ActivityDay]
    metadata: ActivityTotals


def analytics(activity: Activity, model: str | None, page: int, page_size: int, at: datetime) -> SpendAnalytics:
    """The page of an activity, of one model if it is given."""
    by_day = _by(_of_model(activity.parts, model), lambda part: part.day)
    keyed = _by(_of_model(activity.keyed, model), lambda part: part.day)
    first = (page - 1) * page_size
    shown = sorted(by_day, reverse=True)[first : first + page_size]
    days = [_day(day, by_day[day], keyed.get(day, []), activity) for day in shown]
    sums = _metrics(part for day in shown for part in by_day[day])
    return SpendAnalytics(results=days, metadata=_totals(sums, page, -(-len(by_day) // page_size), at))


def _of_model(parts: Iterable[Part], model: str | None) -> list[Part]:
    return [part for part in parts if model is None or part.model == model]


def _day(day: str, parts: list[Part], keyed: list[Part], activity: Activity) -> ActivityDay:
    models = _groups(parts, keyed, lambda part: part.model, {}, activity.keys)
    breakdown = ActivityBreakdown(
        models=models,
        model_groups=models,
        mcp_servers={},
        providers=_groups(parts, keyed, lambda part: part.provider, {}, activity.keys),
        api_keys=_by_key(keyed, activity.keys),
        entities=_groups(parts, keyed, activity.entity_of, activity.entities, activity.keys),
    )
    return ActivityDay(date=day, metrics=_metrics(parts), breakdown=breakdown)


def _groups(
    parts: list[Part],
    keyed: list[Part],
    name_of: NameOf,
    known: Mapping[str, dict[str, Any]],
    keys: Mapping[str, dict[str, Any]],
) -> dict[str, Group]:
    by_key = _by(keyed, name_of)
    return {
        name: Group(
            metrics=_metrics(own),
            metadata=known.get(name, {}),
            api_key_breakdown=_by_key(by_key.get(name, []), keys),
        )
        for name, own in sorted(_by(parts, name_of).items())
    }


def _by_key(keyed: list[Part], keys: Mapping[str, dict[str, Any]]) -> dict[str, KeyGroup]:
    return {
        key_id: KeyGroup(metrics=_metrics(own), metadata=keys.get(key_id, {}))
        for key_id, own in sorted(_by(keyed, lambda part: part.name).items())
    }


def _by(parts: Iterable[Part], name_of: NameOf) -> dict[str, list[Part]]:
    """The parts by name; those that have none are left out."""
    found: dict[str, list[Part]] = defaultdict(list)
    for part in parts:
        name = name_of(part)
        if name:
            found[name].append(part)
    return dict(found)


def _metrics(parts: Iterable[Part]) -> Metrics:
    figures: Figures = total(part.figures for part in parts)
    return Metrics(
        spend=figures.cost_usd,
        prompt_tokens=int(figures.input_tokens),
        completion_tokens=int(figures.output_tokens),
        cache_read_input_tokens=int(figures.cached_tokens),
        total_tokens=int(figures.tokens),
        successful_requests=int(figures.calls - figures.errors),
        failed_requests=int(figures.errors),
        api_requests=int(figures.calls),
    )


def _totals(sums: Metrics, page: int, pages: int, at: datetime) -> ActivityTotals:
    return ActivityTotals(
        total_spend=sums.spend,
        total_prompt_tokens=sums.prompt_tokens,
        total_completion_tokens=sums.completion_tokens,
        total_tokens=sums.total_tokens,
        total_api_requests=sums.api_requests,
        total_successful_requests=sums.successful_requests,
        total_failed_requests=sums.failed_requests,
        total_cache_read_input_tokens=sums.cache_read_input_tokens,
        total_cache_creation_input_tokens=sums.cache_creation_input_tokens,
        page=page,
        total_pages=pages,
        has_more=page < pages,
        as_of=at,
    )
