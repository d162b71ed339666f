"""The platform on one page: how much there is of everything, what credits are left, what today and the month used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from tollgate.auth.policy import Action, authorize
from tollgate.auth.principal import Principal
from tollgate.core.clock import Clock, utc_now
from tollgate.core.fields import Amount, ResponseModel, Timestamp
from tollgate.core.money import ZERO
from tollgate.core.pagination import MAX_CANDIDATES, PageRequest
from tollgate.credits import repository as credits
from tollgate.credits.model import Account
from tollgate.limits.repository import RawItem
from tollgate.organizations import repository as organizations
from tollgate.organizations.model import OrganizationStatus
from tollgate.table import keys
from tollgate.teams import repository as teams
from tollgate.teams.model import Team, TeamStatus
from tollgate.usage import repository as usage
from tollgate.usage.model import UsageTotals
from tollgate.usage.reading import read_items
from tollgate.usage.service import totals_of


class PlatformCredits(ResponseModel):
    """Of all teams' and organizations' accounts, since they exist."""

    allocated: Amount
    used: Amount
    reserved: Amount
    remaining: Amount


class Dashboard(ResponseModel):
    """``total_cost_usd`` is client cost, ``credit_revenue_usd`` what the credits that teams have used are worth, those
    of teams whose credits have no price left out (Q-19); both since the teams exist.

    ``truncated``: there are more than 10,000 organizations or teams, and only the newest of them are counted (Q-28).
    """

    organizations: int
    active_organizations: int
    teams: int
    active_teams: int
    credits: PlatformCredits
    total_cost_usd: Amount
    credit_revenue_usd: Amount
    jobs_today: int
    jobs_this_month: int
    today: UsageTotals
    this_month: UsageTotals
    truncated: bool
    as_of: Timestamp


@dataclass(frozen=True, slots=True)
class DashboardService:
    """Reads what the dashboard shows; checks that the caller is of the platform."""

    clock: Clock = utc_now

    def read(self, caller: Principal) -> Dashboard:
        """For platform roles. A read for each organization and team, and the month's sums; never one for each call."""
        authorize(caller, Action.USAGE_READ_PLATFORM)
        now = self.clock()
        everyone = organizations.search(PageRequest(MAX_CANDIDATES), None, None)
        all_teams = teams.search(PageRequest(MAX_CANDIDATES))
        counter_items = {one.uid: one.account_items for one in everyone.entries}
        accounts = _accounts(counter_items | {one.uid: one.account_items for one in all_teams.entries})
        month = usage.of_platform(now.date().replace(day=1), now.date())
        today = [one for one in month if one.at == str(now.date())]
        whole, this_month = totals_of(caller, today), totals_of(caller, month)
        return Dashboard(
            organizations=len(everyone.entries),
            active_organizations=sum(one.status is OrganizationStatus.ACTIVE for one in everyone.entries),
            teams=len(all_teams.entries),
            active_teams=sum(team.status is TeamStatus.ACTIVE for team in all_teams.entries),
            credits=_credits(list(accounts.values())),
            total_cost_usd=sum((accounts[team.uid].cost_usd for team in all_teams.entries), ZERO),
            credit_revenue_usd=_revenue(all_teams.entries, accounts),
            jobs_today=whole.total_jobs,
            jobs_this_month=this_month.total_jobs,
            today=whole,
            this_month=this_month,
            truncated=everyone.truncated or all_teams.truncated,
            as_of=now,
        )


def _accounts(counter_items: dict[str, int]) -> dict[str, Account]:
    """Accounts by their owner's uid, read side by side; all zeros where there is none."""
    pairs = [(keys.account(uid), keys.counter(shard)) for uid, items in counter_items.items() for shard in range(items)]
    found: dict[str, list[RawItem]] = defaultdict(list)
    for item in read_items(pairs):
        found[item["PK"]["S"]].append(dict(item))
    return {uid: credits.account_of(found[keys.account(uid)]) for uid in counter_items}


def _credits(accounts: Sequence[Account]) -> PlatformCredits:
    return PlatformCredits(
        allocated=sum((account.allocated for account in accounts), ZERO),
        used=sum((account.used for account in accounts), ZERO),
        reserved=sum((account.held for account in accounts), ZERO),
        remaining=sum((account.remaining for account in accounts), ZERO),
    )


def _revenue(all_teams: Sequence[Team], accounts: dict[str, Account]) -> Decimal:
    priced = [(accounts[team.uid].used, team.price_usd) for team in all_teams]
    return sum((used * price for used, price in priced if price is not None), ZERO)


@cache
def dashboard_service() -> DashboardService:
    return DashboardService()
