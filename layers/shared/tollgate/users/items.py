"""How a user and a membership are stored."""

from __future__ import annotations

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute, VersionAttribute

from tollgate.limits.items import LimitsAttribute
from tollgate.table.attributes import IntegerAttribute, TextListAttribute
from tollgate.table.base import Item


class UserItem(Item):
    """Read on every call of his keys, so it stays small. ``GSI1`` lists all, ``GSI2`` those with a platform role."""

    user_id = UnicodeAttribute()
    uid = UnicodeAttribute()
    # Lower-cased; an item of its own guards that it is taken once.
    email = UnicodeAttribute(null=True)
    display_name = UnicodeAttribute(null=True)
    role = UnicodeAttribute()
    is_active = BooleanAttribute(default=True)
    # He is gone for everybody, and somebody finishes that: in the name of whoever did it, when ``DUE`` says.
    deleting = BooleanAttribute(default=False)
    closed_by = UnicodeAttribute(null=True)
    # Sessions begun under another number have ended.
    session_epoch = IntegerAttribute(default=0)
    last_login = UnicodeAttribute(null=True)
    access_expires_at = UnicodeAttribute(null=True)
    # ``all`` or ``listed``.
    model_access = UnicodeAttribute()
    models = TextListAttribute()
    limits = LimitsAttribute(null=True)
    # What he may not go beyond, whatever the model.
    allowed_model_region = UnicodeAttribute(null=True)
    allowed_model_max_input_tokens = IntegerAttribute(null=True)
    allowed_model_max_output_tokens = IntegerAttribute(null=True)
    # An item of its own guards that it is taken once.
    sso_user_id = UnicodeAttribute(null=True)
    # Of the sibling item that has it.
    object_permission_id = UnicodeAttribute(null=True)
    allowed_cache_controls = TextListAttribute()
    created_at = UnicodeAttribute()
    created_by = UnicodeAttribute()
    updated_at = UnicodeAttribute()
    updated_by = UnicodeAttribute()
    version = VersionAttribute()


class GuardItem(Item):
    """Guard of an e-mail address or of an identity provider's id: whoever has it is named here."""

    user_id = UnicodeAttribute()


class PasswordItem(Item):
    """A user's password as its argon2id hash. Of its own, so that no list and no call ever reads it."""

    password_hash = UnicodeAttribute()


class AdminCountItem(Item):
    """How many users have a platform role, and how many active owners are among them."""

    admins = IntegerAttribute()
    owners = IntegerAttribute()


class MembershipItem(Item):
    """Under its organization or team by the user's uid. ``GSI1`` lists a user's own."""

    uid = UnicodeAttribute()
    # ``organization-member`` or ``team-member``.
    scope = UnicodeAttribute()
    team_id = UnicodeAttribute(null=True)
    team_uid = UnicodeAttribute(null=True)
    organization_id = UnicodeAttribute(null=True)
    organization_uid = UnicodeAttribute(null=True)
    user_id = UnicodeAttribute()
    user_uid = UnicodeAttribute()
    role = UnicodeAttribute()
    limits = LimitsAttribute(null=True)
    created_at = UnicodeAttribute()
    created_by = UnicodeAttribute()
    updated_at = UnicodeAttribute()
    updated_by = UnicodeAttribute()
    version = VersionAttribute()
