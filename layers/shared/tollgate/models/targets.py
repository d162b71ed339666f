"""Where calls of an alias go, as requests say it: targets that were there before keep what was set on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tollgate.core import ids
from tollgate.core.errors import InvalidRequestError
from tollgate.models import answers
from tollgate.models.model import Mode, ModelAlias, Target
from tollgate.models.prices import PriceSource

# What a request sets on the alias and means of its first target.
TARGET_FIELDS = ("api_base", "pricing_input", "pricing_output", "pricing_cached_input")
_ALIAS_FIELDS = ("display_name", "description", "active", "mode", "context_window", "max_output_tokens")


def target_of(known: Target | None, litellm_model: str, priority: int, **settings: Any) -> Target:
    """The target with its id, weight and state as before, and ``settings`` as they are now."""
    target = known or Target(ids.new_ulid(), litellm_model, priority, 1, None, None, None, None, PriceSource.NONE)
    target = replace(target, priority=priority, **settings)
    return replace(target, price_source=answers.price_of(target).source)


def of_settings(settings: Mapping[str, Any], current: Sequence[Target], mode: Mode) -> tuple[Target, ...]:
    """The targets that ``litellm_model`` and ``fallbacks`` mean: the model itself, then its fallbacks.

    A target that was there before keeps its id, and whatever else was set on it.
    """
    known = {target.litellm_model: target for target in reversed(current)}
    models = [settings["litellm_model"], *dict.fromkeys(settings.get("fallbacks") or ())]
    if len(set(models)) < len(models):
        raise InvalidRequestError("fallbacks: the model itself cannot be its fallback", param="fallbacks")
    targets = []
    for priority, litellm_model in enumerate(models):
        own = {name: settings[name] if priority == 0 else None for name in TARGET_FIELDS}
        targets.append(target_of(known.get(litellm_model), litellm_model, priority, **own))
    check_prices(targets[0], mode)
    return tuple(targets)


def with_settings(current: ModelAlias, sent: Mapping[str, Any]) -> ModelAlias:
    """The alias with the fields that were sent; what says nothing of its targets leaves them as they are."""
    changed = replace(current, **{name: sent[name] for name in _ALIAS_FIELDS if name in sent})
    primary, *rest = current.targets
    own = {name: sent[name] for name in TARGET_FIELDS if name in sent}
    if "fallbacks" in sent:
        settings = {name: getattr(primary, name) for name in TARGET_FIELDS} | {"litellm_model": primary.litellm_model}
        return replace(changed, targets=of_settings(settings | dict(sent), current.targets, changed.mode))
    litellm_model = sent.get("litellm_model", primary.litellm_model)
    if litellm_model != primary.litellm_model:
        if any(target.litellm_model == litellm_model for target in rest):
            raise InvalidRequestError("fallbacks: the model itself cannot be its fallback", param="fallbacks")
        # Another model is another target: only what a request could have set of the one before stays.
        own = {name: getattr(primary, name) for name in TARGET_FIELDS} | own
        first = target_of(None, litellm_model, primary.priority, **own)
    else:
        first = target_of(primary, litellm_model, primary.priority, **own)
    targets = (first, *rest)
    check_prices(targets[0], changed.mode)
    return replace(changed, targets=targets)


def check_prices(target: Target, mode: Mode, within: str = "") -> None:
    """An override of a model that the catalogue does not know must be whole: what is left out would cost 0 (Q-60).

    ``within`` is where the fields stand in the request.
    """
    if answers.is_known(target.priced_as):
        return
    needed = ("pricing_input", "pricing_output") if mode is Mode.CHAT else ("pricing_input",)
    given = [name for name in TARGET_FIELDS if name != "api_base" and getattr(target, name) is not None]
    missing = [name for name in needed if name not in given]
    if given and missing:
        raise InvalidRequestError(
            f"{within}{missing[0]}: must be set too, because the price of '{target.priced_as}' is not known",
            param=within + missing[0],
        )
