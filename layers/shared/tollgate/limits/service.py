"""What a change of limits means for what has been counted so far. Knows no HTTP and no storage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from tollgate.core.errors import InvalidRequestError
from tollgate.limits.model import Limits, ModelBudget


def changed(current: Limits, sent: Mapping[str, Any], at: datetime | None = None) -> Limits:
    """``current`` with the fields that were sent; ``at`` None: the entity is only being made, and has spent nothing.

    A budget that is new, or whose window is another one now, has not been counted before: it remembers the moment
    (``budget_since``, ``since``), and its first window begins with what the entity's usage says. Raises
    InvalidRequestError for a temporary increase that would never end.
    """
    merged = replace(current, **sent)
    if merged.temp_budget_increase is not None and merged.temp_budget_expiry is None:
        raise InvalidRequestError("temp_budget_increase needs a temp_budget_expiry", param="temp_budget_expiry")
    now = int(at.timestamp()) if at is not None else None
    models = {
        model: replace(own, since=_model_since(current.model_max_budget.get(model), own, now))
        for model, own in merged.model_max_budget.items()
    }
    return replace(merged, budget_since=_since(current, merged, now), model_max_budget=models)


def _since(before: Limits, after: Limits, now: int | None) -> int | None:
    if after.max_budget is None and after.budget_id is None:
        return None
    is_new = before.max_budget is None and after.max_budget is not None
    is_other = (before.budget_duration, before.budget_id) != (after.budget_duration, after.budget_id)
    return now if is_new or is_other else before.budget_since


def _model_since(before: ModelBudget | None, after: ModelBudget, now: int | None) -> int | None:
    if before is None or before.budget_duration != after.budget_duration:
        return now
    return before.since
