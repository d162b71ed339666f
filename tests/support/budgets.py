"""What answers say of an entity that is not limited, and has spent nothing."""

from __future__ import annotations

from typing import Any

NO_LIMITS: dict[str, Any] = {
    "budget_id": None,
    "max_budget": None,
    "soft_budget": None,
    "budget_duration": None,
    "window": "once",
    "tpm_limit": None,
    "rpm_limit": None,
    "tpd_limit": None,
    "max_parallel_requests": None,
    "model_max_budget": {},
    "model_rpm_limit": {},
    "model_tpm_limit": {},
    "allowed_models": None,
    "temp_budget_increase": None,
    "temp_budget_expiry": None,
}
NO_SPEND: dict[str, Any] = {"spend": 0, "reserved": 0, "budget_reset_at": None, "model_spend": {}}
