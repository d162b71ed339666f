"""Every state that an item of the table ever had, from the table's stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from tests.support.environment import TABLE, engine

_plain = TypeDeserializer()


class History:
    """The stream from now on."""

    def __init__(self) -> None:
        self._streams = engine.client("dynamodbstreams")
        arn = engine.client("dynamodb").describe_table(TableName=TABLE)["Table"]["LatestStreamArn"]
        self._iterators = [
            self._streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="LATEST")[
                "ShardIterator"
            ]
            for shard in _shards(self._streams, arn)
        ]

    def images(self) -> Iterator[dict[str, Any]]:
        """New images in the order of the stream, as plain Python values."""
        for first in self._iterators:
            answer = self._streams.get_records(ShardIterator=first, Limit=1000)
            while answer["Records"]:
                for record in answer["Records"]:
                    image = record["dynamodb"].get("NewImage")
                    if image is not None:
                        yield {name: _plain.deserialize(value) for name, value in image.items()}
                answer = self._streams.get_records(ShardIterator=answer["NextShardIterator"], Limit=1000)


def _shards(streams: Any, arn: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    last: dict[str, str] = {}
    while True:
        described = streams.describe_stream(StreamArn=arn, **last)["StreamDescription"]
        found += described["Shards"]
        if "LastEvaluatedShardId" not in described:
            return found
        last = {"ExclusiveStartShardId": described["LastEvaluatedShardId"]}
