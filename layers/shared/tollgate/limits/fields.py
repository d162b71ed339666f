"""A Budget (decisions section 7) as fields of requests and answers: the same inline and under ``/api/budgets``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AliasChoices,
    AwareDatetime,
    BeforeValidator,
    Field,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from tollgate.core.fields import Alias, Amount, RequestModel, ResponseModel, Timestamp, not_a_bool
from tollgate.limits.model import Limits, ModelBudget
from tollgate.limits.windows import ONCE, check_duration, window_at

# Entities are read on every call and should stay small.
MAX_MODELS = 50
MAX_ALLOWED_MODELS = 100
MAX_TAGS = 10
# A window of this many days is the longest: what is meant to last longer has no duration.
_LONGEST_DAYS = 3660


def _duration(value: str) -> str:
    try:
        window = window_at(check_duration(value), datetime.now(UTC).timestamp())
    except ValueError:
        window = ONCE
    if window.end is None or window.end - window.start > _LONGEST_DAYS * 86_400:
        message = f"Invalid budget_duration '{value}'. Use a format like '1h', '24h', '7d', or '30d'."
        raise PydanticCustomError("budget_duration", "{message}", {"message": message})
    return value


def _distinct(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))


Usd = Annotated[
    Decimal,
    BeforeValidator(not_a_bool),
    Field(ge=0, le=10**12, max_digits=25, decimal_places=12),
    WithJsonSchema({"type": "number", "minimum": 0}),
]
Count = Annotated[int, BeforeValidator(not_a_bool), Field(strict=True, ge=0, le=10**15)]
Duration = Annotated[
    str,
    StringConstraints(max_length=8),
    AfterValidator(_duration),
    Field(examples=["30d"], description="a number and s, m, h, d, w or mo; windows follow the clock, in UTC"),
]
# Ids of budgets, customers, users and tags: whatever the other dialect's clients send.
LooseId = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")]
Tags = Annotated[list[LooseId], Field(max_length=MAX_TAGS, examples=[["batch"]]), AfterValidator(_distinct)]
_BudgetId = Annotated[str, StringConstraints(max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")]


class ModelBudgetFields(RequestModel):
    """USD for one model in a window; the second names are LiteLLM's."""

    max_budget: Annotated[Usd, Field(validation_alias=AliasChoices("max_budget", "budget_limit"))]
    budget_duration: Annotated[
        Duration | None, Field(validation_alias=AliasChoices("budget_duration", "time_period"))
    ] = None


class LimitFields(RequestModel):
    """Absent keeps, null clears, ``""`` on ``budget_id`` detaches (Q-25); 0 refuses everything (Q-13). USD, counts."""

    max_budget: Usd | None = None
    soft_budget: Usd | None = None
    budget_duration: Duration | None = None
    tpm_limit: Count | None = None
    rpm_limit: Count | None = None
    tpd_limit: Count | None = None
    max_parallel_requests: Count | None = None
    model_max_budget: Annotated[dict[Alias, ModelBudgetFields], Field(max_length=MAX_MODELS)] | None = None
    model_rpm_limit: Annotated[dict[Alias, Count], Field(max_length=MAX_MODELS)] | None = None
    model_tpm_limit: Annotated[dict[Alias, Count], Field(max_length=MAX_MODELS)] | None = None
    allowed_models: Annotated[list[Alias], Field(max_length=MAX_ALLOWED_MODELS)] | None = None
    temp_budget_increase: Usd | None = None
    temp_budget_expiry: AwareDatetime | None = None
    budget_id: _BudgetId | None = None

    def limits_sent(self) -> dict[str, Any]:
        """The fields that were sent, as ``Limits`` has them."""
        return {name: _stored(name, getattr(self, name)) for name in self.model_fields_set & LIMIT_FIELDS}


LIMIT_FIELDS = frozenset(LimitFields.model_fields)


def _stored(name: str, value: Any) -> Any:
    match name:
        case "model_max_budget":
            return {model: ModelBudget(own.max_budget, own.budget_duration) for model, own in (value or {}).items()}
        case "model_rpm_limit" | "model_tpm_limit":
            return value or {}
        case "allowed_models":
            return tuple(value) if value is not None else None
        case "temp_budget_expiry":
            return int(value.timestamp()) if value is not None else None
        case "budget_id":
            return value or None
        case _:
            return value


class ModelBudgetAnswer(ResponseModel):
    max_budget: Amount
    budget_duration: str | None


class LimitsAnswer(ResponseModel):
    """What an entity's own limits say. ``window``: whether the budget begins anew by the calendar, or never (Q-36)."""

    budget_id: str | None
    max_budget: Amount | None
    soft_budget: Amount | None
    budget_duration: str | None
    window: str
    tpm_limit: int | None
    rpm_limit: int | None
    tpd_limit: int | None
    max_parallel_requests: int | None
    model_max_budget: dict[str, ModelBudgetAnswer]
    model_rpm_limit: dict[str, int]
    model_tpm_limit: dict[str, int]
    allowed_models: list[str] | None
    temp_budget_increase: Amount | None
    temp_budget_expiry: Timestamp | None


class WindowSpend(ResponseModel):
    """USD of the current window: spent, and reserved by calls in flight; and when it ends."""

    spend: Amount
    reserved: Amount
    budget_reset_at: Timestamp | None


class SpendAnswer(WindowSpend):
    """The same, and for each model that has a budget of its own (``model_spend``)."""

    model_spend: dict[str, WindowSpend]


def settings_of(limits: Limits) -> dict[str, Any]:
    """The fields of ``LimitsAnswer``, by name."""
    expiry = limits.temp_budget_expiry
    return {
        "budget_id": limits.budget_id,
        "max_budget": limits.max_budget,
        "soft_budget": limits.soft_budget,
        "budget_duration": limits.budget_duration,
        "window": "once" if limits.budget_duration is None else "calendar",
        "tpm_limit": limits.tpm_limit,
        "rpm_limit": limits.rpm_limit,
        "tpd_limit": limits.tpd_limit,
        "max_parallel_requests": limits.max_parallel_requests,
        "model_max_budget": {
            model: ModelBudgetAnswer(max_budget=own.max_budget, budget_duration=own.budget_duration)
            for model, own in limits.model_max_budget.items()
        },
        "model_rpm_limit": dict(limits.model_rpm_limit),
        "model_tpm_limit": dict(limits.model_tpm_limit),
        "allowed_models": list(limits.allowed_models) if limits.allowed_models is not None else None,
        "temp_budget_increase": limits.temp_budget_increase,
        "temp_budget_expiry": datetime.fromtimestamp(expiry, UTC) if expiry is not None else None,
    }


def described(limits: Limits, names: Iterable[str]) -> dict[str, Any]:
    """The named settings as JSON, for the audit log."""
    wanted = set(names)
    described: Mapping[str, Any] = LimitsAnswer(**settings_of(limits)).model_dump(mode="json", include=wanted)
    return dict(described)
