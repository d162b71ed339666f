"""How a provider credential is stored: the secret only as a KMS ciphertext."""

from __future__ import annotations

from pynamodb.attributes import BinaryAttribute, BooleanAttribute, UnicodeAttribute, VersionAttribute

from tollgate.table.attributes import FreeFormAttribute
from tollgate.table.base import Item


class CredentialItem(Item):
    """``GSI1`` lists an owner's credentials, ``GSI2`` all."""

    credential_id = UnicodeAttribute()
    organization_id = UnicodeAttribute(null=True)
    organization_uid = UnicodeAttribute(null=True)
    provider = UnicodeAttribute()
    credential_name = UnicodeAttribute()
    ciphertext = BinaryAttribute(legacy_encoding=False)
    last4 = UnicodeAttribute()
    api_base = UnicodeAttribute(null=True)
    # region, api_version, deployment: what the provider's address is made of.
    options = FreeFormAttribute()
    metadata = FreeFormAttribute(null=True)
    is_active = BooleanAttribute()
    created_at = UnicodeAttribute()
    created_by = UnicodeAttribute()
    updated_at = UnicodeAttribute()
    updated_by = UnicodeAttribute()
    version = VersionAttribute()


class CredentialPointerItem(Item):
    """Under an owner: ``ACTIVE#<provider>`` names the active credential, ``NAME#<name>`` guards a name."""

    credential_id = UnicodeAttribute()
