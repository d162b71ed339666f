"""Attributes of raw items, absent ones as None."""

from __future__ import annotations

from decimal import Decimal

from tollgate.aws.dynamodb import Item


def text(item: Item | None, name: str) -> str | None:
    return item[name]["S"] if item is not None and name in item else None


def decimal(item: Item | None, name: str) -> Decimal | None:
    return Decimal(item[name]["N"]) if item is not None and name in item else None


def flag(item: Item | None, name: str) -> bool:
    return bool(item is not None and item.get(name, {}).get("BOOL"))


def texts(item: Item | None, name: str) -> tuple[str, ...]:
    return tuple(entry["S"] for entry in item[name]["L"]) if item is not None and name in item else ()
