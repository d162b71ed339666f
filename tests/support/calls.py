"""Call records as the data plane stores them, and what they sum up to, computed the plain way."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from tests.support.items import all_items, put_raw
from tests.support.stream import insert
from tollgate.core import ids
from tollgate.usage.figures import ATTRIBUTES
from workers import rollup

Item = dict[str, dict[str, Any]]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
_plain = TypeDeserializer()
_FLAT = ("key_id", "user_id", "customer_id", "project_id")


def record(at: datetime = NOON, **fields: Any) -> Item:
    """A record of a call that started at ``at``. Texts, numbers, booleans and lists of texts become attributes."""
    call_id = ids.new_call_id(int(at.timestamp() * 1000))
    hold_id = ids.hold_id_of(call_id)
    owner = fields.get("team_uid") or fields.get("organization_uid") or "platform"
    values = {
        "PK": f"CALL#{hold_id}",
        "SK": "#",
        "GSI1PK": f"CALLS#{owner}#{at:%Y-%m-%d}",
        "GSI1SK": call_id,
        "kind": "call",
        "call_id": call_id,
        "requested_model": "fast",
        "provider": "openai",
        "outcome": "success",
        "started_at": f"{at:%Y-%m-%dT%H:%M:%S.%fZ}",
        "input_tokens": 10,
        "output_tokens": 5,
        "cost_usd": Decimal("0.000000000125"),
        "provider_cost_usd": Decimal("0.0000000001"),
        "credits_charged": Decimal("0.000000000125"),
        "latency_ms": 200,
    } | fields
    return {name: _typed(value) for name, value in values.items() if value is not None}


def _typed(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, list):
        return {"L": [{"S": one} for one in value]}
    return {"N": format(value, "f") if isinstance(value, Decimal) else str(value)}


def some(chance: random.Random, number: int, days: int = 2) -> list[Item]:
    """Calls of a few teams, keys, users, customers and tags, on a few days, with every outcome."""
    found = []
    for _ in range(number):
        team = chance.choice(["t1", "t2", None])
        at = NOON.replace(day=chance.randint(1, days), hour=chance.choice([0, 12, 23]))
        fields: dict[str, Any] = {
            "team_uid": team,
            "team_id": team and f"team-{team}",
            "organization_uid": "o1" if team else None,
            "key_id": chance.choice(["k1", "k2", None]),
            "user_id": chance.choice(["ann", None]),
            "customer_id": chance.choice(["c#1", None]),
            "tags": chance.choice([None, ["a"], ["a", "b"]]),
            "requested_model": chance.choice(["fast", "slow"]),
            "job_type": chance.choice([None, "resume"]),
            "outcome": chance.choice(["success", "failed", "interrupted"]),
            "estimated": chance.choice([True, None]),
            "input_tokens": chance.randint(0, 1000),
            "cached_tokens": chance.choice([None, 3]),
            "cost_usd": Decimal(chance.randint(0, 10**9)).scaleb(-12),
            "first_token_ms": chance.choice([None, 40]),
        }
        found.append(record(at, **fields))
    return found


def expected_buckets(records: Iterable[Item]) -> dict[tuple[str, str, str], dict[str, Decimal]]:
    """Figures by (what the bucket is of, its day or hour and owner, its dimensions), summed call by call."""
    sums: dict[tuple[str, str, str], dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for item in records:
        call = {name: _plain.deserialize(value) for name, value in item.items()}
        owner = call.get("team_uid") or call.get("organization_uid") or "platform"
        day, hour = call["started_at"][:10], call["started_at"][:13]
        dimensions = "|".join(str(call.get(name)) for name in ("requested_model", "provider", "job_type"))
        wheres = [f"OWNER#{owner}"]
        wheres += [f"{name[:-3].upper()}#{call[name]}" for name in _FLAT if call.get(name)]
        wheres += [f"TAG#{tag}" for tag in call.get("tags", [])]
        buckets = [(where, f"{day}#{owner}", dimensions) for where in wheres]
        for bucket in [*buckets, (f"OWNER#{owner}", f"{hour}#{owner}", "")]:
            for name, value in _figures(call).items():
                sums[bucket][name] += value
    return {bucket: {name: value for name, value in own.items() if value} for bucket, own in sums.items()}


def _figures(call: dict[str, Any]) -> dict[str, Decimal]:
    one = Decimal(1)
    return {
        "cn": one,
        "er": one * (call["outcome"] == "failed"),
        "ir": one * (call["outcome"] == "interrupted"),
        "es": one * bool(call.get("estimated")),
        "ti": call["input_tokens"],
        "tc": call.get("cached_tokens", Decimal(0)),
        "to": call["output_tokens"],
        "tr": call.get("reasoning_tokens", Decimal(0)),
        "us": call["cost_usd"],
        "pu": call["provider_cost_usd"],
        "cr": call["credits_charged"],
        "lm": call.get("latency_ms", Decimal(0)),
        "ln": one * ("latency_ms" in call),
        "fm": call.get("first_token_ms", Decimal(0)),
        "fn": one * ("first_token_ms" in call),
    }


def stored_buckets() -> dict[tuple[str, str, str], dict[str, Decimal]]:
    """The buckets that the table has, in the same form."""
    found = {}
    for item in all_items():
        if item["kind"] != "usage" or item["SK"] == "TOTAL":
            continue
        where = item["PK"].removeprefix("USAGE#").replace("%23", "#")
        when = f"{item.get('day') or item['hour']}#{item['owner_uid']}"
        names = ("model", "provider", "job_type")
        dimensions = "|".join(str(item.get(name)) for name in names) if "day" in item else ""
        found[where, when, dimensions] = {name: item[name] for name in ATTRIBUTES.values() if item.get(name)}
    return found


def put(records: list[Item]) -> list[Item]:
    """Puts the records into the table."""
    put_raw(records)
    return records


def counted(records: list[Item]) -> list[Item]:
    """Puts the records into the table and counts them, by a consumer that knows nothing yet."""
    rollup._names.cache_clear()
    delivered = [insert(item, number) for number, item in enumerate(put(records))]
    assert rollup.handler({"Records": delivered}, None) == {"batchItemFailures": []}
    return records
