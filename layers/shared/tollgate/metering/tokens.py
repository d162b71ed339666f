"""Our own count of tokens, for providers that report none (many do not, on streams).

The rule, also in docs/operations.md. A text is cut the way byte-pair tokenizers cut it before merging: words with
their leading blank, numbers, runs of punctuation, runs of blanks. Then

* a word of ASCII letters counts 1 token for its first 7 letters and 1 for every 4 more;
* digits count 1 each, up to groups of 3 in tokenizers that group them: we count 1 for every digit;
* punctuation counts 1 for every 2 characters, a run of blanks or line ends 1 for every 4;
* anything else counts 1 for every 2 UTF-8 bytes.

A prompt adds 4 tokens a message, 3 for the answer's start, and 32 when no system message is sent, since chat templates
then put one of their own. An answer counts as many tokens as the stream had pieces, or the text's count if that is
more: servers that send a piece for every token are counted exactly. The rule leans upwards: it may be a few per cent
above the provider's figure, and is never more than 5 % below it. What is counted so is marked ``estimated``.
"""

from __future__ import annotations

import re
from typing import Any

TOKENS_PER_MESSAGE = 4
TOKENS_FOR_ANSWER = 3
TOKENS_FOR_DEFAULT_SYSTEM_MESSAGE = 32

_PIECES = re.compile(r" ?[A-Za-z]+|[0-9]|[^\sA-Za-z0-9\u0080-\U0010ffff]+|\s+|[\u0080-\U0010ffff]+")


def count_text(text: str) -> int:
    """Tokens of a text by the rule above."""
    return sum(_count_piece(piece) for piece in _PIECES.findall(text))


def count_prompt(request: dict[str, Any]) -> int:
    """Tokens of a request's input: ``messages``, ``prompt`` or ``input``."""
    messages = request.get("messages")
    if isinstance(messages, list):
        tokens = TOKENS_FOR_ANSWER + TOKENS_PER_MESSAGE * len(messages)
        if not any(
            isinstance(message, dict) and message.get("role") in {"system", "developer"} for message in messages
        ):
            tokens += TOKENS_FOR_DEFAULT_SYSTEM_MESSAGE
        return tokens + sum(count_text(text) for text in texts_of(messages)) + _tools(request)
    given = request.get("prompt", request.get("input"))
    return _given_tokens(given) + sum(count_text(text) for text in texts_of(given))


def count_answer(text: str, pieces: int) -> int:
    """Tokens of a streamed answer that came in ``pieces`` with text."""
    return max(pieces, count_text(text))


def texts_of(value: Any) -> list[str]:
    """Every text in messages or inputs, media left out."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for entry in value for text in texts_of(entry)]
    if isinstance(value, dict):
        return [text for name, entry in value.items() if name in _TEXT_MEMBERS for text in texts_of(entry)]
    return []


_TEXT_MEMBERS = frozenset({"content", "text", "name", "tool_calls", "function", "arguments", "refusal", "input_text"})


def _tools(request: dict[str, Any]) -> int:
    """Tools reach the model as text; their JSON is that text, or longer."""
    tools = request.get("tools") or request.get("functions")
    return count_text(str(tools)) if tools else 0


def _given_tokens(value: Any) -> int:
    """Inputs may also be token ids, alone or in lists."""
    if isinstance(value, list):
        return sum(_given_tokens(entry) for entry in value)
    return int(isinstance(value, int))


def _count_piece(piece: str) -> int:
    first = piece[-1]
    if first.isascii() and first.isalpha():
        letters = len(piece.strip())
        return 1 if letters <= 7 else 1 + -(-(letters - 7) // 4)
    if first.isspace():
        return -(-len(piece) // 4)
    if first.isascii():
        return -(-len(piece) // 2) if not first.isdigit() else 1
    return -(-len(piece.encode(errors="replace")) // 2)
