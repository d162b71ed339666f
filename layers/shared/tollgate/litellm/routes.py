"""The routes of the gateway, out of its OpenAPI document: there is no other list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tollgate.litellm.fields import DialectRow


class RouteRow(DialectRow):
    """``endpoint`` is the operation that answers."""

    path: str
    methods: list[str]
    name: str
    endpoint: str


class Routes(DialectRow):
    routes: list[RouteRow]


def listed(document: Mapping[str, Any]) -> Routes:
    """Every operation of the document, by path and method."""
    return Routes(
        routes=[
            RouteRow(path=path, methods=[method.upper()], name=own["summary"], endpoint=own["operationId"])
            for path, item in document["paths"].items()
            for method, own in item.items()
        ]
    )
