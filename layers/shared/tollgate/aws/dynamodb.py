"""The hot path's DynamoDB client: asyncio, signed by us, over connections of ours (botocore costs five times the CPU).

Every write that goes through here is idempotent by its hold id, so whatever is uncertain is simply sent again; but for
reservations, which could arrive once more after their call was settled.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any
from urllib.parse import urlsplit

import orjson

from tollgate.aws.connections import Connections
from tollgate.aws.sigv4 import Credentials, Signer
from tollgate.core.errors import StoreUnavailableError

_TARGET = "DynamoDB_20120810."
_ATTEMPTS = 6
_OK = 200
_SERVER_ERROR = 500
# Refusals that pass by themselves; a write that got one did not take effect.
_TRANSIENT = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)

_NO_ANSWER = "The data store did not answer; try again"

Item = dict[str, dict[str, Any]]


class ConditionFailedError(Exception):
    """A write's condition did not hold; ``item`` is what is there instead (``ALL_OLD``), None if nothing is."""

    def __init__(self, item: Item | None) -> None:
        super().__init__("condition failed")
        self.item = item


class TransactionCancelledError(Exception):
    """A transaction wrote nothing; ``reasons`` are DynamoDB's codes, one for each of its items, ``None`` among them."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("transaction cancelled")
        self.reasons = reasons


class UncertainWriteError(StoreUnavailableError):
    """Nobody knows whether the write took effect, or still will: the request may yet arrive."""


class DynamoDB:
    """Calls DynamoDB's JSON protocol; retries what is transient with full jitter."""

    def __init__(self, region: str, endpoint_url: str | None = None) -> None:
        url = endpoint_url or f"https://dynamodb.{region}.amazonaws.com"
        self._connections = Connections(url)
        self._signer = Signer(Credentials.from_environment(), region, urlsplit(url).netloc)

    async def aclose(self) -> None:
        """Gives the connections back."""
        await self._connections.close()

    async def call(self, operation: str, payload: dict[str, Any], *, resend: bool = True) -> dict[str, Any]:
        """The answer of one operation.

        ``resend=False`` is for a write that must not arrive twice: it is sent again only where the table itself said
        that it did not take effect.

        Raises:
            ConditionFailedError: a conditional write found something else.
            TransactionCancelledError: a transaction was; for the caller to read the reasons.
            UncertainWriteError: no answer, and ``resend`` is False.
            StoreUnavailableError: no answer after all attempts. A write may still have taken effect.
        """
        body = orjson.dumps(payload)
        target = _TARGET + operation
        reason = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                await asyncio.sleep(random.uniform(0, 0.025 * 2**attempt))  # noqa: S311
            try:
                status, answer = await self._post(target, body)
            except (OSError, orjson.JSONDecodeError) as error:
                # Connections die while a Lambda environment is frozen; also a write may have taken effect.
                reason = type(error).__name__
                status, answer = _SERVER_ERROR, {}
            else:
                reason = str(answer.get("__type", "")).rpartition("#")[2]
            if status == _OK:
                return answer
            if status >= _SERVER_ERROR and not resend:
                raise UncertainWriteError(_NO_ANSWER) from OSError(reason)
            if reason == "ConditionalCheckFailedException":
                raise ConditionFailedError(answer.get("Item"))
            if reason == "TransactionCanceledException":
                raise TransactionCancelledError([one["Code"] for one in answer["CancellationReasons"]])
            if status < _SERVER_ERROR and reason not in _TRANSIENT:
                message = answer.get("message") or answer.get("Message")
                raise RuntimeError(f"DynamoDB refused {operation}: {reason}: {message}")
        raise StoreUnavailableError(_NO_ANSWER) from OSError(reason)

    async def batch_get(self, table_name: str, keys: list[tuple[str, str]]) -> dict[tuple[str, str], Item]:
        """The items under (PK, SK), read strongly consistent, by their keys. Missing ones are left out."""
        found: dict[tuple[str, str], Item] = {}
        wanted = [{"PK": {"S": pk}, "SK": {"S": sk}} for pk, sk in keys]
        for attempt in range(_ATTEMPTS):
            if attempt:
                await asyncio.sleep(random.uniform(0, 0.025 * 2**attempt))  # noqa: S311
            answer = await self.call(
                "BatchGetItem", {"RequestItems": {table_name: {"Keys": wanted, "ConsistentRead": True}}}
            )
            for item in answer["Responses"].get(table_name, ()):
                found[item["PK"]["S"], item["SK"]["S"]] = item
            wanted = (answer.get("UnprocessedKeys") or {}).get(table_name, {}).get("Keys", [])
            if not wanted:
                return found
        raise StoreUnavailableError("The data store is busy; try again")

    async def query(self, payload: dict[str, Any]) -> list[Item]:
        """Every item that a query finds, over all its pages."""
        items: list[Item] = []
        while True:
            answer = await self.call("Query", payload)
            items += answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return items
            payload = {**payload, "ExclusiveStartKey": answer["LastEvaluatedKey"]}

    async def _post(self, target: str, body: bytes) -> tuple[int, dict[str, Any]]:
        headers = self._signer.headers(target, body)
        status, answer = await self._connections.post(headers, body)
        return status, orjson.loads(answer)
