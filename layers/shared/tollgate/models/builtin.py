"""The access groups that every installation has (Q-44). Data: they exist without being stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BuiltinGroup:
    """A group that comes with Tollgate; creating one of the same name replaces it."""

    description: str
    model_aliases: tuple[str, ...]


BUILTIN_GROUPS: Mapping[str, BuiltinGroup] = {
    "claude-models": BuiltinGroup("Claude models of any provider", ("claude-*", "anthropic/*")),
    "fast-models": BuiltinGroup(
        "Small, quick, cheap models",
        ("gpt-*-mini*", "gpt-*-nano*", "gpt-3.5-*", "claude-*haiku*", "gemini-*flash*"),
    ),
    "gemini-models": BuiltinGroup("Gemini models of any provider", ("gemini-*", "gemini/*")),
    "gpt-models": BuiltinGroup("GPT models of any provider", ("gpt-*", "openai/gpt-*", "azure/gpt-*")),
    "smart-models": BuiltinGroup(
        "Large models for hard work",
        ("gpt-4", "gpt-4o", "gpt-4.1", "gpt-5", "gpt-5.*", "claude-*opus*", "claude-*sonnet*", "gemini-*pro*"),
    ),
}
