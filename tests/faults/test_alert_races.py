"""Consumers and deliverers of alerts that meet, on a real engine: an alert is raised once and sent once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.support import build, receiver
from tests.support.accounts import TEAM, uid_of
from tests.support.api import call
from tests.support.clock import FakeClock
from tests.support.items import all_items, raw_items
from tests.support.races import at_once
from tollgate.alerts.delivery import BACKOFF_SECONDS, Delivered, Deliverer
from tollgate.alerts.watcher import Seen, Watcher
from tollgate.limits.model import Ceiling, Unit, counter_name
from tollgate.table import keys

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("table")]

SIDE_BY_SIDE = 6
BUDGET = Ceiling("max_budget", Unit.USD, Decimal(10), "1mo")


def spent(clock: FakeClock, *amounts: str) -> list[dict[str, Any]]:
    """Stream records of a team whose budget of 10 USD is used up to each amount, one after the other."""
    pk, moment = keys.account(uid_of(TEAM)), clock.now.timestamp()
    (counter,) = [item for item in raw_items() if (item["PK"]["S"], item["SK"]["S"]) == (pk, keys.counter())]
    images = [counter | {counter_name(BUDGET.code, moment): {"N": amount}} for amount in amounts]
    return [
        {"dynamodb": {"ApproximateCreationDateTime": moment, "SequenceNumber": f"{number:021d}", "NewImage": image}}
        for number, image in enumerate(images)
    ]


def told() -> list[tuple[float, int, str]]:
    """Threshold, attempts and the receiver's state of every alert."""
    found = call("GET", "/api/alerts/history").body["alerts"]
    return sorted((one["threshold"], one["attempts"], own["state"]) for one in found for own in one["deliveries"])


@pytest.fixture(autouse=True)
def acme(table: None, clock: FakeClock) -> None:
    build.organization()
    build.team(max_budget=10, budget_duration="1mo")


def test_a_record_that_comes_to_many_consumers_alerts_once(clock: FakeClock) -> None:
    build.alert_rule(team_id="acme-dev")
    records = spent(clock, "5", "8", "10", "13")
    again = [*records, *records[::-1]]

    seen = at_once(lambda consumer: consumer.see(again), [Watcher(clock) for _ in range(SIDE_BY_SIDE)])

    assert [one.failed for one in seen if isinstance(one, Seen)] == [None] * SIDE_BY_SIDE
    assert sum(one.raised for one in seen if isinstance(one, Seen)) == 4
    assert told() == [(threshold, 0, "pending") for threshold in (50, 80, 100, 120)]


def test_deliverers_that_meet_send_every_alert_once(clock: FakeClock) -> None:
    with receiver.running() as inbox:
        build.alert_rule(team_id="acme-dev", url=inbox.url)
        assert Watcher(clock).see(spent(clock, "13")).raised == 4
        clock.advance(seconds=BACKOFF_SECONDS[0])

        done = at_once(lambda deliverer: deliverer.deliver_due(), [Deliverer(clock) for _ in range(SIDE_BY_SIDE)])

    assert [one.given_up for one in done if isinstance(one, Delivered)] == [0] * SIDE_BY_SIDE
    assert sum(one.delivered for one in done if isinstance(one, Delivered)) == 4
    assert sorted(parcel.body["threshold"] for parcel in inbox.parcels) == [50, 80, 100, 120]
    assert told() == [(threshold, 1, "delivered") for threshold in (50, 80, 100, 120)]
    assert not [item for item in all_items() if item.get("DUEPK") == keys.DELIVERIES]
