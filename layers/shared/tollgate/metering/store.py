"""The counter items and call records of the money path, as DynamoDB expressions.

A reservation is a hold in the counter item itself, so reserve and settle are one write each. Settle and release are
conditional on the hold, the record is written once and whoever writes it first, proxy or sweeper, fixes what the call
costs: so all three may be sent twice. A reservation may not, because its second copy could arrive after the call was
settled; one that nobody knows the fate of is withdrawn.
"""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tollgate.aws.dynamodb import ConditionFailedError, DynamoDB, Item
from tollgate.core import clock
from tollgate.core.money import ZERO
from tollgate.metering.model import Call, Charge
from tollgate.table import keys

CALL_KIND = "c"
VOID_KIND = "void"
# A request signed now is refused by DynamoDB long before.
_VOID_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Balance:
    """A counter item read: credits available now, held by calls in flight, and ever allocated."""

    available: Decimal
    held: Decimal
    allocated: Decimal

    @property
    def remaining(self) -> Decimal:
        """What the customer sees: holds are not subtracted (Q-17)."""
        return self.available + self.held

    @property
    def used(self) -> Decimal:
        return self.allocated - self.remaining


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the call's record says, whoever wrote it. ``void``: there was no call, only a reservation withdrawn."""

    credits: Decimal
    cost_usd: Decimal
    tokens: int
    void: bool = False


class MeteringStore:
    """Reserve, record, settle; and what the sweeper needs to do the same for the dead."""

    def __init__(self, db: DynamoDB, table_name: str) -> None:
        self._db = db
        self._table = table_name

    async def reserve(self, account_uid: str, hold_id: str, bound: Charge, expires_at: int) -> Balance | None:
        """Holds the credits of ``bound``. Returns None when they are held, else the balance that cannot carry them."""
        try:
            await self._db.call(
                "UpdateItem",
                {
                    "TableName": self._table,
                    "Key": _key(keys.account(account_uid), keys.counter()),
                    "UpdateExpression": "SET av = av - :e, h.#id = :hold, "
                    "DUEPK = if_not_exists(DUEPK, :queue), DUESK = if_not_exists(DUESK, :due)",
                    "ConditionExpression": "av >= :e AND attribute_not_exists(h.#id)",
                    "ExpressionAttributeNames": {"#id": hold_id},
                    "ExpressionAttributeValues": {
                        ":e": number(bound.credits),
                        ":hold": _hold(bound, expires_at),
                        ":queue": {"S": queue_of(account_uid)},
                        ":due": {"S": due(expires_at)},
                    },
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                },
                resend=False,
            )
        except ConditionFailedError as failed:
            return balance(failed.item) if failed.item is not None else Balance(ZERO, ZERO, ZERO)
        return None

    async def withdraw(self, account_uid: str, hold_id: str, reserved: Decimal) -> None:
        """Makes an uncertain reservation worth nothing, whether it took effect, or did not, or still will.

        The void record is what the sweeper finds beside a hold that arrives late; it charges nothing and is no call.
        """
        expires = int(time.time()) + _VOID_SECONDS
        await self._put_record(
            {
                "PK": {"S": keys.call(hold_id)},
                "SK": {"S": keys.ENTITY},
                "kind": {"S": VOID_KIND},
                "ttl": number(expires),
            }
        )
        await self.release(account_uid, hold_id, reserved)

    async def record(self, call: Call) -> Recorded:
        """Writes the call's record if nobody has; returns what the record that counts says."""
        found = await self._put_record(record_item(call))
        return recorded(found) if found else Recorded(call.charge.credits, call.charge.cost_usd, call.usage.total)

    async def _put_record(self, item: Item) -> Item | None:
        """None if the record is ours now, else the one that was there."""
        try:
            await self._db.call(
                "PutItem",
                {
                    "TableName": self._table,
                    "Item": item,
                    "ConditionExpression": "attribute_not_exists(PK)",
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                },
            )
        except ConditionFailedError as failed:
            return failed.item
        return None

    async def settle(self, account_uid: str, hold_id: str, reserved: Decimal, actual: Recorded) -> Balance | None:
        """Turns the hold into the charge. Returns the balance after it; None if the hold was settled before."""
        try:
            answer = await self._db.call(
                "UpdateItem",
                {
                    "TableName": self._table,
                    "Key": _key(keys.account(account_uid), keys.counter()),
                    "UpdateExpression": "SET av = av + :unused, us = us + :usd, tk = tk + :tokens, cn = cn + :one "
                    "REMOVE h.#id",
                    "ConditionExpression": "attribute_exists(h.#id)",
                    "ExpressionAttributeNames": {"#id": hold_id},
                    "ExpressionAttributeValues": {
                        ":unused": number(reserved - actual.credits),
                        ":usd": number(actual.cost_usd),
                        ":tokens": number(actual.tokens),
                        ":one": {"N": "1"},
                    },
                    "ReturnValues": "ALL_NEW",
                },
            )
        except ConditionFailedError:
            return None
        return balance(answer["Attributes"])

    async def release(self, account_uid: str, hold_id: str, reserved: Decimal) -> None:
        """Gives a hold back as if the call had never been asked for: no record, not a call."""
        try:
            await self._db.call(
                "UpdateItem",
                {
                    "TableName": self._table,
                    "Key": _key(keys.account(account_uid), keys.counter()),
                    "UpdateExpression": "SET av = av + :unused REMOVE h.#id",
                    "ConditionExpression": "attribute_exists(h.#id)",
                    "ExpressionAttributeNames": {"#id": hold_id},
                    "ExpressionAttributeValues": {":unused": number(reserved)},
                },
            )
        except ConditionFailedError:
            return


def _hold(bound: Charge, expires_at: int) -> dict[str, Any]:
    """A hold as stored: credits, expiry, kind; the cost in USD only where it is another number."""
    hold = {"a": number(bound.credits), "x": number(expires_at), "k": {"S": CALL_KIND}}
    if bound.cost_usd != bound.credits:
        hold["u"] = number(bound.cost_usd)
    return {"M": hold}


def number(value: Decimal | int) -> dict[str, str]:
    """A DynamoDB number, in plain notation."""
    return {"N": format(value, "f") if isinstance(value, Decimal) else str(value)}


def balance(item: Item) -> Balance:
    """The balance that a counter item holds."""
    held = sum((Decimal(hold["M"]["a"]["N"]) for hold in item["h"]["M"].values()), ZERO)
    return Balance(Decimal(item["av"]["N"]), held, Decimal(item["al"]["N"]))


def recorded(item: Item) -> Recorded:
    """What a stored call record charges."""
    if item["kind"]["S"] == VOID_KIND:
        return Recorded(ZERO, ZERO, 0, void=True)
    tokens = int(item["input_tokens"]["N"]) + int(item["output_tokens"]["N"])
    return Recorded(Decimal(item["credits_charged"]["N"]), Decimal(item["cost_usd"]["N"]), tokens)


def queue_of(account_uid: str) -> str:
    """The sweeper's partition for an account, the same on every write."""
    return keys.sweep(zlib.crc32(account_uid.encode()) % keys.SWEEP_PARTITIONS)


def due(expires_at: int) -> str:
    """Epoch seconds as text of fixed width, so that text order is time order."""
    return f"{expires_at:012d}"


def record_item(call: Call) -> Item:
    """The call as it is stored; absent attributes are null. At most 1 KB, as its write is paid by the KB."""
    who = call.entitlement
    started = datetime.fromtimestamp(call.started_at, UTC)
    now = clock.utc_now()
    owner = who.team_uid or keys.PLATFORM
    texts: dict[str, str | None] = {
        "PK": keys.call(call.hold_id),
        "SK": keys.ENTITY,
        "GSI1PK": keys.calls_of(owner, started.strftime("%Y-%m-%d")),
        "GSI1SK": call.call_id,
        "kind": "call",
        "call_id": call.call_id,
        "key_id": who.key_id,
        "team_id": who.team_id,
        "organization_id": who.organization_id,
        "organization_uid": who.organization_uid,
        "user_id": who.user_id,
        "requested_model": call.requested_model,
        "model_used": call.model_used,
        "provider": call.provider,
        "target_id": call.target_id,
        "credential_source": call.credential_source,
        "price_version": call.price_version,
        "provider_request_id": call.provider_request_id,
        "outcome": call.outcome.value,
        "detail": call.detail.value if call.detail else None,
        "error": call.error[:1000] if call.error else None,
        "started_at": clock.to_stored(started),
    }
    numbers: dict[str, Decimal | int | None] = {
        "input_tokens": call.usage.input,
        "output_tokens": call.usage.output,
        "cached_tokens": call.usage.cached or None,
        "reasoning_tokens": call.usage.reasoning or None,
        "cost_usd": call.charge.cost_usd,
        "provider_cost_usd": call.charge.provider_cost_usd,
        "credits_charged": call.charge.credits,
        "credits_reserved": call.reserved,
        "latency_ms": int((now.timestamp() - call.started_at) * 1000),
        "first_token_ms": int((call.first_token_at - call.started_at) * 1000) if call.first_token_at else None,
    }
    item: Item = {name: {"S": value} for name, value in texts.items() if value is not None}
    item |= {name: number(value) for name, value in numbers.items() if value is not None}
    item |= {name: {"BOOL": True} for name in _flags(call)}
    return item


def _flags(call: Call) -> list[str]:
    flags = {"streamed": call.streamed, "estimated": call.usage.estimated}
    return [name for name, value in flags.items() if value]


def _key(pk: str, sk: str) -> dict[str, Any]:
    return {"PK": {"S": pk}, "SK": {"S": sk}}
