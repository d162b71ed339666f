"""Models as rows (contract litellm 1.9): never with a secret, and for tenants without what is behind a name (Q-58)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from tollgate.core import money
from tollgate.core.fields import Amount
from tollgate.litellm.errors import DialectError
from tollgate.litellm.fields import DialectRow, Moment, moment
from tollgate.litellm.models_params import PRICES, litellm_model_of
from tollgate.models import answers
from tollgate.models.deployments import Deployment
from tollgate.models.model import Target
from tollgate.models.prices import PriceSource, TargetPrice

_MILLION = Decimal(1_000_000)
_ABILITIES = (
    "supports_parallel_function_calling",
    "supports_vision",
    "supports_web_search",
    "supports_url_context",
    "supports_reasoning",
    "supports_function_calling",
)


class ModelRow(DialectRow):
    """A target. ``litellm_params`` have what is set; ``model_info`` what it is, with the price that counts."""

    model_name: str
    litellm_params: dict[str, Any]
    model_info: dict[str, Any]


class StoredModel(ModelRow):
    """A target as it was just written. ``warning``: nobody knows its price, and calls cost 0 (Q-60)."""

    model_id: str
    blocked: bool
    created_at: Moment
    created_by: str | None
    updated_at: Moment
    updated_by: str | None
    warning: str | None


class ModelGroup(DialectRow):
    """All targets of one name. ``supports_…`` is what somebody said of one of them, null where nobody did."""

    model_group: str
    providers: list[str]
    max_input_tokens: int | None
    max_output_tokens: int | None
    input_cost_per_token: Amount
    output_cost_per_token: Amount
    mode: str
    rpm: int | None
    tpm: int | None
    supports_parallel_function_calling: bool | None
    supports_vision: bool | None
    supports_web_search: bool | None
    supports_url_context: bool | None
    supports_reasoning: bool | None
    supports_function_calling: bool | None


def row_of(deployment: Deployment, names: Mapping[str, str], *, whole: bool) -> ModelRow:
    """``names`` are those of credentials by id; not ``whole``: as tenants see it."""
    params = _params(deployment, names) if whole else {"model": deployment.model.alias}
    said = deployment.params.get("model_info", {})
    shown = said if whole else {name: said[name] for name in _ABILITIES if name in said}
    info = shown | _info(deployment) | (_inside(deployment) if whole else {})
    return ModelRow(model_name=deployment.model.alias, litellm_params=params, model_info=info)


def stored_row(deployment: Deployment, names: Mapping[str, str]) -> StoredModel:
    model, target = deployment.model, deployment.target
    unknown = [] if answers.is_priced(target) else [target.priced_as]
    return StoredModel(
        **dict(row_of(deployment, names, whole=True)),
        model_id=target.target_id,
        blocked=not target.is_active,
        created_at=model.created_at,
        created_by=model.created_by,
        updated_at=model.updated_at,
        updated_by=model.updated_by,
        warning=answers.warning(unknown),
    )


def groups_of(deployments: Iterable[Deployment]) -> list[ModelGroup]:
    """By name; prices are the dearest of a group's targets, its limits of calls what all of them have."""
    by_name: dict[str, list[Deployment]] = defaultdict(list)
    for deployment in deployments:
        by_name[deployment.model.alias].append(deployment)
    return [_group(name, members) for name, members in by_name.items()]


def _group(name: str, members: Sequence[Deployment]) -> ModelGroup:
    model = members[0].model
    costs = [answers.price_of(member.target) for member in members]
    said = [member.params.get("model_info", {}) for member in members]
    abilities = {}
    for ability in _ABILITIES:
        known = [bool(one[ability]) for one in said if one.get(ability) is not None]
        abilities[ability] = any(known) if known else None
    return ModelGroup(
        model_group=name,
        providers=sorted({member.target.provider for member in members}),
        max_input_tokens=model.context_window or _most(cost.context_window for cost in costs),
        max_output_tokens=model.max_output_tokens or _most(cost.max_output_tokens for cost in costs),
        input_cost_per_token=max(cost.input for cost in costs),
        output_cost_per_token=max(cost.output for cost in costs),
        mode=model.mode.value,
        rpm=_sum(member.target.rpm for member in members),
        tpm=_sum(member.target.tpm for member in members),
        **abilities,
    )


def _params(deployment: Deployment, names: Mapping[str, str]) -> dict[str, Any]:
    """What is set, from the catalogue where it has it, else as it was sent."""
    target = deployment.target
    told = dict(deployment.params.get("litellm_params", {}))
    shown: dict[str, Any] = told | {"model": _model_name(told, target)}
    if "max_tokens" in told:
        shown["max_tokens"] = deployment.model.max_output_tokens
    shown |= {
        "api_base": target.api_base,
        "api_version": target.options.get("api_version"),
        "litellm_credential_name": names.get(target.credential_id or ""),
        "rpm": target.rpm,
        "tpm": target.tpm,
    }
    if target.priority or "order" in told:
        shown["order"] = target.priority
    if "weight" in told:
        shown["weight"] = target.weight
    shown |= {name: _per_token(getattr(target, own)) for name, own in PRICES.items()}
    return {name: value for name, value in shown.items() if value is not None}


def _model_name(told: Mapping[str, Any], target: Target) -> str:
    """As it was sent, if that still is what it means."""
    sent = told.get("model")
    try:
        means = litellm_model_of(sent, told.get("custom_llm_provider")) if sent else None
    except DialectError:
        means = None
    return str(sent) if means == target.litellm_model else target.litellm_model


def _info(deployment: Deployment) -> dict[str, Any]:
    model, price = deployment.model, answers.price_of(deployment.target)
    return {
        "id": deployment.target.target_id,
        "db_model": True,
        "mode": model.mode.value,
        "description": model.description,
        "display_name": model.display_name,
        "litellm_provider": deployment.target.provider,
        "max_input_tokens": model.context_window or price.context_window,
        "max_output_tokens": model.max_output_tokens or price.max_output_tokens,
        **_prices(price),
        "created_at": moment(model.created_at),
        "updated_at": moment(model.updated_at),
    }


def _inside(deployment: Deployment) -> dict[str, Any]:
    """What only the platform sees."""
    model, target = deployment.model, deployment.target
    return {
        "key": target.litellm_model,
        "base_model": target.base_model,
        "region": target.region,
        "access_groups": list(deployment.access_groups),
        "created_by": model.created_by,
        "updated_by": model.updated_by,
    }


def _prices(price: TargetPrice) -> dict[str, Any]:
    costs = {name: money.to_json(getattr(price, own)) for name, own in _COSTS.items()}
    return costs | {"price_source": PriceSource(price.source).value}


_COSTS = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cached_input",
}


def _per_token(price: Decimal | None) -> int | float | None:
    return None if price is None else money.to_json(price / _MILLION)


def _most(values: Iterable[int | None]) -> int | None:
    return max((value for value in values if value), default=None)


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
