"""What a call would cost, or has cost (contract litellm 1.9, Q-19, Q-60): by the prices that calls are charged at."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field

from tollgate.auth.principal import Principal
from tollgate.core.fields import Amount
from tollgate.core.money import ZERO
from tollgate.keys import repository as virtual_keys
from tollgate.limits.account import CreditsSource
from tollgate.litellm.errors import DialectError
from tollgate.litellm.fields import DialectRequest, DialectRow
from tollgate.metering.charging import client_cost
from tollgate.metering.model import Account
from tollgate.metering.tokens import count_prompt
from tollgate.models import repository as models
from tollgate.models.prices import PriceSource, TargetPrice, resolve
from tollgate.teams import repository as teams

_Tokens = Annotated[int, Field(ge=0, le=10**12)]


class CachedTokens(DialectRequest):
    cached_tokens: _Tokens | None = None


class TokenUsage(DialectRequest):
    """An answer's ``usage``; cached tokens are part of the prompt's."""

    prompt_tokens: _Tokens = 0
    completion_tokens: _Tokens = 0
    prompt_tokens_details: CachedTokens | None = None


class CompletionResponse(DialectRequest):
    model: Annotated[str, Field(min_length=1, max_length=255)]
    usage: TokenUsage


class CalculateSpend(DialectRequest):
    """A prompt with the model that it is for, of which only the input is known; or an answer, with its usage."""

    model: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    messages: list[dict[str, Any]] | None = None
    completion_response: CompletionResponse | None = None


class SpendCalculated(DialectRow):
    """Client cost in USD."""

    cost: Amount


def calculate(caller: Principal, request: CalculateSpend) -> SpendCalculated:
    """Raises DialectError 400 for what is no question, and for a model that has no price."""
    if request.model is not None:
        if request.messages is None:
            raise DialectError(400, "Bad Request - messages must be provided if 'model' is provided")
        prompt = count_prompt({"messages": request.messages})
        cost = _price(request.model).cost(prompt, 0, 0)
    elif request.completion_response is not None:
        used = request.completion_response.usage
        cached = (used.prompt_tokens_details.cached_tokens if used.prompt_tokens_details else None) or 0
        price = _price(request.completion_response.model)
        cost = price.cost(used.prompt_tokens, min(cached, used.prompt_tokens), used.completion_tokens)
    else:
        raise DialectError(400, "Bad Request - Either 'model' must be passed in or 'completion_response'")
    return SpendCalculated(cost=client_cost(cost, Account(uid="", markup=_markup(caller))))


def _price(name: str) -> TargetPrice:
    """That of the alias' first target, or of a provider's model by its own name."""
    alias = models.find(name)
    targets = [target for target in alias.targets if target.is_active] if alias is not None else []
    if targets:
        target = min(targets, key=lambda one: (one.priority, -one.weight))
        overrides = {
            "pricing_input": target.pricing_input,
            "pricing_output": target.pricing_output,
            "pricing_cached_input": target.pricing_cached_input,
        }
        return resolve(target.priced_as, overrides)
    price = resolve(name, {})
    if alias is not None or price.source is PriceSource.NONE:
        raise DialectError(400, f"Invalid model name passed in model={name}", param="model")
    return price


def _markup(caller: Principal) -> Decimal:
    """That of the team in which the caller's key is, where somebody pays for its calls."""
    key = virtual_keys.find(caller.key_id) if caller.key_id is not None else None
    team = teams.find(key.team_id) if key is not None and key.team_id is not None else None
    if team is None or team.credits_source is CreditsSource.NONE:
        return ZERO
    return team.cost_markup_percentage
