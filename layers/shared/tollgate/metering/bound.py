"""What a call can take at most from the limits that it is under, as a function of its output tokens."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from tollgate.core.money import quantise
from tollgate.limits.model import Unit
from tollgate.metering.bounds import Bounds
from tollgate.metering.catalogue import Model
from tollgate.metering.charging import charge
from tollgate.metering.jobs import to_promise
from tollgate.metering.model import Account, Amount, Job


@dataclass(frozen=True, slots=True)
class Bound:
    """Prices are the dearest of any target and tier that may answer; the account says how credits are counted."""

    bounds: Bounds
    input_price: Decimal
    output_price: Decimal
    per_call: Decimal
    account: Account | None
    # The job that the call is made in: it takes the credits that have to be set apart for that.
    job: Job | None = None

    @classmethod
    def of(cls, model: Model, bounds: Bounds, account: Account | None, job: Job | None = None) -> Bound:
        """The bound of a call of ``model``."""
        dearest = [target.current_price().dearest() for target in model.targets]
        return cls(
            bounds,
            max(price[0] for price in dearest),
            max(price[1] for price in dearest),
            max(target.price.per_call for target in model.targets),
            account,
            job,
        )

    @property
    def least(self) -> int:
        """The fewest output tokens that are worth a call."""
        return min(1, self.bounds.output)

    def amount(self, output_tokens: int) -> Amount:
        """What a call with answers of that many tokens takes."""
        output = output_tokens * self.bounds.choices
        cost = quantise(self.bounds.input * self.input_price + output * self.output_price + self.per_call)
        tokens = self.bounds.input + output
        charged = charge(cost, tokens, self.account)
        if self.job is not None:
            return Amount(charged.cost_usd, to_promise(self.job, self.account, charged.cost_usd, tokens), tokens)
        return Amount(charged.cost_usd, charged.credits, tokens)

    def affordable(self, unit: Unit, available: Decimal) -> int:
        """The most output tokens an answer may have so that ``available`` carries the call; -1 if not even none."""
        if self.amount(self.bounds.output).of(unit) <= available:
            return self.bounds.output
        low, high = -1, self.bounds.output
        while high - low > 1:
            middle = (low + high) // 2
            if self.amount(middle).of(unit) <= available:
                low = middle
            else:
                high = middle
        return low
