"""Identifiers: internal uids (ULID), call ids (UUIDv7) and the hold ids derived from them."""

from __future__ import annotations

import base64
import secrets
import time
from datetime import datetime
from urllib.parse import quote
from uuid import UUID

# How many characters of a ULID tell its time.
_ULID_TIME = 10
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_ulid(at_ms: int | None = None) -> str:
    """A ULID: 26 characters, sortable by its millisecond of creation.

    ``at_ms`` is milliseconds since the epoch; the current time if absent.
    """
    moment = time.time_ns() // 1_000_000 if at_ms is None else at_ms
    number = (moment << 80) | secrets.randbits(80)
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, -5, -5))


def ulid_prefix(at: datetime) -> str:
    """What every ULID of that millisecond, or of a later one, comes after as text, and every earlier one before."""
    return new_ulid(max(0, int(at.timestamp() * 1000)))[:_ULID_TIME]


def new_call_id(at_ms: int | None = None) -> str:
    """A UUIDv7 in its usual text form (Q-31)."""
    moment = time.time_ns() // 1_000_000 if at_ms is None else at_ms
    number = (moment << 80) | secrets.randbits(80)
    number = (number & ~(0xF << 76)) | (0x7 << 76)
    number = (number & ~(0x3 << 62)) | (0x2 << 62)
    return str(UUID(int=number))


def time_prefix(at_ms: int) -> str:
    """What every UUIDv7 of that millisecond, or of a later one, comes after as text, and every earlier one before."""
    digits = f"{at_ms:012x}"
    return f"{digits[:8]}-{digits[8:]}"


def hold_id_of(call_id: str) -> str:
    """The id under which a call's reservation sits in a counter item.

    Sixteen characters instead of the call id's 36, because holds make the counter item grow and its size
    is what a write costs: the 48 bits of time and the last 48 random bits of the UUIDv7.
    """
    raw = UUID(call_id).bytes
    return base64.urlsafe_b64encode(raw[:6] + raw[10:]).decode()


def time_of_hold(hold_id: str) -> float:
    """When the call of a hold began, in epoch seconds: which windows it is counted in."""
    return int.from_bytes(base64.urlsafe_b64decode(hold_id)[:6]) / 1000


def call_id_of_hold(hold_id: str) -> str:
    """A call id for a hold of which nothing else is known: its time and its random bits."""
    raw = base64.urlsafe_b64decode(hold_id)
    return str(UUID(bytes=raw[:6] + b"\x70\x00\x80\x00" + raw[6:]))


def member_id(owner_id: str, user_id: str) -> str:
    """A membership as one id, ``a~b`` with both parts percent-encoded (Q-20)."""
    return "~".join(quote(part, safe="").replace("~", "%7E") for part in (owner_id, user_id))
