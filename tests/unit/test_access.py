"""Which models an entry list opens (Q-23)."""

from __future__ import annotations

import time
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollgate.models.access import allows, visible
from tollgate.models.builtin import BUILTIN_GROUPS

GROUPS = {"basic": ("fast", "gpt-*"), "nested": ("basic",), "all": ("*",)}


@pytest.mark.parametrize(
    ("entries", "alias", "opened"),
    [
        ([], "fast", False),
        (["fast"], "fast", True),
        (["fast"], "faster", False),
        (["Fast"], "fast", False),
        (["gpt-*"], "gpt-4o", True),
        (["gpt-*"], "gpt-", True),
        (["gpt-*"], "my-gpt-4o", False),
        (["*-mini"], "gpt-4o-mini", True),
        (["*-mini"], "gpt-4o-mini-2", False),
        (["openai/*"], "openai/org/gpt-4o", True),
        (["gpt-*-mini-*"], "gpt-mini-", False),
        (["a*a"], "a", False),
        (["a*a"], "aa", True),
        (["*"], "whatever/it:is", True),
        (["all-proxy-models"], "fast", True),
        (["all-team-models"], "fast", True),
        (["no-default-models"], "fast", False),
        (["no-default-models"], "no-default-models", False),
        (["no-default-models", "fast"], "fast", True),
        (["basic"], "fast", True),
        (["basic"], "gpt-4o", True),
        (["basic"], "slow", False),
        (["basic"], "basic", True),
        (["nested"], "fast", False),
        (["all"], "slow", True),
        (["unknown"], "fast", False),
        (["slow", "basic"], "fast", True),
    ],
)
def test_allows(entries: list[str], alias: str, *, opened: bool) -> None:
    assert allows(entries, alias, GROUPS) is opened


@given(st.text("ab*/", min_size=1, max_size=12), st.text("ab/", max_size=12))
def test_wildcards_mean_what_fnmatch_says(wildcard: str, alias: str) -> None:
    if "*" in wildcard:
        assert allows([wildcard], alias, {}) is fnmatchcase(alias, wildcard)


def test_a_hostile_wildcard_costs_nothing() -> None:
    started = time.thread_time()
    assert not allows(["*a" * 127 + "b"], "a" * 255, {})
    assert time.thread_time() - started < 0.05


def test_visible_needs_every_level() -> None:
    aliases = ["slow", "fast", "gpt-4o", "gpt-4"]
    assert visible([], aliases, GROUPS) == ["fast", "gpt-4", "gpt-4o", "slow"]
    assert visible([["basic"]], aliases, GROUPS) == ["fast", "gpt-4", "gpt-4o"]
    assert visible([["basic"], ["*4o", "slow"]], aliases, GROUPS) == ["gpt-4o"]
    assert visible([["basic"], []], aliases, GROUPS) == []


@pytest.mark.parametrize(
    ("group", "inside", "outside"),
    [
        ("gpt-models", "gpt-4o", "claude-sonnet-4-5"),
        ("claude-models", "claude-sonnet-4-5", "gpt-4o"),
        ("gemini-models", "gemini-2.5-pro", "gpt-4o"),
        ("fast-models", "gpt-4o-mini", "gpt-4o"),
        ("smart-models", "claude-opus-4-1", "claude-haiku-4-5"),
    ],
)
def test_builtin_groups(group: str, inside: str, outside: str) -> None:
    groups = {name: builtin.model_aliases for name, builtin in BUILTIN_GROUPS.items()}
    assert allows([group], inside, groups)
    assert not allows([group], outside, groups)
