"""The table in memory answers as DynamoDB Local does, for random expressions of the kinds that the money path writes."""

from __future__ import annotations

import asyncio
import random
from contextlib import aclosing
from typing import Any

import pytest

from tests.support.environment import TABLE
from tests.support.minidb import Fate, MiniDB, Sent, Table, normalised
from tollgate.aws import dynamodb
from tollgate.aws.dynamodb import ConditionFailedError, DynamoDB, TransactionCancelledError, UncertainWriteError
from tollgate.core.errors import StoreUnavailableError
from tollgate.settings import settings

REQUESTS = 1_500
NUMBERS = ["av", "us", "c1", "c2", "px"]
PLACES = ["HOT#0", "HOT#1"]
HOLDS = ["a", "b", "c"]
KEY = {"PK": {"S": "ACCOUNT#mini"}, "SK": {"S": "HOT#0"}}


@pytest.mark.engine
@pytest.mark.parametrize("seed", range(2))
def test_expressions_mean_what_they_mean_to_dynamodb(table: None, seed: int) -> None:
    asyncio.run(_compare(random.Random(seed)))


async def _compare(chance: random.Random) -> None:
    config = settings()
    mini = MiniDB(Table())
    outcomes = []
    async with aclosing(DynamoDB(config.region, config.dynamodb_endpoint_url)) as real:
        for _ in range(REQUESTS):
            operation, payload = _request(chance)
            expected = await _told(real, operation, payload)
            assert await _told(mini, operation, payload) == expected, (operation, payload)
            outcomes.append(expected[0])
    # Both kinds of answers were seen often enough to mean something.
    assert min(outcomes.count("done"), outcomes.count("condition")) > REQUESTS / 20
    assert {"done", "condition", "cancelled", "invalid"} == set(outcomes)


async def _told(db: DynamoDB, operation: str, payload: dict[str, Any]) -> tuple[str, Any]:
    """What a caller of the client sees."""
    try:
        answer = await db.call(operation, payload)
    except ConditionFailedError as failed:
        return "condition", failed.item and normalised(failed.item)
    except TransactionCancelledError as cancelled:
        return "cancelled", cancelled.reasons
    except RuntimeError as error:
        return ("invalid" if "ValidationException" in str(error) else str(error)), None
    if operation == "BatchGetItem":
        return "done", sorted(map(normalised, answer["Responses"][TABLE]), key=lambda item: item["SK"]["S"])
    if operation == "TransactGetItems":
        return "done", [normalised(one["Item"]) if "Item" in one else None for one in answer["Responses"]]
    # DynamoDB Local keeps zeros at the end of a number, the service does not.
    return "done", [normalised(answer.get("Attributes", {})), *map(normalised, answer.get("Items", ()))]


def _request(chance: random.Random) -> tuple[str, dict[str, Any]]:
    kind = chance.choices(["put", "update", "transact", "read", "get", "query"], [6, 60, 10, 4, 4, 6])[0]
    match kind:
        case "put":
            return "PutItem", _Written(chance).put()
        case "update":
            return "UpdateItem", _Written(chance).update()
        case "transact":
            places = chance.sample(PLACES, chance.randint(1, 2))
            entries = [{"Update": _Written(chance, place, told=False).update()} for place in places]
            return "TransactWriteItems", {"TransactItems": entries}
        case "read":
            keys = [KEY | {"SK": {"S": place}} for place in PLACES]
            return "BatchGetItem", {"RequestItems": {TABLE: {"Keys": keys, "ConsistentRead": True}}}
        case "get":
            wanted = [{"Get": {"TableName": TABLE, "Key": KEY | {"SK": {"S": place}}}} for place in PLACES]
            return "TransactGetItems", {"TransactItems": wanted}
        case _:
            return "Query", {
                "TableName": TABLE,
                "KeyConditionExpression": "PK = :pk AND #sk BETWEEN :first AND :last",
                "ExpressionAttributeNames": {"#sk": "SK"},
                "ExpressionAttributeValues": {
                    ":pk": KEY["PK"],
                    ":first": {"S": chance.choice(PLACES)},
                    ":last": {"S": "HOT#1"},
                },
                "ConsistentRead": True,
            }


class _Written:
    """A random write: its expressions, with the names and values that they use."""

    def __init__(self, chance: random.Random, place: str | None = None, *, told: bool = True) -> None:
        self._chance = chance
        self._place = place or chance.choice(PLACES)
        self._told = told
        self._names: dict[str, str] = {}
        self._values: dict[str, Any] = {}

    def put(self) -> dict[str, Any]:
        item = KEY | {"SK": {"S": self._place}, "h": {"M": {}}, "z": {"M": {}}}
        item |= {name: {"N": "0.50"} for name in NUMBERS if self._chance.random() < 0.7}
        return self._payload({"Item": item}, "attribute_not_exists(PK)" if self._chance.random() < 0.8 else None)

    def update(self) -> dict[str, Any]:
        sets = [self._set() for _ in range(self._chance.randint(1, 3))]
        removed = [self._nested()] if self._chance.random() < 0.3 else []
        text = f"SET {', '.join(sets)}" + (f" REMOVE {', '.join(removed)}" if removed else "")
        conditions = [self._condition() for _ in range(self._chance.randint(0, 2))]
        joined = self._chance.choice([" AND ", " OR "]).join(conditions) or None
        how = {"ReturnValues": self._chance.choice(["NONE", "ALL_NEW", "UPDATED_NEW"])} if self._told else {}
        return self._payload({"Key": KEY | {"SK": {"S": self._place}}, "UpdateExpression": text, **how}, joined)

    def _payload(self, parts: dict[str, Any], condition: str | None) -> dict[str, Any]:
        payload = {"TableName": TABLE, **parts}
        if condition is not None:
            payload["ConditionExpression"] = condition
            if self._told:
                payload["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        if self._names:
            payload["ExpressionAttributeNames"] = self._names
        if self._values:
            payload["ExpressionAttributeValues"] = self._values
        return payload

    def _name(self, name: str) -> str:
        self._names[f"#{name}"] = name
        return f"#{name}"

    def _number(self) -> str:
        placeholder = f":v{len(self._values)}"
        self._values[placeholder] = {"N": self._chance.choice(["0", "1", "-1", "2.50", "0.000000000001", "10"])}
        return placeholder

    def _text(self) -> str:
        placeholder = f":v{len(self._values)}"
        self._values[placeholder] = {"S": self._chance.choice(["one", "two"])}
        return placeholder

    def _any_number(self) -> str:
        return self._name(self._chance.choice(NUMBERS))

    def _nested(self) -> str:
        return f"{self._chance.choice('hz')}.{self._name(self._chance.choice(HOLDS))}"

    def _set(self) -> str:
        match self._chance.randrange(5):
            case 0:
                name = self._any_number()
                return f"{name} = {name} {self._chance.choice('+-')} {self._number()}"
            case 1:
                name = self._any_number()
                return f"{name} = if_not_exists({name}, {self._number()}) + {self._number()}"
            case 2:
                placeholder = f":v{len(self._values)}"
                self._values[placeholder] = {"M": {"x": {"N": "5"}, "w": {"S": "one"}}}
                return f"{self._nested()} = {placeholder}"
            case 3:
                return f"{self._nested()}.w = {self._text()}"
            case _:
                return f"{self._any_number()} = {self._number()}"

    def _condition(self) -> str:
        match self._chance.randrange(5):
            case 0:
                return f"{self._chance.choice(['attribute_exists', 'attribute_not_exists'])}({self._nested()})"
            case 1:
                name = self._any_number()
                return f"(attribute_not_exists({name}) OR {name} <= {self._number()})"
            case 2:
                other = self._chance.choice([self._number, self._any_number])()
                return f"size(h) {self._chance.choice(['<', '<=', '='])} {other}"
            case 3:
                return f"{self._nested()}.w = {self._text()}"
            case _:
                return f"{self._any_number()} {self._chance.choice(['>=', '>', '<', '=', '<>'])} {self._number()}"


@pytest.mark.parametrize(
    ("fate", "resend", "told", "late", "effects"),
    [
        (Fate.DONE, True, None, 0, 1),
        (Fate.LOST, True, StoreUnavailableError, 0, 6),
        (Fate.LOST, False, UncertainWriteError, 0, 1),
        (Fate.CUT, True, StoreUnavailableError, 6, 0),
        (Fate.CUT, False, UncertainWriteError, 1, 0),
        (Fate.FAILED, False, UncertainWriteError, 0, 0),
        (Fate.THROTTLED, False, StoreUnavailableError, 0, 0),
        (Fate.CONFLICT, True, StoreUnavailableError, 0, 0),
    ],
)
def test_what_becomes_of_a_request(
    monkeypatch: pytest.MonkeyPatch,
    fate: Fate,
    told: type[Exception] | None,
    late: int,
    effects: int,
    *,
    resend: bool,
) -> None:
    monkeypatch.setattr(dynamodb.random, "uniform", lambda *_: 0)

    async def always(sent: Sent) -> Fate:
        return fate

    mini = MiniDB(Table(), always)
    mini.table.put({**KEY, "cn": {"N": "0"}})
    write = {
        "TableName": TABLE,
        "Key": KEY,
        "UpdateExpression": "SET cn = cn + :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }

    async def send() -> type[Exception] | None:
        try:
            await mini.call("UpdateItem", write, resend=resend)
        except StoreUnavailableError as error:
            return type(error)
        return None

    assert asyncio.run(send()) is told
    assert len(mini.late) == late
    found = mini.table.find("ACCOUNT#mini", "HOT#0")
    assert found is not None
    assert found["cn"] == {"N": str(effects)}
    # What was held up on the way arrives after all.
    assert [mini.table.do(sent)[0] for sent in mini.late] == [200] * late


@pytest.mark.parametrize(
    "payload",
    [
        {"UpdateExpression": "ADD cn :one"},
        {"UpdateExpression": "SET cn = :one", "ConditionExpression": "contains(h, :one)"},
        {"UpdateExpression": "SET cn = :one, us = :two"},
        {"UpdateExpression": "SET us = us + :one"},
        {"UpdateExpression": "SET g.x = :one"},
    ],
)
def test_what_it_does_not_know_is_an_error(payload: dict[str, Any]) -> None:
    mini = MiniDB(Table())
    values = {":one": {"N": "1"}}
    with pytest.raises((RuntimeError, KeyError)):
        asyncio.run(
            mini.call("UpdateItem", {"TableName": TABLE, "Key": KEY, "ExpressionAttributeValues": values, **payload})
        )
