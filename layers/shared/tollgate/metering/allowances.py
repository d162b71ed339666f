"""What a user or a customer may not go beyond, whatever the model: a region, and tokens in and out (decisions 7)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from tollgate.aws.dynamodb import Item
from tollgate.core.errors import ForbiddenError, InvalidRequestError
from tollgate.metering.attributes import decimal, text
from tollgate.metering.bounds import Bounds, media_tokens
from tollgate.metering.catalogue import Model, Target
from tollgate.metering.tokens import count_prompt

_INPUT, _OUTPUT = "allowed_model_max_input_tokens", "allowed_model_max_output_tokens"


@dataclass(frozen=True, slots=True)
class Allowances:
    """``regions``: every target has to be in all of them. Tokens are of one request, and of one answer."""

    regions: tuple[str, ...] = ()
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None

    @classmethod
    def of(cls, user: Item | None, customer: Item | None) -> Allowances:
        """What the items on a call's path say; only users have maxima of tokens."""
        named = (text(item, "allowed_model_region") for item in (user, customer))
        regions = tuple(dict.fromkeys(region.casefold() for region in named if region))
        most = [decimal(user, name) for name in (_INPUT, _OUTPUT)]
        return cls(regions, *(int(one) if one is not None else None for one in most))

    def serves(self, model: Model) -> bool:
        """Whether any target of the model may be asked."""
        return not self.regions or any(_lies_in(target, self.regions) for target in model.targets)

    def within(self, model: Model) -> Model:
        """The model with those targets only that may be asked. Raises ForbiddenError if none is left."""
        if not self.regions:
            return model
        targets = tuple(target for target in model.targets if _lies_in(target, self.regions))
        if not targets:
            where = " and ".join(f"'{region}'" for region in self.regions)
            message = f"Model access denied: no target of model '{model.alias}' is in region {where}"
            raise ForbiddenError(message, code="model_region_denied", param="model")
        return replace(model, targets=targets)

    def check_input(self, request: dict[str, Any], bounds: Bounds) -> None:
        """Raises InvalidRequestError for a request of more tokens than may be sent.

        The bound is by bytes and says too much of nearly everything; what is above it is counted by our own rule.
        """
        most = self.max_input_tokens
        if most is None or bounds.input <= most:
            return
        counted = min(bounds.input, count_prompt(request) + media_tokens(request))
        if counted > most:
            field = next((name for name in ("messages", "prompt", "input") if name in request), "messages")
            message = f"{field}: {counted} input tokens are more than this user may send (at most {most})"
            raise InvalidRequestError(message, code="max_input_tokens_exceeded", param=field)


def _lies_in(target: Target, regions: Iterable[str]) -> bool:
    """Whether it is in all of them. Where nobody has said where a target is, it is nowhere."""
    own = (target.region or "").casefold()
    return all(own == region or own.startswith(f"{region}-") or _is_part(own, region) for region in regions)


def _is_part(own: str, region: str) -> bool:
    named = _PARTS.get(region)
    return named is not None and named.match(own) is not None


# Parts of the world in the words of providers that do not begin with them: ``europe-west4``, ``westus3``.
_PARTS = {
    "eu": re.compile(r".*europe|france|germany|italy|poland|spain|sweden"),
    "us": re.compile(r".*us[0-9]?$"),
}
