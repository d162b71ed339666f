"""Reserving: what a call can take at most is held in every counter item that it is counted in, or in none.

The writes go out side by side. If one is refused, the others are released before the answer. Where the limits can carry
less than was asked for, the affordable part of the output is held (Q-14). Of a hot account one shard is asked, chosen
by chance; what it lacks is looked for in the others before anything is refused (decision 18).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tollgate.aws.dynamodb import Item, UncertainWriteError
from tollgate.core import ids
from tollgate.core.errors import ReservedError, StoreUnavailableError, TollgateError
from tollgate.limits.model import counter_name, needs_seed
from tollgate.metering.bound import Bound
from tollgate.metering.counters import Counters, Refused, merged
from tollgate.metering.escrow import Escrow
from tollgate.metering.jobs import seen
from tollgate.metering.model import Amount, Call, Counter, Hold, Meter
from tollgate.metering.records import Records
from tollgate.metering.seeds import Seeds
from tollgate.metering.shortages import Shortage, shortages
from tollgate.telemetry import Event, logger

# Reservations tried while others change the balance between reading and reserving, or while nobody knows their fate.
_ATTEMPTS = 4
# Counters that have to be made first, by the first calls after a limit was set, come on top.
_SEEDINGS = 3
# And so do calls of one job that reckon at the same moment what has to be set apart for it.
_RIVALS = 40
# And so do new divisions of a hot account, for which calls compete when little is left.
_DIVISIONS = 12
_PAUSE_SECONDS = 0.005

_NOTHING: Item = {"h": {"M": {}}}


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A hold that was refused, and the counter items of its scope as they stood: one for each shard."""

    hold: Hold
    items: Sequence[Item | None]

    @property
    def whole(self) -> Item:
        return merged(self.items) or _NOTHING

    @property
    def is_unmade(self) -> bool:
        """Whether an item or a counter has to be made before anything can be said about it."""
        whole = self.whole
        return None in self.items or any(
            needs_seed(counter.name) and counter.name not in whole for counter in self.hold.counters
        )


class Reservations:
    """The only thing that reserves."""

    def __init__(self, counters: Counters, records: Records, seeds: Seeds, escrow: Escrow) -> None:
        self._counters = counters
        self._records = records
        self._seeds = seeds
        self._escrow = escrow

    async def hold(self, call: Call, bound: Bound) -> None:
        """Holds the bound of ``call``, or as much of its output as its limits carry; raises the first refusal."""
        output = bound.bounds.output
        attempts = seedings = divisions = rivals = 0
        shards = _Shards(call.meters)
        while True:
            holds = [await self._hold_in(meter, shard, call, bound.amount(output)) for meter, shard in shards]
            refused = await self._take(call, holds)
            if not refused:
                call.holds = holds
                call.reserved = bound.amount(output)
                call.max_output_tokens = output
                call.shortened = output < bound.bounds.output
                return
            if _overtaken(call, refused) and rivals < _RIVALS:
                rivals += 1
                bound = replace(bound, job=call.job)
                await asyncio.sleep(random.uniform(0, _PAUSE_SECONDS * rivals))  # noqa: S311
                continue
            looked = [
                refusal
                for one in refused
                if not one[0].meter.is_job and (refusal := await self._look(one, shards)) is not None
            ]
            unmade = [refusal for refusal in looked if refusal.is_unmade]
            if unmade and seedings < _SEEDINGS:
                seedings += 1
                await asyncio.gather(*(self._seeds.plant(one.hold, one.items, call.started_at) for one in unmade))
                continue
            found = [short for one in looked for short in shortages(one.hold, one.whole, call.started_at)]
            if not found and divisions < _DIVISIONS and any(hold.meter.is_sharded for hold, _ in refused):
                divisions += 1
                await self._make_room(looked, shards)
                await asyncio.sleep(random.uniform(0, _PAUSE_SECONDS * divisions))  # noqa: S311
                continue
            attempts += 1
            if attempts == _ATTEMPTS or divisions == _DIVISIONS:
                raise _first(found, bound) if found else _busy(refused)
            if found:
                output = _affordable(found, bound)

    async def _look(self, refused: tuple[Hold, Item | None], shards: _Shards) -> _Refusal | None:
        """All shards, of whatever has several; None if they have to be asked again."""
        hold, item = refused
        known = int(item["sn"]["N"]) if item is not None and "sn" in item else hold.meter.items
        if known != hold.meter.items:
            # Somebody has added shards since the account was read.
            shards.correct(hold, known)
            return None
        if not hold.meter.is_sharded:
            return _Refusal(hold, [item])
        items = await self._counters.read(hold.meter.uid, hold.meter.items)
        return _Refusal(hold, items) if items is not None else None

    async def _make_room(self, seen: Sequence[_Refusal], shards: _Shards) -> None:
        for one in seen:
            there = [item for item in one.items if item is not None]
            if one.hold.meter.is_sharded and len(there) == len(one.items):
                shard = await self._escrow.room(one.hold, there)
                shards.choose(one.hold, shard)

    async def release(self, call: Call) -> None:
        """Gives everything back that the call holds."""
        await self._release(call, call.holds)

    async def _hold_in(self, meter: Meter, shard: int, call: Call, amount: Amount) -> Hold:
        moment = call.started_at
        counters = []
        for ceiling in meter.ceilings(call.requested_model, moment):
            size = ceiling.size
            if ceiling.carries:
                size += await self._seeds.left_over(meter, ceiling, moment)
            counters.append(Counter(ceiling, ceiling.code, counter_name(ceiling.code, moment), size))
        payer = call.entitlement.account
        bounded = payer is not None and (payer.hard or payer.floored)
        return Hold(
            meter,
            shard,
            amount,
            tuple(counters),
            of=len(call.meters),
            job=call.job,
            payer=payer if bounded and meter.is_job else None,
        )

    async def _take(self, call: Call, holds: Sequence[Hold]) -> list[tuple[Hold, Item | None]]:
        """What refused, with the item that did; whatever did not is released again then."""
        if any(_is_beyond(hold) for hold in holds):
            # Nothing is written; the others are looked at all the same, because the contract may ask for them first.
            return [(hold, await self._stands(hold)) for hold in holds]
        for attempt in range(_ATTEMPTS):
            try:
                return await self._write(call, holds)
            except UncertainWriteError:
                await self._withdraw(call, holds)
                if attempt == _ATTEMPTS - 1:
                    raise
                _rename(call)
        raise AssertionError

    async def _stands(self, hold: Hold) -> Item | None:
        if hold.meter.is_sharded:
            return None
        (item,) = await self._counters.read(hold.meter.uid) or [None]
        return item

    async def _write(self, call: Call, holds: Sequence[Hold]) -> list[tuple[Hold, Item | None]]:
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
            # A second copy of a release that comes late must not find what the next attempt holds.
            _rename(call)
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


class _Shards:
    """Which shard of each of its scopes a call tries."""

    def __init__(self, meters: Sequence[Meter]) -> None:
        self._chosen = [(meter, random.randrange(meter.shards)) for meter in meters]  # noqa: S311

    def __iter__(self) -> Iterator[tuple[Meter, int]]:
        return iter(self._chosen)

    def choose(self, hold: Hold, shard: int | None) -> None:
        """Another shard for the scope of ``hold``; None: any."""
        self._replace(hold.meter, random.randrange(hold.meter.shards) if shard is None else shard)  # noqa: S311

    def correct(self, hold: Hold, items: int) -> None:
        """There are more counter items than the call knew of."""
        self._replace(replace(hold.meter, items=items), hold.shard)

    def _replace(self, meter: Meter, shard: int) -> None:
        self._chosen = [(meter, shard) if one.uid == meter.uid else (one, other) for one, other in self._chosen]


async def _side_by_side(work: list[Coroutine[Any, Any, Any]]) -> list[Any]:
    """What each returned or raised. One alone, the usual case, needs no task."""
    if len(work) == 1:
        try:
            return [await work[0]]
        except TollgateError as error:
            return [error]
    return await asyncio.gather(*work, return_exceptions=True)


def _overtaken(call: Call, refused: Sequence[tuple[Hold, Item | None]]) -> bool:
    """Whether the call's job was not as it had been seen; then it is now. Raises WrongStateError if it is over."""
    for hold, item in refused:
        if hold.meter.is_job and call.job is not None:
            call.job = seen(call.job, item)
            return True
    return False


def _rename(call: Call) -> None:
    """Another id, so that nothing that was sent under the last one can touch what is held from now on."""
    call.call_id = ids.new_call_id(int(call.started_at * 1000))
    call.hold_id = ids.hold_id_of(call.call_id)


def _is_beyond(hold: Hold) -> bool:
    """Whether a limit is smaller than the amount itself: nothing has to be written to know that."""
    return any(hold.amount.of(counter.ceiling.unit) > counter.size for counter in hold.counters)


def _busy(refused: Sequence[tuple[Hold, Item | None]]) -> TollgateError:
    """All shards together carry the call, but others were always quicker; or the table is slow."""
    for hold, _ in refused:
        if hold.meter.is_sharded:
            figures = {"scope": hold.meter.scope.value, "scope_id": hold.meter.scope_id}
            return ReservedError(
                "What is left is in use by other calls; try again in a moment", retry_after=1, **figures
            )
    return StoreUnavailableError("The data store is busy; try again")


def _first(found: list[Shortage], bound: Bound) -> TollgateError:
    return min(found, key=lambda short: short.rank).refusal(bound.amount(bound.least))


def _affordable(found: list[Shortage], bound: Bound) -> int:
    """The most output tokens that all of them carry now. Raises the first refusal if that is not even the least."""
    least = bound.amount(bound.least)
    hopeless = [short for short in found if not short.carries(least)]
    if hopeless:
        raise _first(hopeless, bound)
    return max(bound.least, min(short.affordable(bound) for short in found))
