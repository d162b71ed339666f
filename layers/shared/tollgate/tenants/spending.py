"""What a scope has spent in the current windows of its budgets: by its counter, else by its usage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache

from tollgate.core.money import ZERO
from tollgate.customers.model import Customer
from tollgate.keys.model import VirtualKey
from tollgate.limits import repository as limits
from tollgate.limits.fields import SpendAnswer, WindowSpend
from tollgate.limits.model import Ceiling, Limits, Scope, Unit, counter_name, needs_seed
from tollgate.limits.repository import Figures, Owner, RawItem
from tollgate.limits.windows import ends_at
from tollgate.organizations import repository as organizations
from tollgate.organizations.model import Organization
from tollgate.table import keys
from tollgate.teams.model import Team
from tollgate.usage.reading import read_items
from tollgate.usage.spend import Span, spent
from tollgate.users.model import Membership, User

_DAY = 86_400
# Of what is counted before anything is known of it: it is as old as time.
EPOCH = datetime.fromtimestamp(0, UTC)


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
    # Another shared row, that counts where neither its limits nor its own row say anything.
    default_id: str | None = None

    @property
    def effective(self) -> Limits:
        """Its limits with those of the shared row that it uses (Q-52), and of its team's for members."""
        return self.over(limits.shared)

    def over(self, row_of: Callable[[str | None], Limits | None]) -> Limits:
        """The same, the rows being found by ``row_of``."""
        return self.limits.over(row_of(self.limits.budget_id)).over(row_of(self.default_id))


def of(spender: Spender, at: datetime) -> SpendAnswer:
    """USD spent and reserved in the windows of ``at``: of ``max_budget``, and of each model's own budget."""
    return of_all([spender], at)[0]


def of_all(spenders: Sequence[Spender], at: datetime) -> list[SpendAnswer]:
    """The same of many, with as few reads as of one where nothing is sharded."""
    counters = _counters(spenders)
    # Many use the same row.
    row_of = cache(limits.shared)
    windows = [_windows_of(spender, counters[spender.owner.uid], spender.over(row_of)) for spender in spenders]
    figures = iter(_figures([window for own in windows for window in own], at))
    return [_answer([(window, next(figures)) for window in own], at) for own in windows]


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


def key_spender(key: VirtualKey) -> Spender:
    identity = {
        "key_id": key.key_id,
        "team_id": key.team_id,
        "team_uid": key.team_uid,
        "organization_id": key.organization_id,
        "organization_uid": key.organization_uid,
    }
    known = {name: value for name, value in identity.items() if value is not None}
    owner = Owner(Scope.KEY, key.key_id, key.uid, known)
    return Spender(Scope.KEY, owner, key.limits, key.created_at, key.key_id)


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


def member_spender(member: Membership, default_id: str | None = None) -> Spender:
    """``default_id``: the shared row of the team's for its members."""
    identity = {
        "team_id": member.team_id,
        "team_uid": member.team_uid,
        "organization_id": member.organization_id,
        "organization_uid": member.organization_uid,
        "user_id": member.user_id,
    }
    known = {name: value for name, value in identity.items() if value is not None}
    owner = Owner(member.scope, member.member_id, member.uid, known)
    created_at, within = member.created_at, member.owner_uid
    return Spender(member.scope, owner, member.limits, created_at, member.user_id, within, default_id=default_id)


def user_spender(user: User) -> Spender:
    owner = Owner(Scope.USER, user.user_id, user.uid, {"user_id": user.user_id})
    return Spender(Scope.USER, owner, user.limits, user.created_at, user.user_id)


def customer_spender(customer: Customer) -> Spender:
    owner = Owner(Scope.CUSTOMER, customer.customer_id, customer.uid, {"customer_id": customer.customer_id})
    return Spender(Scope.CUSTOMER, owner, customer.limits, EPOCH, customer.customer_id)


def ceiling_of(effective: Limits) -> Ceiling:
    """The ceiling of ``max_budget``, also where that is null and nothing is refused."""
    size = effective.max_budget or ZERO
    return Ceiling("max_budget", Unit.USD, size, effective.budget_duration, since=effective.budget_since)


def current(spender: Spender, items: Sequence[RawItem], ceiling: Ceiling, at: datetime, *, counted: bool) -> Figures:
    """A window's figures. ``counted``: calls count it, so that a missing counter means that there was no call."""
    return _figures([_Window(spender, items, ceiling, counted)], at)[0]


@dataclass(frozen=True, slots=True)
class _Window:
    """A window of a spender, and the counter items that he has."""

    spender: Spender
    items: Sequence[RawItem]
    ceiling: Ceiling
    counted: bool

    def known(self, at: datetime) -> tuple[Figures, bool]:
        """What the counter says, and whether that is everything."""
        moment = at.timestamp()
        found = limits.figures(self.items, self.ceiling, moment) if self.counted else None
        if self.spender.shared_out or not self.counted:
            return found or Figures(), False
        if found is not None:
            return found, True
        return Figures(), not needs_seed(counter_name(self.ceiling.code, moment))

    def span(self, at: datetime) -> Span | None:
        """The days that it is of; nothing is known of a window that begins within one."""
        window = self.ceiling.window(at.timestamp())
        if window.start % _DAY:
            return None
        spender = self.spender
        first = max(datetime.fromtimestamp(window.start, UTC), spender.created_at).date()
        return Span(spender.scope, spender.usage_id, first, spender.within, self.ceiling.model)


def _counters(spenders: Sequence[Spender]) -> dict[str, Sequence[RawItem]]:
    """The counter items of each by uid; several of one are of the same moment."""
    single = {keys.account(spender.owner.uid): spender.owner.uid for spender in spenders if spender.shards == 1}
    found: dict[str, Sequence[RawItem]] = {
        spender.owner.uid: limits.counters(spender.owner.uid, spender.shards) if spender.shards > 1 else []
        for spender in spenders
    }
    for item in read_items([(pk, limits.shard_key(0)) for pk in single]):
        found[single[item["PK"]["S"]]] = [dict(item)]
    return found


def _windows_of(spender: Spender, items: Sequence[RawItem], effective: Limits) -> list[_Window]:
    """That of ``max_budget``, then those of models."""
    models = [
        Ceiling("model_max_budget", Unit.USD, own.max_budget, own.budget_duration, model, own.since)
        for model, own in effective.model_max_budget.items()
    ]
    whole = _Window(spender, items, ceiling_of(effective), effective.max_budget is not None)
    return [whole, *(_Window(spender, items, ceiling, counted=True) for ceiling in models)]


def _figures(windows: Sequence[_Window], at: datetime) -> list[Figures]:
    """By the counters, and where those are not everything by the usage of days."""
    known = [window.known(at) for window in windows]
    spans = {
        number: span
        for number, (window, (_, whole)) in enumerate(zip(windows, known, strict=True))
        if not whole and (span := window.span(at)) is not None
    }
    used = dict(zip(spans, spent(list(spans.values())), strict=True)) if spans else {}
    return [
        figures if whole else replace(figures, spent=used.get(number, ZERO))
        for number, (figures, whole) in enumerate(known)
    ]


def _answer(windows: Sequence[tuple[_Window, Figures]], at: datetime) -> SpendAnswer:
    shown = [
        WindowSpend(
            spend=figures.spent,
            reserved=figures.reserved,
            budget_reset_at=ends_at(window.ceiling.duration, at.timestamp()),
        )
        for window, figures in windows
    ]
    models = {window.ceiling.model or "": one for (window, _), one in zip(windows[1:], shown[1:], strict=True)}
    return SpendAnswer(**shown[0].model_dump(), model_spend=models)
