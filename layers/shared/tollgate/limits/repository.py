"""Limits and counters in the table: what exists only to be limited, shared rows, and what counters say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from tollgate.audit.model import AuditEvent
from tollgate.core import clock, ids
from tollgate.core.errors import InvalidRequestError, WrongStateError
from tollgate.core.money import ZERO
from tollgate.core.pagination import Page, PageRequest
from tollgate.limits.items import CounterItem, HolderItem
from tollgate.limits.model import NO_LIMITS, Ceiling, Limits, Scope, counter_name
from tollgate.table import keys
from tollgate.table.base import GSI1
from tollgate.table.transactions import LostRaceError, Work

# A budget that entities share, where a scope is named.
SHARED = "shared"
_KINDS = {Scope.PLATFORM: "platform_limits", Scope.TAG: "tag", SHARED: "budget"}
_NAMES = {Scope.TAG: "tag", SHARED: "budget_id"}

RawItem = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Holder:
    """The platform or a tag with limits, or a shared row. ``scope`` is a ``Scope`` or ``SHARED``."""

    scope: str
    scope_id: str
    uid: str
    limits: Limits
    created_at: datetime
    updated_at: datetime
    uses: int = 0
    version: int | None = None
    created_by: str | None = None
    updated_by: str | None = None


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose counters are meant. ``identity`` names what it belongs to: ``team_id``, ``organization_uid`` …"""

    scope: str
    scope_id: str
    uid: str
    identity: dict[str, str]


@dataclass(frozen=True, slots=True)
class Figures:
    """What a counter of USD says of its window: spent, and reserved by calls in flight."""

    spent: Decimal = ZERO
    reserved: Decimal = ZERO


def find(scope: str, scope_id: str) -> Holder | None:
    """The holder, read strongly consistent."""
    item = HolderItem.find(*_place(scope, scope_id))
    return _holder(scope, item) if item else None


def shared(budget_id: str | None) -> Limits | None:
    """The limits of a shared row, None if there is none of that id."""
    row = find(SHARED, budget_id) if budget_id is not None else None
    return row.limits if row else None


def search(scope: str, request: PageRequest) -> Page[Holder]:
    """A page of shared rows, newest first, or of tags by name."""
    if scope == SHARED:
        page = HolderItem.page(keys.BUDGETS, request, scope="holders", index=GSI1, newest_first=True)
    else:
        prefix = HolderItem.SK.startswith(keys.tag())
        page = HolderItem.page(keys.CATALOGUE, request, scope="tags", prefix=prefix)
    return Page([_holder(scope, item) for item in page.entries], page.next_cursor)


def save(work: Work, holder: Holder, before: Limits, event: AuditEvent) -> None:
    """Writes a holder, new (``version`` None) or changed since it was read with the limits ``before``."""
    pk, sk = _place(holder.scope, holder.scope_id)
    stamp = {"updated_at": clock.to_stored(event.at), "updated_by": event.caller.actor}
    limits = holder.limits if holder.limits != NO_LIMITS else None
    if holder.version is None:
        created_at = clock.to_stored(holder.created_at)
        values: dict[str, Any] = {"limits": limits, "created_at": created_at, "created_by": event.caller.actor} | stamp
        if holder.scope in _NAMES:
            values[_NAMES[holder.scope]] = holder.scope_id
        if holder.scope == SHARED:
            values |= {"GSI1PK": keys.BUDGETS, "GSI1SK": keys.by_creation(created_at, holder.scope_id)}
        work.create(HolderItem(PK=pk, SK=sk, kind=_KINDS[holder.scope], uid=holder.uid, uses=holder.uses, **values))
    else:
        item = HolderItem(PK=pk, SK=sk, version=holder.version)
        work.update(item, item.changes({"limits": limits} | stamp))
    relink(work, before, holder.limits)


def delete(work: Work, holder: Holder) -> None:
    """Takes a holder away. Raises WrongStateError at the commit for a shared row that an entity uses."""
    pk, sk = _place(holder.scope, holder.scope_id)
    if holder.scope == SHARED:
        message = f"Budget '{holder.scope_id}' is in use"
        in_use = WrongStateError(message, code="budget_in_use")
        work.delete(HolderItem(PK=pk, SK=sk), HolderItem.uses == 0, otherwise=in_use)
        return
    work.delete(HolderItem(PK=pk, SK=sk, version=holder.version), versioned=True)
    unlink(work, [holder.limits])


def give_up(work: Work, budget_id: str) -> None:
    """Takes a shared row away that was made for one user only, unless others use it by now; they keep it."""
    row = find(SHARED, budget_id)
    if row is not None and row.uses > 1:
        _count_uses(work, budget_id, -1)
    elif row is not None:
        work.delete(HolderItem(PK=keys.budget(budget_id), SK=keys.ENTITY), HolderItem.uses == 1)


def relink(work: Work, before: Limits, after: Limits) -> None:
    """Moves the count of a shared row's users with the change of one. Raises InvalidRequestError for an unknown row."""
    if before.budget_id == after.budget_id:
        return
    unlink(work, [before])
    if after.budget_id is not None:
        unknown = InvalidRequestError(f"Unknown budget '{after.budget_id}'", code="unknown_budget", param="budget_id")
        _count_uses(work, after.budget_id, 1, otherwise=unknown)


def unlink(work: Work, gone: Iterable[Limits]) -> None:
    """Takes the users of shared rows off their counts, however many of them name the same row."""
    for budget_id, number in Counter(limits.budget_id for limits in gone).items():
        if budget_id is not None:
            _count_uses(work, budget_id, -number)


def _count_uses(work: Work, budget_id: str, number: int, otherwise: InvalidRequestError | None = None) -> None:
    item = HolderItem(PK=keys.budget(budget_id), SK=keys.ENTITY)
    work.update(item, [HolderItem.uses.add(number)], HolderItem.PK.exists(), otherwise=otherwise, versioned=False)


def counters(uid: str, shards: int = 1) -> list[RawItem]:
    """The counter items that an owner has, in DynamoDB's JSON, all of one moment, however many ``shards``."""
    pk = keys.account(uid)
    if shards > 1:
        return CounterItem.raw_together(pk, [keys.counter(shard) for shard in range(shards)])
    item = CounterItem.raw(pk, keys.counter())
    return [item] if item is not None else []


def add_shards(work: Work, owner: Owner, shards: int) -> None:
    """Makes an owner's counter items as many as ``shards``; calls divide among them what there is (decision 18).

    From the commit on a call that does not know of it is refused by every one of them, and reads the number there.
    """
    for shard in range(shards):
        begins = _new_counter(owner) if shard == 0 else _new_shard(owner)
        actions = [
            CounterItem.attribute(name).set(CounterItem.attribute(name) | value) for name, value in begins.items()
        ]
        actions.append(CounterItem.attribute("z").set(CounterItem.attribute("z") | {"M": {}}))
        actions.append(CounterItem.attribute("sn").set({"N": str(shards)}))
        work.update(CounterItem(PK=keys.account(owner.uid), SK=keys.counter(shard)), actions, versioned=False)


def shard_key(shard: int) -> str:
    """Sort key of a shard's counter item."""
    return keys.counter(shard)


def figures(items: Iterable[RawItem], ceiling: Ceiling, moment: float) -> Figures | None:
    """What a ceiling's counter says of the window of ``moment``; None if nothing counts that window yet.

    A counter has what is spent and what is reserved together; holds that name it say what is reserved.
    """
    name = counter_name(ceiling.code, moment)
    counted = [item for item in items if name in item]
    if not counted:
        return None
    total = sum((Decimal(item[name]["N"]) for item in counted), ZERO)
    reserved = sum((_reserved(item, ceiling.code, name) for item in counted), ZERO)
    return Figures(total - reserved, reserved)


def adjust(  # noqa: PLR0913
    work: Work, owner: Owner, name: str, items: Sequence[RawItem], *, before: Decimal, spent: Decimal
) -> None:
    """Sets what is spent in a window, ``before`` when ``items`` (all that there are) were read (Q-45).

    What calls have settled since then stays on top of it. A lost race if another adjustment was quicker, or if the
    window's counter has come into being meanwhile. Of several shards the first is corrected, and all are told that
    the counter is not divided among them any more: the next call divides it.
    """
    item = next((item for item in items if item["SK"]["S"] == keys.counter()), None)
    attribute = CounterItem.attribute(name)
    earlier = int(item["aj"]["N"]) if item is not None and "aj" in item else None
    same = CounterItem.aj.does_not_exist() if earlier is None else CounterItem.aj == earlier
    actions: list[Any] = [CounterItem.aj.set((earlier or 0) + 1)]
    if item is not None and name in item:
        actions.append(attribute.add({"N": format(spent - before, "f")}))
        same &= attribute.exists()
    else:
        actions.append(attribute.set({"N": format(spent, "f")}))
        same &= attribute.does_not_exist()
    if item is None:
        actions += [CounterItem.attribute(own).set(value) for own, value in _new_counter(owner).items()]
        same &= CounterItem.PK.does_not_exist()
    undivided = CounterItem.attribute("z").set({"M": {}})
    if len(items) > 1:
        actions.append(undivided)
    work.update(CounterItem(PK=keys.account(owner.uid), SK=keys.counter()), actions, same, versioned=False)
    for other in items:
        if other["SK"]["S"] != keys.counter():
            work.update(CounterItem(PK=other["PK"]["S"], SK=other["SK"]["S"]), [undivided], versioned=False)


def _new_counter(owner: Owner) -> RawItem:
    """What a counter item has from the beginning, as the first limited call would make it."""
    pays = owner.scope in {Scope.TEAM, Scope.ORGANIZATION}
    known = {"kind": "account" if pays else "counter", "scope": owner.scope, "scope_id": owner.scope_id}
    zeros = ("us", "tk", "cn", *(("av", "al", "sq") if pays else ()))
    texts = {name: {"S": value} for name, value in (known | owner.identity).items()}
    return texts | {"h": {"M": {}}} | {name: {"N": "0"} for name in zeros}


def _new_shard(owner: Owner) -> RawItem:
    """The same of another shard: what was allocated and the ledger are the first one's."""
    return {name: value for name, value in _new_counter(owner).items() if name not in {"al", "sq"}}


def tell_owner(uid: str, items: int, organization_id: str | None, organization_uid: str | None) -> None:
    """Writes into an owner's counters, as far as there are some, which organization it is in now."""
    owner = {"organization_id": organization_id, "organization_uid": organization_uid}
    actions = [
        CounterItem.attribute(name).set({"S": value}) if value is not None else CounterItem.attribute(name).remove()
        for name, value in owner.items()
    ]
    for shard in range(items):
        item = CounterItem(PK=keys.account(uid), SK=keys.counter(shard))
        item.apply(list(actions), CounterItem.PK.exists())


def require_at_most(work: Work, uid: str, name: str, most: Decimal, shard: int = 0) -> None:
    """Makes the transaction lose its race if a counter has passed ``most`` by then. A missing counter is 0."""
    attribute = CounterItem.attribute(name)
    bound = attribute.does_not_exist() | (attribute <= {"N": format(most, "f")})
    work.check(CounterItem(PK=keys.account(uid), SK=keys.counter(shard)), bound, otherwise=LostRaceError())


def forget_counter(work: Work, uid: str) -> None:
    """Takes away the counter of an owner that is deleted; what its calls in flight cost is in their records."""
    work.delete(CounterItem(PK=keys.account(uid), SK=keys.counter()))


def _reserved(item: RawItem, code: str, name: str) -> Decimal:
    holds = item["h"]["M"].items() if "h" in item else ()
    return sum(
        (
            _usd(hold["M"])
            for hold_id, hold in holds
            if code in hold["M"].get("w", {"S": ""})["S"].split()
            and counter_name(code, ids.time_of_hold(hold_id)) == name
        ),
        ZERO,
    )


def _usd(hold: RawItem) -> Decimal:
    """USD that a hold holds; where credits are the same number it has only those."""
    amount = hold.get("u") or hold.get("a")
    return Decimal(amount["N"]) if amount else ZERO


def _place(scope: str, scope_id: str) -> tuple[str, str]:
    match scope:
        case Scope.PLATFORM:
            return keys.CATALOGUE, keys.PLATFORM_LIMITS
        case Scope.TAG:
            return keys.CATALOGUE, keys.tag(scope_id)
        case _:
            return keys.budget(scope_id), keys.ENTITY


def _holder(scope: str, item: HolderItem) -> Holder:
    return Holder(
        scope=scope,
        scope_id=getattr(item, _NAMES[scope]) if scope in _NAMES else keys.PLATFORM,
        uid=item.uid,
        limits=item.limits or NO_LIMITS,
        created_at=clock.from_stored(item.created_at),
        updated_at=clock.from_stored(item.updated_at),
        uses=item.uses,
        version=item.version,
        created_by=item.created_by,
        updated_by=item.updated_by,
    )
