"""The budget row that a row of something else shows: its own limits, or those of the shared row that it uses."""

from __future__ import annotations

from datetime import datetime

from tollgate.limits import repository as limits
from tollgate.limits.model import Limits
from tollgate.limits.repository import SHARED
from tollgate.litellm.budgets import BudgetRow, row_of

Stamp = tuple[datetime, str | None]


def table_of(own: Limits, own_id: str, created: Stamp, updated: Stamp, default: Limits | None = None) -> BudgetRow:
    """``own_id`` names limits that are nobody else's; ``created`` and ``updated`` are the entity's: when and by whom.

    What the entity says itself counts before what the shared row says (Q-52), and that before a ``default``.
    """
    holder = limits.find(SHARED, own.budget_id) if own.budget_id is not None else None
    if holder is None:
        return row_of(own_id, own.over(default), created, updated)
    stamps = (holder.created_at, holder.created_by), (holder.updated_at, holder.updated_by)
    return row_of(holder.scope_id, own.over(holder.limits).over(default), *stamps)


def model_rates(own: Limits) -> dict[str, dict[str, int]]:
    """What LiteLLM keeps in metadata and Tollgate among the limits: requests and tokens of single models."""
    found = {"model_rpm_limit": dict(own.model_rpm_limit), "model_tpm_limit": dict(own.model_tpm_limit)}
    return {name: value for name, value in found.items() if value}
