"""Limits as a DynamoDB map, the attribute ``limits`` of every entity that can have some; absent means none.

The hot path reads the raw map and the admin plane writes it through ``LimitsAttribute``: both by these functions.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tollgate.limits.model import NO_LIMITS, Limits, ModelBudget

Map = dict[str, dict[str, Any]]

_NUMBERS = ("max_budget", "soft_budget", "temp_budget_increase")
_INTEGERS = (
    "budget_since",
    "tpm_limit",
    "rpm_limit",
    "tpd_limit",
    "max_parallel_requests",
    "temp_budget_expiry",
)
_TEXTS = ("budget_duration", "budget_id")
_COUNTS = ("model_rpm_limit", "model_tpm_limit")


def of_item(item: dict[str, Any] | None) -> Limits:
    """The limits of a raw item; none if it has none, or does not exist."""
    return from_map(item["limits"]["M"]) if item is not None and "limits" in item else NO_LIMITS


def from_map(stored: Map) -> Limits:
    """Limits from DynamoDB's typed map."""
    values: dict[str, Any] = {name: Decimal(stored[name]["N"]) for name in _NUMBERS if name in stored}
    values |= {name: int(stored[name]["N"]) for name in _INTEGERS if name in stored}
    values |= {name: stored[name]["S"] for name in _TEXTS if name in stored}
    for name in _COUNTS:
        if name in stored:
            values[name] = {model: int(number["N"]) for model, number in stored[name]["M"].items()}
    if "model_max_budget" in stored:
        values["model_max_budget"] = {
            model: _model_budget(entry["M"]) for model, entry in stored["model_max_budget"]["M"].items()
        }
    if "allowed_models" in stored:
        values["allowed_models"] = tuple(entry["S"] for entry in stored["allowed_models"]["L"])
    return Limits(**values)


def to_map(limits: Limits) -> Map:
    """DynamoDB's typed map of limits; what is not limited is left out."""
    stored: Map = {}
    for name in (*_NUMBERS, *_INTEGERS):
        value = getattr(limits, name)
        if value is not None:
            stored[name] = _number(value)
    for name in _TEXTS:
        if getattr(limits, name) is not None:
            stored[name] = {"S": getattr(limits, name)}
    for name in _COUNTS:
        if getattr(limits, name):
            stored[name] = {"M": {model: _number(count) for model, count in getattr(limits, name).items()}}
    if limits.model_max_budget:
        stored["model_max_budget"] = {
            "M": {model: {"M": _stored_budget(budget)} for model, budget in limits.model_max_budget.items()}
        }
    if limits.allowed_models is not None:
        stored["allowed_models"] = {"L": [{"S": name} for name in limits.allowed_models]}
    return stored


def _model_budget(stored: Map) -> ModelBudget:
    return ModelBudget(
        max_budget=Decimal(stored["max_budget"]["N"]),
        budget_duration=stored["budget_duration"]["S"] if "budget_duration" in stored else None,
        since=int(stored["since"]["N"]) if "since" in stored else None,
    )


def _stored_budget(budget: ModelBudget) -> Map:
    stored: Map = {"max_budget": _number(budget.max_budget)}
    if budget.budget_duration is not None:
        stored["budget_duration"] = {"S": budget.budget_duration}
    if budget.since is not None:
        stored["since"] = _number(budget.since)
    return stored


def _number(value: Decimal | int) -> dict[str, str]:
    return {"N": format(value, "f") if isinstance(value, Decimal) else str(value)}
