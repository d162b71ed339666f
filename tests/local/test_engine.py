"""The embedded engine: atomic under threads, in process and over the wire, and DynamoDB's answers."""

from __future__ import annotations

import http.client
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.cloud import Cloud

TABLE = "demo-table"
TAKE = {
    "UpdateExpression": "SET available = available - :one",
    "ConditionExpression": "available >= :one",
    "ExpressionAttributeValues": {":one": {"N": "1"}},
}


def key(name: str) -> dict[str, Any]:
    return {"PK": {"S": name}, "SK": {"S": "-"}}


@pytest.fixture
def db(cloud: Cloud) -> Any:
    cloud.reset()
    return cloud.engine.client("dynamodb")


@pytest.fixture
def impatient() -> Iterator[None]:
    """Threads change as often as they can, so that a race that is there is seen."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class Wire:
    """DynamoDB's protocol over one kept connection, as the hot path's client speaks it."""

    def __init__(self, endpoint_url: str) -> None:
        self._connection = http.client.HTTPConnection(endpoint_url.removeprefix("http://"))

    def __call__(self, operation: str, **body: Any) -> tuple[int, dict[str, Any]]:
        headers = {
            "X-Amz-Target": f"DynamoDB_20120810.{operation}",
            "Content-Type": "application/x-amz-json-1.0",
            "Authorization": "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request",
        }
        self._connection.request("POST", "/", json.dumps(body), headers)
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read())

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def wires(cloud: Cloud) -> Iterator[Callable[[], Wire]]:
    """Makes connections, and closes them in the end."""
    made: list[Wire] = []

    def make() -> Wire:
        made.append(Wire(cloud.engine.endpoint_url))
        return made[-1]

    yield make
    for wire in made:
        wire.close()


def available(db: Any, name: str) -> int:
    return int(db.get_item(TableName=TABLE, Key=key(name))["Item"]["available"]["N"])


def hammer(take: Callable[[int], bool], callers: int, each: int) -> int:
    """How many of `callers` times `each` concurrent attempts were granted."""
    barrier = threading.Barrier(callers)

    def caller(number: int) -> int:
        barrier.wait()
        return sum(take(number * each + turn) for turn in range(each))

    with ThreadPoolExecutor(callers) as pool:
        return sum(pool.map(caller, range(callers)))


@pytest.mark.usefixtures("impatient")
def test_no_overspend_by_threads_in_process_and_over_the_wire(db: Any, wires: Callable[[], Wire]) -> None:
    db.put_item(TableName=TABLE, Item={**key("A"), "available": {"N": "40"}})
    local = threading.local()

    def take(number: int) -> bool:
        if number % 2:
            if not hasattr(local, "wire"):
                local.wire = wires()
            status, _ = local.wire("UpdateItem", TableName=TABLE, Key=key("A"), **TAKE)
            return bool(status == 200)
        try:
            db.update_item(TableName=TABLE, Key=key("A"), **TAKE)
        except db.exceptions.ConditionalCheckFailedException:
            return False
        return True

    assert hammer(take, callers=8, each=10) == 40
    assert available(db, "A") == 0


@pytest.mark.usefixtures("impatient")
def test_transactions_of_threads_are_all_or_nothing(db: Any) -> None:
    db.put_item(TableName=TABLE, Item={**key("A"), "available": {"N": "15"}})

    def take(number: int) -> bool:
        record = {"TableName": TABLE, "Item": key(f"CALL#{number}")}
        try:
            db.transact_write_items(
                TransactItems=[{"Put": record}, {"Update": {"TableName": TABLE, "Key": key("A"), **TAKE}}]
            )
        except db.exceptions.TransactionCanceledException:
            return False
        return True

    assert hammer(take, callers=5, each=6) == 15
    assert available(db, "A") == 0
    assert db.scan(TableName=TABLE, Select="COUNT")["Count"] == 15 + 1


def test_a_cancelled_transaction_gives_a_reason_per_item_and_changes_nothing(db: Any) -> None:
    db.put_item(TableName=TABLE, Item={**key("A"), "available": {"N": "0"}})
    db.put_item(TableName=TABLE, Item=key("B"))
    failing = {"TableName": TABLE, "Key": key("A"), "ReturnValuesOnConditionCheckFailure": "ALL_OLD", **TAKE}
    new = {"ConditionExpression": "attribute_not_exists(PK)"}
    with pytest.raises(ClientError) as caught:
        db.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": TABLE, "Item": key("C"), **new}},
                {"Update": failing},
                {"Put": {"TableName": TABLE, "Item": key("B"), **new}},
                {"Delete": {"TableName": TABLE, "Key": key("nothing")}},
                {
                    "ConditionCheck": {
                        "TableName": TABLE,
                        "Key": key("D"),
                        "ConditionExpression": "attribute_exists(PK)",
                        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                    }
                },
            ]
        )
    failed = {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}
    assert caught.value.response["CancellationReasons"] == [
        {"Code": "None"},
        {**failed, "Item": {**key("A"), "available": {"N": "0"}}},
        failed,
        {"Code": "None"},
        failed,
    ]
    assert caught.value.response["Error"]["Message"] == (
        "Transaction cancelled, please refer cancellation reasons for specific reasons "
        "[None, ConditionalCheckFailed, ConditionalCheckFailed, None, ConditionalCheckFailed]"
    )
    assert "Item" not in db.get_item(TableName=TABLE, Key=key("C"))


def test_a_write_that_cannot_be_applied_undoes_those_before_it(db: Any) -> None:
    db.put_item(TableName=TABLE, Item={**key("A"), "available": {"N": "5"}})
    with pytest.raises(ClientError) as caught:
        db.transact_write_items(
            TransactItems=[
                {"Update": {"TableName": TABLE, "Key": key("A"), **TAKE}},
                {"Put": {"TableName": TABLE, "Item": key("C")}},
                {"Delete": {"TableName": TABLE, "Key": key("gone")}},
                {
                    "Update": {
                        "TableName": TABLE,
                        "Key": key("X"),
                        "UpdateExpression": "SET n = absent + :one",
                        "ExpressionAttributeValues": {":one": {"N": "1"}},
                    }
                },
            ]
        )
    codes = [reason["Code"] for reason in caught.value.response["CancellationReasons"]]
    assert codes == ["None", "None", "None", "ValidationError"]
    assert available(db, "A") == 5
    assert db.scan(TableName=TABLE, Select="COUNT")["Count"] == 1


def test_two_writes_to_one_item_in_a_transaction_are_refused(db: Any) -> None:
    put = {"Put": {"TableName": TABLE, "Item": key("A")}}
    delete = {"Delete": {"TableName": TABLE, "Key": key("A")}}
    with pytest.raises(ClientError, match="multiple operations on one item"):
        db.transact_write_items(TransactItems=[put, delete])


def test_the_old_item_comes_back_over_the_wire(db: Any, wires: Callable[[], Wire]) -> None:
    item = {**key("A"), "available": {"N": "0"}, "holds": {"M": {"h1": {"N": "2"}}}}
    db.put_item(TableName=TABLE, Item=item)
    wire = wires()
    asked = {"TableName": TABLE, "Key": key("A"), "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    status, refused = wire("UpdateItem", **asked, **TAKE)
    assert status == 400
    assert refused["__type"].endswith("#ConditionalCheckFailedException")
    assert refused["Item"] == item
    status, cancelled = wire("TransactWriteItems", TransactItems=[{"Update": {**asked, **TAKE}}])
    assert status == 400
    assert cancelled["CancellationReasons"][0]["Item"] == item


def test_items_of_every_type_come_back_as_they_were(db: Any) -> None:
    values = {
        "s": {"S": "ü"},
        "n": {"N": "0.000000000001"},
        "b": {"B": b"\x00\xff"},
        "flag": {"BOOL": False},
        "nothing": {"NULL": True},
        "map": {"M": {"list": {"L": [{"N": "1"}, {"M": {}}, {"B": b"x"}]}, "empty": {"S": ""}}},
        "strings": {"SS": ["a", "b"]},
        "numbers": {"NS": ["1", "2"]},
        "blobs": {"BS": [b"a"]},
    }
    item = {**key("A"), **values}
    db.put_item(TableName=TABLE, Item=item)
    assert db.get_item(TableName=TABLE, Key=key("A"))["Item"] == item
    found = db.query(TableName=TABLE, KeyConditionExpression="PK = :pk", ExpressionAttributeValues={":pk": {"S": "A"}})
    assert found["Items"] == [item]


def test_small_numbers_add_up(db: Any) -> None:
    """Sums of a few quanta have no point and no exponent, or the next sum would fail."""
    for sign, left in (("+", "0.0000000001"), ("+", "0.0000000002"), ("-", "0.0000000001")):
        db.update_item(
            TableName=TABLE,
            Key=key("A"),
            UpdateExpression=f"SET n = if_not_exists(n, :zero) {sign} :n",
            ExpressionAttributeValues={":zero": {"N": "0"}, ":n": {"N": "0.0000000001"}},
        )
        assert db.get_item(TableName=TABLE, Key=key("A"))["Item"]["n"] == {"N": left}


def test_flat_updates_of_a_transaction(db: Any) -> None:
    """Those that only set and add take a short way; they make, change and refuse items as the others do."""
    names = {"#text": "text", "#n": "n"}
    update = {"TableName": TABLE, "Key": key("A"), "ExpressionAttributeNames": names}
    update |= {"UpdateExpression": "SET #text = :text ADD #n :n"}

    def add(number: str, text: str = "x") -> None:
        values = {":text": {"S": text}, ":n": {"N": number}}
        db.transact_write_items(TransactItems=[{"Update": {**update, "ExpressionAttributeValues": values}}])

    add("0.0000000001")
    add("-2", "y")
    assert db.get_item(TableName=TABLE, Key=key("A"))["Item"] == {
        **key("A"),
        "text": {"S": "y"},
        "n": {"N": "-1.9999999999"},
    }
    db.put_item(TableName=TABLE, Item={**key("A"), "n": {"S": "no number"}})
    with pytest.raises(ClientError, match="ValidationError"):
        add("1")
    assert db.get_item(TableName=TABLE, Key=key("A"))["Item"] == {**key("A"), "n": {"S": "no number"}}


def test_a_failed_update_leaves_no_new_item(db: Any) -> None:
    with pytest.raises(ClientError, match="does not exist in the item"):
        db.update_item(
            TableName=TABLE,
            Key=key("new"),
            UpdateExpression="SET n = absent + :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )
    assert "Item" not in db.get_item(TableName=TABLE, Key=key("new"))


def test_the_stream_has_one_record_per_change(cloud: Cloud, db: Any) -> None:
    add = {"UpdateExpression": "ADD n :n", "ExpressionAttributeValues": {":n": {"N": "1"}}}
    db.update_item(TableName=TABLE, Key=key("A"), **add)
    db.update_item(TableName=TABLE, Key=key("A"), **add)
    db.put_item(TableName=TABLE, Item={**key("A"), "n": {"N": "2"}})
    db.delete_item(TableName=TABLE, Key=key("A"))
    streams = cloud.engine.client("dynamodbstreams")
    arn = streams.list_streams(TableName=TABLE)["Streams"][-1]["StreamArn"]
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    start = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    records = streams.get_records(ShardIterator=start["ShardIterator"])["Records"]
    told = [(one["eventName"], one["dynamodb"].get("NewImage", {}).get("n")) for one in records]
    assert told == [("INSERT", {"N": "1"}), ("MODIFY", {"N": "2"}), ("REMOVE", None)]


def test_a_client_with_the_endpoint_is_answered_in_process(cloud: Cloud, db: Any) -> None:
    db.put_item(TableName=TABLE, Item=key("A"))
    client = boto3.client("dynamodb", endpoint_url=cloud.engine.endpoint_url)
    assert client.get_item(TableName=TABLE, Key=key("A"))["Item"] == key("A")


def test_the_key_encrypts_under_a_context(cloud: Cloud) -> None:
    kms = cloud.engine.client("kms")
    context = {"owner": "acme"}
    blob = kms.encrypt(KeyId=cloud.engine.key_id, Plaintext=b"secret", EncryptionContext=context)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == b"secret"
    with pytest.raises(ClientError):
        kms.decrypt(CiphertextBlob=blob, EncryptionContext={"owner": "other"})


@pytest.mark.usefixtures("cloud")
def test_what_the_engine_lacks_is_not_asked_of_aws() -> None:
    with pytest.raises(ClientError, match="404"):
        boto3.client("braket").search_devices(filters=[])
