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


def empty_table() -> None:
    """Takes every item out of the table."""
    pages = _client.get_paginator("scan").paginate(TableName=TABLE, ProjectionExpression="PK, SK")
    found = [{"DeleteRequest": {"Key": item}} for page in pages for item in page["Items"]]
    write(found)


def write(requests: list[dict[str, Any]]) -> None:
    """Sends any number of put and delete requests."""
    for start in range(0, len(requests), 25):
        answer = _client.batch_write_item(RequestItems={TABLE: requests[start : start + 25]})
        assert not answer["UnprocessedItems"]
