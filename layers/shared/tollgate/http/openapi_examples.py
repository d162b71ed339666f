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
    "add_credits": {"team_id": "acme-dev", "amount": 500, "description": "March"},
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
}
