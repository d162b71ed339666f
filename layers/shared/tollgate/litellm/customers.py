"""Customers in the dialect (contract litellm 1.8, Q-53): the end users behind calls, the platform's own business."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Annotated, Any, Self

from pydantic import Field, StrictBool, model_validator

from tollgate.auth.policy import Action, authorize
from tollgate.auth.principal import Principal
from tollgate.core.errors import AlreadyExistsError, NotFoundError
from tollgate.core.fields import Alias, Amount, Name
from tollgate.core.object_permissions import ObjectPermission
from tollgate.core.pagination import MAX_CANDIDATES
from tollgate.customers import repository as customers
from tollgate.customers.model import Customer, CustomerFields, Region
from tollgate.customers.service import customer_service
from tollgate.limits.fields import LIMIT_FIELDS, LooseId, Usd
from tollgate.limits.model import NO_LIMITS, Scope
from tollgate.litellm import object_permissions
from tollgate.litellm.budget_tables import table_of
from tollgate.litellm.budgets import BudgetRow
from tollgate.litellm.errors import DialectError
from tollgate.litellm.fields import DialectLimits, DialectRequest, DialectRow, sent
from tollgate.litellm.object_permissions import ObjectPermissionRow
from tollgate.tenants import spending
from tollgate.tenants.budgets import AdjustSpend, budget_service

MOST_AT_ONCE = 500
_SAME = ("alias", "blocked", "models", "default_model", "allowed_model_region", "object_permission")


class _Fields(DialectLimits):
    """What both creation and change may say; ``spend`` (USD) is set in the current window (Q-45)."""

    user_id: LooseId
    alias: Name | None = None
    blocked: StrictBool | None = None
    models: Annotated[list[Alias], Field(max_length=100)] | None = None
    default_model: Alias | None = None
    allowed_model_region: Region | None = None
    object_permission: ObjectPermission | None = None
    spend: Usd | None = None

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        if self.budget_id and self.max_budget is not None:
            message = "Set either 'max_budget' or 'budget_id', not both."
            raise ValueError(message)
        return self

    def fields(self) -> CustomerFields:
        """The fields that were sent, as the domain calls them. A shared row takes the place of limits of his own."""
        values = sent(self, *_SAME, *LIMIT_FIELDS)
        if self.budget_id:
            values = dict.fromkeys(LIMIT_FIELDS) | values
        return CustomerFields.model_construct(set(values), **values)


class NewCustomer(_Fields):
    """A customer of whom nothing is known yet."""


class UpdateCustomer(_Fields):
    """Only what is sent changes; null clears (Q-25)."""


class CustomerIds(DialectRequest):
    user_ids: Annotated[list[LooseId], Field(min_length=1, max_length=MOST_AT_ONCE)]


class CustomerRow(DialectRow):
    """A customer; an empty list of models is every model. He has a budget row where he is limited."""

    user_id: str
    blocked: bool
    alias: str | None
    spend: Amount
    allowed_model_region: str | None
    default_model: str | None
    models: list[str]
    budget_id: str | None
    litellm_budget_table: BudgetRow | None
    object_permission_id: str | None
    object_permission: ObjectPermissionRow | None


class CustomersDeleted(DialectRow):
    deleted_customers: int
    message: str


class CustomersBlocked(DialectRow):
    blocked_users: list[CustomerRow]


class StillBlocked(DialectRow):
    """Ids of all customers who are blocked."""

    blocked_users: list[str]


def new(caller: Principal, request: NewCustomer) -> CustomerRow:
    """A customer. Raises the contract's error for one who is known. What he is to have spent needs a budget."""
    try:
        customer_service().create(caller, request.user_id, request.fields())
    except AlreadyExistsError:
        message = f"Customer already exists, passed user_id={request.user_id}. Please pass a new user_id."
        raise DialectError(400, message, kind="bad_request", param="user_id") from None
    if request.spend and spending.customer_spender(_found(request.user_id)).effective.max_budget is not None:
        _set_spend(caller, request)
    return rows([_found(request.user_id)])[0]


def update(caller: Principal, request: UpdateCustomer) -> CustomerRow:
    """Changes what is sent; the next call follows."""
    authorize(caller, Action.CUSTOMER_WRITE)
    _found(request.user_id)
    customer_service().update(caller, request.user_id, request.fields())
    _set_spend(caller, request)
    return rows([_found(request.user_id)])[0]


def info(caller: Principal, customer_id: str) -> CustomerRow:
    """A customer of whom something is known; others are counted, and have no row (Q-53)."""
    authorize(caller, Action.CUSTOMER_READ)
    return rows([_found(customer_id, "end_user_id")])[0]


def listed(caller: Principal) -> list[CustomerRow]:
    """All customers, newest first."""
    authorize(caller, Action.CUSTOMER_READ)
    return rows(list(islice(customers.every(), MAX_CANDIDATES)))


def delete(caller: Principal, request: CustomerIds) -> CustomersDeleted:
    """Forgets customers, or none if one is unknown (Q-21); their ids go on being counted."""
    authorize(caller, Action.CUSTOMER_WRITE)
    names = list(dict.fromkeys(request.user_ids))
    for name in names:
        _found(name, "user_ids")
    for name in names:
        try:
            customer_service().delete(caller, name)
        except NotFoundError:
            # Somebody else was quicker.
            continue
    message = f"Successfully deleted customers with ids: {names}"
    return CustomersDeleted(deleted_customers=len(names), message=message)


def block(caller: Principal, request: CustomerIds) -> CustomersBlocked:
    """Refuses every call that names one of them, from the next one on; who is not known becomes it by this."""
    for name in dict.fromkeys(request.user_ids):
        customer_service().set_blocked(caller, name, blocked=True)
    return CustomersBlocked(blocked_users=rows([_found(name) for name in dict.fromkeys(request.user_ids)]))


def unblock(caller: Principal, request: CustomerIds) -> StillBlocked:
    """Ends blocks; says who else is blocked still."""
    freed = set(request.user_ids)
    for name in dict.fromkeys(request.user_ids):
        customer_service().set_blocked(caller, name, blocked=False)
    # The index may have them a moment longer.
    others = (one.customer_id for one in customers.blocked() if one.customer_id not in freed)
    return StillBlocked(blocked_users=list(islice(others, MAX_CANDIDATES)))


def rows(found: Sequence[Customer]) -> list[CustomerRow]:
    """Customers with what was spent under their ids in this window."""
    now = customer_service().clock()
    spends = spending.of_all([spending.customer_spender(one) for one in found], now)
    return [
        CustomerRow(
            user_id=one.customer_id,
            blocked=one.blocked,
            alias=one.alias,
            spend=spend.spend,
            allowed_model_region=one.region,
            default_model=one.default_model,
            models=list(one.models or ()),
            budget_id=table.budget_id if table is not None else None,
            litellm_budget_table=table,
            object_permission_id=one.object_permission_id,
            object_permission=_permission(one),
        )
        for one, spend, table in zip(found, spends, _tables(found), strict=True)
    ]


def _tables(found: Iterable[Customer]) -> list[BudgetRow | None]:
    return [
        table_of(one.limits, f"customer-{one.uid}", (one.created_at, one.created_by), (one.updated_at, one.updated_by))
        if one.limits != NO_LIMITS
        else None
        for one in found
    ]


def _permission(customer: Customer) -> ObjectPermissionRow | None:
    if customer.object_permission_id is None:
        return None
    stored: dict[str, Any] = customers.object_permission_of(customer.customer_id)
    return object_permissions.row_of(customer.object_permission_id, stored)


def _set_spend(caller: Principal, request: _Fields) -> None:
    if request.spend is not None:
        budget_service().adjust(caller, Scope.CUSTOMER, request.user_id, AdjustSpend(spend=request.spend))


def _found(customer_id: str, param: str = "user_id") -> Customer:
    customer = customers.find(customer_id)
    if customer is None:
        message = f"End User Id={customer_id} does not exist in db"
        raise DialectError(404, message, kind="not_found", param=param)
    return customer
