"""The environment of handlers under test. Import this before anything of Tollgate: it reads the environment once.

The engine is the local cloud's (moto in this process, or the DynamoDB that ``DYNAMODB_ENDPOINT_URL`` names), the
variables are those that ``template.yaml`` gives every function.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from moto.dynamodb.models.dynamo_type import DynamoType

from local.engine import LOCK
from local.template import Template
from local.testing import MASTER_KEY, process_engine

ROOT = Path(__file__).resolve().parents[2]

_given_endpoint = os.environ.get("DYNAMODB_ENDPOINT_URL") or None
engine = process_engine(_given_endpoint)
template = Template.load(ROOT / "template.yaml")

os.environ.update(next(iter(template.functions().values())).environment)
os.environ.update(
    TABLE_NAME=template.table()["TableName"],
    KMS_KEY_ID=engine.key_id,
    MASTER_KEY_SHA256=hashlib.sha256(MASTER_KEY.encode()).hexdigest(),
    CURSOR_SECRET="cursor-secret-of-the-tests",
    SESSION_SECRET="session-secret-of-the-tests-of-32-bytes",
    OPEN_SETUP="true",
    DYNAMODB_ENDPOINT_URL=engine.endpoint_url,
)
os.environ.pop("UPSTREAM_BASE_URL", None)
os.environ.pop("UPSTREAM_API_KEY", None)

# Items take their table and endpoint from the environment at import.
import tollgate.table.base  # noqa: E402, F401
from tollgate.settings import settings  # noqa: E402

# Whoever starts a local cloud in this process must not take our endpoint for a given one.
if _given_endpoint is None:
    del os.environ["DYNAMODB_ENDPOINT_URL"]


def restore_settings() -> None:
    """Reads this environment again if a test with another one has made the settings forget it."""
    if "DYNAMODB_ENDPOINT_URL" not in os.environ and not settings.cache_info().currsize:
        with patch.dict(os.environ, DYNAMODB_ENDPOINT_URL=engine.endpoint_url):
            settings()


@contextmanager
def other_settings() -> Iterator[None]:
    """Settings are read anew inside, from an environment that the test has changed, and are this one again after."""
    settings.cache_clear()
    try:
        yield
    finally:
        settings.cache_clear()
        with patch.dict(os.environ, DYNAMODB_ENDPOINT_URL=engine.endpoint_url):
            settings()


_client = engine.client("dynamodb")
TABLE = template.table()["TableName"]
engine.ensure_table(template.table(), template.ttl_attribute())
# Moto's own table, where it is the engine: tests look into it and set it up many thousand times.
_table = engine.moto_table(TABLE)


def empty_table() -> None:
    """Takes every item out of the table."""
    if _table is not None:
        engine.recreate_table(template.table(), template.ttl_attribute())
        return
    pages = _client.get_paginator("scan").paginate(TableName=TABLE, ProjectionExpression="PK, SK")
    write([{"DeleteRequest": {"Key": item}} for page in pages for item in page["Items"]])


def raw_items() -> list[dict[str, Any]]:
    """Every item of the table, in DynamoDB's JSON."""
    if _table is not None:
        with LOCK:
            return [item.to_json()["Attributes"] for item in _table.all_items()]
    pages = _client.get_paginator("scan").paginate(TableName=TABLE)
    return [item for page in pages for item in page["Items"]]


def restore(items: list[dict[str, Any]]) -> None:
    """Puts the table back to what ``raw_items`` once gave; writes what is different only, which moto takes long for."""
    if _table is None:
        empty_table()
        put_raw(items)
        return
    wanted = {_place(item): item for item in items}
    found = {_place(item): item for item in raw_items()}
    with LOCK:
        _table.set_stream_specification(_table.stream_specification)
        for pk, sk in found.keys() - wanted.keys():
            _table.delete_item(DynamoType({"S": pk}), DynamoType({"S": sk}))
    put_raw([item for place, item in wanted.items() if found.get(place) != item])


def _place(item: dict[str, Any]) -> tuple[str, str]:
    return item["PK"]["S"], item["SK"]["S"]


def put_raw(items: list[dict[str, Any]]) -> None:
    """Puts items as ``raw_items`` gives them."""
    if _table is not None:
        with LOCK:
            for item in items:
                _table.put_item(item)
        return
    write([{"PutRequest": {"Item": item}} for item in items])


def write(requests: list[dict[str, Any]]) -> None:
    for start in range(0, len(requests), 25):
        answer = _client.batch_write_item(RequestItems={TABLE: requests[start : start + 25]})
        assert not answer["UnprocessedItems"]
