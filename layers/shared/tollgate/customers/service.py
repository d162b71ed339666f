"""Use cases of customers. Knows no HTTP and no storage."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from tollgate.audit import repository as audit
from tollgate.audit.model import AuditEvent
from tollgate.auth.policy import Action, authorize
from tollgate.auth.principal import Principal
from tollgate.core import ids
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import AlreadyExistsError, InvalidRequestError, NotFoundError
from tollgate.core.object_permissions import ObjectPermission
from tollgate.customers import repository
from tollgate.customers.model import Customer, CustomerFields
from tollgate.limits.fields import described
from tollgate.limits.service import changed
from tollgate.table import keys
from tollgate.table.transactions import LostRaceError, Work, retried


@dataclass(frozen=True, slots=True)
class CustomerService:
    """What can be done with customers; every method checks the caller's right: they are the platform's (Q-53)."""

    clock: Clock = utc_now

    def create(self, caller: Principal, customer_id: str, request: CustomerFields) -> None:
        """A customer of whom nothing was known. Raises AlreadyExistsError."""
        authorize(caller, Action.CUSTOMER_WRITE)
        self._create(caller, request, new_customer(customer_id, self.clock()))

    def update(self, caller: Principal, customer_id: str, request: CustomerFields) -> None:
        """Changes the fields that were sent. Raises NotFoundError."""
        authorize(caller, Action.CUSTOMER_WRITE)
        retried(lambda: self._update(caller, found(customer_id), request))

    def set_blocked(self, caller: Principal, customer_id: str, *, blocked: bool) -> None:
        """Refuses his calls from the next one on, or no more. Who is to be blocked need not be known."""
        authorize(caller, Action.CUSTOMER_WRITE)
        retried(lambda: self._set_blocked(caller, customer_id, blocked=blocked))

    def delete(self, caller: Principal, customer_id: str) -> None:
        """Forgets a customer; what is spent under his id goes on being counted (Q-53). Raises NotFoundError."""
        authorize(caller, Action.CUSTOMER_WRITE)

        def attempt() -> None:
            customer = found(customer_id)
            work = Work()
            repository.delete(work, customer)
            audit.append(work, _event(caller, customer, "deleted", self.clock(), before={"alias": customer.alias}))
            work.commit()

        retried(attempt)

    def _set_blocked(self, caller: Principal, customer_id: str, *, blocked: bool) -> None:
        customer = repository.find(customer_id)
        request = CustomerFields(blocked=blocked)
        if customer is not None:
            if customer.blocked != blocked:
                self._update(caller, customer, request, "blocked" if blocked else "unblocked")
        elif blocked:
            try:
                self._create(caller, request, new_customer(customer_id, self.clock()), "blocked")
            except AlreadyExistsError:
                raise LostRaceError from None

    def _create(self, caller: Principal, request: CustomerFields, bare: Customer, verb: str = "created") -> None:
        permission = (request.object_permission or ObjectPermission()).over({})
        sent = request.limits_sent()
        customer = replace(
            bare,
            **request.attributes(),
            # What his id has spent before counts as well, so his budgets are not new.
            limits=changed(bare.limits, sent, bare.created_at),
            object_permission_id=ids.new_ulid() if permission else None,
        )
        event = _event(caller, customer, verb, bare.created_at, after=_said(customer, request))
        work = Work()
        repository.create(work, customer, permission, event)
        audit.append(work, event)
        work.commit()

    def _update(self, caller: Principal, current: Customer, request: CustomerFields, verb: str = "updated") -> None:
        now = self.clock()
        changes: dict[str, Any] = request.attributes()
        permission = None
        if "object_permission" in request.model_fields_set:
            stored = repository.object_permission_of(current.customer_id)
            permission = (request.object_permission or ObjectPermission()).over(stored)
            changes["object_permission_id"] = (current.object_permission_id or ids.new_ulid()) if permission else None
        after = replace(current, **changes, limits=changed(current.limits, request.limits_sent(), now))
        states = {"before": _said(current, request), "after": _said(after, request)}
        event = _event(caller, current, verb, now, **states)
        work = Work()
        repository.update(work, current, after, permission, event)
        audit.append(work, event)
        work.commit()


def new_customer(customer_id: str, at: datetime) -> Customer:
    """A customer of whom nothing is known yet, and who is not stored. Raises InvalidRequestError for too long an id."""
    if not keys.fits(customer_id):
        raise InvalidRequestError("The id of a customer is too long in its percent-encoded form", param="user_id")
    return Customer(customer_id, ids.new_ulid(), at, at)


def found(customer_id: str) -> Customer:
    """The customer. Raises NotFoundError."""
    customer = repository.find(customer_id)
    if customer is None:
        raise NotFoundError(f"Customer '{customer_id}' not found")
    return customer


def _said(customer: Customer, request: CustomerFields) -> dict[str, Any]:
    """What a request speaks of, as JSON, for the audit log."""
    told: dict[str, Any] = {name: getattr(customer, name) for name in request.attributes()}
    if "models" in told:
        told["models"] = list(customer.models) if customer.models is not None else None
    if "object_permission" in request.model_fields_set:
        told["object_permission_id"] = customer.object_permission_id
    return told | described(customer.limits, request.limits_sent())


def _event(caller: Principal, customer: Customer, verb: str, at: datetime, **states: Any) -> AuditEvent:
    return AuditEvent(
        caller=caller,
        action=f"customer.{verb}",
        resource_type="customer",
        resource_id=customer.customer_id,
        at=at,
        **states,
    )


@cache
def customer_service() -> CustomerService:
    return CustomerService()
