"""The books of an account: what its counter says, against its ledger and the records of its calls (invariant 3)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.support.items import all_items

ZERO = Decimal(0)


@dataclass(frozen=True)
class Books:
    """One account as the table has it."""

    available: Decimal
    allocated: Decimal
    holds: dict[str, Decimal]
    spent_usd: Decimal
    tokens: int
    calls: int
    # Credits that are set apart for open jobs.
    promised: Decimal
    ledger: list[dict[str, Any]]
    records: list[dict[str, Any]]

    @property
    def held(self) -> Decimal:
        return sum(self.holds.values(), self.promised)

    @property
    def charged(self) -> Decimal:
        return sum((record["credits_charged"] for record in self.records), ZERO)

    def explain_balance(self) -> None:
        """Balance = sum of the ledger - credits of plain calls, and every other counter equals its records."""
        ledger = sum((entry["credits_amount"] for entry in self.ledger), ZERO)
        assert self.available + self.held == ledger - self.charged
        assert self.spent_usd == sum((record["cost_usd"] for record in self.records), ZERO)
        assert self.calls == len(self.records)
        assert self.tokens == sum(record["input_tokens"] + record["output_tokens"] for record in self.records)


def books(team_id: str) -> Books:
    """The books of a team's own account."""
    items = all_items()
    uid = next(item["uid"] for item in items if item["kind"] == "team" and item["team_id"] == team_id)
    under = [item for item in items if item["PK"] == f"ACCOUNT#{uid}"]
    hot = [item for item in under if item["SK"].startswith("HOT#")]
    return Books(
        available=sum((item["av"] for item in hot), ZERO),
        allocated=sum((item.get("al", ZERO) for item in hot), ZERO),
        holds={hold_id: hold["a"] for item in hot for hold_id, hold in item["h"].items()},
        spent_usd=sum((item["us"] for item in hot), ZERO),
        tokens=sum(int(item["tk"]) for item in hot),
        calls=sum(int(item["cn"]) for item in hot),
        promised=sum((item.get("jh", ZERO) for item in hot), ZERO),
        ledger=[item for item in under if item["SK"].startswith("TX#")],
        records=[item for item in items if item["kind"] == "call" and item.get("team_id") == team_id],
    )
