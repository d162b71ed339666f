"""Shares of an organization's budget (Q-51): the sum fits, and nobody can spend again what a share has spent.

A team with a share counts in a counter of its own, the teams without one in the organization's, against what is left of
``max_budget``. So a share may only take what those have not spent in this window, and one that goes leaves behind what
it has spent, until the window ends.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from tollgate.core.errors import WrongStateError
from tollgate.core.money import ZERO, plain
from tollgate.limits import repository as limits
from tollgate.limits.model import Ceiling, Unit, counter_name
from tollgate.limits.shares import SETTING, share_ceiling
from tollgate.limits.windows import window_at
from tollgate.organizations.model import Organization, ShareChange
from tollgate.table.transactions import Work
from tollgate.teams.model import Team


def given(work: Work, organization: Organization, share: Decimal, at: datetime) -> ShareChange:
    """A share for a team that is being made. Raises WrongStateError if it does not fit."""
    return _moved(work, organization, ZERO, share, at, kept=ZERO)


def changed(work: Work, organization: Organization, team: Team, share: Decimal | None, at: datetime) -> ShareChange:
    """Another share for a team, or with None none any more. Raises WrongStateError if it does not fit."""
    before = team.allocated_budget
    kept = ZERO
    if before is not None and (share is None or share < before):
        counted = _counted(team.uid, share_ceiling(before, organization.limits), at, team.account_items)
        # Never more than goes back: what a provider billed beyond it is nobody's share.
        kept = min(max(ZERO, sum(counted.values(), ZERO) - (share or ZERO)), before - (share or ZERO))
        # Whatever it spends from now on has to fit into what it keeps.
        room = max(ZERO, (share or ZERO) - sum(counted.values(), ZERO))
        _hold_still(work, team.uid, share_ceiling(before, organization.limits), at, counted, room)
    return _moved(work, organization, before or ZERO, share, at, kept=kept)


def ended(organization: Organization, team: Team, at: datetime) -> ShareChange:
    """What is left of the share of a team that is being deleted; it is closed, so nothing is spent any more."""
    share = team.allocated_budget or ZERO
    counted = _counted(team.uid, share_ceiling(share, organization.limits), at, team.account_items)
    window, former = _former(organization, at)
    kept = former + min(share, sum(counted.values(), ZERO))
    return ShareChange(organization, organization.allocated_total - share, {window: kept} if kept else {})


def _moved(  # noqa: PLR0913, PLR0917
    work: Work, organization: Organization, before: Decimal, share: Decimal | None, at: datetime, kept: Decimal
) -> ShareChange:
    total = organization.allocated_total - before + (share or ZERO)
    size = _size_of(organization, total, wanted=share is not None)
    window, former = _former(organization, at)
    rest = size - total - former - kept
    if rest < size - organization.allocated_total - former:
        _check_others(work, organization, rest, at)
    kept += former
    return ShareChange(organization, total, {window: kept} if kept else {})


def _size_of(organization: Organization, total: Decimal, *, wanted: bool) -> Decimal:
    size = organization.limits.max_budget
    if size is None and wanted:
        message = f"Organization '{organization.organization_id}' has no max_budget to allocate from"
        raise WrongStateError(message, code="nothing_to_allocate", param=SETTING)
    if size is not None and total > size:
        message = f"The teams' shares would be {plain(total)}, more than the organization's max_budget of {plain(size)}"
        raise WrongStateError(message, code="budget_allocated", param=SETTING)
    return size or ZERO


def _check_others(work: Work, organization: Organization, rest: Decimal, at: datetime) -> None:
    """The teams without a share have not spent what is now taken from them; nor will they until the commit."""
    own = organization.limits
    ceiling = Ceiling("max_budget", Unit.USD, ZERO, own.budget_duration, since=own.budget_since)
    counted = _counted(organization.uid, ceiling, at, organization.account_items)
    spent = sum(counted.values(), ZERO)
    if spent > rest:
        message = (
            f"The teams without a share have spent {plain(spent)} of this window; "
            f"only {plain(max(ZERO, rest))} would be left for them"
        )
        raise WrongStateError(message, code="budget_allocated", param=SETTING)
    _hold_still(work, organization.uid, ceiling, at, counted, rest - spent)


def _former(organization: Organization, at: datetime) -> tuple[str, Decimal]:
    """The organization's window, and what shares that are gone have spent in it."""
    window = window_at(organization.limits.budget_duration, at.timestamp()).name
    return window, organization.spent_shares.get(window, ZERO)


def _counted(uid: str, ceiling: Ceiling, at: datetime, shards: int) -> dict[int, Decimal]:
    """Spent and reserved in the window, by shard."""
    name = counter_name(ceiling.code, at.timestamp())
    found: list[dict[str, Any]] = limits.counters(uid, shards)
    by_key = {item["SK"]["S"]: Decimal(item[name]["N"]) for item in found if name in item}
    return {shard: by_key.get(limits.shard_key(shard), ZERO) for shard in range(shards)}


def _hold_still(  # noqa: PLR0913, PLR0917
    work: Work, uid: str, ceiling: Ceiling, at: datetime, counted: dict[int, Decimal], room: Decimal
) -> None:
    """The transaction loses its race if more than ``room`` is spent or reserved before it is committed."""
    name = counter_name(ceiling.code, at.timestamp())
    part = room / len(counted)
    for shard, amount in counted.items():
        limits.require_at_most(work, uid, name, amount + part, shard)
