"""Answers about model aliases: what is stored, and what its targets cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tollgate.models import prices
from tollgate.models.model import ModelAlias, ModelAliasAnswer, ModelAliasSummary, PricesAnswer, Target, TargetAnswer
from tollgate.models.prices import PriceSource, TargetPrice

_PER_MILLION = Decimal(1_000_000)


def price_of(target: Target) -> TargetPrice:
    """The target's price now."""
    overrides = {
        "pricing_input": target.pricing_input,
        "pricing_output": target.pricing_output,
        "pricing_cached_input": target.pricing_cached_input,
    }
    return prices.resolve(target.priced_as, overrides)


def is_known(litellm_model: str) -> bool:
    """Whether the model has a price without anybody setting one."""
    return prices.resolve(litellm_model, {}).source is not PriceSource.NONE


def is_priced(target: Target) -> bool:
    """Whether its calls cost what somebody said, be it 0."""
    return price_of(target).source is not PriceSource.NONE


def summary_of(model: ModelAlias) -> ModelAliasSummary:
    return ModelAliasSummary(
        alias=model.alias,
        litellm_model=model.targets[0].litellm_model,
        description=model.description,
        active=model.active,
        display_name=model.display_name,
        mode=model.mode,
        fallbacks=[target.litellm_model for target in model.targets[1:]],
        created_at=model.created_at,
        updated_at=model.updated_at,
    )


def of_alias(model: ModelAlias) -> ModelAliasAnswer:
    """The whole alias; limits that nobody set are the price catalogue's."""
    primary = model.targets[0]
    targets = [(target, price_of(target)) for target in model.targets]
    price = targets[0][1]
    return ModelAliasAnswer(
        **summary_of(model).model_dump(),
        pricing_input=primary.pricing_input,
        pricing_output=primary.pricing_output,
        pricing_cached_input=primary.pricing_cached_input,
        price_source=price.source,
        max_output_tokens=model.max_output_tokens or price.max_output_tokens,
        context_window=model.context_window or price.context_window,
        api_base=primary.api_base,
        targets=[of_target(target, target_price) for target, target_price in targets],
        warning=warning([target.litellm_model for target, known in targets if known.source is PriceSource.NONE]),
    )


def settings_of(model: ModelAlias) -> dict[str, Any]:
    """What a request can set, as it stands: the ``before`` of audit events."""
    primary = model.targets[0]
    return {
        "litellm_model": primary.litellm_model,
        "description": model.description,
        "display_name": model.display_name,
        "active": model.active,
        "fallbacks": [target.litellm_model for target in model.targets[1:]],
        "pricing_input": primary.pricing_input,
        "pricing_output": primary.pricing_output,
        "pricing_cached_input": primary.pricing_cached_input,
        "max_output_tokens": model.max_output_tokens,
        "context_window": model.context_window,
        "api_base": primary.api_base,
        "mode": model.mode.value,
    }


def of_target(target: Target, price: TargetPrice) -> TargetAnswer:
    return TargetAnswer(
        target_id=target.target_id,
        litellm_model=target.litellm_model,
        priority=target.priority,
        weight=target.weight,
        is_active=target.is_active,
        api_base=target.api_base,
        base_model=target.base_model,
        region=target.region,
        rpm=target.rpm,
        tpm=target.tpm,
        credential_id=target.credential_id,
        last4=target.last4,
        options=dict(target.options),
        prices=PricesAnswer(
            input=price.input * _PER_MILLION,
            output=price.output * _PER_MILLION,
            cached_input=price.cached_input * _PER_MILLION,
            price_source=price.source,
            price_version=price.version,
            tiered=price.schedule is not None,
        ),
    )


def warning(unknown: list[str]) -> str | None:
    """What has to be said of targets whose price nobody knows (Q-60)."""
    if not unknown:
        return None
    return f"No price is known for {', '.join(unknown)}: calls cost 0 until pricing_input and pricing_output are set"
