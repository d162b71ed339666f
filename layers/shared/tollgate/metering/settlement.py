"""Settlement: what a call used becomes its record, and its hold becomes its charge (Q-16)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

from tollgate.aws.dynamodb import Item
from tollgate.core.errors import StoreUnavailableError
from tollgate.core.money import ZERO
from tollgate.limits.model import Scope, Unit
from tollgate.metering.charging import charge
from tollgate.metering.counters import Balance, Counters, balance, held_in, merged
from tollgate.metering.model import Amount, Call, Charge, Detail, Hold, Outcome, Usage
from tollgate.metering.records import Records
from tollgate.models.prices import TargetPrice
from tollgate.telemetry import Event, count_now, logger


class Settlement:
    """Ends calls, each exactly once. Everything here may be repeated after a failure."""

    def __init__(self, records: Records, counters: Counters) -> None:
        self._records = records
        self._counters = counters

    async def succeed(
        self, call: Call, usage: Usage, price: TargetPrice, detail: Detail | None = None
    ) -> Balance | None:
        """The provider answered, in whole or until the client left; charged by ``usage``."""
        call.usage = usage
        call.detail = detail
        provider_cost = price.cost(usage.input, usage.cached, usage.output)
        call.charge = _charge(call, provider_cost)
        return await self._end(call)

    async def fail(
        self, call: Call, error: str, usage: Usage | None = None, price: TargetPrice | None = None
    ) -> Balance | None:
        """The provider failed or broke off; charged only for what it reported itself."""
        call.outcome = Outcome.FAILED
        call.error = error
        if usage is not None and price is not None:
            call.usage = usage
            provider_cost = price.cost(usage.input, usage.cached, usage.output)
            call.charge = _charge(call, provider_cost)
        else:
            call.charge = Charge()
        return await self._end(call)

    async def _end(self, call: Call) -> Balance | None:
        """The balance of the account that paid, None if nobody did or somebody else has settled the call."""
        try:
            actual = (await self._records.record(call)).amount
            if any(hold.pays for hold in call.holds) and actual.credits > call.reserved.credits:
                _overrun(call)
            settled = await self._settle_all(call, actual)
        except StoreUnavailableError as error:
            # The holds stand, so the sweeper ends the call, by its record or its reservation: no reason to keep from
            # the client an answer that he pays for.
            logger.error(Event.UNSETTLED, extra={"call_id": call.call_id, "reason": str(error.__cause__ or error)})
            return None
        for hold, item in zip(call.holds, settled, strict=True):
            hold.see(item or {})
            if item is not None and hold.meter.scope is Scope.KEY:
                hold.spent = _spent(hold, item)
        for hold, item in zip(call.holds, settled, strict=True):
            # None if the sweeper was quicker or our own settle was sent twice: the books are right all the same.
            if hold.pays and item is not None:
                return await self._balance(hold, item)
        return None

    async def _balance(self, hold: Hold, item: Item) -> Balance | None:
        """The account's after the call; of a hot account all shards have to be asked for it."""
        if not hold.meter.is_sharded:
            return balance(item)
        try:
            whole = merged(await self._counters.read_roughly(hold.meter.uid, hold.meter.items))
        except StoreUnavailableError:
            return None
        return balance(whole) if whole is not None else None

    async def _settle_all(self, call: Call, actual: Amount) -> list[Item | None]:
        """Side by side; one that fails must not keep the others from being settled."""
        work = [self._counters.settle(hold, call.hold_id, call.started_at, actual) for hold in call.holds]
        if len(work) == 1:
            return [await work[0]]
        outcomes = await asyncio.gather(*work, return_exceptions=True)
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        if failures:
            raise failures[0]
        return [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]


def _charge(call: Call, provider_cost: Decimal) -> Charge:
    """What the call costs; its credits are its job's to pay if it is made in one (Q-17)."""
    costs = charge(provider_cost, call.usage.total, call.entitlement.account)
    return costs if call.job is None else replace(costs, credits=ZERO)


def _overrun(call: Call) -> None:
    """The provider billed beyond the bound: charged as billed, and told (Q-16)."""
    excess = call.charge.credits - call.reserved.credits
    if excess > ZERO:
        count_now("Overruns")
        logger.warning(
            Event.OVERRUN,
            extra={"call_id": call.call_id, "model": call.requested_model, "credits_beyond_bound": str(excess)},
        )


def _spent(hold: Hold, item: Item) -> Decimal | None:
    """Of several counter items one alone does not tell."""
    budgets = [counter for counter in hold.counters if counter.ceiling.unit is Unit.USD and not counter.ceiling.model]
    if hold.meter.is_sharded or not budgets or budgets[0].name not in item:
        return None
    return Decimal(item[budgets[0].name]["N"]) - held_in(item, budgets[0].code)
