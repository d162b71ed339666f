"""What a scope has counted, as its counter items have it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.support.items import all_items


@dataclass(frozen=True)
class Counted:
    """Settled figures, the counters of windows by name, and the holds."""

    spent_usd: Decimal
    tokens: int
    calls: int
    windows: dict[str, Decimal]
    holds: dict[str, Any]


def counters(scope: str, scope_id: str) -> Counted:
    """The counters of a scope, over all its shards."""
    items = [item for item in all_items() if item["SK"].startswith("HOT#") and _is(item, scope, scope_id)]
    windows: dict[str, Decimal] = {}
    for item in items:
        for name, value in item.items():
            if "@" in name:
                windows[name] = windows.get(name, Decimal(0)) + value
    return Counted(
        sum((item["us"] for item in items), Decimal(0)),
        sum(int(item["tk"]) for item in items),
        sum(int(item["cn"]) for item in items),
        windows,
        {hold_id: hold for item in items for hold_id, hold in item["h"].items()},
    )


def _is(item: dict[str, Any], scope: str, scope_id: str) -> bool:
    """The accounts of teams, which are made with them, are told by their team."""
    if "scope" in item:
        return bool((item["scope"], item["scope_id"]) == (scope, scope_id))
    return scope == "team" and item.get("team_id") == scope_id
