"""Ends the calls whose process died: every expired hold is settled by its record, or by its reservation (Q-16).

A call has a hold in every counter item that it is counted in, all with one expiry. So a sweep first collects what is
due everywhere, then ends each call as a whole: its record, if there is none, tells all that its holds know together.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tollgate.aws.dynamodb import ConditionFailedError, DynamoDB, Item
from tollgate.core import ids
from tollgate.core.money import ZERO
from tollgate.limits.model import Ceiling, Limits, Scope, Unit, counter_name
from tollgate.metering.attributes import text
from tollgate.metering.counters import Counters, amount_of, codes_of, due, holds_of
from tollgate.metering.model import (
    Account,
    Amount,
    Call,
    Charge,
    Counter,
    Entitlement,
    Hold,
    Job,
    Meter,
    Outcome,
    Usage,
)
from tollgate.metering.records import Records
from tollgate.table import keys

UNKNOWN_MODEL = "unknown"
# A call ends at most so long after it began, and so does any that put a counter item into the index before it: by then
# all of its items are there.
_LONGEST_SECONDS = 960
# The index may show one counter item of a call later than another.
_INDEX_LAG_SECONDS = 5
_IDENTITY = ("key_id", "team_id", "team_uid", "organization_id", "organization_uid", "user_id", "customer_id")


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep did: counter items looked at, calls ended."""

    accounts: int = 0
    holds: int = 0


@dataclass(frozen=True, slots=True)
class _Found:
    """A hold that is due, and the counter item that it stands in."""

    item: Item
    entry: Item


class Sweeper:
    """Finds counter items with due holds by the sparse ``DUE`` index. Any number may run at once."""

    def __init__(self, db: DynamoDB, table_name: str) -> None:
        self._db = db
        self._table = table_name
        self._counters = Counters(db, table_name)
        self._records = Records(db, table_name)

    async def sweep(self, now: float | None = None) -> Swept:
        """Settles everything that expired before ``now`` (epoch seconds; the current time if absent)."""
        moment = (time.time() if now is None else now) - _INDEX_LAG_SECONDS
        places = [place for partition in range(keys.SWEEP_PARTITIONS) for place in await self._due(partition, moment)]
        calls: dict[str, list[_Found]] = defaultdict(list)
        for place in places:
            item = await self._read(place)
            for hold_id, hold in item["h"]["M"].items() if item is not None else ():
                if int(hold["M"]["x"]["N"]) <= moment:
                    calls[hold_id].append(_Found(item or {}, hold["M"]))
        ended = 0
        for hold_id, found in calls.items():
            if _is_whole(found) or ids.time_of_hold(hold_id) + _LONGEST_SECONDS <= moment:
                ended += await self._end(hold_id, found)
        for place in places:
            await self._reschedule(place)
        return Swept(len(places), ended)

    async def _due(self, partition: int, moment: float) -> list[tuple[str, str]]:
        found = await self._db.query(
            {
                "TableName": self._table,
                "IndexName": "DUE",
                "KeyConditionExpression": "DUEPK = :queue AND DUESK <= :now",
                "ExpressionAttributeValues": {":queue": {"S": keys.sweep(partition)}, ":now": {"S": due(int(moment))}},
            }
        )
        return [(item["PK"]["S"], item["SK"]["S"]) for item in found]

    async def _end(self, hold_id: str, found: Sequence[_Found]) -> bool:
        """Records the call as interrupted unless its own record exists, and settles by the record that counts.

        A call that does not hold everywhere was killed while it reserved, or refused: it was never made, and is void.
        """
        started_at = ids.time_of_hold(hold_id)
        holds = [_hold(each, started_at) for each in found]
        if not _is_whole(found):
            actual = await self._records.void(hold_id)
        else:
            actual = await self._records.record(_interrupted(hold_id, found, started_at))
        ended = False
        for hold in holds:
            if actual.void:
                await self._counters.release(hold, hold_id, started_at)
                ended = True
            else:
                ended |= await self._counters.settle(hold, hold_id, started_at, actual.amount) is not None
        return ended

    async def _reschedule(self, place: tuple[str, str]) -> None:
        """Moves the item to its next due time, or out of the index when no hold is left."""
        item = await self._read(place)
        if item is None or "DUEPK" not in item:
            return
        expiries = [int(hold["M"]["x"]["N"]) for hold in item["h"]["M"].values()]
        change: dict[str, Any] = (
            {
                "UpdateExpression": "SET DUESK = :due",
                # Not where the account was deleted meanwhile.
                "ConditionExpression": "attribute_exists(DUEPK)",
                "ExpressionAttributeValues": {":due": {"S": due(min(expiries))}},
            }
            if expiries
            else {
                "UpdateExpression": "REMOVE DUEPK, DUESK",
                # A hold that came in between needs the entry; it stays for the next sweep.
                "ConditionExpression": "size(h) = :none",
                "ExpressionAttributeValues": {":none": {"N": "0"}},
            }
        )
        key = {"PK": {"S": place[0]}, "SK": {"S": place[1]}}
        try:
            await self._db.call("UpdateItem", {"TableName": self._table, "Key": key, **change})
        except ConditionFailedError:
            return

    async def _read(self, place: tuple[str, str]) -> Item | None:
        return (await self._db.batch_get(self._table, [place])).get(place)


def _is_whole(found: Sequence[_Found]) -> bool:
    """Whether a call holds in all the counter items that it meant to."""
    return len(found) >= holds_of(found[0].entry)


def _hold(found: _Found, started_at: float) -> Hold:
    """A stored hold as the call itself had it, so that it ends by the same expressions."""
    uid = _uid(found.item)
    scope = Scope(text(found.item, "scope") or Scope.TEAM)
    pays = "a" in found.entry and scope is not Scope.JOB
    account = Account(uid) if pays else None
    meter = Meter(scope, "", "", uid, Limits(), account=account)
    counters = [
        Counter(Ceiling("", Unit(code[0]), Amount().usd, None), code, counter_name(code, started_at), Amount().usd)
        for code in codes_of(found.entry)
    ]
    shard = keys.shard_of(found.item["SK"]["S"])
    job = Job("", "", "", "") if "j" in found.entry else None
    return Hold(meter, shard, amount_of(found.entry), tuple(counters), job=job)


def _identity(item: Item) -> dict[str, str]:
    """What a counter item knows of the calls that it counts."""
    known = {name: value for name in _IDENTITY if (value := text(item, name)) is not None}
    scope = text(item, "scope") or Scope.TEAM
    if scope in {Scope.TEAM, Scope.ORGANIZATION}:
        known[f"{scope}_uid"] = _uid(item)
    return known


def _job(item: Item) -> Job:
    """The job of a call, by the job's own counter item."""
    return Job(text(item, "job_id") or "", text(item, "job_type") or "", text(item, "team_uid") or "", "in_progress")


def _uid(item: Item) -> str:
    return str(item["PK"]["S"]).removeprefix(keys.account(""))


def _interrupted(hold_id: str, found: Sequence[_Found], started_at: float) -> Call:
    """What can be said of a call of which only its holds are left: its time, whose it was, its reservation."""
    known: dict[str, Any] = {name: value for each in found for name, value in _identity(each.item).items()}
    amounts = [amount_of(each.entry) for each in found]
    reserved = Amount(
        max(amount.usd for amount in amounts),
        max(amount.credits for amount in amounts),
        max(amount.tokens for amount in amounts),
    )
    tags = tuple(text(each.item, "scope_id") or "" for each in found if text(each.item, "scope") == Scope.TAG)
    job = next((_job(each.item) for each in found if text(each.item, "scope") == Scope.JOB), None)
    paying = (each for each in found if "a" in each.entry and text(each.item, "scope") != Scope.JOB)
    payer = next((Account(_uid(each.item)) for each in paying), None)
    call_id = ids.call_id_of_hold(hold_id)
    return Call(
        call_id=call_id,
        hold_id=hold_id,
        entitlement=Entitlement(0, tags=tags, account=payer, **known),
        requested_model=UNKNOWN_MODEL,
        streamed=False,
        started_at=started_at,
        expires_at=int(found[0].entry["x"]["N"]),
        reserved=reserved,
        outcome=Outcome.INTERRUPTED,
        usage=Usage(input=reserved.tokens, estimated=True),
        charge=Charge(credits=reserved.credits if job is None else ZERO, cost_usd=reserved.usd),
        job=job,
        error="The process that ran this call ended before it was settled",
    )
