"""What a scope has spent in the current windows of its budgets: by its counter, else by its usage."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

from tollgate.core.money import ZERO
from tollgate.limits import repository as limits
from tollgate.limits.fields import SpendAnswer, WindowSpend
from tollgate.limits.model import Ceiling, Limits, Scope, Unit, counter_name, needs_seed
from tollgate.limits.repository import Figures, Owner, RawItem
from tollgate.limits.windows import ends_at
from tollgate.organizations import repository as organizations
from tollgate.organizations.model import Organization
from tollgate.teams.model import Team
from tollgate.usage.spend import spent

_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Spender:
    """A scope that spends. ``owner`` has its counters; ``usage_id`` and ``within`` are what its usage is found by.

    ``shared_out``: parts of its budget are counted elsewhere (Q-51), so that its counter is not the whole.
    """

    scope: Scope
    owner: Owner
    limits: Limits
    created_at: datetime
    usage_id: str
    within: str | None = None
    shards: int = 1
    shared_out: bool = False

    @property
    def effective(self) -> Limits:
        """Its limits with those of the shared row that it uses (Q-52)."""
        return self.limits.over(limits.shared(self.limits.budget_id))


def of(spender: Spender, at: datetime) -> SpendAnswer:
    """USD spent and reserved in the windows of ``at``: of ``max_budget``, and of each model's own budget."""
    effective = spender.effective
    items = limits.counters(spender.owner.uid, spender.shards)
    models = {
        model: Ceiling("model_max_budget", Unit.USD, own.max_budget, own.budget_duration, model, own.since)
        for model, own in effective.model_max_budget.items()
    }
    whole = _window(spender, items, ceiling_of(effective), at, counted=effective.max_budget is not None)
    return SpendAnswer(
        **whole.model_dump(),
        model_spend={model: _window(spender, items, ceiling, at, counted=True) for model, ceiling in models.items()},
    )


def of_team(team: Team, at: datetime) -> SpendAnswer:
    return of(team_spender(team), at)


def of_organization(organization: Organization, at: datetime) -> SpendAnswer:
    return of(organization_spender(organization), at)


def team_spender(team: Team) -> Spender:
    identity = {
        "team_id": team.team_id,
        "team_uid": team.uid,
        "organization_id": team.organization_id,
        "organization_uid": team.organization_uid,
    }
    known = {name: value for name, value in identity.items() if value is not None}
    owner = Owner(Scope.TEAM, team.team_id, team.uid, known)
    return Spender(Scope.TEAM, owner, team.limits, team.created_at, team.uid, shards=team.account_items)


def organization_spender(organization: Organization) -> Spender:
    shared_out = bool(organization.allocated_total or organization.spent_shares)
    return Spender(
        Scope.ORGANIZATION,
        organizations.counted(organization),
        organization.limits,
        organization.created_at,
        organization.uid,
        shards=organization.account_items,
        shared_out=shared_out,
    )


def ceiling_of(effective: Limits) -> Ceiling:
    """The ceiling of ``max_budget``, also where that is null and nothing is refused."""
    size = effective.max_budget or ZERO
    return Ceiling("max_budget", Unit.USD, size, effective.budget_duration, since=effective.budget_since)


def current(spender: Spender, items: list[RawItem], ceiling: Ceiling, at: datetime, *, counted: bool) -> Figures:
    """A window's figures. ``counted``: calls count it, so that a missing counter means that there was no call."""
    moment = at.timestamp()
    found = limits.figures(items, ceiling, moment) if counted else None
    if found is not None and not spender.shared_out:
        return found
    if counted and not spender.shared_out and not needs_seed(counter_name(ceiling.code, moment)):
        return Figures()
    return replace(found or Figures(), spent=_used(spender, ceiling, at))


def _window(spender: Spender, items: list[RawItem], ceiling: Ceiling, at: datetime, *, counted: bool) -> WindowSpend:
    figures = current(spender, items, ceiling, at, counted=counted)
    return WindowSpend(
        spend=figures.spent,
        reserved=figures.reserved,
        budget_reset_at=ends_at(ceiling.duration, at.timestamp()),
    )


def _used(spender: Spender, ceiling: Ceiling, at: datetime) -> Decimal:
    """By the usage of days; nothing is known of a window that begins within one."""
    window = ceiling.window(at.timestamp())
    if window.start % _DAY:
        return ZERO
    first = max(datetime.fromtimestamp(window.start, UTC), spender.created_at).date()
    return spent(spender.scope, spender.usage_id, first, spender.within, ceiling.model)
