"""An organization's teams and what they used since they exist, as the organization's own page shows them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from tollgate.core.money import ZERO
from tollgate.credits import repository as credits
from tollgate.credits.model import Account
from tollgate.teams import repository
from tollgate.teams.model import Team

# How many teams an organization's page shows; the rest are in the list of teams.
SHOWN = 100


@dataclass(frozen=True, slots=True)
class Overview:
    """The first teams with their accounts, and sums over all teams. ``cost_usd`` is client cost."""

    teams: list[tuple[Team, Account]]
    jobs: int
    cost_usd: Decimal
    credits_used: Decimal


def of_organization(organization_uid: str) -> Overview:
    """Reads every team's counter: an organization has dozens of teams, not thousands."""
    teams = [team for team in repository.all_of_organization(organization_uid) if not team.deleting]
    accounts = credits.find_all(team.uid for team in teams)
    return Overview(
        teams=[(team, accounts[team.uid]) for team in teams[:SHOWN]],
        jobs=sum(account.jobs for account in accounts.values()),
        cost_usd=sum((account.cost_usd for account in accounts.values()), ZERO),
        credits_used=sum((account.used for account in accounts.values()), ZERO),
    )
