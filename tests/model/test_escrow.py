"""Everything that can happen to small hot accounts: two shards, two or three callers, deaths, late and repeated messages.

At no moment is a call admitted beyond the limit that it has read; nothing is lost and nothing is double; a caller whom
nobody disturbs is refused only if all shards together cannot carry him.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import pytest

from tests.model.escrow import Caller, Credits, Division, Kind, Parallel, Protocol, Shard, View, World

_ENOUGH = 50


def _search(protocol: Protocol, world: World) -> int:
    """Looks at every state that can be reached; returns how many there are."""
    seen, waiting = {world}, [world]
    while waiting:
        state = waiting.pop()
        _nobody_is_refused_who_could_pay(protocol, state)
        for after in protocol.next(state):
            if after not in seen:
                seen.add(after)
                waiting.append(after)
    return len(seen)


def _nobody_is_refused_who_could_pay(protocol: Protocol, world: World) -> None:
    for amount in {caller.amount for caller in world.callers}:
        carried = protocol.kind.carried(world.shards, world.setting, amount)
        assert protocol.alone(world, amount) == ("held" if carried else "refused"), world


def _callers(amounts: Sequence[int]) -> tuple[Caller, ...]:
    return tuple(map(Caller, amounts))


@pytest.mark.parametrize(
    ("limit", "amounts"),
    [*product((1, 2, 3), [(1, 1), (1, 2), (3, 1), (2, 2)]), (1, (1, 1, 1))],
)
def test_a_budget_is_never_passed(limit: int, amounts: tuple[int, ...]) -> None:
    world = World((Shard(0), Shard(0)), View(2, limit), _callers(amounts))

    assert _search(Protocol(Kind()), world) >= _ENOUGH


@pytest.mark.parametrize(
    "changes",
    [
        (View(2, 1),),
        (View(2, 3), View(2, 2)),
        (View(1, 2),),
        (View(1, 2), View(2, 2)),
    ],
    ids=["lowered", "raised and lowered back", "fewer shards", "fewer and more again"],
)
def test_limits_and_shards_may_change_meanwhile(changes: tuple[View, ...]) -> None:
    world = World((Shard(0), Shard(0)), View(2, 2), _callers((1, 2)), changes)

    assert _search(Protocol(Kind()), world) >= _ENOUGH


def test_what_was_counted_before_there_were_shards_is_divided() -> None:
    world = World((Shard(2), Shard(0)), View(2, 3), _callers((1, 1)), used=2)

    assert _search(Protocol(Kind()), world) >= _ENOUGH


@pytest.mark.parametrize(
    ("granted", "amounts"),
    [*product((1, 2, 3), [(1, 1), (1, 2), (3, 1)]), (1, (1, 1, 1))],
)
def test_credits_are_never_spent_twice(granted: int, amounts: tuple[int, ...]) -> None:
    world = World((Shard(granted), Shard(0)), View(2, 0), _callers(amounts), (View(1, 0),))

    assert _search(Protocol(Credits(), granted), world) >= _ENOUGH


@pytest.mark.parametrize(
    ("limit", "callers", "changes"),
    [(1, 2, ()), (2, 3, ()), (1, 2, (View(1, 1),)), (2, 2, (View(2, 1),)), (2, 2, (View(1, 2),))],
)
def test_no_more_calls_are_in_flight_than_may_be(limit: int, callers: int, changes: tuple[View, ...]) -> None:
    world = World((Shard(0), Shard(0)), View(2, limit), _callers([1] * callers), changes)

    assert _search(Protocol(Parallel()), world) >= _ENOUGH


class _Careless(Kind):
    """Counts by its share whatever it was divided for."""

    def reserve(self, shard: Shard, number: int, view: View, amount: int) -> Shard | None:
        return super().reserve(replace(shard, mark=view), number, view, amount)


class _Impatient(Kind):
    """Divides without looking at what has come in between."""

    def divide(self, shards: tuple[Shard, ...], view: View, amount: int, target: int) -> Division:
        division = super().divide(shards, view, amount, target)
        return replace(division, bounds=(view.limit,) * len(shards))


@pytest.mark.parametrize("kind", [_Careless(), _Impatient()])
def test_the_search_finds_what_is_wrong(kind: Kind) -> None:
    world = World((Shard(0), Shard(0)), View(2, 2), _callers((1, 1, 1)), (View(2, 1),))

    with pytest.raises(AssertionError, match="beyond the limit"):
        _search(Protocol(kind), world)
