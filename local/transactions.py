"""DynamoDB's all-or-nothing writes on moto, which copies whole tables and keeps half-done updates.

Every condition is checked first, then every write applied; a write that fails puts back the items
touched so far. Stream records come out as DynamoDB writes them: one per item changed, none for a
write that changes nothing. Callers hold the engine's one lock.
"""

from __future__ import annotations

import base64
import copy
import re
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from moto.core.serialize import JSONSerializer
from moto.dynamodb.comparisons import get_filter_expression
from moto.dynamodb.exceptions import (
    ItemSizeTooLarge,
    MockValidationException,
    MultipleTransactionsException,
    TooManyTransactionsException,
    TransactionCanceledException,
    TransactWriteSingleOpException,
)
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict
from moto.dynamodb.models.table import StreamRecord, StreamShard, Table
from moto.dynamodbstreams.models import DynamoDBStreamsBackend

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_OPERATIONS = 100
# DynamoDB keeps 24 hours of stream records and iterators for 15 minutes; here it is a number of each.
MAX_STREAM_RECORDS = 20_000
MAX_ITERATORS = 1_000
# DynamoDB says 400 KB, and takes a little more.
MAX_ITEM_BYTES = 405_000

# An update that sets and adds to top-level attributes and nothing else.
_FLAT = re.compile(r"SET (?P<set>#\w+ = :\w+(?:, #\w+ = :\w+)*)(?: ADD (?P<add>#\w+ :\w+(?:, #\w+ :\w+)*))?")
_PAIR = re.compile(r"(#\w+)(?: =)? (:\w+)")

_Reason = tuple[str | None, str | None, dict[str, Any] | None]
_PASSED: _Reason = (None, None, None)
_moto_update_item = DynamoDBBackend.update_item
_moto_serialize_structure = JSONSerializer._serialize_type_structure  # noqa: SLF001 - no other way in
_moto_add, _moto_subtract = DynamoType.__add__, DynamoType.__sub__
_moto_get_records = DynamoDBStreamsBackend.get_records


def install() -> None:
    """Replace moto's transactions, updates, sums, streams, and the making and serializing of items.

    Calling it again changes nothing.
    """
    replacements: dict[type, dict[str, Any]] = {
        DynamoDBBackend: {
            "transact_write_items": _transact_write_items,
            "update_item": _update_item,
        },
        DynamoDBStreamsBackend: {"get_records": _get_records},
        StreamShard: {"add": _add_stream_record},
        Item: {"__init__": _make_item},
        LimitedSizeDict: {"__setitem__": dict.__setitem__},
        DynamoType: {"__add__": _add_number, "__sub__": _subtract_number},
        JSONSerializer: {"_serialize_type_structure": _serialize_structure},
    }
    for owner, methods in replacements.items():
        for name, method in methods.items():
            setattr(owner, name, method)


def empty(table: Table) -> None:
    """Take every item out of the table and give it a new stream."""
    table.items.clear()
    table.set_stream_specification(table.stream_specification)


class _Operation:
    """One entry of `TransactItems`."""

    def __init__(self, backend: DynamoDBBackend, entry: dict[str, Any]) -> None:
        if len(entry) != 1:
            raise TransactWriteSingleOpException
        self.kind, self.body = next(iter(entry.items()))
        self.table: Table = backend.get_table(self.body["TableName"])
        source = self.body["Item"] if self.kind == "Put" else self.body["Key"]
        self.key = {name: source[name] for name in self.table.table_key_attrs}
        self.names = self.body.get("ExpressionAttributeNames")
        self.values = self.body.get("ExpressionAttributeValues")

    @property
    def target(self) -> tuple[str, str]:
        return self.table.name, str(sorted(self.key.items()))

    def check(self) -> _Reason:
        """The reason for which this operation cancels the transaction."""
        condition = self.body.get("ConditionExpression")
        if condition is None:
            return _PASSED
        current = self.table.get_item(*_typed(self.table, self.key))
        if get_filter_expression(condition, self.names, self.values).expr(current):
            return _PASSED
        wanted = self.body.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
        old = current.to_json()["Attributes"] if wanted and current is not None else None
        return "ConditionalCheckFailed", "The conditional request failed", old

    def apply(self, backend: DynamoDBBackend) -> None:
        if self.kind == "Put":
            backend.put_item(self.table.name, self.body["Item"])
        elif self.kind == "Delete":
            backend.delete_item(self.table.name, self.key)
        elif self.kind == "Update" and not self._apply_flat(backend):
            backend.update_item(
                self.table.name,
                self.key,
                update_expression=self.body["UpdateExpression"],
                expression_attribute_names=self.names or {},
                expression_attribute_values=self.values or {},
            )

    def _apply_flat(self, backend: DynamoDBBackend) -> bool:
        """Sets values and adds numbers to top-level attributes; False where the expression is more than that.

        moto takes many milliseconds for a long expression, and usage is counted by long ones.
        """
        found = _FLAT.fullmatch(self.body["UpdateExpression"])
        if found is None:
            return False
        current = self.table.get_item(*_typed(self.table, self.key))
        item = dict(self.key if current is None else current.to_json()["Attributes"])
        for name, value in _PAIR.findall(found["set"] or ""):
            item[self.names[name]] = self.values[value]
        for name, value in _PAIR.findall(found["add"] or ""):
            old, more = item.get(self.names[name], {"N": "0"}), self.values[value]
            if old.keys() | more.keys() != {"N"}:
                return False
            item[self.names[name]] = {"N": format(Decimal(old["N"]) + Decimal(more["N"]), "f")}
        backend.put_item(self.table.name, item)
        return True


def _transact_write_items(backend: DynamoDBBackend, entries: list[dict[str, Any]]) -> None:
    if len(entries) > MAX_OPERATIONS:
        raise TooManyTransactionsException
    operations = [_Operation(backend, entry) for entry in entries]
    if len({operation.target for operation in operations}) < len(operations):
        raise MultipleTransactionsException
    reasons = [operation.check() for operation in operations]
    if any(code for code, _, _ in reasons):
        raise TransactionCanceledException(reasons)
    with ExitStack() as undo:
        for index, operation in enumerate(operations):
            undo.enter_context(_undone_on_error(operation.table, operation.key))
            try:
                operation.apply(backend)
            except MockValidationException as error:
                reasons[index] = ("ValidationError", error.exception_msg, None)
                raise TransactionCanceledException(reasons) from error


def _update_item(
    backend: DynamoDBBackend,
    table_name: str,
    key: dict[str, dict[str, Any]],
    *args: Any,
    **kwargs: Any,
) -> Item:
    table = backend.get_table(table_name)
    before = copy.deepcopy(table.get_item(*_typed(table, key)))
    shard, table.stream_shard = table.stream_shard, None
    try:
        with _undone_on_error(table, key):
            item = _moto_update_item(backend, table_name, key, *args, **kwargs)
            _check_size(item)
    finally:
        table.stream_shard = shard
    if shard is not None:
        # Only now: moto streams a created item twice, its bare key first.
        shard.add(before, item)
    return item


def _make_item(item: Item, hash_key: DynamoType, range_key: DynamoType | None, attrs: dict[str, Any]) -> None:
    """Moto measures the whole item again for every attribute that it sets."""
    item.hash_key, item.range_key = hash_key, range_key
    item.attrs = LimitedSizeDict({name: DynamoType(value) for name, value in attrs.items()})
    _check_size(item)


def _check_size(item: Item) -> None:
    if item.size() > MAX_ITEM_BYTES:
        raise ItemSizeTooLarge


@contextmanager
def _undone_on_error(table: Table, key: dict[str, Any]) -> Iterator[None]:
    """Put the item back as it was, and its stream records away, if the body raises."""
    hash_key, range_key = _typed(table, key)
    before = copy.deepcopy(table.get_item(hash_key, range_key))
    shard: StreamShard | None = table.stream_shard
    mark = 0 if shard is None else _next_sequence_number(shard)
    try:
        yield
    except Exception:
        _restore(table, hash_key, range_key, before)
        if shard is not None:
            del shard.items[mark - shard.starting_sequence_number :]
        raise


def _restore(table: Table, hash_key: DynamoType, range_key: DynamoType | None, item: Item | None) -> None:
    rows: Any = table.items if range_key is None else table.items[hash_key]
    row_key = hash_key if range_key is None else range_key
    if item is None:
        rows.pop(row_key, None)
    else:
        rows[row_key] = item


def _typed(table: Table, key: dict[str, Any]) -> tuple[DynamoType, DynamoType | None]:
    try:
        keys = [DynamoType(key[name]) for name in table.table_key_attrs]
    except KeyError as error:
        message = "The provided key element does not match the schema"
        raise MockValidationException(message) from error
    return keys[0], keys[1] if len(keys) > 1 else None


def _add_number(number: DynamoType, other: DynamoType) -> DynamoType:
    """The sum in plain notation: moto writes ``1E-10``, and then takes it for an int, as it has no point."""
    if not (number.is_number() and other.is_number()):
        return _moto_add(number, other)
    return DynamoType({"N": format(Decimal(number.value) + Decimal(other.value), "f")})


def _subtract_number(number: DynamoType, other: DynamoType) -> DynamoType:
    if not (number.is_number() and other.is_number()):
        return _moto_subtract(number, other)
    return DynamoType({"N": format(Decimal(number.value) - Decimal(other.value), "f")})


def _next_sequence_number(shard: StreamShard) -> int:
    return shard.starting_sequence_number + len(shard.items)


def _add_stream_record(shard: StreamShard, old: Item | None, new: Item | None) -> None:
    """Append what happened, nothing if nothing did; the oldest records go when there are too many."""
    if old is not None and new is not None and old.to_json() == new.to_json():
        return
    name = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
    view = (shard.table.stream_specification or {})["StreamViewType"]
    number = _next_sequence_number(shard)
    shard.items.append(StreamRecord(shard.table, view, name, old, new, number))
    if len(shard.items) > MAX_STREAM_RECORDS:
        half = MAX_STREAM_RECORDS // 2
        del shard.items[:half]
        shard.starting_sequence_number += half


def _get_records(backend: DynamoDBStreamsBackend, iterator_arn: str, limit: int) -> dict[str, Any]:
    answer = _moto_get_records(backend, iterator_arn, limit)
    for oldest in list(backend.shard_iterators)[:-MAX_ITERATORS]:
        del backend.shard_iterators[oldest]
    return answer


def _serialize_structure(
    serializer: JSONSerializer, serialized: dict[str, Any], value: Any, shape: Any, key: str
) -> None:
    """Items are in wire format already; moto tries several spellings of every type of every value."""
    if shape.name == "AttributeValue" and isinstance(value, dict):
        value = _wire(value)
        if key:
            serializer._default_serialize(serialized, value, shape, key)  # noqa: SLF001
        else:
            serialized.update(value)
    else:
        _moto_serialize_structure(serializer, serialized, value, shape, key)


def _wire(attribute: dict[str, Any]) -> dict[str, Any]:
    kind, value = next(iter(attribute.items()))
    if kind == "M":
        value = {name: _wire(one) for name, one in value.items()}
    elif kind == "L":
        value = [_wire(one) for one in value]
    elif kind == "B":
        value = _text(value)
    elif kind == "BS":
        value = [_text(one) for one in value]
    return {kind: value}


def _text(binary: bytes | str) -> str:
    return binary if isinstance(binary, str) else base64.b64encode(binary).decode()
