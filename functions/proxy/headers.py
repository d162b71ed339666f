"""What a call's answer says of itself beside its body (Q-30)."""

from __future__ import annotations

from decimal import Decimal

from tollgate.core.money import ZERO, plain
from tollgate.limits.model import Unit
from tollgate.metering.counters import Balance
from tollgate.metering.model import Call, Counter

_NAMES = {Unit.REQUESTS: "requests", Unit.TOKENS: "tokens"}


def headers_of(call: Call, balance: Balance | None) -> dict[str, str]:
    """Response headers of a call (Q-30); cost and credits only where they are known before the body."""
    headers = {
        "x-request-id": call.call_id,
        "x-litellm-call-id": call.call_id,
        "x-litellm-model-group": call.requested_model,
        "x-litellm-model-id": call.target_id or "",
    }
    headers |= _rate_limits(call)
    if call.shortened:
        headers["x-tollgate-max-tokens"] = str(call.max_output_tokens)
    if not call.streamed:
        headers["x-tollgate-cost-usd"] = headers["x-litellm-response-cost"] = plain(call.charge.cost_usd)
        if balance is not None:
            headers["x-tollgate-credits-remaining"] = plain(balance.remaining)
    return headers


def comment_of(call: Call, balance: Balance | None) -> bytes:
    """The stream's last words: an SSE comment, which clients skip (Q-30)."""
    credits_left = f" credits={plain(balance.remaining)}" if balance is not None else ""
    return f": cost={plain(call.charge.cost_usd)}{credits_left}\n\n".encode()


def _rate_limits(call: Call) -> dict[str, str]:
    """Of requests and of tokens the limit of which the least is left, whosesoever it is."""
    found: dict[Unit, tuple[Decimal, Counter]] = {}
    for hold in call.holds:
        for counter in hold.rates():
            left = max(ZERO, counter.size - hold.values.get(counter.name, ZERO))
            unit = counter.ceiling.unit
            if unit not in found or left < found[unit][0]:
                found[unit] = left, counter
    headers = {}
    for unit, (left, counter) in found.items():
        name = _NAMES[unit]
        resets = counter.ceiling.window(call.started_at).end or 0
        headers[f"x-ratelimit-limit-{name}"] = plain(counter.size)
        headers[f"x-ratelimit-remaining-{name}"] = plain(left)
        headers[f"x-ratelimit-reset-{name}"] = f"{max(0, int(resets - call.started_at))}s"
    return headers
