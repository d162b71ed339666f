"""A small model of a hot account's protocol (decision 18), for a search of everything that can happen.

It has the steps of ``metering.counters`` and ``metering.escrow``, each as atomic as the write it stands for, and divides
by the same arithmetic. One limit of each kind is modelled: a counter with marks, credits, calls in flight. A caller can
die before and after each step; what was sent may arrive later, and a division any number of times.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache

from tollgate.metering.parts import WHOLE, is_plenty, share_of, spread

Shards = tuple[int, ...]
# Steps of a caller whom nobody disturbs.
_PATIENCE = 20
# Divisions that may still arrive, again and again: the newest ones.
_LATE = 1


@dataclass(frozen=True)
class View:
    """What a caller has read: how many shards are in use, and the limit. Credits know no limit but what is there."""

    shards: int
    limit: int


@dataclass(frozen=True)
class Shard:
    """One counter item. ``value``: counted, or credits available, or the calls that may be in flight (``running`` are)."""

    value: int
    running: int = 0
    mark: View | None = None


@dataclass(frozen=True)
class Division:
    """A transaction as it was sent: for each shard what was seen, what is added, and what it may have come to at most."""

    view: View
    marks: tuple[View | None, ...]
    changes: Shards
    bounds: Shards
    # Only of calls in flight, where the value is set and not added to.
    seen: Shards = ()


class Kind:
    """One kind of limit: its conditions and its writes."""

    counts = True

    def carried(self, shards: tuple[Shard, ...], view: View, amount: int) -> bool:
        """Whether all shards together carry it: else the refusal is final."""
        return self.used(shards) + amount <= view.limit

    def used(self, shards: tuple[Shard, ...]) -> int:
        return sum(shard.value for shard in shards)

    def reserve(self, shard: Shard, number: int, view: View, amount: int) -> Shard | None:
        if shard.mark != view or shard.value + amount > _share(view, number):
            return None
        return replace(shard, value=shard.value + amount)

    def end(self, shard: Shard, amount: int, actual: int) -> Shard:
        return replace(shard, value=shard.value + actual - amount)

    def divide(self, shards: tuple[Shard, ...], view: View, amount: int, target: int) -> Division:
        free = _free(view.limit - self.used(shards), amount, view, target, len(shards))
        changes = tuple(_share(view, i) - free[i] - shard.value for i, shard in enumerate(shards))
        bounds = tuple(shard.value + free[i] for i, shard in enumerate(shards))
        return Division(view, _marks(shards), changes, bounds)

    def arrive(self, shards: tuple[Shard, ...], division: Division) -> tuple[Shard, ...] | None:
        """The shards after a division; None if one of its conditions fails. Shards that it leaves alone have none."""
        after = []
        for shard, mark, change, bound in zip(shards, division.marks, division.changes, division.bounds, strict=True):
            if mark == division.view and not change:
                after.append(shard)
                continue
            if shard.mark != mark or shard.value > bound:
                return None
            after.append(replace(shard, value=shard.value + change, mark=division.view))
        return tuple(after)


class Credits(Kind):
    """``value`` is what is available; the ledger says what there is in all, so there is nothing to mark."""

    counts = False

    def carried(self, shards: tuple[Shard, ...], view: View, amount: int) -> bool:
        return self.used(shards) >= amount

    def reserve(self, shard: Shard, number: int, view: View, amount: int) -> Shard | None:
        return replace(shard, value=shard.value - amount) if shard.value >= amount else None

    def end(self, shard: Shard, amount: int, actual: int) -> Shard:
        return replace(shard, value=shard.value + amount - actual)

    def divide(self, shards: tuple[Shard, ...], view: View, amount: int, target: int) -> Division:
        free = _free(self.used(shards), amount, view, target, len(shards))
        changes = tuple(free[i] - shard.value for i, shard in enumerate(shards))
        return Division(view, _marks(shards), changes, tuple(-min(0, change) for change in changes))

    def arrive(self, shards: tuple[Shard, ...], division: Division) -> tuple[Shard, ...] | None:
        if any(shard.value < gives for shard, gives in zip(shards, division.bounds, strict=True) if gives):
            return None
        return tuple(
            replace(shard, value=shard.value + change) for shard, change in zip(shards, division.changes, strict=True)
        )


class Parallel(Kind):
    """``value`` is how many calls may be in flight on the shard; each amount is 1."""

    def used(self, shards: tuple[Shard, ...]) -> int:
        return sum(shard.running for shard in shards)

    def reserve(self, shard: Shard, number: int, view: View, amount: int) -> Shard | None:
        if shard.mark != view or shard.running >= shard.value:
            return None
        return replace(shard, running=shard.running + 1)

    def end(self, shard: Shard, amount: int, actual: int) -> Shard:
        return replace(shard, running=shard.running - 1)

    def divide(self, shards: tuple[Shard, ...], view: View, amount: int, target: int) -> Division:
        free = _free(view.limit - self.used(shards), amount, view, target, len(shards))
        most = tuple(shard.running + free[i] for i, shard in enumerate(shards))
        return Division(view, _marks(shards), most, most, tuple(shard.value for shard in shards))

    def arrive(self, shards: tuple[Shard, ...], division: Division) -> tuple[Shard, ...] | None:
        after = []
        for shard, mark, most, seen in zip(shards, division.marks, division.changes, division.seen, strict=True):
            if mark == division.view and most == seen:
                after.append(shard)
                continue
            if shard.mark != mark or shard.value != seen or shard.running > most:
                return None
            after.append(replace(shard, value=most, mark=division.view))
        return tuple(after)


@cache
def _share(view: View, number: int) -> int:
    return int(share_of(Decimal(view.limit), view.shards, number, WHOLE))


@cache
def _free(free: int, need: int, view: View, target: int, items: int) -> Shards:
    parts = spread(Decimal(free), Decimal(need), view.shards, target, WHOLE)
    return (*map(int, parts), *[0] * (items - view.shards))


def _marks(shards: tuple[Shard, ...]) -> tuple[View | None, ...]:
    return tuple(shard.mark for shard in shards)


@dataclass(frozen=True)
class Caller:
    """A call: what it wants, what it has read, the shard that it is at, and its next step."""

    amount: int
    step: str = "start"
    view: View = View(1, 0)
    shard: int = 0
    division: Division | None = None


@dataclass(frozen=True)
class World:
    """The table, the callers, what is still on the way, and what an admin may still do."""

    shards: tuple[Shard, ...]
    setting: View
    callers: tuple[Caller, ...]
    changes: tuple[View, ...] = ()
    late: tuple[Division, ...] = ()
    # Reservations of unknown fate, which a sweeper gives back if they arrive: each once.
    lost: frozenset[tuple[int, View, int]] = frozenset()
    # Holds of dead callers, by shard and amount; and what calls have used.
    orphans: tuple[tuple[int, int], ...] = ()
    used: int = 0


class Protocol:
    """All that can happen next, with a complaint where it must not."""

    def __init__(self, kind: Kind, granted: int = 0) -> None:
        self.kind = kind
        self.granted = granted

    def next(self, world: World) -> Iterator[World]:
        for after in self._next(world):
            self._balances(after)
            yield after

    def _next(self, world: World) -> Iterator[World]:
        if world.changes:
            yield replace(world, setting=world.changes[0], changes=world.changes[1:])
        for division in set(world.late):
            after = self.kind.arrive(world.shards, division)
            if after is not None:
                yield replace(world, shards=after)
        for lost in world.lost:
            yield from self._arrives_late(world, *lost)
        for index, (shard, amount) in enumerate(world.orphans):
            rest = world.orphans[:index] + world.orphans[index + 1 :]
            # By its record, or as reserved.
            for actual in {0, amount}:
                yield self._ended(replace(world, orphans=rest), shard, amount, actual)
        for index, caller in enumerate(world.callers):
            for after, then in self._steps(world, caller):
                yield replace(after, callers=(*world.callers[:index], then, *world.callers[index + 1 :]))

    def _steps(self, world: World, caller: Caller) -> Iterator[tuple[World, Caller]]:
        done = replace(caller, step="done", view=View(1, 0), shard=0, division=None)
        match caller.step:
            case "start":
                for shard in range(world.setting.shards):
                    yield world, replace(caller, step="reserve", view=world.setting, shard=shard)
            case "reserve":
                yield replace(world, lost=world.lost | {(caller.shard, caller.view, caller.amount)}), done
                yield self._reserved(world, caller)
            case "look":
                yield from self._looks(world, caller)
            case "divide":
                assert caller.division is not None
                after = self.kind.arrive(world.shards, caller.division)
                sent = replace(world, late=(*world.late, caller.division)[-_LATE:])
                yield sent, done
                if after is None:
                    yield sent, replace(caller, step="look", division=None)
                else:
                    yield replace(sent, shards=after), replace(caller, step="reserve", division=None)
            case "held":
                yield replace(world, orphans=tuple(sorted((*world.orphans, (caller.shard, caller.amount))))), done
                for actual in {0, caller.amount}:
                    yield self._ended(world, caller.shard, caller.amount, actual), done

    def _reserved(self, world: World, caller: Caller) -> tuple[World, Caller]:
        after = self._admit(world, caller.shard, caller.view, caller.amount)
        return (world, replace(caller, step="look")) if after is None else (after, replace(caller, step="held"))

    def _admit(self, world: World, shard: int, view: View, amount: int) -> World | None:
        admitted = self.kind.reserve(world.shards[shard], shard, view, amount)
        if admitted is None:
            return None
        shards = (*world.shards[:shard], admitted, *world.shards[shard + 1 :])
        used = self.kind.used(shards)
        within = used <= view.limit if self.kind.counts else used >= 0
        assert within, ("beyond the limit", world, shard, view)
        return replace(world, shards=shards)

    def _arrives_late(self, world: World, shard: int, view: View, amount: int) -> Iterator[World]:
        rest = replace(world, lost=world.lost - {(shard, view, amount)})
        after = self._admit(rest, shard, view, amount)
        if after is not None:
            yield self._ended(after, shard, amount, 0)

    def _looks(self, world: World, caller: Caller) -> Iterator[tuple[World, Caller]]:
        shards, view, amount = world.shards, caller.view, caller.amount
        if not self.kind.carried(shards, view, amount):
            yield world, replace(caller, step="refused")
            return
        ready = [i for i in range(view.shards) if self.kind.reserve(shards[i], i, view, amount) is not None]
        free = self.kind.used(shards) if not self.kind.counts else view.limit - self.kind.used(shards)
        if caller.shard in ready:
            yield world, replace(caller, step="reserve")
            return
        for shard in ready:
            yield world, replace(caller, step="reserve", shard=shard)
        if not ready or is_plenty(Decimal(free), Decimal(amount), view.shards):
            division = self.kind.divide(shards, view, amount, caller.shard)
            yield world, replace(caller, step="divide", division=division)

    def _ended(self, world: World, shard: int, amount: int, actual: int) -> World:
        after = self.kind.end(world.shards[shard], amount, actual)
        shards = (*world.shards[:shard], after, *world.shards[shard + 1 :])
        return replace(world, shards=shards, used=world.used + actual)

    def _balances(self, world: World) -> None:
        """Nothing is lost and nothing is double: the shards together say what is used and what is held."""
        held = [caller.amount for caller in world.callers if caller.step == "held"]
        amounts = sum(held) + sum(amount for _, amount in world.orphans)
        if isinstance(self.kind, Parallel):
            expected = len(held) + len(world.orphans)
        elif isinstance(self.kind, Credits):
            expected = self.granted - world.used - amounts
        else:
            expected = world.used + amounts
        assert self.kind.used(world.shards) == expected, ("the books do not balance", world)

    def alone(self, world: World, amount: int) -> str:
        """What becomes of a caller whom nobody disturbs: the step that he ends with."""
        caller, lone = Caller(amount), replace(world, changes=(), late=(), lost=frozenset())
        for _ in range(_PATIENCE):
            if caller.step in {"held", "refused"}:
                break
            # The last way is the one on which nobody dies.
            lone, caller = list(self._steps(lone, caller))[-1]
        return caller.step
