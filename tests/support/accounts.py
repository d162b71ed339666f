"""Accounts as tests look at them and move them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.support.api import call
from tests.support.environment import TABLE, engine
from tests.support.items import all_items, partition, put_raw
from tollgate.core import ids
from tollgate.table import keys

TEAM = {"team_id": "acme-dev"}
ORGANIZATION = {"organization_id": "org_acme"}


def add(owner: dict[str, str], amount: int) -> Any:
    """Added credits: the API's answer."""
    answer = call("POST", "/api/credits/add", owner | {"amount": amount})
    assert answer.status == 200, answer.text
    return answer.body


def balance(owner: dict[str, str], **how: Any) -> Any:
    return call("GET", "/api/credits/balance", query=owner, **how).body


def figures(owner: dict[str, str]) -> tuple[float, float, float]:
    """Allocated, used and remaining credits."""
    now = balance(owner)
    return now["credits_allocated"], now["credits_used"], now["credits_remaining"]


def ledger(owner: dict[str, str], **how: Any) -> Any:
    """The entries, newest first."""
    return call("GET", "/api/credits/transactions", query=owner, **how).body["transactions"]


def configure(owner: dict[str, str], **settings: Any) -> Any:
    """Changed settings: the API's answer."""
    answer = call("PUT", "/api/credits/settings", settings, query=owner)
    assert answer.status == 200, answer.text
    return answer.body


def uid_of(owner: dict[str, str]) -> str:
    """The internal uid of a team or an organization."""
    ((name, value),) = owner.items()
    kind = name.removesuffix("_id")
    (item,) = [item for item in all_items() if item["kind"] == kind and item[name] == value]
    return str(item["uid"])


def stored(owner: dict[str, str]) -> dict[str, Any]:
    """The account's counter item."""
    pk = keys.account(uid_of(owner))
    (item,) = [item for item in partition(pk) if item["SK"] == keys.counter()]
    return item


def spend(owner: dict[str, str], amount: str, **holds: str) -> None:
    """Moves the counter as calls do: ``amount`` leaves for good, and each hold leaves to be held."""
    held = sum((Decimal(credit) for credit in holds.values()), Decimal(0))
    entries = {name: {"M": {"a": {"N": credit}, "x": {"N": "1"}}} for name, credit in holds.items()}
    engine.client("dynamodb").update_item(
        TableName=TABLE,
        Key={"PK": {"S": keys.account(uid_of(owner))}, "SK": {"S": keys.counter()}},
        UpdateExpression="SET av = av - :a, h = :h",
        ExpressionAttributeValues={":a": {"N": format(Decimal(amount) + held, "f")}, ":h": {"M": entries}},
    )


def recorded_call(owner: dict[str, str], credits_charged: str, **changes: str) -> str:
    """The record of an interrupted call that ``owner`` paid for: the call's id."""
    call_id = ids.new_call_id()
    name = "team_uid" if "team_id" in owner else "organization_uid"
    texts = {
        "PK": keys.call(ids.hold_id_of(call_id)),
        "SK": keys.ENTITY,
        "kind": "call",
        "call_id": call_id,
        name: uid_of(owner),
        "outcome": "interrupted",
    }
    put_raw(
        [{key: {"S": value} for key, value in (texts | changes).items()} | {"credits_charged": {"N": credits_charged}}]
    )
    return call_id
