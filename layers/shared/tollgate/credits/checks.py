"""Whether a team's calls could be paid: asked before work begins. Knows no HTTP and no storage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache

from tollgate.auth.policy import Action
from tollgate.auth.principal import Principal
from tollgate.core.clock import Clock, utc_now
from tollgate.core.fields import Amount, CreditAmount, RequestModel, ResponseModel
from tollgate.core.money import ZERO
from tollgate.credits import repository
from tollgate.credits.access import payer_of
from tollgate.credits.model import Account, AccountOwner
from tollgate.limits.account import AccountSettings, CreditsSource, LimitMode
from tollgate.limits.model import Ceiling, Unit, counter_name
from tollgate.teams import access as team_access


class CheckCredits(RequestModel):
    credits_required: CreditAmount


class CreditCheck(ResponseModel):
    """``available`` says whether the paying account (``credits_source``, Q-06) carries it beside what calls hold.

    The figures are that account's; null where nobody pays.
    """

    team_id: str
    organization_id: str | None
    available: bool
    credits_required: Amount
    credits_remaining: Amount | None
    credits_reserved: Amount | None
    credits_source: CreditsSource


@dataclass(frozen=True, slots=True)
class CheckService:
    """Looks and holds nothing: a call that comes first may take what was seen."""

    clock: Clock = utc_now

    def check(self, caller: Principal, team_id: str, request: CheckCredits) -> CreditCheck:
        team = team_access.reachable(caller, team_id, Action.CREDITS_READ)
        payer = payer_of(team)
        account = repository.find(payer.uid, payer.counter_items) if payer else None
        carried = True
        if payer is not None and account is not None:
            carried = self._carries(payer, account, request.credits_required)
        return CreditCheck(
            team_id=team_id,
            organization_id=team.organization_id,
            available=carried,
            credits_required=request.credits_required,
            credits_remaining=account.remaining if account else None,
            credits_reserved=account.held if account else None,
            credits_source=team.credits_source,
        )

    def _carries(self, payer: AccountOwner, account: Account, required: Decimal) -> bool:
        settings, now = payer.settings, self.clock()
        if settings.limit_mode is LimitMode.UNLIMITED:
            return True
        if settings.limit_mode is LimitMode.HARD and account.available < required:
            return False
        if settings.suspended(account.available, now):
            return False
        return settings.credit_limit is None or _counted(payer, settings, now) + required <= settings.credit_limit


def _counted(payer: AccountOwner, settings: AccountSettings, now: datetime) -> Decimal:
    """Credits used and held in the period of the account's ceiling."""
    duration = settings.refill_period.duration if settings.refill_period else None
    ceiling = Ceiling("credit_limit", Unit.CREDITS, ZERO, duration)
    return repository.counted(payer.uid, payer.counter_items, counter_name(ceiling.code, now.timestamp()))


@cache
def check_service() -> CheckService:
    return CheckService()
