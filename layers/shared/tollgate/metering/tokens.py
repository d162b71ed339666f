"""Our own count of tokens, for providers that report none (many do not, on streams).

The rule, which docs/operations.md shows. It knows no vocabulary, so it leans upwards: on English prose it says about a
tenth more than the provider, on code and lists up to a half more; on other languages it is set by the tokenizers that
split them most, so that it is never more than 5 % below one of them. A text is cut into runs, and counts

* a word of an English text (at least one word in eight is a common English one): 1, and 1 more for every 3 letters
  beyond the sixth; a word of any other text: 1 for every 2 letters; capitals: 1 for every 2 letters anywhere;
* letters and digits mixed, as in hashes and base64: 9 for every 10 characters; digits: 1 each;
* punctuation: 1 each; a blank before a word: none, before a digit: 1; other runs of blanks and line ends: 1, and 1 for
  every 4 more;
* anything else: 3 for every 4 UTF-8 bytes, Hangul 1 for every byte.

A prompt adds 4 tokens a message, 3 for the answer's start, and 32 when no system message is sent, since chat templates
then put one of their own. An answer counts a token for every piece of the stream, which is exact for servers that send
a piece for every token; where pieces hold several words or text beyond ASCII, whose characters may take several tokens,
the text's count if that is more. What is counted so is marked ``estimated``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

TOKENS_PER_MESSAGE = 4
TOKENS_FOR_ANSWER = 3
TOKENS_FOR_DEFAULT_SYSTEM_MESSAGE = 32

_RUNS = re.compile(
    r"(?P<gap> (?=[0-9]))|(?P<blank>\s+)|(?P<plain>[A-Za-z0-9]+)"
    r"|(?P<hangul>[\u1100-\u11ff\uac00-\ud7af]+)|(?P<sign>[!-~])|(?P<other>[^\s!-~])"
)
# No tokenizer has a token with a blank between two words.
_SEVERAL_WORDS = re.compile(r"\S[ \t]+\S")
_HUMPS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_ENGLISH = frozenset(
    {
        "the",
        "of",
        "and",
        "to",
        "is",
        "that",
        "for",
        "it",
        "you",
        "with",
        "are",
        "this",
        "be",
        "have",
        "as",
        "what",
        "how",
    }
    | {"please", "not", "or", "by", "from", "at", "an", "which", "we", "your", "can", "if", "about", "would", "there"}
    | {"do", "use", "they", "has", "make", "write", "should", "when", "explain", "give", "tell", "say", "why", "who"}
)


def count_text(text: str) -> int:
    """Tokens of a text by the rule above."""
    words = [word.lower() for word in re.findall(r"[A-Za-z]+", text)]
    english = sum(word in _ENGLISH for word in words) * 8 >= len(words)
    tenths = sum(_count_run(run.lastgroup or "", run.group(), english=english) for run in _RUNS.finditer(text))
    return -(-tenths // 10)


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


def count_answer(pieces: Sequence[str]) -> int:
    """Tokens of a streamed answer that came in these pieces, none of them empty."""
    text = "".join(pieces)
    if text.isascii() and not any(_SEVERAL_WORDS.search(piece) for piece in pieces):
        return len(pieces)
    return max(len(pieces), count_text(text))


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


def _count_run(kind: str, run: str, *, english: bool) -> int:
    """Tenths of a token."""
    match kind:
        case "blank":
            return 0 if run == " " else 10 + 10 * ((len(run) + 2) // 4)
        case "plain":
            return _count_plain(run, english=english)
        case "hangul":
            return 10 * len(run.encode())
        case "sign" | "gap":
            return 10
        case _:
            return -(-30 * len(run.encode(errors="replace")) // 4)


def _count_plain(run: str, *, english: bool) -> int:
    """Tenths of a token of ASCII letters and digits."""
    if run.isdigit():
        return 10 * len(run)
    if run.isalpha():
        return 10 * sum(_count_word(hump, english=english) for hump in _HUMPS.findall(run))
    return 9 * len(run)


def _count_word(word: str, *, english: bool) -> int:
    letters = len(word)
    if word.isupper() or not english:
        return -(-letters // 2)
    return 1 if letters <= 6 else 1 - (6 - letters) // 3
