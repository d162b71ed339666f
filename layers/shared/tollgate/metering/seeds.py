"""Counters that have to begin with something: the first call that a scope's limits count, and budgets set midway.

A scope without limits costs nothing, so nothing is counted for it. When it gets a budget, the window that is already
running starts from what its rollups know (at most some seconds late), and from the counter of a window that the new one
replaces, with the calls in flight that stand in it: changing a duration never loses what was counted.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from tollgate.aws.dynamodb import ConditionFailedError, DynamoDB, Item, TransactionCancelledError
from tollgate.core.errors import StoreUnavailableError
from tollgate.core.ids import time_of_hold
from tollgate.core.money import ZERO
from tollgate.limits.model import Ceiling, Scope, counter_name, counts, is_counter, needs_seed, window_of
from tollgate.limits.windows import Window
from tollgate.metering.counters import Counters, amount_of, codes_of, merged, number, number_in
from tollgate.metering.model import Counter, Hold, Meter
from tollgate.metering.parts import share_of, step_of
from tollgate.table import keys
from tollgate.usage.layout import spend_queries, sum_spend

_ATTEMPTS = 6
_DAY = 86_400
# What the windows before left over; more than a process ever needs at a time.
_MOST_REMEMBERED = 10_000
_PAYERS = {Scope.TEAM, Scope.ORGANIZATION}


class Seeds:
    """Makes counter items, and the counters in them that may not begin at zero."""

    def __init__(self, db: DynamoDB, table_name: str, counters: Counters) -> None:
        self._db = db
        self._table = table_name
        self._counters = counters
        self._left: dict[tuple[str, str], Decimal] = {}

    async def plant(self, hold: Hold, items: Sequence[Item | None], moment: float) -> None:
        """Makes what a reservation of ``hold`` found missing in ``items``. Any number may do so at once."""
        for shard, item in enumerate(items):
            if item is None:
                await self._make(hold.meter, shard)
        whole = merged(items)
        for counter in hold.counters:
            if needs_seed(counter.name) and (whole is None or counter.name not in whole):
                await self._seed(hold, counter, moment)

    async def left_over(self, meter: Meter, ceiling: Ceiling, moment: float) -> Decimal:
        """What the window before the present one left of a budget, to be added once (Q-51)."""
        window = ceiling.window(moment)
        before = window.start - 1
        if window.end is None or before < max(ceiling.since or 0, meter.since):
            return ZERO
        name = counter_name(ceiling.code, before)
        known = self._left.get((meter.uid, name))
        if known is not None:
            return max(ZERO, ceiling.size - known)
        item = merged(await self._read(meter))
        spent = number_in(item, name) if item is not None else ZERO
        if item is None or not _counted_in(item, name):
            if len(self._left) >= _MOST_REMEMBERED:
                self._left.clear()
            self._left[meter.uid, name] = spent
        return max(ZERO, ceiling.size - spent)

    async def _read(self, meter: Meter) -> list[Item | None]:
        for attempt in range(_ATTEMPTS):
            await asyncio.sleep(random.uniform(0, 0.01 * attempt))  # noqa: S311
            items = await self._counters.read(meter.uid, meter.items)
            if items is not None:
                return items
        raise StoreUnavailableError("The data store is busy; try again")

    async def _make(self, meter: Meter, shard: int) -> None:
        item: Item = {
            "PK": {"S": keys.account(meter.uid)},
            "SK": {"S": keys.counter(shard)},
            "kind": {"S": "account" if meter.scope in _PAYERS else "counter"},
            "scope": {"S": meter.scope.value},
            "scope_id": {"S": meter.scope_id},
            **{name: {"S": value} for name, value in meter.identity.items()},
            "h": {"M": {}},
            **_zeros("us", "tk", "cn"),
        }
        if meter.scope in _PAYERS:
            item |= _zeros("av", "al", "sq") if shard == 0 else _zeros("av")
        if meter.is_sharded:
            item |= {"z": {"M": {}}, "sn": number(meter.items)}
        try:
            await self._db.call(
                "PutItem",
                {"TableName": self._table, "Item": item, "ConditionExpression": "attribute_not_exists(PK)"},
            )
        except ConditionFailedError:
            return

    async def _seed(self, hold: Hold, counter: Counter, moment: float) -> None:
        """Sets a counter to what was spent in its window before it existed, calls in flight included."""
        for _ in range(_ATTEMPTS):
            items = await self._read(hold.meter)
            whole = merged(items)
            if whole is None or None in items or counter.name in whole:
                return
            replaced = _replaced(whole, counter, moment)
            spent = await self._spent(hold, counter, moment, whole, replaced)
            if await self._begin(hold.meter, _Beginning(counter, spent, whole, replaced, moment), items):
                return
        raise StoreUnavailableError("The limits of this call change too fast; try again")

    async def _spent(self, hold: Hold, counter: Counter, moment: float, item: Item, replaced: str | None) -> Decimal:
        """By the rollups up to where a counter that is replaced takes over, and by that one from there on."""
        window = counter.ceiling.window(moment)
        if replaced is None:
            return await self._rolled_up(hold, counter, window, moment)
        begun = max(window.start, window_of(replaced).start)
        counted = number_in(item, replaced) - _held(item, counter, _counted_in(item, replaced))
        if window_of(replaced).start < window.start:
            # It counted a longer time than the new window lasts: only the rollups know which part lies in it.
            return min(counted, await self._rolled_up(hold, counter, window, moment))
        return counted + await self._rolled_up(hold, counter, Window(window.start, begun), moment)

    async def _rolled_up(self, hold: Hold, counter: Counter, window: Window, moment: float) -> Decimal:
        """What the rollups, which count by the day, know of a time; nothing of one that begins within a day."""
        end = min(moment if window.end is None else window.end, moment + 1)
        if window.start % _DAY or end <= window.start:
            return ZERO
        meter = hold.meter
        queries = spend_queries(
            self._table, meter.scope, meter.usage_id, _day(window.start), _day(int(end) - 1), meter.usage_within
        )
        found = await asyncio.gather(*(self._db.query(query) for query in queries))
        return sum_spend([item for items in found for item in items], counter.ceiling.model)

    async def _begin(self, meter: Meter, beginning: _Beginning, items: Sequence[Item | None]) -> bool:
        """Writes the counter unless something changed meanwhile: divided among all shards, or into none."""
        step = step_of(beginning.counter.ceiling.unit)
        writes = [
            {
                "Update": {
                    "TableName": self._table,
                    **beginning.write(item, share_of(beginning.size, meter.shards, shard, step)),
                }
            }
            for shard, item in enumerate(items)
            if item is not None
        ]
        try:
            await self._db.call("TransactWriteItems", {"TransactItems": writes})
        except TransactionCancelledError:
            return False
        return True


class _Beginning:
    """A counter as it begins, with the calls in flight that stand in it; ``whole`` is what all shards say together."""

    def __init__(self, counter: Counter, spent: Decimal, whole: Item, replaced: str | None, moment: float) -> None:
        self.counter = counter
        self._replaced = replaced
        self._taken = _taken_along(whole, counter, replaced, moment)
        self.size = spent + _held(whole, counter, self._taken)

    def write(self, item: Item, part: Decimal) -> dict[str, Any]:
        """The update of one shard's item; its calls in flight are told that they stand in the counter."""
        names = {"#new": self.counter.name}
        values: dict[str, Any] = {":seed": number(part)}
        changes = ["#new = :seed"]
        conditions = ["attribute_not_exists(#new)"]
        if self._replaced and self._replaced in item:
            names["#old"] = self._replaced
            values[":old"] = item[self._replaced]
            conditions.append("#old = :old")
        here = [hold_id for hold_id in self._taken if hold_id in item["h"]["M"]]
        for index, hold_id in enumerate(here):
            codes = codes_of(item["h"]["M"][hold_id]["M"])
            names[f"#h{index}"] = hold_id
            values[f":w{index}"] = {"S": " ".join([*codes, self.counter.code])}
            changes.append(f"h.#h{index}.w = :w{index}")
            if codes:
                values[f":v{index}"] = {"S": " ".join(codes)}
                conditions.append(f"h.#h{index}.w = :v{index}")
            else:
                conditions.append(f"attribute_exists(h.#h{index}) AND attribute_not_exists(h.#h{index}.w)")
        return {
            "Key": {"PK": item["PK"], "SK": item["SK"]},
            "UpdateExpression": "SET " + ", ".join(changes),
            "ConditionExpression": " AND ".join(conditions),
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }


def _replaced(item: Item, counter: Counter, moment: float) -> str | None:
    """The counter that counted the same thing until now, in another window; the one that began last if several."""
    mine = (counter.ceiling.unit, counter.ceiling.model)
    running = [
        name
        for name in item
        if is_counter(name) and name != counter.name and counts(name) == mine and _runs(name, moment)
    ]
    return max(running, key=lambda name: (_since(name), window_of(name).start), default=None)


def _runs(name: str, moment: float) -> bool:
    window = window_of(name)
    return window.start <= moment and (window.end is None or moment < window.end)


def _since(name: str) -> int:
    """When the counter's limit was set; the latest is the one that calls are counted in."""
    return int(name.partition(":")[0].partition("~")[2] or 0)


def _counted_in(item: Item, name: str) -> list[str]:
    """The calls in flight that stand in a counter."""
    return [
        hold_id
        for hold_id, hold in item["h"]["M"].items()
        if any(counter_name(code, time_of_hold(hold_id)) == name for code in codes_of(hold["M"]))
    ]


def _taken_along(item: Item, counter: Counter, replaced: str | None, moment: float) -> list[str]:
    """The calls in flight that the new counter counts: all of its window, or where only a model counts, its calls."""
    if counter.ceiling.model is not None:
        return _counted_in(item, replaced) if replaced else []
    start = counter.ceiling.window(moment).start
    return [hold_id for hold_id in item["h"]["M"] if time_of_hold(hold_id) >= start]


def _held(item: Item, counter: Counter, hold_ids: list[str]) -> Decimal:
    unit = counter.ceiling.unit
    return sum((amount_of(item["h"]["M"][hold_id]["M"]).of(unit) for hold_id in hold_ids), ZERO)


def _zeros(*names: str) -> Item:
    return {name: {"N": "0"} for name in names}


def _day(moment: int) -> date:
    return datetime.fromtimestamp(moment, UTC).date()
