"""What models cost by the price catalogue: searched, paged; it is data that comes with a package (D-46)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from typing import NamedTuple

from tollgate.auth.policy import Action, authorize
from tollgate.auth.principal import Principal
from tollgate.core.fields import Amount, ResponseModel
from tollgate.core.pagination import PageRequest
from tollgate.models import prices
from tollgate.models.prices import PriceSource
from tollgate.table import cursor

_PER_MILLION = Decimal(1_000_000)


class ListedPrice(ResponseModel):
    """Prices in USD per million tokens, before any tier begins. ``litellm_model`` is what an alias takes for it."""

    litellm_model: str
    provider: str
    model_id: str
    name: str
    description: str | None
    pricing_input: Amount
    pricing_output: Amount
    pricing_cached_input: Amount
    context_window: int | None


class PriceList(ResponseModel):
    models: list[ListedPrice]
    total: int
    price_version: str
    next_cursor: str | None = None


class _Entry(NamedTuple):
    """A model of a provider; sorts by both."""

    provider: str
    model_id: str
    name: str
    description: str | None


def listed(caller: Principal, request: PageRequest, text: str | None, provider: str | None) -> PriceList:
    """Models by provider and id; ``text`` is looked for in provider, id and name, case-insensitively (Q-28)."""
    authorize(caller, Action.MODEL_READ)
    wanted, scope = (text or "").casefold(), f"prices|{(text or '').casefold()}|{provider}"
    found = [
        entry
        for entry in _entries()
        if (provider is None or entry.provider == provider)
        and wanted in f"{entry.provider}/{entry.model_id}\n{entry.name}".casefold()
    ]
    begins = 0
    if request.cursor:
        last = cursor.decode(request.cursor, scope)
        begins = sum(entry[:2] <= (last["provider"], last["model_id"]) for entry in found)
    page = found[begins + request.offset :][: request.limit]
    more = bool(page) and page[-1] is not found[-1]
    return PriceList(
        models=[_shown(entry) for entry in page],
        total=len(found),
        price_version=prices.catalogue_version(),
        next_cursor=_cursor(page[-1], scope) if more else None,
    )


def _cursor(last: _Entry, scope: str) -> str:
    return cursor.encode({"provider": last.provider, "model_id": last.model_id}, scope)


def _shown(entry: _Entry) -> ListedPrice:
    litellm_model = f"{entry.provider}/{entry.model_id}"
    price = prices.resolve(litellm_model, {})
    return ListedPrice(
        litellm_model=litellm_model,
        provider=entry.provider,
        model_id=entry.model_id,
        name=entry.name,
        description=entry.description,
        pricing_input=price.input * _PER_MILLION,
        pricing_output=price.output * _PER_MILLION,
        pricing_cached_input=price.cached_input * _PER_MILLION,
        context_window=price.context_window,
    )


@cache
def _entries() -> tuple[_Entry, ...]:
    """Every model of the providers that targets can have, if the catalogue prices its tokens."""
    return tuple(sorted(_found()))


def _found() -> Iterator[_Entry]:
    for provider, model in prices.catalogued():
        if prices.resolve(f"{provider}/{model.id}", {}).source is PriceSource.CATALOGUE:
            description = (model.description or "").strip() or None
            yield _Entry(provider.value, model.id, model.name or model.id, description)
