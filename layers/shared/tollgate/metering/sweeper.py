"""Ends the calls whose process died: every expired hold is settled by its record, or by its reservation (Q-16)."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from tollgate.aws.dynamodb import ConditionFailedError, DynamoDB, Item
from tollgate.metering.model import Account, Call, Charge, Entitlement, Outcome, Usage
from tollgate.metering.store import MeteringStore, due
from tollgate.table import keys

UNKNOWN_MODEL = "unknown"


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep did: counter items looked at, holds settled."""

    accounts: int = 0
    holds: int = 0


class Sweeper:
    """Finds counter items with due holds by the sparse ``DUE`` index. Any number may run at once."""

    def __init__(self, db: DynamoDB, table_name: str) -> None:
        self._db = db
        self._table = table_name
        self._store = MeteringStore(db, table_name)

    async def sweep(self, now: float | None = None) -> Swept:
        """Settles everything that expired before ``now`` (epoch seconds; the current time if absent)."""
        moment = time.time() if now is None else now
        accounts = holds = 0
        for partition in range(keys.SWEEP_PARTITIONS):
            for found in await self._due(partition, moment):
                accounts += 1
                holds += await self._sweep_account(found["PK"]["S"], found["SK"]["S"], moment)
        return Swept(accounts, holds)

    async def _due(self, partition: int, moment: float) -> list[Item]:
        return await self._db.query(
            {
                "TableName": self._table,
                "IndexName": "DUE",
                "KeyConditionExpression": "DUEPK = :queue AND DUESK <= :now",
                "ExpressionAttributeValues": {":queue": {"S": keys.sweep(partition)}, ":now": {"S": due(int(moment))}},
            }
        )

    async def _sweep_account(self, pk: str, sk: str, moment: float) -> int:
        item = await self._read(pk, sk)
        if item is None:
            return 0
        settled = 0
        for hold_id, hold in item["h"]["M"].items():
            if int(hold["M"]["x"]["N"]) <= moment:
                settled += await self._end(item, hold_id, hold["M"])
        await self._reschedule(pk, sk)
        return settled

    async def _end(self, item: Item, hold_id: str, hold: Item) -> bool:
        """Records the call as interrupted unless its own record exists, and settles by the record that counts."""
        call = _interrupted(item, hold_id, hold)
        actual = await self._store.record(call)
        uid = item["PK"]["S"].removeprefix(keys.account(""))
        if actual.void:
            await self._store.release(uid, hold_id, call.reserved)
            return True
        return await self._store.settle(uid, hold_id, call.reserved, actual) is not None

    async def _reschedule(self, pk: str, sk: str) -> None:
        """Moves the item to its next due time, or out of the index when no hold is left."""
        item = await self._read(pk, sk)
        if item is None or "DUEPK" not in item:
            return
        expiries = [int(hold["M"]["x"]["N"]) for hold in item["h"]["M"].values()]
        change = (
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
        try:
            await self._db.call(
                "UpdateItem", {"TableName": self._table, "Key": {"PK": {"S": pk}, "SK": {"S": sk}}, **change}
            )
        except ConditionFailedError:
            return

    async def _read(self, pk: str, sk: str) -> Item | None:
        return (await self._db.batch_get(self._table, [(pk, sk)])).get((pk, sk))


def _interrupted(item: Item, hold_id: str, hold: Item) -> Call:
    """What can be said of a call of which only the hold is left: its time, its account, its reservation."""
    call_id = _call_id(hold_id)
    uid = item["PK"]["S"].removeprefix(keys.account(""))
    known = {name: item[name]["S"] for name in ("team_id", "organization_id", "organization_uid") if name in item}
    amount = Decimal(hold["a"]["N"])
    return Call(
        call_id=call_id,
        hold_id=hold_id,
        entitlement=Entitlement(0, team_uid=uid, account=Account(uid), **known),
        requested_model=UNKNOWN_MODEL,
        streamed=False,
        started_at=(UUID(call_id).int >> 80) / 1000,
        expires_at=int(hold["x"]["N"]),
        reserved=amount,
        outcome=Outcome.INTERRUPTED,
        usage=Usage(estimated=True),
        charge=Charge(credits=amount, cost_usd=Decimal(hold.get("u", hold["a"])["N"])),
        error="The process that ran this call ended before it was settled",
    )


def _call_id(hold_id: str) -> str:
    """A call id for a hold of which no record exists: the hold's time and random bits (see ``ids.hold_id_of``)."""
    raw = base64.urlsafe_b64decode(hold_id)
    return str(UUID(bytes=raw[:6] + b"\x70\x00\x80\x00" + raw[6:]))
