"""The environment of handlers under test. Import this before anything of Tollgate: it reads the environment once.

The engine is the local cloud's (moto in this process, or the DynamoDB that ``DYNAMODB_ENDPOINT_URL`` names), the
variables are those that ``template.yaml`` gives every function.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from local.template import Template
from local.testing import MASTER_KEY, _engine

ROOT = Path(__file__).resolve().parents[2]

_given_endpoint = os.environ.get("DYNAMODB_ENDPOINT_URL") or None
engine = _engine(_given_endpoint)
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

from tollgate.settings import settings  # noqa: E402

settings()
# Read once and kept; whoever starts a local cloud in this process must not take our endpoint for a given one.
if _given_endpoint is None:
    del os.environ["DYNAMODB_ENDPOINT_URL"]


def empty_table() -> None:
    """The table as the template declares it, without items."""
    engine.recreate_table(template.table(), template.ttl_attribute())
