"""Transactions that meet another one on the same item are sent again, as they were."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from pynamodb.exceptions import CancellationReason, TransactWriteError, VerboseClientError

from tests.support import build
from tests.support.api import call
from tollgate.table.base import Item


def _conflict() -> TransactWriteError:
    answer = {"Error": {"Code": "TransactionCanceledException", "Message": "conflict"}}
    reasons = [None, CancellationReason(code="TransactionConflict")]
    cause = VerboseClientError(answer, "TransactWriteItems", {}, cancellation_reasons=reasons)
    return TransactWriteError("conflict", cause)


@pytest.mark.parametrize(("conflicts", "status"), [(1, 200), (5, 200), (6, 503)])
def test_a_conflict_is_tried_again(table: None, monkeypatch: pytest.MonkeyPatch, conflicts: int, status: int) -> None:
    build.organization()
    connection = Item._get_connection().connection
    send = connection.transact_write_items
    pending = [_conflict() for _ in range(conflicts)]

    def sometimes(**request: Any) -> Any:
        if pending:
            raise pending.pop()
        return send(**request)

    monkeypatch.setattr(connection, "transact_write_items", sometimes)
    answer = call("PUT", "/api/organizations/org_acme", {"name": "New"})
    assert answer.status == status, answer.text
    monkeypatch.undo()
    name = "New" if status == 200 else "Name of org_acme"
    assert call("GET", "/api/organizations/org_acme").body["name"] == name


def test_a_connection_that_is_lost_is_told_as_such(table: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it took effect is not known: the caller gets 503, and an Idempotency-Key makes asking again safe."""
    build.organization()

    def lost(**_: Any) -> Any:
        raise TransactWriteError("no answer", ReadTimeoutError(endpoint_url="http://dynamodb"))

    with monkeypatch.context() as patch:
        patch.setattr(Item._get_connection().connection, "transact_write_items", lost)
        answer = call("PUT", "/api/organizations/org_acme", {"name": "New"})
    assert (answer.status, answer.body["code"], answer.headers["retry-after"]) == (503, "store_unavailable", "1")
