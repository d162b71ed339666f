"""Jobs as tests look at them and move them: what settled calls leave behind, without the calls."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.support import build, calls
from tests.support.accounts import TEAM, uid_of
from tests.support.api import call
from tests.support.environment import TABLE, engine
from tests.support.items import partition
from tollgate.table import keys

Figures = dict[str, Decimal | int | str]


def get(job_id: str, **how: Any) -> Any:
    """The job as the API shows it."""
    return call("GET", f"/api/jobs/{job_id}", **how).body


def end(job_id: str, status: str = "completed", **how: Any) -> Any:
    """The answer of its end."""
    if status == "cancelled":
        return call("POST", f"/api/jobs/{job_id}/cancel", **how)
    return call("POST", f"/api/jobs/{job_id}/complete", {"status": status}, **how)


def counter(job_id: str) -> dict[str, Any]:
    """The job's counter item."""
    (item,) = partition(keys.account(job_id))
    return item


def with_calls(team_id: str = "acme-dev", **figures: Any) -> str:
    """The id of a new job that has had calls."""
    job_id: str = build.job(team_id)["job_id"]
    settled(job_id, team_id=team_id, **figures)
    return job_id


def settled(  # the parts of what a call leaves behind
    job_id: str,
    *,
    cost: str = "0.01",
    tokens: int = 100,
    failed: bool = False,
    promised: str = "1",
    latency_ms: int = 200,
    team_id: str = "acme-dev",
    payer: dict[str, str] | None = None,
    shard: int = 0,
    at: datetime = calls.NOON,
    **fields: Any,
) -> None:
    """One call of the job, as the money path leaves it: counted by the job, paid for with ``promised`` credits."""
    team_uid = _team_uid(job_id)
    paying = uid_of(payer) if payer else team_uid
    numbers: Figures = {"cn": 1, "us": Decimal(cost), "tk": tokens}
    own = {"jf": int(failed), "lm": 0 if failed else latency_ms, "pr": Decimal(promised)}
    _add(job_id, 0, numbers | own, {"ac": paying} if Decimal(promised) else {})
    _add(paying, shard, numbers | {"av": -Decimal(promised), "jh": Decimal(promised)})
    item = calls.record(
        at,
        team_uid=team_uid,
        team_id=team_id,
        outcome="failed" if failed else "success",
        input_tokens=tokens - tokens // 3,
        output_tokens=tokens // 3,
        cost_usd=Decimal(cost),
        provider_cost_usd=Decimal(cost) / 2,
        credits_charged=Decimal(0),
        latency_ms=latency_ms,
        job_id=job_id,
        GSI2PK=keys.calls_in(job_id),
        **fields,
    )
    calls.put([item | {"GSI2SK": item["call_id"]}])


def begun(job_id: str) -> None:
    """The job has a call in flight."""
    _update(job_id, 0, "SET h = :h", {":h": {"M": {"hold": {"M": {"x": {"N": "1"}, "t": {"N": "5"}}}}}})


def reserve(job_id: str, calls: int) -> bool:
    """A call begins in the job as the money path has it begin; whether it could."""
    hold = {"M": {"x": {"N": "1"}, "t": {"N": "5"}}}
    values = {":h": hold, ":cn": {"N": str(calls)}}
    client = engine.client("dynamodb")
    try:
        client.update_item(
            TableName=TABLE,
            Key={"PK": {"S": keys.account(job_id)}, "SK": {"S": keys.counter()}},
            UpdateExpression="SET h.#id = :h",
            ConditionExpression="attribute_not_exists(cl) AND cn = :cn",
            ExpressionAttributeNames={"#id": "hold"},
            ExpressionAttributeValues=values,
        )
    except client.exceptions.ConditionalCheckFailedException:
        return False
    return True


def _team_uid(job_id: str) -> str:
    place = {"PK": {"S": keys.job(job_id)}, "SK": {"S": keys.ENTITY}}
    item = engine.client("dynamodb").get_item(TableName=TABLE, Key=place, ConsistentRead=True)["Item"]
    return str(item["team_uid"]["S"])


def _add(uid: str, shard: int, numbers: Figures, texts: dict[str, str] | None = None) -> None:
    values = {f":{name}": {"N": str(number)} for name, number in numbers.items()}
    expression = "ADD " + ", ".join(f"{name} :{name}" for name in numbers)
    if texts:
        values |= {f":{name}": {"S": text} for name, text in texts.items()}
        expression += " SET " + ", ".join(f"{name} = if_not_exists({name}, :{name})" for name in texts)
    _update(uid, shard, expression, values)


def _update(uid: str, shard: int, expression: str, values: dict[str, Any]) -> None:
    engine.client("dynamodb").update_item(
        TableName=TABLE,
        Key={"PK": {"S": keys.account(uid)}, "SK": {"S": keys.counter(shard)}},
        UpdateExpression=expression,
        ExpressionAttributeValues=values,
    )


__all__ = ["TEAM", "begun", "counter", "end", "get", "reserve", "settled", "with_calls"]
