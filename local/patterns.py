"""Event filter patterns of event source mappings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_ABSENT = object()
_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "prefix": lambda value, wanted: isinstance(value, str) and value.startswith(wanted),
    "suffix": lambda value, wanted: isinstance(value, str) and value.endswith(wanted),
    "exists": lambda value, wanted: (value is not _ABSENT) == wanted,
    "anything-but": lambda value, wanted: (
        value is not _ABSENT and value not in (wanted if isinstance(wanted, list) else [wanted])
    ),
}


def matches(pattern: Mapping[str, Any], value: Any) -> bool:
    """Whether every field of `pattern` holds for `value`; ValueError for an unknown operator."""
    return all(_field_matches(wanted, _get(value, name)) for name, wanted in pattern.items())


def _get(value: Any, name: str) -> Any:
    return value.get(name, _ABSENT) if isinstance(value, Mapping) else _ABSENT


def _field_matches(wanted: Any, value: Any) -> bool:
    if isinstance(wanted, Mapping):
        return matches(wanted, value)
    return any(_alternative_matches(one, value) for one in wanted)


def _alternative_matches(wanted: Any, value: Any) -> bool:
    if not isinstance(wanted, Mapping):
        return bool(wanted == value)
    operator, operand = next(iter(wanted.items()))
    if operator not in _TESTS:
        message = f"the filter operator {operator!r} does not run locally"
        raise ValueError(message)
    return _TESTS[operator](value, operand)
