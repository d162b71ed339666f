"""``litellm_params`` and ``model_info`` as the catalogue's own settings (contract litellm 1.9, Q-24).

What has an effect on money, routing or secrets is set, or refused by its name; all else is kept to be shown again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from tollgate.core.fields import METADATA_BYTES, Alias, Name, Url, not_a_bool
from tollgate.core.json import dumps
from tollgate.credentials.model import ApiKey, CredentialName
from tollgate.litellm.errors import DialectError
from tollgate.models import prices
from tollgate.models.access import is_wildcard
from tollgate.models.model import Description, LitellmModel, Mode, NewAlias, Target
from tollgate.models.prices import Provider

_MILLION = Decimal(1_000_000)
# Names of providers that are others than ours.
_PROVIDERS: Mapping[str, Provider] = {
    **{provider.value: provider for provider in Provider},
    "fireworks_ai": Provider.FIREWORKS,
    "dashscope": Provider.ALIBABA,
    "custom_openai": Provider.CUSTOM,
    "openai_like": Provider.CUSTOM,
    "hosted_vllm": Provider.CUSTOM,
    "litellm_proxy": Provider.CUSTOM,
}
_MODES = {"chat": Mode.CHAT, "completion": Mode.CHAT, "embedding": Mode.EMBEDDING}
# A price by its name in the dialect, USD per token, and ours, USD per million.
PRICES = {
    "input_cost_per_token": "pricing_input",
    "output_cost_per_token": "pricing_output",
    "cache_read_input_token_cost": "pricing_cached_input",
}
_REFUSED = re.compile(
    r".*cost.*|.*secret.*|.*password.*|.*credentials?|.*private.*|(.*_)?token|.*_key(_id)?|.*_jwks|aws_.*|vertex_.*|"
    r"max_budget|budget_duration|max_parallel_requests|tags|tag_regex|mock_response|organization|itpm|otpm|"
    r"default_api_key_.*|auto_router_.*|complexity_router_.*|base_url|(extra_)?headers|extra_body|use_litellm_proxy"
)
# Deeper inside, too, nothing is kept that opens something.
_SECRET = re.compile(r".*(secret|password|api_key|token|credentials?)", re.IGNORECASE)
# What rows show of the catalogue itself: nothing that a client could set by sending it back.
_COMPUTED = {"db_model", "created_at", "created_by", "updated_at", "updated_by", "key", "litellm_provider"} | {
    "price_source",
    "team_public_model_name",
    "region",
}

_Count = Annotated[int, BeforeValidator(not_a_bool), Field(ge=1, le=100_000_000)]
_Order = Annotated[int, BeforeValidator(not_a_bool), Field(ge=0, le=1000)]
_Cost = Annotated[Decimal, BeforeValidator(not_a_bool), Field(ge=0, le=1, max_digits=24, decimal_places=18)]
Option = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,128}$")]
# It travels in a header of every answer.
ModelId = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,256}$")]


def _plain(name: str) -> str:
    if is_wildcard(name):
        message = "wildcards are not supported"
        raise ValueError(message)
    return name


# Of a model or of an access group: no word or wildcard that means more than itself.
ModelName = Annotated[NewAlias, AfterValidator(_plain)]
_litellm_model: TypeAdapter[str] = TypeAdapter(LitellmModel)


def provider_named(name: str) -> Provider | None:
    """The provider that goes by that name, there or here."""
    return _PROVIDERS.get(name.lower())


class _Open(BaseModel):
    """Whatever else is sent is kept, unless it is refused."""

    model_config = ConfigDict(extra="allow")

    def given(self, *names: str) -> dict[str, Any]:
        """The named fields that were sent, null or not."""
        return {name: getattr(self, name) for name in names if name in self.model_fields_set}


class _Prices(_Open):
    input_cost_per_token: _Cost | None = None
    output_cost_per_token: _Cost | None = None
    cache_read_input_token_cost: _Cost | None = None


class Params(_Prices):
    """Where calls go, with what secret, at what price. ``order`` 0 is tried first; ``weight`` divides among equals."""

    model: str | None = None
    custom_llm_provider: str | None = None
    api_key: ApiKey | None = None
    api_base: Url | None = None
    api_version: Option | None = None
    region_name: Option | None = None
    aws_region_name: Option | None = None
    litellm_credential_name: CredentialName | None = None
    rpm: _Count | None = None
    tpm: _Count | None = None
    weight: _Count | None = None
    order: _Order | None = None
    max_tokens: _Count | None = None


class Info(_Prices):
    """What the model is and can do."""

    id: ModelId | None = None
    mode: str | None = None
    base_model: Alias | None = None
    description: Description | None = None
    display_name: Name | None = None
    max_tokens: _Count | None = None
    max_input_tokens: _Count | None = None
    max_output_tokens: _Count | None = None
    access_groups: Annotated[list[ModelName], Field(max_length=20)] | None = None
    team_id: str | None = None


def litellm_model_of(model: str, provider: str | None = None) -> str:
    """``provider/model`` in our names of providers; a bare name is looked up. Raises DialectError (400)."""
    first, slash, rest = model.partition("/")
    known: Provider | None
    if provider is not None:
        known, name = provider_named(provider), rest if slash and first == provider else model
    elif slash and first in _PROVIDERS:
        known, name = _PROVIDERS[first], rest
    else:
        known, name = prices.provider_of(model), model
    try:
        full = _litellm_model.validate_python(f"{known or ''}/{name}")
    except ValidationError:
        ours = ", ".join(one.value for one in Provider)
        raise refused("litellm_params.model", f"must be provider/model with a provider of {ours}") from None
    if "*" in full:
        raise refused("litellm_params.model", "wildcards are not supported: add each model")
    return full


def target_settings(params: Params, info: Info, current: Target | None) -> dict[str, Any]:
    """The fields of ``Target`` that were sent, but secrets (Q-25). Raises DialectError (400)."""
    settings: dict[str, Any] = params.given("api_base", "rpm", "tpm")
    if params.custom_llm_provider is not None and params.model is None:
        raise refused("litellm_params.custom_llm_provider", "has to come with litellm_params.model")
    if params.model is not None:
        settings["litellm_model"] = litellm_model_of(params.model, params.custom_llm_provider)
    if "base_model" in info.model_fields_set:
        settings["base_model"] = _base_model(info.base_model, settings.get("litellm_model"), current)
    settings |= _region(params, current)
    settings |= _prices_of(params, info)
    if "order" in params.model_fields_set:
        settings["priority"] = params.order or 0
    if params.model_fields_set & {"weight", "rpm", "tpm"}:
        # As LiteLLM's router shares calls out where nobody sets a weight.
        settings["weight"] = params.weight or params.rpm or params.tpm or 1
    return settings


def alias_settings(params: Params, info: Info) -> dict[str, Any]:
    """The fields of ``ModelAlias`` that were sent. Raises DialectError (400)."""
    settings = info.given("description", "display_name")
    if "max_input_tokens" in info.model_fields_set:
        settings["context_window"] = info.max_input_tokens
    for source, name in ((info, "max_output_tokens"), (info, "max_tokens"), (params, "max_tokens")):
        if name in source.model_fields_set:
            settings["max_output_tokens"] = getattr(source, name)
            break
    if info.mode is not None:
        if info.mode not in _MODES:
            raise refused("model_info.mode", f"must be one of {', '.join(_MODES)}")
        settings["mode"] = _MODES[info.mode]
    return settings


def kept(params: Params, info: Info, before: Mapping[str, Any]) -> dict[str, Any]:
    """What is shown again of this request and of those before it; null takes a field away (Q-25).

    Raises DialectError (400) for what may not be ignored.
    """
    if info.team_id:
        raise refused("model_info.team_id", "models are the platform's; add the name to the team's models instead")
    told = {**(params.model_extra or {}), **params.given("model", "custom_llm_provider", "weight", "order")}
    told |= {**params.given("region_name", "aws_region_name", "max_tokens")}
    said = {name: value for name, value in (info.model_extra or {}).items() if name not in _COMPUTED}
    whole = {
        "litellm_params": _merged("litellm_params", before, told),
        "model_info": _merged("model_info", before, said),
    }
    if len(dumps(whole).encode()) > METADATA_BYTES:
        raise refused("litellm_params", f"may have at most {METADATA_BYTES} bytes as JSON with model_info")
    return whole


def _merged(where: str, before: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(before.get(where, {}))
    known = Params.model_fields if where == "litellm_params" else Info.model_fields
    for name, value in sent.items():
        if (name not in known and _REFUSED.fullmatch(name)) or _has_secret(value):
            if value:
                raise refused(f"{where}.{name}", "is not supported")
        elif value is None:
            merged.pop(name, None)
        else:
            merged[name] = value
    return merged


def _has_secret(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_SECRET.fullmatch(str(name)) or _has_secret(inner) for name, inner in value.items())
    return isinstance(value, list) and any(map(_has_secret, value))


def refused(field: str, message: str) -> DialectError:
    """What is wrong with a field that is known by its name."""
    return DialectError(400, f"{field}: {message}", kind="validation_error", param=field)


def _base_model(name: str | None, litellm_model: str | None, current: Target | None) -> str | None:
    if name is None:
        return None
    first, slash, _ = name.partition("/")
    if slash and first in _PROVIDERS:
        return f"{_PROVIDERS[first]}/{name.partition('/')[2]}"
    model = litellm_model or (current.litellm_model if current else "")
    return f"{model.partition('/')[0]}/{name}"


def _region(params: Params, current: Target | None) -> dict[str, Any]:
    """The region, and what of it and of the version belongs into the provider's address."""
    options = dict(current.options) if current else {}
    sent = params.given("api_version", "region_name", "aws_region_name")
    if not sent:
        return {}
    settings: dict[str, Any] = {}
    for name, value in sent.items():
        option = "api_version" if name == "api_version" else "region"
        options.pop(option, None)
        if value is not None:
            options[option] = value
        if option == "region":
            settings["region"] = value
    return settings | {"options": options}


def _prices_of(params: Params, info: Info) -> dict[str, Any]:
    """Per million tokens; ``litellm_params`` count before ``model_info``."""
    found: dict[str, Any] = {}
    for name, own in PRICES.items():
        for source in (params, info):
            if name in source.model_fields_set:
                price: Decimal | None = getattr(source, name)
                found[own] = None if price is None else price * _MILLION
                break
    return found
