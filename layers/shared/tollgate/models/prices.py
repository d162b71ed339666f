"""What a target's tokens cost: from genai-prices, or as somebody set it (Q-60).

Importing genai-prices takes as long as a whole cold start, so it happens when the first price is asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

from tollgate.core import clock
from tollgate.core.money import ZERO, quantise

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, TieredPrices

_MILLION = Decimal(1_000_000)
_THOUSAND = Decimal(1_000)


class Provider(StrEnum):
    """Who serves a target: the part of ``litellm_model`` before the first ``/``."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    GEMINI = "gemini"
    AZURE = "azure"
    BEDROCK = "bedrock"
    ALIBABA = "alibaba"
    FIREWORKS = "fireworks"
    CUSTOM = "custom"
    LOCAL = "local"


# Names that genai-prices has for our providers; the others it knows by model name only.
_CATALOGUE_IDS: Mapping[Provider, str] = {
    Provider.OPENAI: "openai",
    Provider.ANTHROPIC: "anthropic",
    Provider.GEMINI: "google",
    Provider.AZURE: "azure",
    Provider.BEDROCK: "aws",
    Provider.FIREWORKS: "fireworks",
}
# The override's name on every surface, and the price catalogue's.
_OVERRIDES = {
    "pricing_input": "input_mtok",
    "pricing_cached_input": "cache_read_mtok",
    "pricing_output": "output_mtok",
}


class PriceSource(StrEnum):
    """Where a price comes from. ``none``: nobody knows it, the explicit price is 0."""

    CATALOGUE = "catalogue"
    OVERRIDE = "override"
    ZERO = "zero"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class TargetPrice:
    """The price of a target, fixed at admission.

    Attributes:
        input, cached_input, output: USD per token, before any tier begins.
        per_call: USD per request, whatever its size.
        source: where the price comes from.
        version: which price this is: ``genai-prices@<version>``, ``override:<sha8>`` or ``none``.
        schedule: the price with tiers; None where a multiplication gives the same.
        changes: the price depends on the date or the time of day, so each call must resolve it anew.
        context_window: most input tokens, where known.
        max_output_tokens: most output tokens, where known.
    """

    input: Decimal
    cached_input: Decimal
    output: Decimal
    source: PriceSource
    version: str
    per_call: Decimal = ZERO
    schedule: ModelPrice | None = None
    changes: bool = False
    context_window: int | None = None
    max_output_tokens: int | None = None

    def cost(self, input_tokens: int, cached_tokens: int, output_tokens: int) -> Decimal:
        """USD, rounded up to the quantum. ``input_tokens`` includes the ``cached_tokens``."""
        if self.schedule is None:
            fresh = input_tokens - cached_tokens
            tokens = fresh * self.input + cached_tokens * self.cached_input + output_tokens * self.output
            return quantise(tokens + self.per_call)
        from genai_prices import Usage  # noqa: PLC0415

        usage = Usage(input_tokens=input_tokens, cache_read_tokens=cached_tokens, output_tokens=output_tokens)
        return quantise(self.schedule.calc_price(usage)["total_price"])

    def dearest(self) -> tuple[Decimal, Decimal]:
        """Upper bounds in USD per input and per output token, over all tiers; ``per_call`` comes on top."""
        if self.schedule is None:
            return max(self.input, self.cached_input), self.output
        inputs = (*_rates(self.schedule.input_mtok), *_rates(self.schedule.cache_read_mtok))
        return max(inputs, default=ZERO) / _MILLION, max(_rates(self.schedule.output_mtok), default=ZERO) / _MILLION


def resolve(
    litellm_model: str, overrides: Mapping[str, str | Decimal | None], at: datetime | None = None
) -> TargetPrice:
    """The price of ``provider/model`` at a moment (now if absent).

    ``overrides`` may hold ``pricing_input``, ``pricing_output``, ``pricing_cached_input`` in USD per million tokens;
    what they leave out is the catalogue's, except that cached input follows an input price that was set. A model that
    nobody knows costs an explicit 0 with source ``none``.
    """
    given = {key: Decimal(value) for name, key in _OVERRIDES.items() if (value := overrides.get(name)) is not None}
    if "input_mtok" in given:
        given.setdefault("cache_read_mtok", given["input_mtok"])
    provider, _, name = litellm_model.partition("/")
    if provider == Provider.LOCAL:
        return _plain(given, PriceSource.ZERO, f"override:{_fingerprint(given)}" if given else "local")
    known = find(provider, name)
    if known is None:
        return _plain(given, PriceSource.OVERRIDE, f"override:{_fingerprint(given)}") if given else _UNKNOWN
    return _known(known, given, at or clock.utc_now())


@cache
def find(provider: str, name: str) -> ModelInfo | None:
    """The catalogue's entry of a model, if it prices tokens: by provider, else by its bare name."""
    from genai_prices import data_snapshot  # noqa: PLC0415

    snapshot = data_snapshot.get_snapshot()
    bare = name.rpartition("/")[2]
    listed = _CATALOGUE_IDS.get(Provider(provider)) if provider in set(Provider) else provider
    for reference, provider_id in dict.fromkeys(((name, listed), (name, None), (bare, listed), (bare, None))):
        try:
            _, model = snapshot.find_provider_model(reference, None, provider_id, None)
        except LookupError:
            continue
        if any(price.input_mtok is not None for price in _prices(model)):
            return model
    return None


def provider_of(name: str) -> Provider | None:
    """Who serves a model of that bare name, if the catalogue knows it of one of ours."""
    from genai_prices import data_snapshot  # noqa: PLC0415

    try:
        found, _ = data_snapshot.get_snapshot().find_provider_model(name, None, None, None)
    except LookupError:
        return None
    return next((provider for provider, listed in _CATALOGUE_IDS.items() if listed == found.id), None)


def catalogued() -> Iterator[tuple[Provider, ModelInfo]]:
    """Every model that the catalogue lists for a provider of ours, priced or not."""
    from genai_prices import data_snapshot  # noqa: PLC0415

    ours = {listed: provider for provider, listed in _CATALOGUE_IDS.items()}
    for provider in data_snapshot.get_snapshot().providers:
        if provider.id in ours:
            yield from ((ours[provider.id], model) for model in provider.models)


_UNKNOWN = TargetPrice(ZERO, ZERO, ZERO, PriceSource.NONE, "none")


def _plain(given: Mapping[str, Decimal], source: PriceSource, version: str) -> TargetPrice:
    fresh = given.get("input_mtok", ZERO)
    cached, output = given.get("cache_read_mtok", fresh), given.get("output_mtok", ZERO)
    free = not (fresh or cached or output)
    return TargetPrice(
        input=fresh / _MILLION,
        cached_input=cached / _MILLION,
        output=output / _MILLION,
        source=PriceSource.ZERO if free else PriceSource.OVERRIDE if given else source,
        version=version,
    )


def _known(model: ModelInfo, given: Mapping[str, Decimal], at: datetime) -> TargetPrice:
    schedule = copy(model.get_prices(at))
    schedule.__dict__.update(given)
    fresh, output = _base(schedule.input_mtok), _base(schedule.output_mtok)
    cached = _base(schedule.cache_read_mtok) if schedule.cache_read_mtok is not None else fresh
    per_call = _base(schedule.requests_kcount) / _THOUSAND
    free = not (fresh or cached or output or per_call) and bool(given)
    source = PriceSource.ZERO if free else PriceSource.OVERRIDE if given else PriceSource.CATALOGUE
    return TargetPrice(
        input=fresh / _MILLION,
        cached_input=cached / _MILLION,
        output=output / _MILLION,
        source=source,
        version=f"override:{_fingerprint(given)}" if given else catalogue_version(),
        per_call=per_call,
        schedule=schedule if _is_tiered(schedule) else None,
        changes=isinstance(model.prices, list),
        context_window=model.context_window,
    )


def _prices(model: ModelInfo) -> list[ModelPrice]:
    return [entry.prices for entry in model.prices] if isinstance(model.prices, list) else [model.prices]


def _is_tiered(price: ModelPrice) -> bool:
    rates = (price.input_mtok, price.cache_read_mtok, price.output_mtok, price.requests_kcount)
    return any(rate is not None and not isinstance(rate, Decimal) for rate in rates)


def _base(price: Decimal | TieredPrices | None) -> Decimal:
    return next(_rates(price), ZERO)


def _rates(price: Decimal | TieredPrices | None) -> Iterator[Decimal]:
    """Every rate that may apply, the one before the first tier at the front."""
    if price is None:
        return
    if isinstance(price, Decimal):
        yield price
        return
    yield price.base
    yield from (tier.price for tier in price.tiers)


@cache
def catalogue_version() -> str:
    """Which prices these are."""
    from genai_prices import __version__  # noqa: PLC0415

    return f"genai-prices@{__version__}"


def _fingerprint(given: Mapping[str, Decimal]) -> str:
    text = json.dumps({key: format(value.normalize(), "f") for key, value in sorted(given.items())})
    return hashlib.sha256(text.encode()).hexdigest()[:8]
