"""How the model catalogue is stored: one partition, so that the proxy reads it whole, strongly consistent."""

from __future__ import annotations

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute, VersionAttribute

from tollgate.table.attributes import FreeFormAttribute, IntegerAttribute, TextListAttribute
from tollgate.table.base import Item


class ModelItem(Item):
    """An alias under ``CATALOGUE``, ``MODEL#<alias>``.

    ``targets`` is ``{"targets": [{target_id, litellm_model, priority, weight, api_base, pricing_input,
    pricing_output, pricing_cached_input, price_source, is_active, base_model, region, rpm, tpm, credential_id,
    ciphertext, last4, options}]}``; prices are decimal strings in USD per million tokens, null where the price
    catalogue's counts; ``ciphertext`` is base64.
    """

    alias = UnicodeAttribute()
    uid = UnicodeAttribute()
    display_name = UnicodeAttribute(null=True)
    description = UnicodeAttribute(null=True)
    active = BooleanAttribute(default=True)
    mode = UnicodeAttribute()
    context_window = IntegerAttribute(null=True)
    max_output_tokens = IntegerAttribute(null=True)
    targets = FreeFormAttribute()
    created_at = UnicodeAttribute()
    created_by = UnicodeAttribute()
    updated_at = UnicodeAttribute()
    updated_by = UnicodeAttribute()
    version = VersionAttribute()


class ModelParamsItem(Item):
    """Beside an alias, ``MODEL#<alias>``, ``PARAMS``: what the other dialect said of its targets and only sees again.

    ``params`` is ``{target_id: {"litellm_params": {…}, "model_info": {…}}}``, without any secret.
    """

    params = FreeFormAttribute()


class AccessGroupItem(Item):
    """An access group under ``CATALOGUE``, ``GROUP#<name>``: a set of aliases (wildcards allowed)."""

    group_name = UnicodeAttribute()
    description = UnicodeAttribute(null=True)
    model_aliases = TextListAttribute()
    team_count = IntegerAttribute(default=0)
    builtin = BooleanAttribute(default=False)
    created_at = UnicodeAttribute()
    created_by = UnicodeAttribute()
    updated_at = UnicodeAttribute()
    updated_by = UnicodeAttribute()
    version = VersionAttribute()


class GroupLinkItem(Item):
    """Under ``GROUP#<name>#TEAMS`` or ``MODEL#<alias>#TEAMS``, ``TEAM#<team id>``: that team holds it."""

    team_id = UnicodeAttribute()


class CatalogueVersionItem(Item):
    """``CATALOGUE``, ``VERSION``: raised by every write of aliases, groups and credentials.

    Every call reads it, and a process whose cached catalogue is older loads it anew.
    """

    number = IntegerAttribute()
