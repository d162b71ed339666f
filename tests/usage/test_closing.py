"""Closed days say what their owners' buckets say, however often they are closed, and open again for late calls."""

from __future__ import annotations

import random
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from tests.support import calls
from tests.support.items import all_items
from tollgate.usage import repository
from tollgate.usage.closing import Closer
from tollgate.usage.figures import total
from workers import close_days

FIRST, LAST = date(2026, 3, 1), date(2026, 3, 2)


class Now:
    """The time that workers see."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.moment = calls.NOON
        monkeypatch.setattr(time, "time", self)

    def __call__(self) -> float:
        return self.moment.timestamp()

    def at(self, day: int, hour: int, minute: int = 0) -> None:
        self.moment = datetime(2026, 3, day, hour, minute, tzinfo=UTC)


@pytest.fixture
def now(table: None, monkeypatch: pytest.MonkeyPatch) -> Now:
    return Now(monkeypatch)


def sums() -> list[dict[str, Any]]:
    return sorted(
        (item for item in all_items() if item["kind"] == "usage_sum"), key=lambda item: (item["PK"], item["SK"])
    )


def both_ways() -> tuple[Any, Any]:
    """The organization and the platform as the API reads them now."""
    whole = repository.of_organization("o1", FIRST, LAST)
    by_team = {
        team: total(used.figures for used in whole.by_owner if used.team_id == team) for team in ("team-t1", "team-t2")
    }
    return (
        (total(used.figures for used in whole.by_dimensions), by_team, by_model(whole.by_dimensions)),
        by_model(repository.of_platform(FIRST, LAST)),
    )


def by_model(used: list[repository.Used]) -> Any:
    keys = sorted({(one.at, one.model, one.job_type or "") for one in used})
    return {key: total(one.figures for one in used if (one.at, one.model, one.job_type or "") == key) for key in keys}


def test_a_closed_day_says_what_the_open_one_said(now: Now) -> None:
    calls.counted(calls.some(random.Random(1), 8))
    before = both_ways()
    now.at(3, 1, 59)
    assert "2026-03-02" not in close_days.handler({}, None)["days"]
    now.at(3, 2)
    closed = close_days.handler({}, None)
    assert closed["days"] == ["2026-03-02"]
    assert closed["sums"] == len([item for item in sums() if item["day"] == "2026-03-02"])
    assert both_ways() == before
    assert {item["day"] for item in sums()} == {"2026-03-01", "2026-03-02"}


def test_closing_again_changes_nothing(now: Now) -> None:
    calls.counted(calls.some(random.Random(2), 10))
    now.at(3, 3)
    assert len(close_days.handler({}, None)["days"]) == 31
    before = sums()
    assert close_days.handler({}, None) == {"days": [], "sums": 0}
    assert sums() == before


def test_closed_days_are_read_as_sums_only(now: Now) -> None:
    """Two teams and three calls of one kind: one sum for the organization, one for each team, one for the platform."""
    for team in ("t1", "t1", "t2"):
        calls.counted([calls.record(team_uid=team, team_id=team, organization_uid="o1")])
    now.at(3, 3)
    close_days.handler({}, None)
    assert [(item["PK"], item["SK"][:12], item["cn"]) for item in sums()] == [
        ("USAGE#ORGANIZATION#o1", "D#2026-03-01", 3),
        ("USAGE#ORGANIZATION#o1", "T#2026-03-01", 2),
        ("USAGE#ORGANIZATION#o1", "T#2026-03-01", 1),
        ("USAGE#PLATFORM#platform", "D#2026-03-01", 3),
    ]


def test_a_late_call_opens_its_day_at_once_and_it_is_closed_again(now: Now) -> None:
    calls.counted(calls.some(random.Random(3), 12))
    now.at(3, 3)
    close_days.handler({}, None)
    now.at(9, 12)
    calls.counted([calls.record(team_uid="t1", team_id="team-t1", organization_uid="o1")])
    late = both_ways()
    owners = [used.figures for team in ("t1", "t2") for used in repository.of_scope("OWNER", team, FIRST, LAST)]
    assert late[0][0] == total(owners)
    now.at(9, 12, 5)
    assert "2026-03-01" not in close_days.handler({}, None)["days"], "whoever counts may still be at it"
    now.at(9, 12, 11)
    assert close_days.handler({}, None)["days"] == ["2026-03-01"]
    assert both_ways() == late


def test_a_day_that_is_touched_while_it_is_closed_stays_open(now: Now, monkeypatch: pytest.MonkeyPatch) -> None:
    calls.counted([calls.record(team_uid="t1", organization_uid="o1")])
    now.at(2, 3)
    real = Closer._put

    async def slow(self: Closer, found: Any) -> None:
        await real(self, found)
        if any(bucket.texts["day"] == "2026-03-01" for bucket in found):
            await self._days.touch("2026-03-01", time.time())

    with monkeypatch.context() as patched:
        patched.setattr(Closer, "_put", slow)
        assert close_days.handler({}, None)["days"][-1] == "2026-02-28"
    now.at(2, 4)
    assert close_days.handler({}, None)["days"] == ["2026-03-01"]


def test_days_are_found_after_the_schedule_was_off_for_long(now: Now) -> None:
    now.at(3, 3)
    close_days.handler({}, None)
    now.moment += timedelta(days=60)
    assert len(close_days.handler({}, None)["days"]) == 60
