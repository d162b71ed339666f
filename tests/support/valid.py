"""A request that succeeds, and what such requests have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

CANARY = "sk-canary-3f1b9c"
# A key of the first tenant whose string is known.
KNOWN_KEY = "sk-known-in-this-world"
SPAN = {"start_date": "2026-03-01", "end_date": "2026-03-31"}
LIMITS = {
    "max_budget": 100,
    "soft_budget": 80.5,
    "budget_duration": "30d",
    "tpm_limit": 100_000,
    "rpm_limit": 60,
    "tpd_limit": 1_000_000,
    "max_parallel_requests": 4,
    "model_max_budget": {"fast": {"budget_limit": 10, "time_period": "1d"}},
    "model_rpm_limit": {"fast": 30},
    "model_tpm_limit": {"fast": 10_000},
    "allowed_models": ["fast"],
    "temp_budget_increase": 5,
    "temp_budget_expiry": "2099-01-01T00:00:00Z",
    "budget_id": "starter",
}


@dataclass(frozen=True)
class Valid:
    """A request that succeeds in the world. ``before`` brings it about where the world alone does not."""

    body: dict[str, Any] | None = None
    query: dict[str, str] = field(default_factory=dict)
    status: int = 200
    before: Callable[[], object] | None = None
