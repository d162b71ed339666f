"""Admission: is the caller entitled, may he use the model, and is what the call can cost at most reserved?

Everything that can refuse a call happens here, before the provider hears of it, in the order of Q-56.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tollgate.core import ids
from tollgate.core.errors import (
    ForbiddenError,
    InvalidRequestError,
    ModelAccessDeniedError,
    TollgateError,
    UnknownModelError,
)
from tollgate.metering.bound import Bound
from tollgate.metering.bounds import Bounds, bounds_of
from tollgate.metering.catalogue import Catalogue, CatalogueCache, Model
from tollgate.metering.entitlement import Caller
from tollgate.metering.jobs import Jobs
from tollgate.metering.meters import CommonLimits, entitlement_of
from tollgate.metering.model import Call, Entitlement, Job
from tollgate.metering.reservation import Reservations
from tollgate.models.access import allows, visible

# A hold outlives the function's deadline by this much (design section 3).
HOLD_MARGIN_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Admitted:
    """A call that may be made: its holds stand. ``send_max_tokens`` has to be put into the request if not None."""

    call: Call
    model: Model
    catalogue: Catalogue
    bounds: Bounds
    send_max_tokens: int | None


class Admission:
    """Decides over calls."""

    def __init__(self, reservations: Reservations, catalogues: CatalogueCache, jobs: Jobs) -> None:
        self._reservations = reservations
        self._catalogues = catalogues
        self._jobs = jobs

    async def entitlement(
        self, caller: Caller, moment: float, customer_id: str | None = None, tags: tuple[str, ...] = ()
    ) -> tuple[Entitlement, Catalogue]:
        """What a call is entitled to and counted in, and the catalogue of its models."""
        catalogue = await self._catalogues.at(caller.catalogue_version)
        entitlement = entitlement_of(
            caller,
            moment,
            customer_id=customer_id,
            tags=tags,
            shared=CommonLimits(catalogue.platform_limits, catalogue.tags),
        )
        return entitlement, catalogue

    async def admit(  # noqa: PLR0913
        self,
        entitlement: Entitlement,
        catalogue: Catalogue,
        request: dict[str, Any],
        *,
        size: int,
        route: str,
        started_at: float,
        deadline: float,
        job: Job | None = None,
    ) -> Admitted:
        """Reserves for a request whose body has ``size`` bytes; ``deadline`` is when this process must be done.

        ``job`` is begun by it where it was not.

        Raises the first refusal of Q-10: model denied or unknown, bad parameters, then all money and limits at once.
        """
        allowances = entitlement.allowances
        model = allowances.within(self.model(entitlement, catalogue, request, route))
        bounds = bounds_of(request, size, model.context_window, model.max_output_tokens, allowances.max_output_tokens)
        allowances.check_input(request, bounds)
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
            route=route,
            job=job,
        )
        if call.meters:
            await self._reservations.hold(call, Bound.of(model, bounds, entitlement.account, job))
            await self._begin(call)
        send = call.max_output_tokens if call.shortened or bounds.sent else None
        return Admitted(call, model, catalogue, bounds, send)

    async def _begin(self, call: Call) -> None:
        try:
            await self._jobs.begin(call)
        except TollgateError:
            await self._reservations.release(call)
            raise

    def available(self, entitlement: Entitlement, catalogue: Catalogue) -> list[str]:
        """The aliases that the caller may use, sorted (Q-23)."""
        levels = [entries for _, entries in entitlement.levels]
        served = [alias for alias, model in catalogue.models.items() if entitlement.allowances.serves(model)]
        return visible(levels, served, catalogue.groups)

    def may_use(self, entitlement: Entitlement, catalogue: Catalogue, alias: str) -> bool:
        return all(allows(entries, alias, catalogue.groups) for _, entries in entitlement.levels)

    def model(self, entitlement: Entitlement, catalogue: Catalogue, request: dict[str, Any], route: str) -> Model:
        """The model that a request asks for. Raises what Q-10 says of one that is denied or unknown."""
        asked = request.get("model") or entitlement.customers_model
        if not isinstance(asked, str) or not asked:
            raise InvalidRequestError(f"{route}: Missing required parameter: 'model'.", param="model")
        # An own name for a model is allowed by whoever has it; what it stands for has to pass everybody else.
        namer, alias = entitlement.aliases.get(asked, (None, asked))
        for level, entries in entitlement.levels:
            if not (level == namer or allows(entries, alias, catalogue.groups)):
                available = self.available(entitlement, catalogue)
                raise ModelAccessDeniedError(level, alias, entries, available_models=available)
        model = self._catalogues.find(catalogue, alias)
        if alias in catalogue.closed:
            available = self.available(entitlement, catalogue)
            raise ForbiddenError(
                catalogue.closed[alias], code="model_inactive", param="model", available_models=available
            )
        if model is None:
            raise UnknownModelError(
                f"{route}: Invalid model name passed in model={alias}. "
                "Call `/v1/models` to view available models for your key."
            )
        return model
