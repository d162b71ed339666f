"""One DynamoDB read without botocore, for the authorizer, whose start is what a caller waits for."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from tollgate.aws.sigv4 import Credentials, Signer

_TIMEOUT_SECONDS = 2
_ATTEMPTS = 3
_TARGET = "DynamoDB_20120810.GetItem"
_OK = 200
_SERVER_ERROR = 500


class LeanClient:
    """A blocking client that keeps one connection."""

    def __init__(self, region: str, endpoint_url: str | None = None) -> None:
        url = urlsplit(endpoint_url or f"https://dynamodb.{region}.amazonaws.com")
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(url.hostname or "", url.port, timeout=_TIMEOUT_SECONDS)
        self._signer = Signer(Credentials.from_environment(), region, url.netloc)

    def get_item(self, table_name: str, key: dict[str, str]) -> dict[str, Any] | None:
        """The item in DynamoDB's JSON, read strongly consistent, or None. OSError: the table is unreachable."""
        body = json.dumps(
            {
                "TableName": table_name,
                "Key": {name: {"S": value} for name, value in key.items()},
                "ConsistentRead": True,
            }
        ).encode()
        item: dict[str, Any] | None = self._post(body).get("Item")
        return item

    def _post(self, body: bytes) -> dict[str, Any]:
        for attempt in range(_ATTEMPTS):
            last = attempt == _ATTEMPTS - 1
            try:
                self._connection.request("POST", "/", body, self._signer.headers(_TARGET, body))
                response = self._connection.getresponse()
                text = response.read()
            except (OSError, http.client.HTTPException):
                # A connection that died while the environment was frozen; a read can always be sent again.
                self._connection.close()
                if last:
                    raise
                continue
            if response.status == _OK:
                answer: dict[str, Any] = json.loads(text)
                return answer
            if response.status < _SERVER_ERROR or last:
                message = f"DynamoDB answered {response.status}: {text[:200]!r}"
                raise OSError(message)
        raise AssertionError
