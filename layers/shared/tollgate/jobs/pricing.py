"""How many credits a job costs (contract 3.2, D-8). Pure arithmetic: the money path promises by it, closing charges."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

# What a job costs at least, and in ``job_based`` always.
MINIMUM_CREDITS = Decimal(1)


def credits_of_job(
    budget_mode: str, cost_usd: Decimal, tokens: int, credits_per_dollar: Decimal, tokens_per_credit: int
) -> Decimal:
    """Whole credits for a job whose calls cost ``cost_usd`` and took ``tokens``; at least one, fractions count as one.

    Exact: 0.07 USD at 100 credits a dollar are 7 credits, 10,001 tokens at 10,000 a credit are 2.
    """
    match budget_mode:
        case "consumption_usd":
            raw = cost_usd * credits_per_dollar
        case "consumption_tokens":
            raw = Decimal(tokens) / tokens_per_credit
        case _:
            return MINIMUM_CREDITS
    return max(MINIMUM_CREDITS, raw.to_integral_value(ROUND_CEILING))
