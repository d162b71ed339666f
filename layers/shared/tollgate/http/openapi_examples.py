"""An example request of every operation that has a body, by operation id. A test sends each against its schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

EXAMPLES: Mapping[str, Any] = {
    "create_organization": {"organization_id": "org_acme", "name": "ACME Corp", "metadata": {"industry": "retail"}},
    "update_organization": {"name": "ACME International"},
    "set_organization_status": {"status": "suspended", "reason": "invoice overdue"},
    "create_team": {
        "organization_id": "org_acme",
        "team_id": "acme-dev",
        "team_alias": "Development",
        "access_groups": ["gpt-models"],
        "credits_allocated": 1000,
    },
    "update_team": {"access_groups": ["gpt-models", "claude-models"]},
    "suspend_team": {"reason": "invoice overdue"},
    "resume_team": {"reason": "invoice paid"},
    "pause_team": {"reason": "maintenance"},
    "issue_key": {"key_alias": "ci", "duration": "30d", "models": ["fast"]},
    "update_key": {"blocked": False, "rpm_limit": 60, "max_budget": 25, "budget_duration": "30d"},
    "set_budget": {
        "max_budget": 100,
        "budget_duration": "30d",
        "rpm_limit": 600,
        "model_max_budget": {"fast": {"max_budget": 10, "budget_duration": "1d"}},
    },
    "adjust_budget": {"spend": 12.5, "reason": "carried over from the old system"},
    "add_credits": {"team_id": "acme-dev", "amount": 500, "description": "March"},
    "transfer_credits": {"team_id": "acme-dev", "amount": 250, "direction": "to_team", "description": "March"},
    "refund_credits": {
        "team_id": "acme-dev",
        "call_id": "0195e3a1-6f2c-7b51-9d3e-0a4c5a6f6a10",
        "reason": "the process died, and the reservation was more than the call",
    },
    "adjust_credits": {"organization_id": "org_acme", "amount": -12.5, "reason": "booked twice in March"},
    "update_credit_settings": {
        "limit_mode": "soft",
        "suspend_at_zero": True,
        "grace_period_hours": 48,
        "auto_refill": True,
        "refill_amount": 1000,
        "refill_period": "monthly",
    },
    "create_model_alias": {
        "alias": "fast",
        "litellm_model": "openai/gpt-4o-mini",
        "description": "quick and cheap",
        "fallbacks": ["anthropic/claude-haiku-4-5"],
    },
    "update_model_alias": {"litellm_model": "custom/llama", "pricing_input": 0.2, "pricing_output": 0.6},
    "create_access_group": {"group_name": "basic", "description": "for everybody", "model_aliases": ["fast", "gpt-*"]},
    "update_access_group": {"model_aliases": ["fast"]},
    "add_models": {"model_aliases": ["fast"]},
    "remove_models": {"model_aliases": ["gpt-*"]},
    "create_provider_credential": {
        "organization_id": "org_acme",
        "provider": "openai",
        "credential_name": "production",
        "api_key": "provider-secret",
    },
    "update_provider_credential": {"credential_name": "production-2"},
    "create_alert_rule": {
        "organization_id": "org_acme",
        "channel": "webhook",
        "url": "https://hooks.example.com/tollgate",
        "events": ["budget.threshold", "credits.low", "credits.exhausted"],
        "thresholds": [50, 80, 100],
    },
    "update_alert_rule": {"is_active": False},
}
