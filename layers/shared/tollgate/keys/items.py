"""How a virtual key is stored: never the key, only its hash."""

from __future__ import annotations

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute, VersionAttribute

from tollgate.limits.items import LimitsAttribute
from tollgate.table.attributes import FreeFormAttribute, IntegerAttribute, TextListAttribute
from tollgate.table.base import Item


class KeyItem(Item):
    """Read on every call by its hash. ``GSI1`` lists a team's keys, or an owner's without team; ``GSI2`` a user's."""

    key_id = UnicodeAttribute()
    uid = UnicodeAttribute()
    mask = UnicodeAttribute()
    key_alias = UnicodeAttribute(null=True)
    # Whether a guard keeps others from having the alias.
    unique_alias = BooleanAttribute(null=True)
    team_id = UnicodeAttribute(null=True)
    team_uid = UnicodeAttribute(null=True)
    organization_id = UnicodeAttribute(null=True)
    organization_uid = UnicodeAttribute(null=True)
    user_id = UnicodeAttribute(null=True)
    user_uid = UnicodeAttribute(null=True)
    # ``active`` or ``revoked``.
    status = UnicodeAttribute()
    blocked = BooleanAttribute(default=False)
    expires_at = UnicodeAttribute(null=True)
    model_access = UnicodeAttribute()
    models = TextListAttribute()
    tags = TextListAttribute()
    # Other names for models, for this key only; calls read them.
    aliases = FreeFormAttribute(null=True)
    # The only routes that it may call; empty: all.
    allowed_routes = TextListAttribute()
    # What clients of the other dialect keep with a key; nothing here acts on it.
    kept = FreeFormAttribute(null=True)
    limits = LimitsAttribute(null=True)
    # When it was first used for a call; written by the stream's consumer.
    first_call_at = UnicodeAttribute(null=True)
    created_at = UnicodeAttribute()
    created_by = UnicodeAttribute()
    updated_at = UnicodeAttribute()
    updated_by = UnicodeAttribute()
    version = VersionAttribute()


class FormerKeyItem(Item):
    """In the place of a key whose string was changed: for a while the old string still means the key under the new one.

    It says whose it was, so that nobody has to ask twice for what belongs to the key.
    """

    key_id = UnicodeAttribute()
    successor = UnicodeAttribute()
    expires_at = UnicodeAttribute()
    team_id = UnicodeAttribute(null=True)
    team_uid = UnicodeAttribute(null=True)
    organization_id = UnicodeAttribute(null=True)
    organization_uid = UnicodeAttribute(null=True)
    user_id = UnicodeAttribute(null=True)
    user_uid = UnicodeAttribute(null=True)
    ttl = IntegerAttribute()


class KeyLinkItem(Item):
    """Names a key in its organization, or in none. ``GSI1`` lists the links of all."""

    key_id = UnicodeAttribute()


class KeyAliasItem(Item):
    """Guard of an alias: whichever key has it is named here."""

    key_id = UnicodeAttribute()
