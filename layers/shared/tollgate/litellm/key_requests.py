"""What clients of the dialect send about keys, and what it means for a key (contract litellm, appendix A)."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StrictBool, StringConstraints, model_validator

from tollgate.auth.credentials import key_id_of
from tollgate.auth.routes import PRESETS
from tollgate.core.durations import later
from tollgate.core.fields import Alias, Metadata
from tollgate.keys.management import key_management
from tollgate.keys.model import KeyChange
from tollgate.limits.fields import MAX_TAGS, LooseId, Usd
from tollgate.litellm.errors import DialectError
from tollgate.litellm.fields import DialectLimits, DialectRequest
from tollgate.litellm.key_rows import KEPT

_NEVER = "-1"
_HASH = re.compile(r"[0-9a-f]{64}")
_SHORTEST = 16

KeyName = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
_Name = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]
_Id = Annotated[str, StringConstraints(max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")]
_Texts = Annotated[list[_Id], Field(max_length=100)]


class KeyFields(DialectLimits):
    """What may be said of a key when it is made and later; null clears, ``""`` on an id detaches (Q-25)."""

    key_alias: _Name | None = None
    duration: str | None = None
    models: Annotated[list[Alias], Field(max_length=100)] | None = None
    aliases: Annotated[dict[Alias, Alias], Field(max_length=100)] | None = None
    team_id: _Id | None = None
    user_id: _Id | None = None
    organization_id: _Id | None = None
    blocked: StrictBool | None = None
    metadata: Metadata | None = None
    tags: Annotated[list[LooseId], Field(max_length=MAX_TAGS)] | None = None
    allowed_routes: _Texts | None = None
    spend: Usd | None = None
    config: Metadata | None = None
    permissions: Metadata | None = None
    allowed_cache_controls: _Texts | None = None
    guardrails: _Texts | None = None
    prompts: _Texts | None = None
    enforced_params: _Texts | None = None


class GenerateKey(KeyFields):
    """A new key; ``key`` its string, if the client has one."""

    key: KeyName | None = None
    key_type: Literal["default", "llm_api", "management", "read_only"] | None = None


class UpdateKey(KeyFields):
    """Only what is sent changes. The key by its string, its hash or its alias."""

    key: KeyName | None = None

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if self.key is None and not self.key_alias:
            message = "key or key_alias is required"
            raise ValueError(message)
        return self


class RegenerateKey(KeyFields):
    """Another string for a key, that of the caller if none is named; ``new_key``, if the client has one."""

    key: KeyName | None = None
    new_key: KeyName | None = None
    grace_period: str | None = None


class BulkUpdateEntry(KeyFields):
    key: KeyName


class BulkUpdateKeys(DialectRequest):
    keys: Annotated[list[BulkUpdateEntry], Field(min_length=1, max_length=500)]


class BulkUpdateTeamKeys(BulkUpdateKeys):
    """``team_id``, where it is sent, is the team of all of them."""

    team_id: LooseId | None = None


class KeyNames(DialectRequest):
    """Keys by string or hash, and by alias; one of the lists may be null."""

    keys: Annotated[list[KeyName], Field(max_length=500)] | None = None
    key_aliases: Annotated[list[_Name], Field(max_length=500)] | None = None

    @model_validator(mode="after")
    def _one_list(self) -> Self:
        if not self.keys and not self.key_aliases:
            message = "At least one of 'keys' or 'key_aliases' must be provided."
            raise ValueError(message)
        return self


class OneKey(DialectRequest):
    key: KeyName


class ResetSpend(DialectRequest):
    reset_to: Usd


def id_of(key: str) -> str:
    """The hash of a key, which may be given itself."""
    return key_id_of(key) if key.startswith("sk-") else key


def is_name(key: str) -> bool:
    """Whether it can be a key or a hash."""
    return key.startswith("sk-") or _HASH.fullmatch(key) is not None


def own_string(key: str | None) -> str | None:
    """A string that a client has chosen for a key. Raises the contract's error for one that is none."""
    if key is None:
        return None
    if not key.startswith("sk-") or len(key) < _SHORTEST or not key.isascii() or not key.isprintable():
        message = f"Invalid key. A custom key has to start with 'sk-' and have at least {_SHORTEST} characters."
        raise DialectError(400, message, param="key", quoted=True)
    return key


def change_of(request: KeyFields, *, named_by_alias: bool = False) -> KeyChange:
    """What a request means. ``named_by_alias``: its ``key_alias`` says which key is meant."""
    sent = request.model_fields_set
    values: dict[str, Any] = {}
    if "key_alias" in sent and not named_by_alias:
        values |= {"key_alias": request.key_alias or None, "unique_alias": bool(request.key_alias)}
    if "duration" in sent:
        values["expires_at"] = _expiry(request.duration)
    if "models" in sent:
        values["models"] = tuple(dict.fromkeys(request.models)) if request.models else None
    if "aliases" in sent:
        values["aliases"] = dict(request.aliases or {})
    if "tags" in sent:
        values["tags"] = tuple(dict.fromkeys(request.tags or ()))
    if "blocked" in sent:
        values["blocked"] = bool(request.blocked)
    if "allowed_routes" in sent:
        values["allowed_routes"] = tuple(request.allowed_routes or ())
    preset = PRESETS[request.key_type] if isinstance(request, GenerateKey) and request.key_type is not None else ()
    kept = {name: getattr(request, name) for name in sent & KEPT.keys()}
    if kept:
        values["kept"] = kept
    is_preset = bool(preset) and not values.get("allowed_routes")
    if is_preset:
        values["allowed_routes"] = preset
    owners = {name: getattr(request, name) or None for name in sent & {"team_id", "user_id", "organization_id"}}
    metadata = (request.metadata or {}) if "metadata" in sent else None
    return KeyChange(values, request.limits_sent(), owners, metadata, preset_routes=is_preset)


def grace_of(request: RegenerateKey) -> datetime | None:
    """Until when the old string of a key stands for it; None: no longer at all."""
    if request.grace_period in {None, "", "0s"}:
        return None
    return _end(request.grace_period or "", "grace_period")


def _expiry(duration: str | None) -> datetime | None:
    """When a key ends that lives so long from now: ``30d``, ``1mo``; for ever if null or ``-1``."""
    if duration is None or duration == _NEVER:
        return None
    return _end(duration, "duration")


def _end(duration: str, name: str) -> datetime:
    try:
        return later(key_management().clock(), duration)
    except ValueError:
        message = f"Invalid {name} '{duration}'. Use a format like '1h', '24h', '7d', or '30d'."
        raise DialectError(400, message, param=name, quoted=True) from None
