"""A look into the table, past the code under test."""

from __future__ import annotations

from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from tests.support.environment import put_raw, raw_items
from tollgate.table import keys

_plain = TypeDeserializer()


def all_items() -> list[dict[str, Any]]:
    """Every item of the table, as plain Python values."""
    return [{name: _plain.deserialize(value) for name, value in item.items()} for item in raw_items()]


def kinds_left() -> set[str]:
    """The kinds of all items, without the copies of what was deleted, and without the totals of lists whose owner is
    there: the platform, or who is not deleted.
    """
    found = all_items()
    owners = {item["uid"] for item in found if item["kind"] in {"organization", "team"}} | {keys.NO_ORGANIZATION}
    platform = {keys.total(name) for name in (keys.KEYS, keys.REVOKED_KEYS, keys.TEAMS, keys.USERS)}

    def is_kept(item: dict[str, Any]) -> bool:
        own = item["PK"] in platform or any(uid in item["PK"] for uid in owners)
        is_copy = item["PK"].startswith(keys.deletion("")) and item["SK"] in {keys.ARCHIVE, keys.METADATA}
        return is_copy or (item["kind"] == "total" and own)

    return {item["kind"] for item in found if not is_kept(item)}


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
