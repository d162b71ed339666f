"""How far the teams' credits are used, over the platform (contract 1.3). Knows no HTTP and no storage."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cache

from tollgate.auth.policy import Action, authorize
from tollgate.auth.principal import Principal
from tollgate.core.fields import Amount, ResponseModel
from tollgate.core.money import ZERO, ratio
from tollgate.core.pagination import MAX_LIMIT, PageRequest
from tollgate.credits import repository
from tollgate.credits.model import Account
from tollgate.teams import repository as teams
from tollgate.teams.model import Team

# One answer looks at so many teams, however many there are.
MAX_TEAMS = 1000
_HEALTHY_ABOVE, _CRITICAL_BELOW = 50, 20


class Level(StrEnum):
    """By what is left of the credits allocated: more than 50 %, 20 to 50 %, less than 20 %."""

    HEALTHY = "healthy"
    WARNING = "warning"
    CRITICAL = "critical"


class UtilizationSummary(ResponseModel):
    """``avg_utilization`` is the mean of the teams' percentages used."""

    total_allocated: Amount
    total_remaining: Amount
    total_used: Amount
    avg_utilization: Amount


class TeamsByLevel(ResponseModel):
    """``without_credits``: teams that were never given any; they are in no level."""

    healthy: int
    warning: int
    critical: int
    without_credits: int


class TeamAtRisk(ResponseModel):
    """``percentage`` is what is left of the credits allocated."""

    team_id: str
    organization_id: str | None
    credits_remaining: Amount
    percentage: Amount
    status: Level


class Utilization(ResponseModel):
    """Figures of the teams that this answer looked at, newest first.

    ``truncated``: there are more, from ``next_cursor`` on. ``teams_needing_attention`` begin with who has least left.
    """

    total_teams: int
    summary: UtilizationSummary
    by_status: TeamsByLevel
    teams_needing_attention: list[TeamAtRisk]
    next_cursor: str | None
    truncated: bool


@dataclass(frozen=True, slots=True)
class _Share:
    """A team with what is left of its credits, in percent; None if it was never given any."""

    team: Team
    account: Account
    left: Decimal | None

    @property
    def level(self) -> Level | None:
        if self.left is None:
            return None
        if self.left > _HEALTHY_ABOVE:
            return Level.HEALTHY
        return Level.WARNING if self.left >= _CRITICAL_BELOW else Level.CRITICAL


@dataclass(frozen=True, slots=True)
class UtilizationService:
    """Reads teams and their accounts in batches, strongly consistent, never a whole platform at once."""

    most: int = MAX_TEAMS

    def read(self, caller: Principal, cursor: str | None) -> Utilization:
        authorize(caller, Action.CREDITS_READ_PLATFORM)
        found: list[_Share] = []
        while len(found) < self.most:
            page = teams.search(PageRequest(min(MAX_LIMIT, self.most - len(found)), cursor))
            accounts = repository.find_all({team.uid: team.account_items for team in page.entries})
            found += [_share(team, accounts[team.uid]) for team in page.entries]
            cursor = page.next_cursor
            if cursor is None:
                break
        return _answer(found, cursor)


def _share(team: Team, account: Account) -> _Share:
    return _Share(team, account, ratio(account.remaining * 100, account.allocated))


def _answer(found: list[_Share], next_cursor: str | None) -> Utilization:
    counts = Counter(share.level for share in found)
    at_risk = [share for share in found if share.level in {Level.WARNING, Level.CRITICAL}]
    used = [100 - share.left for share in found if share.left is not None]
    return Utilization(
        total_teams=len(found),
        summary=UtilizationSummary(
            total_allocated=sum((share.account.allocated for share in found), ZERO),
            total_remaining=sum((share.account.remaining for share in found), ZERO),
            total_used=sum((share.account.used for share in found), ZERO),
            avg_utilization=ratio(sum(used, ZERO), Decimal(len(used))) or ZERO,
        ),
        by_status=TeamsByLevel(**{level.value: counts[level] for level in Level}, without_credits=counts[None]),
        teams_needing_attention=[_at_risk(share) for share in sorted(at_risk, key=_least_left)],
        next_cursor=next_cursor,
        truncated=next_cursor is not None,
    )


def _at_risk(share: _Share) -> TeamAtRisk:
    assert share.left is not None
    assert share.level is not None
    return TeamAtRisk(
        team_id=share.team.team_id,
        organization_id=share.team.organization_id,
        credits_remaining=share.account.remaining,
        percentage=share.left,
        status=share.level,
    )


def _least_left(share: _Share) -> tuple[Decimal, str]:
    return share.left or ZERO, share.team.team_id


@cache
def utilization_service() -> UtilizationService:
    return UtilizationService()
