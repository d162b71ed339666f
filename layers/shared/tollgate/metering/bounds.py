"""How many tokens a call can use at most, known before it is made (design section 3, Q-14)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tollgate.core.errors import InvalidRequestError

# What provider-side templates, tool preambles and separators may add to the bytes of the body.
TEMPLATE_ALLOWANCE = 512
# Documented maxima: the largest image costs 36,835 tokens (gpt-4o-mini, high detail), rounded up.
TOKENS_PER_IMAGE = 40_000
TOKENS_PER_FILE = 100_000
DEFAULT_MAX_OUTPUT_TOKENS = 4096
# What clients call the maximum of output tokens.
OUTPUT_LIMITS = ("max_completion_tokens", "max_tokens")
MAX_CHOICES = 128

_MEDIA = {"image_url": TOKENS_PER_IMAGE, "input_image": TOKENS_PER_IMAGE, "file": TOKENS_PER_FILE}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Upper bounds of a call's tokens.

    Attributes:
        input: tokens of everything that is sent.
        output: tokens of one answer.
        choices: how many answers are asked for.
        explicit: the client named the output maximum himself.
        sent: the maximum has to be put into the request, because the client named none or a larger one.
    """

    input: int
    output: int
    choices: int
    explicit: bool
    sent: bool


def bounds_of(
    request: dict[str, Any],
    size: int,
    context_window: int | None,
    max_output_tokens: int | None,
    most_output: int | None = None,
) -> Bounds:
    """Bounds of a request whose body has ``size`` bytes, for an alias with those limits.

    ``most_output``: the caller is not to get longer answers, whatever the alias has.

    Every token stands for at least one byte of text, so the body's bytes bound the text's tokens; media are not text
    and count by their documented maximum. Raises InvalidRequestError naming the field that is no sensible number.
    """
    # Providers differ in which one they obey when both are given.
    asked = max((limit for name in OUTPUT_LIMITS if (limit := _positive(request, name))), default=None)
    alias_limit = max_output_tokens or DEFAULT_MAX_OUTPUT_TOKENS
    most = min(alias_limit, most_output) if most_output is not None else alias_limit
    output = min(asked, most) if asked else most
    tokens = size + TEMPLATE_ALLOWANCE + media_tokens(request)
    return Bounds(
        input=min(tokens, context_window * _inputs(request)) if context_window else tokens,
        output=output,
        choices=_choices(request),
        explicit=asked is not None,
        sent=output != asked and not (asked is None and output == max_output_tokens),
    )


def _choices(request: dict[str, Any]) -> int:
    answers = max(_positive(request, "n") or 1, _positive(request, "best_of") or 1)
    if answers > MAX_CHOICES:
        raise InvalidRequestError(f"n may be at most {MAX_CHOICES}", param="n")
    return answers * _inputs(request)


def _inputs(request: dict[str, Any]) -> int:
    """How many texts are sent at once, each of which may fill the context window."""
    given = request.get("prompt", request.get("input"))
    return len(given) if isinstance(given, list) and given and not isinstance(given[0], int) else 1


def _positive(request: dict[str, Any], name: str) -> int | None:
    value = request.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1 or value > 10**9:
        raise InvalidRequestError(f"{name} must be a positive integer", param=name)
    return value


def media_tokens(request: dict[str, Any]) -> int:
    """The most that images and files of the messages can come to."""
    messages = request.get("messages")
    if not isinstance(messages, list):
        return 0
    parts = (
        part
        for message in messages
        if isinstance(message, dict) and isinstance(message.get("content"), list)
        for part in message["content"]
        if isinstance(part, dict)
    )
    return sum(_MEDIA.get(str(part.get("type")), 0) for part in parts)
