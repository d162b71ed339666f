"""Admission: is the caller entitled, may he use the model, and is what the call can cost at most reserved?

Everything that can refuse a call happens here, before the provider hears of it, in the order of Q-56.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from tollgate.aws.dynamodb import UncertainWriteError
from tollgate.core import ids
from tollgate.core.errors import (
    InsufficientCreditsError,
    InvalidRequestError,
    ModelAccessDeniedError,
    ReservedError,
    StoreUnavailableError,
    UnknownModelError,
)
from tollgate.core.money import plain, quantise
from tollgate.metering.bounds import Bounds, bounds_of
from tollgate.metering.catalogue import Catalogue, CatalogueCache, Model
from tollgate.metering.charging import charge
from tollgate.metering.model import Account, Call, Charge, Entitlement
from tollgate.metering.store import Balance, MeteringStore
from tollgate.models.access import allows, visible
from tollgate.telemetry import Event, logger

# A hold outlives the function's deadline by this much (design section 3).
HOLD_MARGIN_SECONDS = 60
# Reservations tried while others change the balance between reading and reserving, or while nobody knows their fate.
_ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class Admitted:
    """A call that may be made: its hold stands. ``send_max_tokens`` has to be put into the request if not None."""

    call: Call
    model: Model
    catalogue: Catalogue
    bounds: Bounds
    send_max_tokens: int | None


@dataclass(frozen=True, slots=True)
class _Bound:
    """What a call can cost at most, as a function of its output tokens."""

    bounds: Bounds
    input_price: Decimal
    output_price: Decimal
    per_call: Decimal
    account: Account | None

    def charge(self, output_tokens: int) -> Charge:
        output = output_tokens * self.bounds.choices
        cost = quantise(self.bounds.input * self.input_price + output * self.output_price + self.per_call)
        return charge(cost, self.bounds.input + output, self.account)

    def affordable(self, available: Decimal) -> int:
        """The most output tokens an answer may have so that ``available`` credits carry the call; may be below 1."""
        fixed = self.charge(0).credits
        per_token = (self.charge(1_000_000).credits - fixed) / 1_000_000
        if per_token <= 0:
            return 0 if available < fixed else self.bounds.output
        tokens = int(((available - fixed) / per_token).to_integral_value(ROUND_FLOOR))
        # Rounding up to the quantum may cost the last token.
        while tokens > 0 and self.charge(tokens).credits > available:
            tokens -= 1
        return min(tokens, self.bounds.output)


class Admission:
    """Decides over calls; the only thing that reserves."""

    def __init__(self, store: MeteringStore, catalogues: CatalogueCache) -> None:
        self._store = store
        self._catalogues = catalogues

    async def admit(  # noqa: PLR0913
        self,
        entitlement: Entitlement,
        request: dict[str, Any],
        *,
        size: int,
        route: str,
        started_at: float,
        deadline: float,
    ) -> Admitted:
        """Reserves for a request whose body has ``size`` bytes; ``deadline`` is when this process must be done.

        Raises the first refusal of Q-10: model denied or unknown, bad parameters, credits short or reserved.
        """
        catalogue = await self._catalogues.at(entitlement.catalogue_version)
        model = self._model(entitlement, catalogue, request, route)
        bounds = bounds_of(request, size, model.context_window, model.max_output_tokens)
        embeddings = route.endswith("/embeddings")
        if embeddings:
            bounds = Bounds(bounds.input, 0, 1, explicit=True, sent=False)
        call_id = ids.new_call_id(int(started_at * 1000))
        call = Call(
            call_id=call_id,
            hold_id=ids.hold_id_of(call_id),
            entitlement=entitlement,
            requested_model=model.alias,
            streamed=bool(request.get("stream")) and not embeddings,
            started_at=started_at,
            expires_at=int(deadline) + HOLD_MARGIN_SECONDS,
            max_output_tokens=bounds.output,
        )
        if entitlement.account is not None:
            await self._reserve(call, entitlement.account, _bound(model, bounds, entitlement.account))
        send = call.max_output_tokens if call.shortened or bounds.sent else None
        return Admitted(call, model, catalogue, bounds, send)

    def available(self, entitlement: Entitlement, catalogue: Catalogue) -> list[str]:
        """The aliases that the caller may use, sorted (Q-23)."""
        return visible(_levels(entitlement), catalogue.models, catalogue.groups)

    def may_use(self, entitlement: Entitlement, catalogue: Catalogue, alias: str) -> bool:
        return all(allows(entries, alias, catalogue.groups) for entries in _levels(entitlement))

    def _model(self, entitlement: Entitlement, catalogue: Catalogue, request: dict[str, Any], route: str) -> Model:
        alias = request.get("model")
        if not isinstance(alias, str) or not alias:
            raise InvalidRequestError(f"{route}: Missing required parameter: 'model'.", param="model")
        for level, entries in (("key", entitlement.key_entries), ("team", entitlement.team_entries)):
            if entries is not None and not allows(entries, alias, catalogue.groups):
                raise ModelAccessDeniedError(
                    f"Model access denied: {level} does not have access to model '{alias}'",
                    code=f"{level}_model_access_denied",
                    param="model",
                    available_models=self.available(entitlement, catalogue),
                )
        model = self._catalogues.find(catalogue, alias)
        if model is None:
            raise UnknownModelError(
                f"{route}: Invalid model name passed in model={alias}. "
                "Call `/v1/models` to view available models for your key."
            )
        return model

    async def _reserve(self, call: Call, account: Account, bound: _Bound) -> None:
        """Holds the bound; if the account cannot carry it, the affordable part of its output (Q-14)."""
        output = bound.bounds.output
        least = bound.charge(min(1, output))
        attempts = range(_ATTEMPTS)
        for attempt in attempts:
            wanted = bound.charge(output)
            short = await self._hold(call, account, wanted)
            if short is None:
                call.reserved = wanted.credits
                call.max_output_tokens = output
                call.shortened = output < bound.bounds.output
                return
            if short.available < least.credits or attempt == attempts[-1]:
                raise _refusal(call, least, short)
            output = max(bound.affordable(short.available), min(1, bound.bounds.output))

    async def _hold(self, call: Call, account: Account, bound: Charge) -> Balance | None:
        """None when the credits are held. A reservation of unknown fate is withdrawn and made anew under another id."""
        for attempt in range(_ATTEMPTS):
            try:
                return await self._store.reserve(account.uid, call.hold_id, bound, call.expires_at)
            except UncertainWriteError:
                await self._withdraw(account.uid, call.hold_id, bound.credits)
                if attempt == _ATTEMPTS - 1:
                    raise
                call.call_id = ids.new_call_id(int(call.started_at * 1000))
                call.hold_id = ids.hold_id_of(call.call_id)
        raise AssertionError

    async def _withdraw(self, account_uid: str, hold_id: str, reserved: Decimal) -> None:
        try:
            await self._store.withdraw(account_uid, hold_id, reserved)
        except StoreUnavailableError as error:
            # If the hold stands, the sweeper will find it.
            logger.error(Event.RELEASE_FAILED, extra={"hold_id": hold_id, "reason": str(error.__cause__ or error)})
            raise


def _refusal(call: Call, least: Charge, balance: Balance) -> Exception:
    """429 if the credits are there but others hold, or just held, them (Q-15), else 403 with the account's figures."""
    figures: dict[str, Any] = {
        "scope": "team",
        "limit": balance.allocated,
        "spent": balance.used,
        "reserved": balance.held,
    }
    if least.credits <= balance.remaining:
        return ReservedError("Credits are reserved by calls in flight; try again in a moment", retry_after=1, **figures)
    who = "Team" if call.entitlement.team_id else "Account"
    return InsufficientCreditsError(
        f"Insufficient credits. {who} has {plain(balance.remaining)} credits remaining, but {plain(least.credits)} "
        f"required. Allocated: {plain(balance.allocated)}, Used: {plain(balance.used)}",
        **figures,
    )


def _bound(model: Model, bounds: Bounds, account: Account) -> _Bound:
    """By the dearest target and tier of the alias: any of them may answer."""
    dearest = [target.current_price().dearest() for target in model.targets]
    return _Bound(
        bounds,
        max(price[0] for price in dearest),
        max(price[1] for price in dearest),
        max(target.price.per_call for target in model.targets),
        account,
    )


def _levels(entitlement: Entitlement) -> list[Sequence[str]]:
    return [entries for entries in (entitlement.key_entries, entitlement.team_entries) if entries is not None]
