"""What a call's answer says of itself beside its body (Q-30)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from tollgate.core.money import ZERO, plain
from tollgate.limits.model import NO_LIMITS, Scope, Unit
from tollgate.metering.counters import Balance
from tollgate.metering.model import Call, Counter, Meter
from tollgate.metering.shortages import descriptor

_NAMES = {Unit.REQUESTS: "requests", Unit.TOKENS: "tokens"}


def headers_of(call: Call, balance: Balance | None) -> dict[str, str]:
    """Response headers of a call (Q-30); cost and credits only where they are known before the body."""
    headers = {
        "x-request-id": call.call_id,
        "x-litellm-call-id": call.call_id,
        "x-litellm-model-group": call.requested_model,
        "x-litellm-model-id": call.target_id or "",
    }
    if call.region is not None:
        headers["x-litellm-model-region"] = call.region
    headers |= _rate_limits(call) | limits_of_key(call.meters) | _spent_by_key(call)
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


def limits_of_key(meters: Iterable[Meter]) -> dict[str, str]:
    """Headers with the limits of the key that calls; a call that is refused for now has them, too (contract 4.5)."""
    limits = next((meter.limits for meter in meters if meter.scope is Scope.KEY), NO_LIMITS)
    found = {"max-budget": limits.max_budget, "rpm-limit": limits.rpm_limit, "tpm-limit": limits.tpm_limit}
    return {f"x-litellm-key-{name}": plain(Decimal(value)) for name, value in found.items() if value is not None}


def _spent_by_key(call: Call) -> dict[str, str]:
    """What the key has spent of its budget, where that is known before the body."""
    spent = next((hold.spent for hold in call.holds if hold.meter.scope is Scope.KEY), None)
    return {"x-litellm-key-spend": plain(spent)} if spent is not None and not call.streamed else {}


def _rate_limits(call: Call) -> dict[str, str]:
    """Of requests and of tokens each limit by its descriptor, and the one of which the least is left by none."""
    found: dict[Unit, tuple[Decimal, Counter]] = {}
    headers: dict[str, str] = {}
    for hold in call.holds:
        for counter in hold.rates():
            left = max(ZERO, counter.size - hold.values.get(counter.name, ZERO))
            unit = counter.ceiling.unit
            limited = descriptor(hold.meter.scope, counter.ceiling.model)
            headers[f"x-ratelimit-{limited}-limit-{_NAMES[unit]}"] = plain(counter.size)
            headers[f"x-ratelimit-{limited}-remaining-{_NAMES[unit]}"] = plain(left)
            if unit not in found or left < found[unit][0]:
                found[unit] = left, counter
    for unit, (left, counter) in found.items():
        name = _NAMES[unit]
        resets = counter.ceiling.window(call.started_at).end or 0
        headers[f"x-ratelimit-limit-{name}"] = plain(counter.size)
        headers[f"x-ratelimit-remaining-{name}"] = plain(left)
        headers[f"x-ratelimit-reset-{name}"] = f"{max(0, int(resets - call.started_at))}s"
    return headers
