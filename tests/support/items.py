"""A look into the table, past the code under test."""

from __future__ import annotations

from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from tests.support.environment import put_raw, raw_items

_plain = TypeDeserializer()


def all_items() -> list[dict[str, Any]]:
    """Every item of the table, as plain Python values."""
    return [{name: _plain.deserialize(value) for name, value in item.items()} for item in raw_items()]


def organization_counts() -> tuple[int, int, int]:
    """The organization's stored counters: teams, active teams, credits allocated."""
    (item,) = [item for item in all_items() if item["kind"] == "organization"]
    return item["team_count"], item["active_team_count"], item["total_credits_allocated"]


def group_links() -> set[tuple[str, str]]:
    """Access group and team of every stored link."""
    return {(item["PK"], item["team_id"]) for item in all_items() if item["kind"] == "group_link"}


def partition(pk: str) -> list[dict[str, Any]]:
    """The items of one partition, by sort key."""
    return sorted((item for item in all_items() if item["PK"] == pk), key=lambda item: item["SK"])


def audit_events() -> list[dict[str, Any]]:
    """Every audit event, oldest first."""
    return sorted((item for item in all_items() if item["kind"] == "audit_event"), key=lambda item: item["SK"])


__all__ = [
    "all_items",
    "audit_events",
    "group_links",
    "organization_counts",
    "partition",
    "put_raw",
    "raw_items",
]
