"""Daily activity costs the usage buckets that it is of, never the calls in them (on an engine that tells what it costs)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.bench.lists import _metered
from tests.bench.usage import _lean_metered
from tests.litellm.test_keys import generate
from tests.litellm.test_spend_logs import uid_of
from tests.support import build, calls
from tests.support.api import call
from tests.support.calls import NOON

MARCH = {"start_date": "2026-03-01", "end_date": "2026-03-31"}
QUESTIONS: dict[str, dict[str, str]] = {
    "/user/daily/activity": {"user_id": "ana"},
    "/team/daily/activity": {"team_ids": "acme-dev"},
    "/organization/daily/activity": {"organization_ids": "org_acme"},
    "/customer/daily/activity": {"end_user_ids": "c-1"},
    "/spend/logs": {"user_id": "ana"},
}


def costs() -> dict[str, float]:
    """Read units of a month, by question."""
    found = {}
    for path, query in QUESTIONS.items():
        with _metered() as units, _lean_metered(units):
            assert call("GET", path, query=MARCH | query).status == 200
        found[path] = sum(units)
    return found


@pytest.mark.engine
def test_a_month_costs_the_same_with_a_hundred_times_the_calls() -> None:
    build.organization()
    build.team()
    build.user("ana")
    token = generate(team_id="acme-dev", user_id="ana")["token"]
    owners: dict[str, Any] = {"key_id": token, "user_id": "ana", "customer_id": "c-1", "team_id": "acme-dev"}
    owners |= {"team_uid": uid_of("team", "acme-dev"), "organization_id": "org_acme"}
    owners |= {"organization_uid": uid_of("organization", "org_acme")}

    def made(number: int) -> None:
        calls.counted([calls.record(NOON + timedelta(days=one % 10), **owners) for one in range(number)])

    made(10)
    few = costs()
    for _ in range(11):
        made(90)
    many = costs()
    for path, units in many.items():
        # One more digit in every figure may make the items a few bytes longer.
        assert 0 < units <= few[path] * 1.1, path
    answer = call("GET", "/team/daily/activity", query=MARCH | {"team_ids": "acme-dev"})
    assert answer.body["metadata"]["total_api_requests"] == 1000
