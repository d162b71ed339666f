"""DynamoDB's expressions over raw items, as far as the money path writes them; whatever else comes is an error.

An expression is compiled once; names and values are those of the request that brings it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from itertools import pairwise
from typing import Any

Item = dict[str, Any]
# From the item and its request to a typed value, None where nothing is; or to true or false.
Operand = Callable[["Item", "Request"], "dict[str, Any] | None"]
Condition = Callable[["Item", "Request"], bool]
Path = tuple[str, ...]

_TOKENS = re.compile(r"\s*(<>|<=|>=|[(),.=<>+\-]|[#:]?[A-Za-z0-9_]+)")
_PLACEHOLDERS = re.compile(r"[#:][A-Za-z0-9_]+")
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda one, other: one == other,
    "<>": lambda one, other: one != other,
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}


class InvalidExpressionError(Exception):
    """What DynamoDB calls a ValidationException."""


@dataclass(frozen=True, slots=True)
class Request:
    """Names and values that a request brings along."""

    names: dict[str, str]
    values: dict[str, Any]

    @classmethod
    def of(cls, payload: dict[str, Any]) -> Request:
        """Those of a payload. What its expressions do not use is an error, as it is in DynamoDB."""
        found = cls(payload.get("ExpressionAttributeNames", {}), payload.get("ExpressionAttributeValues", {}))
        written = " ".join(text for name, text in payload.items() if name.endswith("Expression"))
        if {*found.names, *found.values} != set(_PLACEHOLDERS.findall(written)):
            raise InvalidExpressionError(f"names and values do not fit: {written}")
        return found

    def path(self, path: Path) -> Path:
        return tuple(self.names[part] if part.startswith("#") else part for part in path)


@dataclass(frozen=True, slots=True)
class Update:
    """A compiled update expression."""

    sets: tuple[tuple[Path, Operand], ...]
    removed: tuple[Path, ...]

    def check(self, request: Request) -> None:
        """Two paths of one update may not meet: neither the same nor one within the other."""
        ordered = sorted(request.path(path) for path in [*(path for path, _ in self.sets), *self.removed])
        if any(other[: len(one)] == one for one, other in pairwise(ordered)):
            raise InvalidExpressionError("Two document paths overlap with each other")

    def apply(self, item: Item, request: Request) -> tuple[Item, set[str]]:
        """The item after it and the attributes that were set. Every value is of the item before."""
        values = [(request.path(path), value(item, request)) for path, value in self.sets]
        removed = [request.path(path) for path in self.removed]
        after = _copied(item)
        for path, found in values:
            if found is None:
                raise InvalidExpressionError("an operand is not there")
            _parent(after, path)[path[-1]] = found
        for path in removed:
            _parent(after, path).pop(path[-1], None)
        return after, {path[0] for path, _ in values}


@cache
def condition(text: str) -> Condition:
    """A compiled condition."""
    parser = _Parser(text)
    return parser.finished(parser.either())


@cache
def update(text: str) -> Update:
    """A compiled update: ``SET`` and ``REMOVE``."""
    parser = _Parser(text)
    sets: list[tuple[Path, Operand]] = []
    removed: list[Path] = []
    while not parser.is_done:
        match parser.take():
            case "SET":
                sets += parser.listed(parser.assignment)
            case "REMOVE":
                removed += parser.listed(parser.path)
            case other:
                raise InvalidExpressionError(other)
    return Update(tuple(sets), tuple(removed))


class _Parser:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, text: str) -> None:
        self._tokens = _TOKENS.findall(text)
        if "".join(self._tokens) != re.sub(r"\s", "", text):
            raise InvalidExpressionError(text)
        self._next = 0

    @property
    def is_done(self) -> bool:
        return self._next == len(self._tokens)

    def finished(self, found: Condition) -> Condition:
        if not self.is_done:
            raise InvalidExpressionError(" ".join(self._tokens))
        return found

    def take(self, wanted: str | None = None) -> str:
        token: str = "" if self.is_done else self._tokens[self._next]
        if not token or wanted not in {None, token}:
            raise InvalidExpressionError(" ".join(self._tokens))
        self._next += 1
        return token

    def comes(self, *tokens: str) -> bool:
        """Takes the next token if it is one of these."""
        if self.is_done or self._tokens[self._next] not in tokens:
            return False
        self._next += 1
        return True

    def listed(self, parse: Callable[[], Any]) -> list[Any]:
        found = [parse()]
        while self.comes(","):
            found.append(parse())
        return found

    def path(self) -> Path:
        parts = [self._name()]
        while self.comes("."):
            parts.append(self._name())
        return tuple(parts)

    def _name(self) -> str:
        token = self.take()
        if not re.fullmatch(r"#?[A-Za-z0-9_]+", token):
            raise InvalidExpressionError(" ".join(self._tokens))
        return token

    def assignment(self) -> tuple[Path, Operand]:
        path = self.path()
        self.take("=")
        value = self.operand()
        while not self.is_done and self._tokens[self._next] in {"+", "-"}:
            value = _sum(value, 1 if self.take() == "+" else -1, self.operand())
        return path, value

    def operand(self) -> Operand:
        token = self._tokens[self._next]
        if token.startswith(":"):
            return _value(self.take())
        if token == "if_not_exists":
            self.take()
            self.take("(")
            path = self.path()
            self.take(",")
            other = self.operand()
            self.take(")")
            return _first(_read(path), other)
        if token == "size":
            self.take()
            self.take("(")
            path = self.path()
            self.take(")")
            return _size(_read(path))
        return _read(self.path())

    def either(self) -> Condition:
        found = [self._both()]
        while self.comes("OR"):
            found.append(self._both())
        return found[0] if len(found) == 1 else lambda item, request: any(one(item, request) for one in found)

    def _both(self) -> Condition:
        found = [self._single()]
        while self.comes("AND"):
            found.append(self._single())
        return found[0] if len(found) == 1 else lambda item, request: all(one(item, request) for one in found)

    def _single(self) -> Condition:
        if self.comes("("):
            inner = self.either()
            self.take(")")
            return inner
        if self._tokens[self._next] in {"attribute_exists", "attribute_not_exists"}:
            there = self.take() == "attribute_exists"
            self.take("(")
            read = _read(self.path())
            self.take(")")
            return lambda item, request: (read(item, request) is not None) is there
        if self._tokens[self._next] == "begins_with":
            self.take()
            self.take("(")
            read = _read(self.path())
            self.take(",")
            prefix = self.operand()
            self.take(")")
            return _begins(read, prefix)
        left = self.operand()
        if self.comes("BETWEEN"):
            low = self.operand()
            self.take("AND")
            high = self.operand()
            above, below = _compared(left, ">=", low), _compared(left, "<=", high)
            return lambda item, request: above(item, request) and below(item, request)
        return _compared(left, self.take(), self.operand())


def _value(name: str) -> Operand:
    def value(item: Item, request: Request) -> dict[str, Any]:
        found: dict[str, Any] = request.values[name]
        return found

    return value


def _read(path: Path) -> Operand:
    return lambda item, request: _at(item, request.path(path))


def _first(read: Operand, other: Operand) -> Operand:
    def value(item: Item, request: Request) -> dict[str, Any] | None:
        otherwise = other(item, request)
        found = read(item, request)
        return otherwise if found is None else found

    return value


def _size(read: Operand) -> Operand:
    def value(item: Item, request: Request) -> dict[str, Any] | None:
        found = read(item, request)
        if found is None:
            return None
        ((kind, inner),) = found.items()
        if kind not in {"M", "L", "S"}:
            raise InvalidExpressionError(f"size of {kind}")
        return {"N": str(len(inner))}

    return value


def _sum(left: Operand, sign: int, right: Operand) -> Operand:
    def value(item: Item, request: Request) -> dict[str, Any] | None:
        one, other = left(item, request), right(item, request)
        if one is None or other is None:
            return None
        return {"N": plain(Decimal(one["N"]) + sign * Decimal(other["N"]))}

    return value


def _compared(left: Operand, sign: str, right: Operand) -> Condition:
    compare = _COMPARISONS.get(sign)
    if compare is None:
        raise InvalidExpressionError(sign)

    def holds(item: Item, request: Request) -> bool:
        one, other = left(item, request), right(item, request)
        if one is None or other is None:
            return sign == "<>"
        kind, other_kind = next(iter(one)), next(iter(other))
        if kind != other_kind:
            return sign == "<>"
        if kind == "N":
            return compare(Decimal(one["N"]), Decimal(other["N"]))
        if kind not in {"S", "BOOL"}:
            raise InvalidExpressionError(f"comparison of {kind}")
        return compare(one[kind], other[kind])

    return holds


def _begins(read: Operand, prefix: Operand) -> Condition:
    def holds(item: Item, request: Request) -> bool:
        found, start = read(item, request), prefix(item, request)
        return found is not None and start is not None and found["S"].startswith(start["S"])

    return holds


def plain(number: Decimal) -> str:
    """A number as DynamoDB tells it: without an exponent and trailing zeros."""
    return format(number.normalize() if number else Decimal(0), "f")


def _at(item: Item, path: Path) -> dict[str, Any] | None:
    here: Item | None = item
    value: dict[str, Any] | None = None
    for name in path:
        value = here.get(name) if here is not None else None
        here = value.get("M") if value is not None else None
    return value


def _parent(item: Item, path: Path) -> Item:
    here = item
    for name in path[:-1]:
        if "M" not in here.get(name, {}):
            raise InvalidExpressionError("The document path provided in the update expression is invalid for update")
        here = here[name]["M"]
    return here


def _copied(item: Item) -> Item:
    """Maps anew, their leaves shared: nobody changes a leaf."""
    return {name: {"M": _copied(value["M"])} if "M" in value else value for name, value in item.items()}
