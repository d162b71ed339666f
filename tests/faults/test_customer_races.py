"""Customers of whom several speak at once, on a real engine (contract litellm 1.8)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import build
from tests.support.items import all_items
from tests.support.races import at_once, persistently
from tollgate.litellm import customers
from tollgate.litellm.customers import CustomerIds, NewCustomer, UpdateCustomer
from tollgate.litellm.errors import DialectError

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("table")]

ADMIN = build.owner()
SEVEN = {"user_id": "seven"}


def test_of_many_creations_one_holds() -> None:
    create = persistently(lambda _: customers.new(ADMIN, NewCustomer.model_validate(SEVEN)))
    answers = at_once(create, list(range(10)))
    refused = [answer for answer in answers if isinstance(answer, DialectError)]
    # Who was told that the store did not answer, and asked again, may find his own customer.
    assert len(answers) - 1 <= len(refused) <= len(answers)
    assert {error.kind for error in refused} == {"bad_request"}
    assert [row.user_id for row in customers.listed(ADMIN)] == ["seven"]


def test_no_change_is_lost_and_the_shared_row_counts_right() -> None:
    build.budget("shared", "starter", max_budget=50)
    customers.new(ADMIN, NewCustomer.model_validate(SEVEN))
    changes: list[dict[str, Any]] = [
        {"alias": "Seven"},
        {"models": ["fast"]},
        {"default_model": "fast"},
        {"allowed_model_region": "eu"},
        {"object_permission": {"agents": ["a"]}},
        *[{"budget_id": "starter"}] * 3,
    ]

    def change(fields: dict[str, Any]) -> Any:
        return customers.update(ADMIN, UpdateCustomer.model_validate(SEVEN | fields))

    def block(_: Any) -> Any:
        return customers.block(ADMIN, CustomerIds.model_validate({"user_ids": ["seven"]}))

    asked = persistently(lambda fields: change(fields) if fields else block(fields))
    assert not [answer for answer in at_once(asked, [*changes, {}, {}]) if isinstance(answer, Exception)]
    row = customers.info(ADMIN, "seven")
    assert (row.alias, row.models, row.default_model, row.allowed_model_region, row.blocked, row.budget_id) == (
        "Seven",
        ["fast"],
        "fast",
        "eu",
        True,
        "starter",
    )
    assert row.object_permission is not None
    assert [item["uses"] for item in all_items() if item["kind"] == "budget"] == [1]


def test_many_blocks_make_one_customer() -> None:
    ids = CustomerIds.model_validate({"user_ids": ["seven", "eight"]})
    answers = at_once(persistently(lambda _: customers.block(ADMIN, ids)), list(range(8)))
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert {row.user_id: row.blocked for row in customers.listed(ADMIN)} == {"seven": True, "eight": True}
    freed = customers.unblock(ADMIN, CustomerIds.model_validate({"user_ids": ["seven"]}))
    assert freed.blocked_users == ["eight"]
