"""Customers in the table. Takes and gives domain objects; no other module sees the items."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tollgate.audit.model import AuditEvent
from tollgate.core import clock
from tollgate.core.errors import AlreadyExistsError
from tollgate.core.pagination import Page, PageRequest
from tollgate.customers.items import CustomerItem
from tollgate.customers.model import Customer
from tollgate.limits import repository as limits
from tollgate.limits.model import NO_LIMITS
from tollgate.table import keys, object_permissions
from tollgate.table.base import GSI1, GSI2
from tollgate.table.transactions import Work


def find(customer_id: str) -> Customer | None:
    """The customer, read strongly consistent."""
    item = CustomerItem.find(keys.customer(customer_id), keys.ENTITY)
    return _customer(item) if item else None


def object_permission_of(customer_id: str) -> dict[str, Any]:
    """LiteLLM's lists of what he may use beside models, empty if he has none."""
    return object_permissions.read(keys.customer(customer_id))


def search(request: PageRequest) -> Page[Customer]:
    """A page of customers, newest first."""
    page = CustomerItem.page(keys.CUSTOMERS, request, scope="holders", index=GSI1, newest_first=True)
    return Page([_customer(item) for item in page.entries], page.next_cursor)


def every() -> Iterator[Customer]:
    """All customers, newest first."""
    return (_customer(item) for item in CustomerItem.all_of(keys.CUSTOMERS, index=GSI1, newest_first=True))


def blocked() -> Iterator[Customer]:
    """Those who are blocked, newest first."""
    return (_customer(item) for item in CustomerItem.all_of(keys.BLOCKED_CUSTOMERS, index=GSI2, newest_first=True))


def create(work: Work, customer: Customer, permission: dict[str, Any], event: AuditEvent) -> None:
    """Adds a new customer to the transaction; AlreadyExistsError if there is one of that id by then."""
    created_at = clock.to_stored(event.at)
    pk = keys.customer(customer.customer_id)
    work.create(
        CustomerItem(
            PK=pk,
            SK=keys.ENTITY,
            GSI1PK=keys.CUSTOMERS,
            GSI1SK=keys.by_creation(created_at, customer.customer_id),
            kind="customer",
            customer_id=customer.customer_id,
            uid=customer.uid,
            created_at=created_at,
            created_by=event.caller.actor,
            updated_at=created_at,
            updated_by=event.caller.actor,
            **_attributes(customer),
        ),
        otherwise=AlreadyExistsError(f"Customer '{customer.customer_id}' already exists", code="customer_exists"),
    )
    if permission:
        object_permissions.write(work, pk, permission)
    limits.relink(work, NO_LIMITS, customer.limits)


def update(
    work: Work, customer: Customer, after: Customer, permission: dict[str, Any] | None, event: AuditEvent
) -> None:
    """Changes a customer; a lost race if somebody else changed him since he was read as ``customer``.

    ``permission`` is replaced unless it is None.
    """
    item = _handle(customer)
    stamp = {"updated_at": clock.to_stored(event.at), "updated_by": event.caller.actor}
    work.update(item, item.changes(_attributes(after) | stamp))
    if permission is not None:
        object_permissions.write(work, item.PK, permission)
    limits.relink(work, customer.limits, after.limits)


def delete(work: Work, customer: Customer) -> None:
    """Removes a customer with his counter; a lost race if he was changed meanwhile."""
    item = _handle(customer)
    work.delete(item, versioned=True)
    if customer.object_permission_id is not None:
        object_permissions.write(work, item.PK, {})
    limits.forget_counter(work, customer.uid)
    limits.unlink(work, [customer.limits])


def _attributes(customer: Customer) -> dict[str, Any]:
    """What is said of him; the second index has those who are blocked."""
    position = keys.by_creation(clock.to_stored(customer.created_at), customer.customer_id)
    return {
        "GSI2PK": keys.BLOCKED_CUSTOMERS if customer.blocked else None,
        "GSI2SK": position if customer.blocked else None,
        "alias": customer.alias,
        "blocked": customer.blocked,
        "model_access": "all" if customer.models is None else "listed",
        "models": list(customer.models or ()),
        "default_model": customer.default_model,
        "allowed_model_region": customer.region,
        "object_permission_id": customer.object_permission_id,
        "limits": customer.limits if customer.limits != NO_LIMITS else None,
    }


def _handle(customer: Customer) -> CustomerItem:
    """The item's key and version: what a conditional write needs."""
    return CustomerItem(PK=keys.customer(customer.customer_id), SK=keys.ENTITY, version=customer.version)


def _customer(item: CustomerItem) -> Customer:
    return Customer(
        customer_id=item.customer_id,
        uid=item.uid,
        created_at=clock.from_stored(item.created_at),
        updated_at=clock.from_stored(item.updated_at),
        alias=item.alias,
        blocked=item.blocked,
        models=tuple(str(entry) for entry in item.models) if item.model_access == "listed" else None,
        default_model=item.default_model,
        region=item.allowed_model_region,
        object_permission_id=item.object_permission_id,
        limits=item.limits or NO_LIMITS,
        created_by=item.created_by,
        updated_by=item.updated_by,
        version=item.version,
    )
