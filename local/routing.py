"""Which route of the API a request takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from local.template import Route


@dataclass
class _Node:
    """One level of the resource tree."""

    children: dict[str, _Node] = field(default_factory=dict)
    variable: tuple[str, _Node] | None = None
    greedy: tuple[str, _Node] | None = None
    routes: dict[str, Route] = field(default_factory=dict)


class Router:
    """The API's resource tree: at every level a literal wins over a variable, that over a greedy.

    Paths are matched as they are sent, percent-encoded; a slash at the end does not count.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        for route in routes:
            self._add(route)

    def _add(self, route: Route) -> None:
        node = self._root
        for part in _parts(route.path):
            node = _child(node, part)
        node.routes[route.method] = route

    def match(self, method: str, path: str) -> tuple[Route | None, dict[str, str], bool]:
        """The route (None: no such path or method), its variables, and whether the path exists."""
        found = _walk(self._root, _parts(path))
        if found is None:
            return None, {}, False
        node, parameters = found
        return node.routes.get(method) or node.routes.get("ANY"), parameters, True


def _parts(path: str) -> list[str]:
    return path.strip("/").split("/") if path.strip("/") else []


def _child(node: _Node, part: str) -> _Node:
    """The child for one part of a path template; made if missing, ValueError if names clash."""
    if not part.startswith("{"):
        return node.children.setdefault(part, _Node())
    greedy = part.endswith("+}")
    name = part.strip("{}+")
    existing = node.greedy if greedy else node.variable
    if existing is None:
        existing = (name, _Node())
        if greedy:
            node.greedy = existing
        else:
            node.variable = existing
    if existing[0] != name:
        message = f"one variable name per path level: {{{existing[0]}}} and {{{name}}}"
        raise ValueError(message)
    return existing[1]


def _walk(node: _Node, parts: list[str]) -> tuple[_Node, dict[str, str]] | None:
    if not parts:
        return (node, {}) if node.routes else None
    head, rest = parts[0], parts[1:]
    if head in node.children:
        found = _walk(node.children[head], rest)
        if found is not None:
            return found
    if node.variable is not None and head:
        name, child = node.variable
        found = _walk(child, rest)
        if found is not None:
            return found[0], {name: head, **found[1]}
    if node.greedy is not None:
        name, child = node.greedy
        return child, {name: "/".join(parts)}
    return None
