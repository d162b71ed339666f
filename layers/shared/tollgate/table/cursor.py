"""List cursors: opaque, authenticated, bound to the list they came from (Q-27)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

from tollgate.core.errors import InvalidCursorError
from tollgate.settings import settings

_MAC_BYTES = 16


def encode(position: dict[str, str], scope: str) -> str:
    """``position`` is a key of the table or an index; ``scope`` names owner, list and filter."""
    payload = json.dumps(position, separators=(",", ":"), sort_keys=True).encode()
    return base64.urlsafe_b64encode(_mac(payload, scope) + payload).decode().rstrip("=")


def decode(cursor: str, scope: str) -> dict[str, str]:
    """The position behind a cursor. InvalidCursorError for anything that ``encode`` did not make for ``scope``."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except ValueError:
        raise InvalidCursorError from None
    mac, payload = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(payload, scope)):
        raise InvalidCursorError
    position: dict[str, str] = json.loads(payload)
    return position


def _mac(payload: bytes, scope: str) -> bytes:
    secret = settings().cursor_secret.encode()
    return hmac.digest(secret, scope.encode() + b"\0" + payload, hashlib.sha256)[:_MAC_BYTES]
