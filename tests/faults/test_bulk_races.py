"""Requests of many items that meet, on a real engine: nothing is there twice, and nothing gets lost (Q-37)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.support import build
from tests.support.api import call
from tests.support.races import at_once
from tollgate.litellm import bulk
from tollgate.litellm.bulk import BulkAnswer, BulkItems
from tollgate.litellm.bulk_operations import MEMBERS_CREATE, ORGANIZATIONS_CREATE

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("table")]

ADMIN = build.owner()
# Somebody else was quicker with the same item: it is refused as alone, or its sender may ask again.
REFUSED = {400, 409, 503}


def outcomes(answers: list[Any]) -> tuple[Counter[str | None], set[int]]:
    """How often each item has succeeded, and the statuses of those that have not."""
    assert all(isinstance(answer, BulkAnswer) for answer in answers)
    results = [result for answer in answers for result in answer.results]
    return Counter(one.id for one in results if one.success), {one.status for one in results if not one.success}


def test_the_same_organizations_by_several() -> None:
    items = [{"organization_id": f"o-{number}", "organization_alias": "O"} for number in range(6)]
    answers = at_once(lambda _: bulk.run(ADMIN, BulkItems(items=items), ORGANIZATIONS_CREATE), range(4))
    successes, refused = outcomes(answers)
    assert max(successes.values()) == 1
    assert refused <= REFUSED
    again = bulk.run(ADMIN, BulkItems(items=items), ORGANIZATIONS_CREATE)
    assert {one.status for one in again.results} <= {200, 400}
    assert len(call("GET", "/organization/list").body) == 6


def test_the_same_members_by_several() -> None:
    build.organization()
    build.team()
    items = [{"user_id": f"u-{number}", "role": "user"} for number in range(5)]

    def add(_: int) -> BulkAnswer:
        return bulk.run(ADMIN, BulkItems(items=items), MEMBERS_CREATE, team_id="acme-dev")

    successes, refused = outcomes(at_once(add, range(3)))
    assert max(successes.values()) == 1
    assert refused <= REFUSED
    assert {one.status for one in add(0).results} <= {200, 400}
    shown = call("GET", "/team/info", query={"team_id": "acme-dev"}).body["team_info"]["members_with_roles"]
    assert sorted(member["user_id"] for member in shown) == sorted(item["user_id"] for item in items)


def test_every_transaction_of_a_request_has_its_claim() -> None:
    """The check of the claim and the item's own writes are one transaction of the engine."""
    body = {"items": [{"organization_id": name, "organization_alias": name} for name in ("a", "b", "a")]}
    headers = {"Idempotency-Key": "once"}
    first = call("POST", "/management/v1/organizations/bulk", body, headers=headers)
    assert [result["status"] for result in first.body["results"]] == [200, 200, 400]
    assert call("POST", "/management/v1/organizations/bulk", body, headers=headers).body == first.body
