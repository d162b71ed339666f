"""Reserving: what a call can take at most is held in every counter item that it is counted in, or in none.

The writes go out side by side. If one is refused, the others are released before the answer. Where the limits can carry
less than was asked for, the affordable part of the output is held (Q-14).
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from decimal import Decimal
from typing import Any

from tollgate.aws.dynamodb import Item, UncertainWriteError
from tollgate.core import ids
from tollgate.core.errors import StoreUnavailableError, TollgateError
from tollgate.limits.model import Ceiling, counter_name, needs_seed
from tollgate.metering.bound import Bound
from tollgate.metering.counters import Counters, Refused, share_of
from tollgate.metering.model import Amount, Call, Counter, Hold, Meter
from tollgate.metering.records import Records
from tollgate.metering.seeds import Seeds
from tollgate.metering.shortages import Shortage, shortages
from tollgate.telemetry import Event, logger

# Reservations tried while others change the balance between reading and reserving, or while nobody knows their fate.
_ATTEMPTS = 4
# Counters that have to be made first, by the first calls after a limit was set, come on top.
_SEEDINGS = 3

_NOTHING: Item = {"h": {"M": {}}}

_Refusals = list[tuple[Hold, Item | None]]


class Reservations:
    """The only thing that reserves."""

    def __init__(self, counters: Counters, records: Records, seeds: Seeds) -> None:
        self._counters = counters
        self._records = records
        self._seeds = seeds

    async def hold(self, call: Call, bound: Bound) -> None:
        """Holds the bound of ``call``, or as much of its output as its limits carry; raises the first refusal."""
        output = bound.bounds.output
        attempts = seedings = 0
        while True:
            holds = await self._holds(call, bound.amount(output))
            refused = await self._take(call, holds)
            if not refused:
                call.holds = holds
                call.reserved = bound.amount(output)
                call.max_output_tokens = output
                call.shortened = output < bound.bounds.output
                return
            unmade = [(hold, item) for hold, item in refused if _is_unmade(hold, item)]
            if unmade and seedings < _SEEDINGS:
                seedings += 1
                await asyncio.gather(*(self._seeds.plant(hold, item, call.started_at) for hold, item in unmade))
                continue
            attempts += 1
            found = [short for hold, item in refused for short in shortages(hold, item, call.started_at)]
            if attempts == _ATTEMPTS:
                raise _first(found, bound) if found else StoreUnavailableError("The data store is busy; try again")
            if found:
                output = _affordable(found, bound)

    async def release(self, call: Call) -> None:
        """Gives everything back that the call holds."""
        await self._release(call, call.holds)

    async def _holds(self, call: Call, amount: Amount) -> list[Hold]:
        return [await self._hold_in(meter, call, amount) for meter in call.entitlement.meters]

    async def _hold_in(self, meter: Meter, call: Call, amount: Amount) -> Hold:
        shard = 0
        moment = call.started_at
        counters = []
        for ceiling in meter.ceilings(call.requested_model, moment):
            size = ceiling.size
            if ceiling.carries:
                size += await self._left_over(meter, ceiling, moment)
            name = counter_name(ceiling.code, moment)
            counters.append(Counter(ceiling, ceiling.code, name, share_of(size, meter.shards, shard)))
        return Hold(meter, shard, amount, tuple(counters), of=len(call.entitlement.meters))

    async def _left_over(self, meter: Meter, ceiling: Ceiling, moment: float) -> Decimal:
        return await self._seeds.left_over(meter, ceiling, moment)

    async def _take(self, call: Call, holds: Sequence[Hold]) -> _Refusals:
        """What refused, with the counter items as they stood; whatever did not is released again then."""
        if any(_is_beyond(hold) for hold in holds):
            # Nothing is written; the others are looked at all the same, because the contract may ask for them first.
            return [(hold, await self._counters.read(hold.meter.uid, hold.shard) or _NOTHING) for hold in holds]
        for attempt in range(_ATTEMPTS):
            try:
                return await self._write(call, holds)
            except UncertainWriteError:
                await self._withdraw(call, holds)
                if attempt == _ATTEMPTS - 1:
                    raise
                call.call_id = ids.new_call_id(int(call.started_at * 1000))
                call.hold_id = ids.hold_id_of(call.call_id)
        raise AssertionError

    async def _write(self, call: Call, holds: Sequence[Hold]) -> _Refusals:
        outcomes = await _side_by_side(
            [self._counters.reserve(hold, call.hold_id, call.started_at, call.expires_at) for hold in holds]
        )
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        for failure in failures:
            if isinstance(failure, UncertainWriteError):
                raise failure
        refused = [
            (hold, outcome.item) for hold, outcome in zip(holds, outcomes, strict=True) if isinstance(outcome, Refused)
        ]
        if refused or failures:
            await self._release(call, [hold for hold, outcome in zip(holds, outcomes, strict=True) if outcome is None])
        if failures:
            raise failures[0]
        return refused

    async def _release(self, call: Call, holds: Sequence[Hold]) -> None:
        """If a release fails, the sweeper does it: the void record tells it that there was no call."""
        outcomes = await _side_by_side([self._counters.release(hold, call.hold_id, call.started_at) for hold in holds])
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                await self._withdraw(call, ())
                raise outcome

    async def _withdraw(self, call: Call, holds: Sequence[Hold]) -> None:
        """Makes a reservation of unknown fate worth nothing, whether it took effect, or did not, or still will."""
        try:
            await self._records.void(call.hold_id)
            await asyncio.gather(*(self._counters.release(hold, call.hold_id, call.started_at) for hold in holds))
        except StoreUnavailableError as error:
            # If a hold stands, the sweeper will find it.
            reason = str(error.__cause__ or error)
            logger.error(Event.RELEASE_FAILED, extra={"hold_id": call.hold_id, "reason": reason})
            raise


async def _side_by_side(work: list[Coroutine[Any, Any, Any]]) -> list[Any]:
    """What each returned or raised. One alone, the usual case, needs no task."""
    if len(work) == 1:
        try:
            return [await work[0]]
        except TollgateError as error:
            return [error]
    return await asyncio.gather(*work, return_exceptions=True)


def _is_beyond(hold: Hold) -> bool:
    """Whether a limit is smaller than the amount itself: nothing has to be written to know that."""
    return any(hold.amount.of(counter.ceiling.unit) > counter.size for counter in hold.counters)


def _is_unmade(hold: Hold, item: Item | None) -> bool:
    """Whether a counter has to be made before anything can be said about it."""
    if item is None:
        return True
    return any(needs_seed(counter.name) and counter.name not in item for counter in hold.counters)


def _first(found: list[Shortage], bound: Bound) -> TollgateError:
    return min(found, key=lambda short: short.rank).refusal(bound.amount(bound.least))


def _affordable(found: list[Shortage], bound: Bound) -> int:
    """The most output tokens that all of them carry now. Raises the first refusal if that is not even the least."""
    least = bound.amount(bound.least)
    hopeless = [short for short in found if not short.carries(least)]
    if hopeless:
        raise _first(hopeless, bound)
    return max(bound.least, min(short.affordable(bound) for short in found))
