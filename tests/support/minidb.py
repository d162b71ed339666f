"""A table in memory behind the hot path's own client: what is sent, resent, lost and late is the real client's affair.

Only the network is replaced. Each request waits until ``network`` says what becomes of it, so that a test decides what
happens in which order. Evaluates what the money path writes; whatever else comes raises.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar

import orjson

from tests.support.expressions import InvalidExpressionError, Item, Request, condition, plain, update
from tollgate.aws.dynamodb import DynamoDB

Key = tuple[str, str]
_ERROR = "com.amazonaws.dynamodb.v20120810#"
# Sort key of each index, by its partition key.
_INDEXES = {None: ("PK", "SK"), "GSI1": ("GSI1PK", "GSI1SK"), "GSI2": ("GSI2PK", "GSI2SK"), "DUE": ("DUEPK", "DUESK")}
_WRITES = {"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"}
_UPDATE_PARTS = {
    "TableName",
    "Key",
    "Item",
    "UpdateExpression",
    "ConditionExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ReturnValues",
    "ReturnValuesOnConditionCheckFailure",
}
_QUERY_PARTS = {
    "TableName",
    "IndexName",
    "KeyConditionExpression",
    "FilterExpression",
    "ProjectionExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ConsistentRead",
}


class Fate(StrEnum):
    """What becomes of a request."""

    DONE = "done"
    # It takes effect, and nobody hears of it.
    LOST = "lost"
    # It does not take effect yet, and nobody hears of it; it may arrive later.
    CUT = "cut"
    FAILED = "InternalServerError"
    THROTTLED = "ThrottlingException"
    CONFLICT = "TransactionConflictException"


@dataclass(frozen=True, slots=True)
class Sent:
    """A request on its way."""

    operation: str
    payload: dict[str, Any]

    @property
    def is_write(self) -> bool:
        return self.operation in _WRITES

    @property
    def is_reservation(self) -> bool:
        return ":hold" in self.payload.get("ExpressionAttributeValues", {})


class _RefusedError(Exception):
    """The table's answer to a write that it did not do."""

    def __init__(self, kind: str, **members: Any) -> None:
        super().__init__(kind)
        self.answer = {"__type": _ERROR + kind, "message": kind, **members}


@dataclass
class Table:
    """The items, by their keys."""

    items: dict[Key, Item] = field(default_factory=dict)

    def do(self, sent: Sent) -> tuple[int, dict[str, Any]]:
        """Status and answer, as DynamoDB gives them."""
        try:
            return 200, self._does[sent.operation](self, sent.payload)
        except _RefusedError as refused:
            return 400, refused.answer
        except InvalidExpressionError as error:
            return 400, {"__type": _ERROR + "ValidationException", "message": str(error)}

    def put(self, item: Item) -> None:
        self.items[_key_of(item)] = normalised(item)

    def find(self, pk: str, sk: str) -> Item | None:
        return self.items.get((pk, sk))

    def under(self, pk: str) -> list[Item]:
        return [item for (found, _), item in self.items.items() if found == pk]

    def _do_put(self, payload: dict[str, Any]) -> dict[str, Any]:
        self._write(payload, self._put_after(payload))
        return {}

    def _do_update(self, payload: dict[str, Any]) -> dict[str, Any]:
        after, changed = self._update_after(payload)
        self._write(payload, after)
        match payload.get("ReturnValues", "NONE"):
            case "NONE":
                return {}
            case "ALL_NEW":
                return {"Attributes": after}
            case "UPDATED_NEW":
                return {"Attributes": _part_of(after, changed)}
            case other:
                raise NotImplementedError(other)

    def _put_after(self, payload: dict[str, Any]) -> Item:
        _check_known(payload, _UPDATE_PARTS)
        self._check(payload, self.items.get(_key_of(payload["Item"])), Request.of(payload))
        return normalised(payload["Item"])

    def _update_after(self, payload: dict[str, Any]) -> tuple[Item, set[str]]:
        _check_known(payload, _UPDATE_PARTS)
        before = self.items.get(_key_of(payload["Key"]))
        request = Request.of(payload)
        changes = update(payload["UpdateExpression"])
        changes.check(request)
        self._check(payload, before, request)
        after, changed = changes.apply(before if before is not None else payload["Key"], request)
        return normalised(after), changed

    def _check(self, payload: dict[str, Any], before: Item | None, request: Request) -> None:
        text = payload.get("ConditionExpression")
        if text is None or condition(text)(before or {}, request):
            return
        told = payload.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and before is not None
        raise _RefusedError("ConditionalCheckFailedException", **({"Item": before} if told else {}))

    def _write(self, payload: dict[str, Any], after: Item) -> None:
        self.items[_key_of(payload.get("Key") or payload["Item"])] = after

    def _transact_write(self, payload: dict[str, Any]) -> dict[str, Any]:
        """All of them or none; each is checked against what stood before."""
        afters: list[tuple[dict[str, Any], Item]] = []
        codes = []
        for entry in payload["TransactItems"]:
            ((kind, one),) = entry.items()
            try:
                if kind == "ConditionCheck":
                    self._check(one, self.items.get(_key_of(one["Key"])), Request.of(one))
                elif kind in {"Put", "Update"}:
                    afters.append((one, self._put_after(one) if kind == "Put" else self._update_after(one)[0]))
                else:
                    raise NotImplementedError(kind)
            except _RefusedError:
                codes.append("ConditionalCheckFailed")
            else:
                codes.append("None")
        if set(codes) != {"None"}:
            raise _RefusedError("TransactionCanceledException", CancellationReasons=[{"Code": code} for code in codes])
        for one, after in afters:
            self._write(one, after)
        return {}

    def _transact_get(self, payload: dict[str, Any]) -> dict[str, Any]:
        found = (self.items.get(_key_of(entry["Get"]["Key"])) for entry in payload["TransactItems"])
        return {"Responses": [{"Item": item} if item is not None else {} for item in found]}

    def _batch_get(self, payload: dict[str, Any]) -> dict[str, Any]:
        responses = {}
        for table, wanted in payload["RequestItems"].items():
            _check_known(wanted, {"Keys", "ConsistentRead"})
            found = (self.items.get(_key_of(key)) for key in wanted["Keys"])
            responses[table] = [item for item in found if item is not None]
        return {"Responses": responses, "UnprocessedKeys": {}}

    def _do_query(self, payload: dict[str, Any]) -> dict[str, Any]:
        _check_known(payload, _QUERY_PARTS)
        request = Request.of(payload)
        partition, sort = _INDEXES[payload.get("IndexName")]
        wanted = condition(payload["KeyConditionExpression"])
        kept = condition(payload["FilterExpression"]) if "FilterExpression" in payload else None
        listed = [item for item in self.items.values() if partition in item and sort in item]
        found = [item for item in listed if wanted(item, request) and (kept is None or kept(item, request))]
        found.sort(key=lambda item: (item[sort]["S"], item["PK"]["S"], item["SK"]["S"]))
        if "ProjectionExpression" in payload:
            names = request.path(tuple(name.strip() for name in payload["ProjectionExpression"].split(",")))
            found = [_part_of(item, names) for item in found]
        elif payload.get("IndexName") == "DUE":
            found = [_part_of(item, ("PK", "SK", partition, sort)) for item in found]
        return {"Items": found}

    _does: ClassVar[dict[str, Callable[[Table, dict[str, Any]], dict[str, Any]]]] = {
        "PutItem": _do_put,
        "UpdateItem": _do_update,
        "TransactWriteItems": _transact_write,
        "TransactGetItems": _transact_get,
        "BatchGetItem": _batch_get,
        "Query": _do_query,
    }


async def _at_once(sent: Sent) -> Fate:
    return Fate.DONE


class MiniDB(DynamoDB):
    """The hot path's client in front of a table in memory. ``late`` are the writes that may still arrive."""

    def __init__(self, table: Table, network: Callable[[Sent], Awaitable[Fate]] = _at_once) -> None:
        self.table = table
        self.late: list[Sent] = []
        self._network = network

    async def aclose(self) -> None:
        """There is nothing to give back."""

    async def _post(self, target: str, body: bytes) -> tuple[int, dict[str, Any]]:
        sent = Sent(target.rpartition(".")[2], orjson.loads(body))
        fate = await self._network(sent)
        match fate:
            case Fate.DONE:
                status, answer = self.table.do(sent)
                return status, orjson.loads(orjson.dumps(answer))
            case Fate.LOST:
                self.table.do(sent)
                raise TimeoutError
            case Fate.CUT:
                if sent.is_write:
                    self.late.append(sent)
                raise TimeoutError
            case Fate.FAILED:
                return 500, {"__type": _ERROR + fate}
            case _:
                return 400, {"__type": _ERROR + fate}


def normalised(item: Item) -> Item:
    """The item with its numbers as DynamoDB tells them."""
    return {name: _normalised(value) for name, value in item.items()}


def _normalised(value: dict[str, Any]) -> dict[str, Any]:
    if "N" in value:
        return {"N": plain(Decimal(value["N"]))}
    if "M" in value:
        return {"M": normalised(value["M"])}
    return value


def _part_of(item: Item, names: Iterable[str]) -> Item:
    return {name: item[name] for name in names if name in item}


def _key_of(item: Item) -> Key:
    return item["PK"]["S"], item["SK"]["S"]


def _check_known(payload: dict[str, Any], known: set[str]) -> None:
    if not payload.keys() <= known:
        raise NotImplementedError(sorted(payload.keys() - known))
