"""Escrow: a hot account's limits divided among its shards, and moved between them when one of them runs short.

Each shard of an account is a counter item of its own and admits calls by its own part alone: of credits by its ``av``,
of a counter by its share of the limit, of parallel calls by ``px``. One transaction divides what is left anew
(decision 18). It adds to what stands there and is conditional on what each shard has left for it, so it may meet other
calls' writes and may be sent any number of times: sums never change, and no shard passes its part.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from tollgate.aws.dynamodb import DynamoDB, Item, TransactionCancelledError
from tollgate.core.money import ZERO
from tollgate.metering.counters import PARALLEL_MARK, number, number_in, parallel_mark
from tollgate.metering.model import Counter, Hold
from tollgate.metering.parts import CENT, WHOLE, is_plenty, share_of, spread, step_of


class Escrow:
    """Finds the shard that carries a call, or makes one."""

    def __init__(self, db: DynamoDB, table_name: str) -> None:
        self._db = db
        self._table = table_name

    async def room(self, hold: Hold, items: Sequence[Item]) -> int | None:
        """The shard that should carry ``hold`` now, where all shards together can; None if somebody was quicker.

        ``items`` are all shards at one moment.
        """
        ready = [shard for shard in range(hold.meter.shards) if _carries(hold, shard, items[shard])]
        if hold.shard in ready:
            return hold.shard
        division = Division(hold, items)
        # Where there is much left, a shard without any would send all its calls to the others.
        if (division.plenty or not ready) and await self._write(division.writes(self._table)):
            return hold.shard
        return random.choice(ready) if ready else None  # noqa: S311

    async def _write(self, writes: list[dict[str, Any]]) -> bool:
        try:
            await self._db.call("TransactWriteItems", {"TransactItems": [{"Update": write} for write in writes]})
        except TransactionCancelledError:
            return False
        return True


def _carries(hold: Hold, shard: int, item: Item) -> bool:
    """Whether the shard alone would admit the hold: what a reservation is conditional on."""
    there = Hold(hold.meter, shard, hold.amount, hold.counters)
    marks = item["z"]["M"]
    for counter in hold.counters:
        if marks.get(counter.name) != {"S": there.mark(counter)}:
            return False
        if number_in(item, counter.name) + hold.amount.of(counter.ceiling.unit) > there.share(counter):
            return False
    if hold.meter.limits.max_parallel_requests is not None:
        divided = marks.get(PARALLEL_MARK) == {"S": parallel_mark(hold)}
        if not divided or len(item["h"]["M"]) >= number_in(item, "px"):
            return False
    return _pays(hold, number_in(item, "av"))


def _pays(hold: Hold, available: Decimal) -> bool:
    account = hold.meter.account
    if account is None or not (account.hard or account.floored):
        return True
    return available >= hold.amount.credits if account.hard else available > ZERO


class Division:
    """A new division of everything that limits a call, so that ``hold.shard`` carries it.

    Shards from ``meter.shards`` on are left over from a time when there were more: they get nothing, and give all.
    """

    def __init__(self, hold: Hold, items: Sequence[Item]) -> None:
        self._hold = hold
        self._items = items
        self._shards = hold.meter.shards
        self.plenty = True
        self._updates = [_Update(hold, item, len(items)) for item in items]
        for index, counter in enumerate(hold.counters):
            self._divide_counter(index, counter)
        self._divide_credits()
        self._divide_parallel()

    def writes(self, table_name: str) -> list[dict[str, Any]]:
        """The transaction's updates; shards where nothing changes are not among them."""
        return [update.payload(table_name) for update in self._updates if update.needed]

    def _spread(self, free: Decimal, need: Decimal, step: Decimal) -> list[Decimal]:
        self.plenty &= is_plenty(free, need, self._shards)
        parts = spread(free, need, self._shards, self._hold.shard, step)
        return parts + [ZERO] * (len(self._items) - self._shards)

    def _divide_counter(self, index: int, counter: Counter) -> None:
        unit = counter.ceiling.unit
        counted = [number_in(item, counter.name) for item in self._items]
        free = self._spread(counter.size - sum(counted, ZERO), self._hold.amount.of(unit), step_of(unit))
        for shard, update in enumerate(self._updates):
            share = share_of(counter.size, self._shards, shard, step_of(unit))
            update.count(index, counter, share - free[shard] - counted[shard], most=counted[shard] + free[shard])

    def _divide_credits(self) -> None:
        account = self._hold.meter.account
        if account is None or not (account.hard or account.floored):
            return
        available = [number_in(item, "av") for item in self._items]
        free = sum(available, ZERO)
        parts = self._spread(free, min(free, self._hold.amount.credits), CENT)
        for update, part, now in zip(self._updates, parts, available, strict=True):
            update.credit(part - now)

    def _divide_parallel(self) -> None:
        limit = self._hold.meter.limits.max_parallel_requests
        if limit is None:
            return
        running = [len(item["h"]["M"]) for item in self._items]
        free = self._spread(Decimal(limit - sum(running)), WHOLE, WHOLE)
        for update, part, now in zip(self._updates, free, running, strict=True):
            update.parallel(now + part)


class _Update:
    """What one shard's item becomes."""

    def __init__(self, hold: Hold, item: Item, items: int) -> None:
        self._hold = hold
        self._item = item
        self._names: dict[str, str] = {}
        self._values: dict[str, Any] = {":sn": number(items)}
        self._changes: list[str] = []
        # Whoever does not know of all shards may not divide.
        self._conditions = ["sn = :sn"]
        self.needed = False

    def count(self, index: int, counter: Counter, change: Decimal, *, most: Decimal) -> None:
        """Moves a counter by ``change``, unless it has passed ``most`` meanwhile."""
        name, by, limit = f"#c{index}", f":c{index}", f":m{index}"
        self._names[name] = counter.name
        self._values |= {by: number(change), limit: number(most), ":zero": {"N": "0"}}
        self._changes.append(f"{name} = if_not_exists({name}, :zero) + {by}")
        absent = f"attribute_not_exists({name}) OR " if most >= ZERO else ""
        self._conditions.append(f"({absent}{name} <= {limit})")
        self._mark(name, counter.name, f":z{index}", self._hold.mark(counter))
        self.needed |= bool(change)

    def credit(self, change: Decimal) -> None:
        self._values[":av"] = number(change)
        self._changes.append("av = av + :av")
        if change < ZERO:
            self._values[":gives"] = number(-change)
            self._conditions.append("av >= :gives")
        self.needed |= bool(change)

    def parallel(self, most: Decimal) -> None:
        """How many calls may be in flight here; those that are stay."""
        self._values[":px"] = number(most)
        self._changes.append("px = :px")
        self._conditions.append("size(h) <= :px")
        if "px" in self._item:
            self._values[":was"] = self._item["px"]
            self._conditions.append("px = :was")
        else:
            self._conditions.append("attribute_not_exists(px)")
        self._names["#p"] = PARALLEL_MARK
        self._mark("#p", PARALLEL_MARK, ":p", parallel_mark(self._hold))
        self.needed |= self._item.get("px") != number(most)

    def _mark(self, name: str, key: str, placeholder: str, mark: str) -> None:
        """Says for what it is divided now, unless somebody has divided it for something else meanwhile."""
        found = self._item["z"]["M"].get(key)
        self._values[placeholder] = {"S": mark}
        self._changes.append(f"z.{name} = {placeholder}")
        if found is None:
            self._conditions.append(f"attribute_not_exists(z.{name})")
        else:
            self._values[f"{placeholder}o"] = found
            self._conditions.append(f"z.{name} = {placeholder}o")
        self.needed |= found != {"S": mark}

    def payload(self, table_name: str) -> dict[str, Any]:
        payload: dict[str, Any] = {
            "TableName": table_name,
            "Key": {"PK": self._item["PK"], "SK": self._item["SK"]},
            "UpdateExpression": "SET " + ", ".join(self._changes),
            "ConditionExpression": " AND ".join(self._conditions),
            "ExpressionAttributeValues": self._values,
        }
        if self._names:
            payload["ExpressionAttributeNames"] = self._names
        return payload
