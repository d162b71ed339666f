"""Shared budget rows in the dialect (contract litellm 1.7, 4.1), the platform's own business."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from tollgate.auth.policy import Action, authorize
from tollgate.auth.principal import Principal
from tollgate.core.clock import utc_now
from tollgate.core.errors import AlreadyExistsError, NotFoundError
from tollgate.core.fields import Amount
from tollgate.core.pagination import PageRequest
from tollgate.limits import repository as limits
from tollgate.limits.fields import LIMIT_FIELDS, LooseId
from tollgate.limits.model import Limits
from tollgate.limits.repository import SHARED, Holder
from tollgate.limits.windows import ends_at
from tollgate.litellm.errors import DialectError
from tollgate.litellm.fields import DialectLimits, DialectRequest, DialectRow, Moment
from tollgate.tenants.budgets import budget_service

# A list without pages ends somewhere.
_MOST = 10_000


class NewBudget(DialectLimits):
    """A row; its id is made up where none is sent."""

    budget_id: LooseId | None = None


class UpdateBudget(DialectLimits):
    """Only what is sent changes; null clears."""

    budget_id: LooseId | None = None


class BudgetIds(DialectRequest):
    budgets: list[str]


class BudgetId(DialectRequest):
    id: LooseId


class ModelBudgetRow(DialectRow):
    budget_limit: Amount
    time_period: str | None


class BudgetRow(DialectRow):
    """A budget row (contract, appendix A)."""

    budget_id: str
    max_budget: Amount | None
    soft_budget: Amount | None
    max_parallel_requests: int | None
    tpm_limit: int | None
    rpm_limit: int | None
    tpd_limit: int | None
    model_max_budget: dict[str, ModelBudgetRow]
    budget_duration: str | None
    budget_reset_at: Moment | None
    allowed_models: list[str] | None
    temp_budget_increase: Amount | None
    temp_budget_expiry: Moment | None
    created_at: Moment
    created_by: str | None
    updated_at: Moment
    updated_by: str | None


class BudgetSetting(DialectRow):
    """A field of a row, with what it is for."""

    field_name: str
    field_type: str
    field_description: str
    field_value: Any
    stored_in_db: bool
    field_default_value: Any = None


_SETTINGS = {
    "max_budget": ("Float", "Requests fail once this much was spent (USD)."),
    "soft_budget": ("Float", "Whoever listens is told once this much was spent (USD); nothing fails."),
    "max_parallel_requests": ("Integer", "Requests that may run at the same time."),
    "tpm_limit": ("Integer", "Tokens in a minute."),
    "rpm_limit": ("Integer", "Requests in a minute."),
    "budget_duration": ("String", "After what time the budget begins anew: 30s, 30m, 30h, 30d, 1mo."),
    "model_max_budget": ("Object", "A budget for each model."),
}


def row_of(
    budget_id: str, own: Limits, created: tuple[datetime, str | None], updated: tuple[datetime, str | None]
) -> BudgetRow:
    """Limits as a budget row; ``created`` and ``updated`` are when and by whom."""
    expiry = own.temp_budget_expiry
    return BudgetRow(
        budget_id=budget_id,
        **{name: getattr(own, name) for name in _PLAIN},
        model_max_budget=model_budget_rows(own),
        budget_reset_at=ends_at(own.budget_duration, utc_now().timestamp()),
        allowed_models=list(own.allowed_models) if own.allowed_models is not None else None,
        temp_budget_expiry=datetime.fromtimestamp(expiry, UTC) if expiry is not None else None,
        created_at=created[0],
        created_by=created[1],
        updated_at=updated[0],
        updated_by=updated[1],
    )


def model_budget_rows(own: Limits) -> dict[str, ModelBudgetRow]:
    return {
        model: ModelBudgetRow(budget_limit=budget.max_budget, time_period=budget.budget_duration)
        for model, budget in own.model_max_budget.items()
    }


_PLAIN = (
    "max_budget",
    "soft_budget",
    "max_parallel_requests",
    "tpm_limit",
    "rpm_limit",
    "tpd_limit",
    "budget_duration",
    "temp_budget_increase",
)


def new(caller: Principal, request: NewBudget) -> BudgetRow:
    """A new row. Raises the contract's error where the id is taken."""
    budget_id = request.budget_id or str(uuid4())
    try:
        budget_service().create_shared(caller, budget_id, _own_fields(request))
    except AlreadyExistsError as error:
        raise DialectError(400, error.message, quoted=True) from None
    return _found(budget_id)


def update(caller: Principal, request: UpdateBudget) -> BudgetRow:
    """Changes a row that is there; a missing one is 404, which every client takes for what it is."""
    authorize(caller, Action.BUDGET_WRITE)
    if request.budget_id is None:
        raise DialectError(400, "budget_id is required", quoted=True)
    _found(request.budget_id)
    budget_service().put(caller, SHARED, request.budget_id, _own_fields(request))
    return _found(request.budget_id)


def info(caller: Principal, request: BudgetIds) -> list[BudgetRow]:
    """The rows of these ids; those that are not there are left out."""
    authorize(caller, Action.BUDGET_LIST)
    if not request.budgets:
        raise DialectError(400, "Specify list of budget id's to query. Passed in=[]", quoted=True)
    found = (limits.find(SHARED, budget_id) for budget_id in request.budgets)
    return [_row(holder) for holder in found if holder is not None]


def listed(caller: Principal) -> list[BudgetRow]:
    """All rows, newest first."""
    authorize(caller, Action.BUDGET_LIST)
    rows: list[BudgetRow] = []
    cursor: str | None = None
    while len(rows) < _MOST:
        page = limits.search(SHARED, PageRequest(cursor=cursor))
        rows += [_row(holder) for holder in page.entries]
        cursor = page.next_cursor
        if cursor is None:
            break
    return rows


def settings(caller: Principal, budget_id: str) -> list[BudgetSetting]:
    """The fields that a page for editing shows."""
    authorize(caller, Action.BUDGET_LIST)
    row = _found(budget_id).model_dump(mode="json")
    return [
        BudgetSetting(
            field_name=name,
            field_type=kind,
            field_description=description,
            field_value=row[name],
            stored_in_db=row[name] not in (None, {}),
        )
        for name, (kind, description) in _SETTINGS.items()
    ]


def delete(caller: Principal, request: BudgetId) -> BudgetRow:
    """Deletes a row that nothing uses; the row as it was."""
    authorize(caller, Action.BUDGET_WRITE)
    row = _found(request.id)
    budget_service().delete(caller, SHARED, request.id)
    return row


def _own_fields(request: DialectLimits) -> DialectLimits:
    """What was sent, without the row's own id, which is no reference to another."""
    sent = request.model_fields_set & (LIMIT_FIELDS - {"budget_id"})
    return DialectLimits.model_construct(sent, **{name: getattr(request, name) for name in sent})


def _found(budget_id: str) -> BudgetRow:
    holder = limits.find(SHARED, budget_id)
    if holder is None:
        raise NotFoundError(f"Budget not found, passed budget_id={budget_id}")
    return _row(holder)


def _row(holder: Holder) -> BudgetRow:
    created, updated = (holder.created_at, holder.created_by), (holder.updated_at, holder.updated_by)
    return row_of(holder.scope_id, holder.limits, created, updated)
