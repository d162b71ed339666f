"""Several writes as one transaction, with a domain error for each condition that may fail."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.transactions import TransactWrite

from tollgate.core.errors import StoreUnavailableError, TollgateError, WrongStateError
from tollgate.table import demands
from tollgate.table.base import Item

_ATTEMPTS = 6
# However often something is tried again, nobody waits longer than this before the next time.
_LONGEST_PAUSE_SECONDS = 0.64
_CONDITION_FAILED = "ConditionalCheckFailed"
# Reasons that pass by themselves: another transaction on the same item, or throttling.
_TRANSIENT = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}

T = TypeVar("T")


class LostRaceError(WrongStateError):
    """Somebody else changed the item between our read and our write."""

    code = "conflict"

    def __init__(self) -> None:
        super().__init__("The resource was changed by another request at the same time; try again")


@dataclass(frozen=True, slots=True)
class _Step:
    kind: str
    apply: Callable[[TransactWrite], None]
    otherwise: TollgateError


@dataclass(slots=True)
class _Tally:
    item: Item
    actions: Callable[[int, int], list[Any]]
    sum: int = 0
    changes: int = 0


# PynamoDB sends the steps grouped by kind, in this order, and DynamoDB gives its reasons in the order sent.
_ORDER = ("check", "delete", "put", "update")


class Work:
    """Writes collected, then committed all or none. ``otherwise`` is raised when a step's condition fails."""

    def __init__(self) -> None:
        self._steps: list[_Step] = []
        self._tallies: dict[str, _Tally] = {}

    def put(self, item: Item, condition: Condition | None = None, *, otherwise: TollgateError | None = None) -> None:
        self._add("put", lambda tx: tx.save(item, condition), otherwise)

    def create(self, item: Item, *, otherwise: TollgateError | None = None) -> None:
        """Puts an item that must not exist yet."""
        self.put(item, Item.PK.does_not_exist(), otherwise=otherwise)

    def update(
        self,
        item: Item,
        actions: list[Any],
        condition: Condition | None = None,
        *,
        otherwise: TollgateError | None = None,
        versioned: bool = True,
    ) -> None:
        """Changes attributes of an item. ``versioned=False`` is for counters, which commute."""
        if not (_guarded(item) or versioned):
            item.unversioned()
        self._add(
            "update",
            # A copy: PynamoDB appends the version's action to the list, and the step may be sent more than once.
            lambda tx: tx.update(item, list(actions), condition),
            otherwise,
        )

    def delete(
        self,
        item: Item,
        condition: Condition | None = None,
        *,
        otherwise: TollgateError | None = None,
        versioned: bool = False,
    ) -> None:
        versioned = _guarded(item) or versioned
        self._add("delete", lambda tx: tx.delete(item, condition, add_version_condition=versioned), otherwise)

    def check(self, item: Item, condition: Condition, *, otherwise: TollgateError) -> None:
        """A condition on an item that the transaction does not write."""
        self._add("check", lambda tx: tx.condition_check(type(item), item.PK, item.SK, condition), otherwise)

    def tally(self, item: Item, change: int, actions: Callable[[int, int], list[Any]]) -> None:
        """Adds to the counters of a partition. However often the transaction does, one item of it is written, once.

        ``actions`` are those for the sum of the changes and their number.
        """
        tally = self._tallies.setdefault(item.PK, _Tally(item, actions))
        tally.sum += change
        tally.changes += 1

    def commit(self) -> None:
        """Writes everything, or raises: the first failed step's error, or StoreUnavailableError.

        Under the request's own demands: PreconditionFailedError if it named another version of its resource.
        """
        demanded = demands.current()
        if demanded is None:
            self._write()
            return
        demanded.check()
        if demanded.claim is not None:
            demanded.claim.join(self, whole=not demanded.parts)
        self._write()
        demanded.met()

    def _write(self) -> None:
        for tally in self._tallies.values():
            self.update(tally.item, tally.actions(tally.sum, tally.changes), versioned=False)
        self._tallies = {}
        steps = sorted(self._steps, key=lambda step: _ORDER.index(step.kind))
        for attempt in range(_ATTEMPTS):
            try:
                self._send(steps)
            except TransactWriteError as error:
                if not _is_transient(error, steps):
                    raise StoreUnavailableError("The data store did not answer; try again") from error
                _pause(attempt)
            else:
                return
        raise StoreUnavailableError("The data store is busy; try again")

    def _send(self, steps: list[_Step]) -> None:
        connection = Item._get_connection().connection  # noqa: SLF001 (PynamoDB has no public way to it)
        # The token makes botocore's own resend of a request that took effect harmless.
        with TransactWrite(client_request_token=str(uuid.uuid4()), connection=connection) as tx:
            for step in steps:
                step.apply(tx)

    def _add(self, kind: str, apply: Callable[[TransactWrite], None], otherwise: TollgateError | None) -> None:
        self._steps.append(_Step(kind, apply, otherwise or LostRaceError()))


def _guarded(item: Item) -> bool:
    demanded = demands.current()
    return demanded is not None and demanded.guards(item)


def _is_transient(error: TransactWriteError, steps: list[_Step]) -> bool:
    """True if it is worth sending again; raises the domain error of the first failed condition."""
    reasons = error.cancellation_reasons
    for step, reason in zip(steps, reasons, strict=False):
        if reason is not None and reason.code == _CONDITION_FAILED:
            raise step.otherwise from error
    codes = {reason.code for reason in reasons if reason is not None}
    return bool(codes & _TRANSIENT) or _code_of(error) in {
        "TransactionConflictException",
        "TransactionInProgressException",
        "ThrottlingException",
        "ProvisionedThroughputExceededException",
    }


def _code_of(error: TransactWriteError) -> str | None:
    """PynamoDB's own takes a response for granted; a lost connection has none."""
    response = getattr(error.cause, "response", None) or {}
    code: str | None = response.get("Error", {}).get("Code")
    return code


def retried(change: Callable[[], T], attempts: int = 4) -> T:
    """Runs a read-modify-write again when it lost a race."""
    for attempt in range(attempts):
        try:
            return change()
        except LostRaceError:
            if attempt == attempts - 1:
                raise
            _pause(attempt)
    raise AssertionError


def _pause(attempt: int) -> None:
    time.sleep(random.uniform(0, min(0.02 * 2**attempt, _LONGEST_PAUSE_SECONDS)))  # noqa: S311


__all__ = ["LostRaceError", "Work", "retried"]
