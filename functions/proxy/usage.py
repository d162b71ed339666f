"""Reading what a provider says a call used."""

from __future__ import annotations

from typing import Any

from tollgate.metering.model import Usage


def reported(usage: Any) -> Usage | None:
    """The provider's usage object, or None if it is missing or makes no sense."""
    if not isinstance(usage, dict):
        return None
    prompt = _tokens(usage.get("prompt_tokens", usage.get("input_tokens")))
    output = _tokens(usage.get("completion_tokens", usage.get("output_tokens", 0)))
    if prompt is None or output is None:
        return None
    cached = _tokens(_detail(usage, "prompt_tokens_details", "cached_tokens")) or 0
    reasoning = _tokens(_detail(usage, "completion_tokens_details", "reasoning_tokens")) or 0
    return Usage(input=prompt, output=output, cached=min(cached, prompt), reasoning=min(reasoning, output))


def shown(usage: Usage) -> dict[str, Any]:
    """A usage object as OpenAI has it."""
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.total,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


def _detail(usage: dict[str, Any], group: str, name: str) -> Any:
    details = usage.get(group)
    return details.get(name) if isinstance(details, dict) else None


def _tokens(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
