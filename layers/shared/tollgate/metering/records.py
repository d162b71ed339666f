"""Call records: written once, by whoever is first, proxy or sweeper; that one fixes what the call costs.

Every scope settles by the record, so all of them charge the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from tollgate.aws.dynamodb import ConditionFailedError, DynamoDB, Item
from tollgate.core import clock, ids
from tollgate.metering.counters import number
from tollgate.metering.model import Amount, Call, Outcome
from tollgate.table import keys

CALL_KIND = "call"
VOID_KIND = "void"
# Of calls of this endpoint, which are most, the record does not say it.
_USUAL_ROUTE = "/chat/completions"
# A request signed now is refused by DynamoDB long before.
_VOID_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the call's record says, whoever wrote it. ``void``: there was no call, only a reservation withdrawn."""

    amount: Amount
    void: bool = False


class Records:
    """Writes call records."""

    def __init__(self, db: DynamoDB, table_name: str) -> None:
        self._db = db
        self._table = table_name

    async def record(self, call: Call) -> Recorded:
        """Writes the call's record if nobody has; returns what the record that counts says."""
        item = record_item(call)
        return recorded(await self._put(item) or item)

    async def void(self, hold_id: str) -> Recorded:
        """Makes uncertain reservations worth nothing, whether they took effect, or did not, or still will.

        The void record is what the sweeper finds beside a hold that arrives late; it charges nothing and is no call.
        Returns the record that counts: another one if the call was recorded before.
        """
        expires = int(ids.time_of_hold(hold_id)) + _VOID_SECONDS
        found = await self._put(
            {
                "PK": {"S": keys.call(hold_id)},
                "SK": {"S": keys.ENTITY},
                "kind": {"S": VOID_KIND},
                "ttl": number(expires),
            }
        )
        return recorded(found) if found else Recorded(Amount(), void=True)

    async def _put(self, item: Item) -> Item | None:
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


def recorded(item: Item) -> Recorded:
    """What a stored call record charges."""
    if item["kind"]["S"] == VOID_KIND:
        return Recorded(Amount(), void=True)
    return Recorded(
        Amount(
            Decimal(item["cost_usd"]["N"]),
            Decimal(item["credits_charged"]["N"]),
            int(item["input_tokens"]["N"]) + int(item["output_tokens"]["N"]),
            failed=item["outcome"]["S"] == Outcome.FAILED,
            latency_ms=int(item["latency_ms"]["N"]),
        )
    )


def record_item(call: Call) -> Item:
    """The call as it is stored; absent attributes are null. At most 1 KB, as its write is paid by the KB."""
    who = call.entitlement
    started = datetime.fromtimestamp(call.started_at, UTC)
    now = clock.utc_now()
    owner = who.team_uid or who.organization_uid or keys.PLATFORM
    texts: dict[str, str | None] = {
        "PK": keys.call(call.hold_id),
        "SK": keys.ENTITY,
        "GSI1PK": keys.calls_of(owner, started.strftime("%Y-%m-%d")),
        "GSI1SK": call.call_id,
        "kind": CALL_KIND,
        "call_id": call.call_id,
        "key_id": who.key_id,
        "team_id": who.team_id,
        "team_uid": who.team_uid,
        "organization_id": who.organization_id,
        "organization_uid": who.organization_uid,
        "user_id": who.user_id,
        "customer_id": who.customer_id,
        # Who paid, where that is not the owner of the record.
        "account_uid": who.account.uid if who.account is not None and who.account.uid != owner else None,
        "requested_model": call.requested_model,
        "model_used": call.model_used,
        "provider": call.provider,
        "target_id": call.target_id,
        "credential_source": call.credential_source,
        "price_version": call.price_version,
        "provider_request_id": call.provider_request_id,
        "route": call.route if call.route != _USUAL_ROUTE else None,
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
        "credits_reserved": call.reserved.credits,
        "latency_ms": int((now.timestamp() - call.started_at) * 1000),
        "first_token_ms": int((call.first_token_at - call.started_at) * 1000) if call.first_token_at else None,
    }
    item: Item = {name: {"S": value} for name, value in texts.items() if value is not None}
    item |= {name: number(value) for name, value in numbers.items() if value is not None}
    item |= {name: {"BOOL": True} for name in _flags(call)}
    if who.tags:
        item["tags"] = {"L": [{"S": tag} for tag in who.tags]}
    return item | _in_job(call)


def _in_job(call: Call) -> Item:
    """What the record of a job's call says of the job, which lists its calls."""
    job = call.job
    if job is None:
        return {}
    item: Item = {
        "GSI2PK": {"S": keys.calls_in(job.job_id)},
        "GSI2SK": {"S": call.call_id},
        "job_id": {"S": job.job_id},
        "job_type": {"S": job.job_type},
    }
    told = {"purpose": job.purpose, "call_metadata": job.call_metadata}
    return item | {name: {"S": value} for name, value in told.items() if value is not None}


def _flags(call: Call) -> list[str]:
    flags = {"streamed": call.streamed, "estimated": call.usage.estimated}
    return [name for name, value in flags.items() if value]
