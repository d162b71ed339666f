"""Which days are closed, and which were touched after they could be: an item for each day that says so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from tollgate.aws.dynamodb import ConditionFailedError, DynamoDB
from tollgate.core.money import ZERO
from tollgate.table import keys
from tollgate.usage.figures import Image, number

DAY_KIND = "usage_day"
# A call that is counted this long after its day has ended says so, because the day may be closed …
LATE = timedelta(hours=1)
# … which it is only later: the hour between is for slow consumers and for clocks that differ.
CLOSABLE = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class DayState:
    """``touches`` counts late changes, ``closed`` is how many there were when the day was closed; None: never."""

    touches: int = 0
    touched_at: int = 0
    closed: int | None = None

    @property
    def is_closed(self) -> bool:
        return self.closed == self.touches


UNTOUCHED = DayState()


def end_of(day: str) -> datetime:
    """The first moment after a day, ``YYYY-MM-DD``."""
    return datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC) + timedelta(days=1)


def state_of(item: Image) -> DayState:
    closed = int(number(item, "closed")) if "closed" in item else None
    return DayState(int(number(item, "touches")), int(number(item, "touched_at")), closed)


class Days:
    """Reads and writes the items of days."""

    def __init__(self, db: DynamoDB, table_name: str) -> None:
        self._db = db
        self._table = table_name

    async def all(self) -> dict[str, DayState]:
        """Every day that was ever closed or touched late."""
        items = await self._db.query(
            {
                "TableName": self._table,
                "KeyConditionExpression": "PK = :days",
                "ExpressionAttributeValues": {":days": {"S": keys.USAGE_DAYS}},
                "ConsistentRead": True,
            }
        )
        return {item["SK"]["S"]: state_of(item) for item in items}

    async def touch_late(self, days: Iterable[str], now: float) -> None:
        """Opens those of the days that are long over; before their figures change, so that nobody reads a stale sum."""
        moment = datetime.fromtimestamp(now, UTC)
        for day in days:
            if moment > end_of(day) + LATE:
                await self.touch(day, now)

    async def touch(self, day: str, now: float) -> None:
        """Opens a day. Not a part of any transaction, so it conflicts with none."""
        await self._db.call(
            "UpdateItem",
            {
                "TableName": self._table,
                "Key": _key(day),
                "UpdateExpression": "SET kind = :kind, touched_at = :now ADD touches :one",
                "ExpressionAttributeValues": {
                    ":kind": {"S": DAY_KIND},
                    ":now": {"N": str(int(now))},
                    ":one": {"N": "1"},
                },
            },
        )

    async def close(self, day: str, state: DayState) -> bool:
        """Closes a day as it was when its sums were taken; False if somebody touched it meanwhile."""
        unchanged = "touches = :seen" if state.touches else "attribute_not_exists(touches)"
        try:
            await self._db.call(
                "UpdateItem",
                {
                    "TableName": self._table,
                    "Key": _key(day),
                    "UpdateExpression": "SET kind = :kind, closed = :seen",
                    "ConditionExpression": unchanged,
                    "ExpressionAttributeValues": {
                        ":kind": {"S": DAY_KIND},
                        ":seen": {"N": str(state.touches or ZERO)},
                    },
                },
            )
        except ConditionFailedError:
            return False
        return True


def _key(day: str) -> dict[str, dict[str, str]]:
    return {"PK": {"S": keys.USAGE_DAYS}, "SK": {"S": day}}
