"""Stream consumers and schedules."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from local.patterns import matches
from local.schedules import Scheduler, scheduled_event
from local.streams import StreamConsumer
from local.template import Schedule, rate_seconds

if TYPE_CHECKING:
    from local.cloud import Cloud
    from local.template import StreamSource

TABLE = "demo-table"


class Stage:
    """The table, the consumer under test, and what the demo function was given."""

    def __init__(self, cloud: Cloud) -> None:
        import localdemo.handlers

        cloud.reset()
        self._cloud = cloud
        self._db = cloud.engine.client("dynamodb")
        (self.source,) = cloud.template.stream_sources()
        self.poison: set[str] = localdemo.handlers.POISON
        self.events: list[dict[str, Any]] = localdemo.handlers.CONSUMED
        self.poison.clear()
        self.events.clear()

    def put(self, *names: str) -> None:
        for name in names:
            self._db.put_item(TableName=TABLE, Item={"PK": {"S": name}, "SK": {"S": "-"}})

    def consumer(self, **changes: Any) -> StreamConsumer:
        source: StreamSource = replace(self.source, **changes)
        function = self._cloud.gateway.functions[source.function]
        return StreamConsumer(source, function, self._cloud.engine, TABLE, poll_seconds=0.01)

    def wait_for(self, events: int) -> None:
        """Until the function was given so many events; half a minute at most."""
        deadline = time.monotonic() + 30
        while len(self.events) < events and time.monotonic() < deadline:
            time.sleep(0.005)

    @property
    def batches(self) -> list[list[str]]:
        """The keys of each batch delivered."""
        return [[one["dynamodb"]["Keys"]["PK"]["S"][5:] for one in event["Records"]] for event in self.events]


@pytest.fixture
def stage(cloud: Cloud) -> Stage:
    return Stage(cloud)


def test_batches_come_in_order_filtered_and_once(stage: Stage) -> None:
    consumer = stage.consumer(batch_size=2)
    stage.put("CALL#1", "TEAM#x", "CALL#2", "CALL#3")
    stage.put("CALL#1")  # changes nothing
    while consumer.poll():
        pass
    stage.put("CALL#4")
    consumer.poll()
    assert stage.batches == [["1"], ["2", "3"], ["4"]]
    record = stage.events[0]["Records"][0]
    assert record["eventName"] == "INSERT"
    assert record["eventSource"] == "aws:dynamodb"
    assert f"table/{TABLE}/stream/" in record["eventSourceARN"]
    assert record["dynamodb"]["NewImage"] == {"PK": {"S": "CALL#1"}, "SK": {"S": "-"}}
    assert isinstance(record["dynamodb"]["ApproximateCreationDateTime"], float)


def test_a_reported_failure_is_delivered_again_from_there(stage: Stage) -> None:
    stage.put("CALL#1", "CALL#2", "CALL#3")
    stage.poison.add("CALL#2")
    stage.consumer(bisect=False, retries=2).poll()
    assert stage.batches == [["1", "2", "3"], ["2", "3"], ["2", "3"], ["2", "3"]]


def test_a_failed_batch_is_halved_until_the_poison_stands_alone(stage: Stage) -> None:
    stage.put("CALL#1", "CALL#2", "CALL#3-raise", "CALL#4")
    stage.poison.add("CALL#3-raise")
    stage.consumer(retries=1).poll()
    assert stage.batches == [
        ["1", "2", "3-raise", "4"],
        ["1", "2"],
        ["3-raise", "4"],
        ["3-raise"],
        ["3-raise"],
        ["4"],
    ]


def test_what_is_given_up_does_not_come_again_and_the_rest_goes_on(stage: Stage) -> None:
    stage.put("CALL#1-raise")
    stage.poison.add("CALL#1-raise")
    consumer = stage.consumer(retries=0)
    consumer.poll()
    stage.put("CALL#2")
    consumer.poll()
    assert stage.batches == [["1-raise"], ["2"]]


def test_a_failure_that_passes_is_retried_to_success(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.put("CALL#1")
    stage.poison.add("CALL#1")
    consumer = stage.consumer(retries=-1)
    monkeypatch.setattr(consumer, "_pause", lambda attempt: stage.poison.clear() if attempt == 2 else None)
    consumer.poll()
    assert stage.batches == [["1"]] * 4


def test_a_consumer_runs_in_the_background_and_stops(stage: Stage) -> None:
    consumer = stage.consumer()
    consumer.start()
    stage.put("CALL#1")
    stage.wait_for(1)
    consumer.stop()
    stage.put("CALL#2")
    time.sleep(0.05)
    assert stage.batches == [["1"]]


def test_shards_are_read_parents_first(stage: Stage) -> None:
    consumer = stage.consumer()
    shards = [{"ShardId": "child", "ParentShardId": "parent"}, {"ShardId": "parent", "ParentShardId": "expired"}]
    assert [one["ShardId"] for one in consumer.readable(shards)] == ["parent"]


def test_a_schedule_runs_its_function_every_period(cloud: Cloud, stage: Stage) -> None:
    (schedule,) = cloud.template.schedules()
    assert (schedule.function, schedule.seconds) == ("WorkerFunction", 60)
    scheduler = Scheduler([schedule], cloud.gateway.functions, second=0.0005)
    begun = time.monotonic()
    scheduler.start()
    stage.wait_for(3)
    scheduler.stop()
    runs = len(stage.events)
    # A period is 0.03 s here, and never shorter.
    assert 3 <= runs <= (time.monotonic() - begun) / 0.03
    assert stage.events[0] == {"due": True}
    time.sleep(0.05)
    assert len(stage.events) == runs


def test_without_an_input_the_event_is_eventbridges() -> None:
    event = scheduled_event(Schedule("name", "SweepFunction", 60, None))
    assert (event["source"], event["detail-type"]) == ("aws.events", "Scheduled Event")


@pytest.mark.parametrize(("expression", "seconds"), [("rate(1 minute)", 60), ("rate(2 hours)", 7200)])
def test_rates(expression: str, seconds: int) -> None:
    assert rate_seconds(expression) == seconds


def test_other_schedules_are_refused() -> None:
    with pytest.raises(ValueError, match="cron"):
        rate_seconds("cron(0 1 * * ? *)")


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ({"eventName": ["INSERT", "MODIFY"]}, True),
        ({"eventName": ["REMOVE"]}, False),
        ({"dynamodb": {"Keys": {"PK": {"S": [{"prefix": "CALL#"}]}}}}, True),
        ({"dynamodb": {"Keys": {"PK": {"S": [{"suffix": "#"}]}}}}, False),
        ({"userIdentity": [{"exists": False}]}, True),
        ({"dynamodb": {"NewImage": {"x": [{"exists": True}]}}}, False),
        ({"eventName": [{"anything-but": ["REMOVE"]}]}, True),
        ({"eventName": ["INSERT"], "userIdentity": {"type": ["Service"]}}, False),
    ],
)
def test_filter_patterns(pattern: dict[str, Any], matched: bool) -> None:  # noqa: FBT001
    record = {"eventName": "INSERT", "dynamodb": {"Keys": {"PK": {"S": "CALL#1"}}}}
    assert matches(pattern, record) is matched
