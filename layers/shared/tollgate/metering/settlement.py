"""Settlement: what a call used becomes its record, and its hold becomes its charge (Q-16)."""

from __future__ import annotations

from tollgate.core.errors import StoreUnavailableError
from tollgate.core.money import ZERO
from tollgate.metering.charging import charge
from tollgate.metering.model import Call, Charge, Detail, Outcome, Usage
from tollgate.metering.store import Balance, MeteringStore
from tollgate.models.prices import TargetPrice
from tollgate.telemetry import Event, count_now, logger


class Settlement:
    """Ends calls, each exactly once. Everything here may be repeated after a failure."""

    def __init__(self, store: MeteringStore) -> None:
        self._store = store

    async def succeed(
        self, call: Call, usage: Usage, price: TargetPrice, detail: Detail | None = None
    ) -> Balance | None:
        """The provider answered, in whole or until the client left; charged by ``usage``."""
        call.usage = usage
        call.detail = detail
        provider_cost = price.cost(usage.input, usage.cached, usage.output)
        call.charge = charge(provider_cost, usage.total, call.entitlement.account)
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
            call.charge = charge(provider_cost, usage.total, call.entitlement.account)
        else:
            call.charge = Charge()
        return await self._end(call)

    async def _end(self, call: Call) -> Balance | None:
        account = call.entitlement.account
        try:
            actual = await self._store.record(call)
            if account is None:
                return None
            if actual.credits > call.reserved:
                _overrun(call)
            # None if the sweeper was quicker or our own settle was sent twice: the books are right all the same.
            return await self._store.settle(account.uid, call.hold_id, call.reserved, actual)
        except StoreUnavailableError as error:
            # The hold stands, so the sweeper ends the call, by its record or its reservation: no reason to keep from
            # the client an answer that he pays for.
            logger.error(Event.UNSETTLED, extra={"call_id": call.call_id, "reason": str(error.__cause__ or error)})
            return None


def _overrun(call: Call) -> None:
    """The provider billed beyond the bound: charged as billed, and told (Q-16)."""
    excess = call.charge.credits - call.reserved
    if excess > ZERO:
        count_now("Overruns")
        logger.warning(
            Event.OVERRUN,
            extra={"call_id": call.call_id, "model": call.requested_model, "credits_beyond_bound": str(excess)},
        )
