"""How a limit is divided among the shards of a hot account: arithmetic only, exact (decision 18)."""

from __future__ import annotations

from decimal import Decimal

from tollgate.core.money import ZERO
from tollgate.limits.model import Unit

# Requests and tokens are divided whole, money down to its last decimal place.
WHOLE = Decimal(1)
CENT = Decimal("1e-12")


def step_of(unit: Unit) -> Decimal:
    """The smallest part of a unit."""
    return WHOLE if unit in {Unit.REQUESTS, Unit.TOKENS} else CENT


def share_of(size: Decimal, shards: int, shard: int, step: Decimal) -> Decimal:
    """The part of ``size`` that one of its shards has; none beyond ``shards``. Together they are ``size``.

    It grows with ``size``: of two sizes, every shard's part of the smaller one is at most its part of the other. So
    what was counted, divided like this, is within every share if it is within the limit.
    """
    if shards == 1 or size < ZERO:
        return ZERO if shard else size
    if shard >= shards:
        return ZERO
    units, rest = divmod(size, step)
    whole, over = divmod(units, shards)
    return (whole + (1 if shard < over else 0)) * step + (ZERO if shard else rest)


def spread(free: Decimal, need: Decimal, shards: int, target: int, step: Decimal) -> list[Decimal]:
    """What each shard shall have left of ``free``: the target ``need`` more than the others. ``need`` <= ``free``."""
    parts = [share_of(free - need, shards, shard, step) for shard in range(shards)]
    parts[target] += need
    return parts


def is_plenty(free: Decimal, need: Decimal, shards: int) -> bool:
    """Whether every shard can carry as much at once."""
    return free >= need * shards
