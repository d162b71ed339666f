"""Setting what all keys and teams have spent to nothing (contract litellm 1.9, Q-45), for the master key only."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import islice

from tollgate.auth.policy import Action, authorize
from tollgate.auth.principal import Principal
from tollgate.core.errors import NotFoundError, RetryLaterError
from tollgate.core.money import ZERO
from tollgate.keys import repository as virtual_keys
from tollgate.litellm.api import not_allowed
from tollgate.litellm.fields import DialectRow
from tollgate.teams import repository as teams
from tollgate.tenants import spending
from tollgate.tenants.budgets import AdjustSpend, budget_service
from tollgate.tenants.spending import Spender

ROUTE = "/global/spend/reset"
# The gateway waits 29 s.
_SECONDS = 20
_AT_ONCE = 100


class SpendReset(DialectRow):
    message: str = "Spend for all API Keys and Teams reset successfully"
    status: str = "success"


def reset(caller: Principal) -> SpendReset:
    """An adjustment to 0 of every key's and team's current window that has a budget and was spent from.

    Usage and ledger stay. Each is a transaction of its own, and what is 0 is passed over: whoever is told to ask again,
    or was cut off, goes on where that ended. Raises RetryLaterError when time is up.
    """
    if not _is_master(caller):
        raise not_allowed(caller, ROUTE)
    authorize(caller, Action.BUDGET_RESET)
    service, deadline = budget_service(), time.monotonic() + _SECONDS
    for spender in _spent(_spenders()):
        if time.monotonic() > deadline:
            raise RetryLaterError("Not all spend is reset yet; send it again", retry_after=1)
        try:
            service.adjust(caller, spender.scope, spender.owner.scope_id, AdjustSpend(spend=ZERO, reason=ROUTE))
        except NotFoundError:
            # Deleted since it was listed.
            continue
    return SpendReset()


def _is_master(caller: Principal) -> bool:
    """Whether he comes with the master key itself."""
    return caller.platform_role is not None and not (caller.key_id or caller.user_id or caller.session_id)


def _spenders() -> Iterator[Spender]:
    yield from map(spending.key_spender, virtual_keys.links(everywhere=True).all())
    yield from map(spending.team_spender, (team for team in teams.every() if not team.deleting))


def _spent(found: Iterable[Spender]) -> Iterator[Spender]:
    """Those whose budget counts something."""
    wanted = iter(found)
    while batch := list(islice(wanted, _AT_ONCE)):
        limited = [spender for spender in batch if spender.effective.max_budget is not None]
        spends = spending.of_all(limited, budget_service().clock()) if limited else []
        yield from (spender for spender, spend in zip(limited, spends, strict=True) if spend.spend > ZERO)
