"""Keys as rows of the dialect (contract litellm 1.6, appendix A)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tollgate.core.fields import Amount
from tollgate.keys import repository as keys
from tollgate.keys.management import key_management
from tollgate.keys.model import KeyStatus, VirtualKey
from tollgate.limits.fields import SpendAnswer
from tollgate.litellm.budget_tables import model_rates, table_of
from tollgate.litellm.budgets import BudgetRow, ModelBudgetRow, model_budget_rows
from tollgate.litellm.fields import DialectRow, Moment
from tollgate.tenants import spending

# What clients keep with a key, by its name in rows; what is shown where nothing was sent.
KEPT: dict[str, Any] = {
    "config": {},
    "permissions": {},
    "allowed_cache_controls": [],
    "guardrails": None,
    "prompts": None,
    "enforced_params": None,
    "key_type": "default",
}


class KeyRow(DialectRow):
    """What a key is, without its hash."""

    key_name: str
    key_alias: str | None
    soft_budget_cooldown: bool = False
    spend: Amount
    expires: Moment | None
    models: list[str]
    aliases: dict[str, str]
    config: dict[str, Any] | None
    user_id: str | None
    team_id: str | None
    organization_id: str | None
    permissions: dict[str, Any] | None
    max_parallel_requests: int | None
    metadata: dict[str, Any]
    tags: list[str]
    blocked: bool
    tpm_limit: int | None
    rpm_limit: int | None
    tpd_limit: int | None
    model_rpm_limit: dict[str, int] | None
    model_tpm_limit: dict[str, int] | None
    max_budget: Amount | None
    soft_budget: Amount | None
    budget_duration: str | None
    budget_reset_at: Moment | None
    temp_budget_increase: Amount | None
    temp_budget_expiry: Moment | None
    allowed_cache_controls: list[Any] | None
    allowed_routes: list[str]
    key_type: str
    guardrails: list[str] | None
    prompts: list[str] | None
    enforced_params: list[str] | None
    model_spend: dict[str, Amount]
    model_max_budget: dict[str, ModelBudgetRow]
    budget_id: str | None
    object_permission_id: None = None
    object_permission: None = None
    status: str
    created_at: Moment
    created_by: str | None
    updated_at: Moment
    updated_by: str | None
    litellm_budget_table: BudgetRow | None


class TokenRow(KeyRow):
    """The same in a list, with its hash."""

    token: str


class KeyGenerated(TokenRow):
    """A new key; ``key`` is shown here and never again."""

    key: str
    token_id: str


class KeyUpdated(KeyRow):
    """A changed key; ``key`` is what the client called it."""

    key: str


def row_of(key: VirtualKey) -> KeyRow:
    return KeyRow.model_validate(fields([key])[0])


def fields(found: Sequence[VirtualKey]) -> list[dict[str, Any]]:
    """The members of each key's row: with its metadata and what it spent in this window, read for all together."""
    spends = spending.of_all([spending.key_spender(key) for key in found], key_management().clock())
    metadata = keys.metadata_of_all(key.key_id for key in found)
    return [_fields(key, spend, metadata.get(key.key_id, {})) for key, spend in zip(found, spends, strict=True)]


def _fields(key: VirtualKey, spend: SpendAnswer, metadata: dict[str, Any]) -> dict[str, Any]:
    own = key.limits
    stamps = (key.created_at, key.created_by), (key.updated_at or key.created_at, key.updated_by)
    rates = model_rates(own)
    return {
        **{name: getattr(key, name) for name in _SAME},
        **{name: getattr(own, name) for name in _LIMITS},
        **{name: key.kept.get(name, unsent) for name, unsent in KEPT.items()},
        "key_name": key.mask,
        "spend": spend.spend,
        "expires": key.expires_at,
        "models": list(key.models or ()),
        "aliases": dict(key.aliases),
        "metadata": metadata | rates,
        "tags": list(key.tags),
        "model_rpm_limit": rates.get("model_rpm_limit"),
        "model_tpm_limit": rates.get("model_tpm_limit"),
        "budget_reset_at": spend.budget_reset_at,
        "allowed_routes": list(key.allowed_routes),
        "model_spend": {model: window.spend for model, window in spend.model_spend.items()},
        "model_max_budget": model_budget_rows(own),
        "status": _status(key),
        "created_at": key.created_at,
        "updated_at": key.updated_at or key.created_at,
        "litellm_budget_table": table_of(own, own.budget_id, *stamps) if own.budget_id is not None else None,
    }


_SAME = ("key_alias", "user_id", "team_id", "organization_id", "blocked", "created_by", "updated_by")
_LIMITS = (
    "max_parallel_requests",
    "tpm_limit",
    "rpm_limit",
    "tpd_limit",
    "max_budget",
    "soft_budget",
    "budget_duration",
    "temp_budget_increase",
    "temp_budget_expiry",
    "budget_id",
)


def _status(key: VirtualKey) -> str:
    if key.status is KeyStatus.REVOKED:
        return "deleted"
    if key.blocked:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= key_management().clock() else "active"
