"""Use cases of budgets on any scope (Q-20): read, set, delete, adjust, list. Knows no HTTP and no storage."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any

from tollgate.audit import repository as audit
from tollgate.audit.model import AuditEvent
from tollgate.auth.policy import Action, authorize
from tollgate.auth.principal import Principal
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import AlreadyExistsError, InvalidRequestError, WrongStateError
from tollgate.core.fields import Amount, Reason, RequestModel, ResponseModel, Timestamp
from tollgate.core.pagination import PageRequest
from tollgate.customers import repository as customers
from tollgate.limits import repository as limits
from tollgate.limits.fields import LimitFields, LimitsAnswer, Usd, WindowSpend, described, settings_of
from tollgate.limits.model import NO_LIMITS, Limits, Scope, counter_name
from tollgate.limits.service import changed
from tollgate.limits.windows import ends_at
from tollgate.table.transactions import Work, retried
from tollgate.tenants import spending
from tollgate.tenants.budget_targets import Access, Target, find

# Read with the catalogue, where no shared row is.
_ALONE = {Scope.PLATFORM, Scope.TAG, limits.SHARED}


class ListedScope(StrEnum):
    """What exists only to be limited, and so is listed here."""

    SHARED = limits.SHARED
    CUSTOMER = Scope.CUSTOMER.value
    TAG = Scope.TAG.value


class BudgetAnswer(LimitsAnswer):
    """A scope's own limits, those of the shared row that it uses, and what it spent and reserved in this window (USD).

    For a shared row itself ``uses`` says how many entities use it, and nothing is spent: each has counters of its own.
    """

    scope: str
    scope_id: str
    spend: Amount | None
    reserved: Amount | None
    budget_reset_at: Timestamp | None
    model_spend: dict[str, WindowSpend]
    shared: LimitsAnswer | None
    uses: int | None


class BudgetEntry(LimitsAnswer):
    """An entry of the list."""

    scope: str
    scope_id: str
    uses: int | None


class BudgetList(ResponseModel):
    budgets: list[BudgetEntry]
    next_cursor: str | None = None


class BudgetDeleted(ResponseModel):
    scope: str
    scope_id: str
    deleted: bool


class AdjustSpend(RequestModel):
    """What is spent in the current window is set to ``spend`` (USD)."""

    spend: Usd
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class BudgetService:
    """What can be done with budgets; every method checks the caller's right over the very entity."""

    clock: Clock = utc_now

    def get(self, caller: Principal, scope: str, scope_id: str) -> BudgetAnswer:
        """The entity's limits and what it has spent."""
        now = self.clock()
        return _answer(find(caller, scope, scope_id, Access.READ, now), now)

    def put(self, caller: Principal, scope: str, scope_id: str, request: LimitFields) -> BudgetAnswer:
        """Changes the fields that were sent; a customer, a tag and a shared row are made if they are not there."""
        retried(lambda: self._put(caller, scope, scope_id, request))
        now = self.clock()
        return _answer(find(caller, scope, scope_id, Access.WRITE, now), now)

    def _put(self, caller: Principal, scope: str, scope_id: str, request: LimitFields) -> None:
        now = self.clock()
        target = find(caller, scope, scope_id, Access.WRITE, now)
        sent = request.limits_sent()
        if scope in _ALONE and sent.get("budget_id") is not None:
            raise InvalidRequestError(f"A {scope} budget cannot use a shared one", param="budget_id")
        # A shared row that is new has no users yet; all others have spent before they got limits.
        is_new_row = scope == limits.SHARED and not target.stored
        after = changed(target.limits, sent, None if is_new_row else now)
        states = {"before": described(target.limits, sent), "after": described(after, sent)}
        target.save(after, _event(caller, target, "created" if is_new_row else "updated", now, **states))

    def create_shared(self, caller: Principal, budget_id: str, request: LimitFields) -> None:
        """A shared row that is not there yet (Q-52). Raises AlreadyExistsError."""

        def attempt() -> None:
            if find(caller, limits.SHARED, budget_id, Access.WRITE, self.clock()).stored:
                message = f"Budget with id '{budget_id}' already exists."
                raise AlreadyExistsError(message, code="budget_exists", param="budget_id")
            self._put(caller, limits.SHARED, budget_id, request)

        retried(attempt)

    def delete(self, caller: Principal, scope: str, scope_id: str) -> BudgetDeleted:
        """Takes all limits away; a tag, a shared row, and a customer of whom nothing else is known, cease to exist.

        Raises WrongStateError for a shared row in use, and for an organization's while teams have shares of it.
        """

        def attempt() -> None:
            now = self.clock()
            target = find(caller, scope, scope_id, Access.WRITE, now)
            before = described(target.limits, [name for name in LimitFields.model_fields if _is_set(target, name)])
            target.clear(_event(caller, target, "deleted", now, before=before))

        retried(attempt)
        return BudgetDeleted(scope=scope, scope_id=scope_id, deleted=True)

    def adjust(self, caller: Principal, scope: str, scope_id: str, request: AdjustSpend) -> BudgetAnswer:
        """Sets what is spent in the current window; usage and ledger never change (Q-45).

        Raises WrongStateError where no ``max_budget`` counts anything.
        """
        retried(lambda: self._adjust(caller, scope, scope_id, request))
        now = self.clock()
        return _answer(find(caller, scope, scope_id, Access.READ, now), now)

    def _adjust(self, caller: Principal, scope: str, scope_id: str, request: AdjustSpend) -> None:
        now = self.clock()
        target = find(caller, scope, scope_id, Access.ADJUST, now)
        spender = target.spender
        effective = spender.effective if spender is not None else NO_LIMITS
        if spender is None or effective.max_budget is None:
            raise WrongStateError("Without a max_budget there is nothing to adjust", code="nothing_to_adjust")
        if spender.shared_out:
            raise WrongStateError("Parts of this budget are counted by teams", code="nothing_to_adjust")
        ceiling = spending.ceiling_of(effective)
        items = limits.counters(spender.owner.uid, spender.shards)
        figures = spending.current(spender, items, ceiling, now, counted=True)
        name = counter_name(ceiling.code, now.timestamp())
        states: dict[str, Any] = {
            "before": {"spend": figures.spent},
            "after": {"spend": request.spend, "reason": request.reason},
        }
        work = Work()
        limits.adjust(work, spender.owner, name, items, before=figures.spent, spent=request.spend)
        audit.append(work, _event(caller, target, "adjusted", now, **states))
        work.commit()

    def list(self, caller: Principal, request: PageRequest, scope: ListedScope) -> BudgetList:
        """Shared rows or customers, newest first, or tags by name."""
        authorize(caller, Action.BUDGET_LIST)
        if scope is ListedScope.CUSTOMER:
            people = customers.search(request)
            entries = [_entry(scope, one.customer_id, one.limits, None) for one in people.entries]
            return BudgetList(budgets=entries, next_cursor=people.next_cursor)
        page = limits.search(scope.value, request)
        entries = [_entry(scope, one.scope_id, one.limits, one.uses) for one in page.entries]
        return BudgetList(budgets=entries, next_cursor=page.next_cursor)


def _entry(scope: ListedScope, scope_id: str, own: Limits, uses: int | None) -> BudgetEntry:
    is_shared = scope is ListedScope.SHARED
    settings = _settings(own, scope_id if is_shared else None)
    return BudgetEntry(**settings, scope=scope.value, scope_id=scope_id, uses=uses if is_shared else None)


def _answer(target: Target, now: datetime) -> BudgetAnswer:
    row = limits.shared(target.limits.budget_id)
    shown: dict[str, Any]
    if target.spender is not None:
        shown = spending.of(replace(target.spender, limits=target.limits), now).model_dump()
    else:
        reset = ends_at(target.limits.budget_duration, now.timestamp())
        shown = {"spend": None, "reserved": None, "budget_reset_at": reset, "model_spend": {}}
    own_id = target.scope_id if target.scope == limits.SHARED else target.budget_id
    return BudgetAnswer(
        **_settings(target.limits, own_id),
        **shown,
        scope=target.scope,
        scope_id=target.scope_id,
        shared=LimitsAnswer(**_settings(row, target.limits.budget_id)) if row is not None else None,
        uses=target.uses,
    )


def _settings(own: Limits, budget_id: str | None) -> dict[str, Any]:
    """The fields of ``LimitsAnswer``; ``budget_id`` where the limits themselves name no row."""
    return settings_of(own) | {"budget_id": own.budget_id or budget_id}


def _is_set(target: Target, name: str) -> bool:
    return bool(getattr(target.limits, name) != getattr(NO_LIMITS, name))


def _event(caller: Principal, target: Target, verb: str, at: datetime, **states: Any) -> AuditEvent:
    return AuditEvent(
        caller=caller,
        action=f"budget.{verb}",
        resource_type="budget",
        resource_id=f"{target.scope}/{target.scope_id}",
        at=at,
        organization_id=target.organization_id,
        organization_uid=target.organization_uid,
        **states,
    )


@cache
def budget_service() -> BudgetService:
    return BudgetService()
