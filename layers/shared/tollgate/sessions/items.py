"""How sessions are stored, and how often a password was tried."""

from __future__ import annotations

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute

from tollgate.table.attributes import IntegerAttribute
from tollgate.table.base import Item


class SessionItem(Item):
    """A login, under the SHA-256 of its token's id: who reads the table cannot make a token of it."""

    session_id = UnicodeAttribute()
    user_id = UnicodeAttribute()
    user_uid = UnicodeAttribute()
    # The user's own number at the login: another one means that all sessions of that time were ended.
    epoch = IntegerAttribute()
    is_revoked = BooleanAttribute(default=False)
    ip_address = UnicodeAttribute(null=True)
    user_agent = UnicodeAttribute(null=True)
    created_at = UnicodeAttribute()
    expires_at = UnicodeAttribute()
    ttl = IntegerAttribute()


class AttemptsItem(Item):
    """Attempts to log in with an e-mail address since ``since``, in epoch seconds."""

    attempts = IntegerAttribute()
    since = IntegerAttribute()
    ttl = IntegerAttribute()
