"""From tokens and prices to USD and credits. Exact; every step rounds up to the quantum (design section 3)."""

from __future__ import annotations

from decimal import Decimal

from tollgate.core.money import ZERO, quantise
from tollgate.metering.model import Account, Charge

_HUNDRED = Decimal(100)


def client_cost(provider_cost: Decimal, account: Account | None) -> Decimal:
    """``provider cost × (1 + markup / 100)`` (Q-19)."""
    if account is None or not account.markup:
        return provider_cost
    return quantise(provider_cost * (1 + account.markup / _HUNDRED))


def credits_of(cost_usd: Decimal, tokens: int, account: Account | None) -> Decimal:
    """What a plain call costs the account: exact, without minimum or rounding to whole credits (design section 3)."""
    if account is None:
        return ZERO
    match account.budget_mode:
        case "consumption_usd":
            return quantise(cost_usd * account.credits_per_dollar)
        case "consumption_tokens":
            return quantise(Decimal(tokens) / account.tokens_per_credit)
        case _:
            return cost_usd


def charge(provider_cost: Decimal, tokens: int, account: Account | None) -> Charge:
    """Everything that a call of that provider cost and that many tokens is charged."""
    cost = client_cost(provider_cost, account)
    return Charge(provider_cost, cost, credits_of(cost, tokens, account))
