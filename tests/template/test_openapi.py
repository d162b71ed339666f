"""Every handler's own routes, as its OpenAPI document names them, against the API's body: in both directions."""

from __future__ import annotations

import importlib
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.intrinsics import load_template
from tests.template.reading import functions, routes

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler.openapi.models import PathItem

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = load_template((ROOT / "template.yaml").read_text())
PAGES = {"/openapi.json", "/docs", "/redoc"}
"""About the API, not of it."""
METHODS = ("get", "put", "post", "delete", "patch", "head", "options")


def wired() -> dict[str, set[str]]:
    """Handler → the routes that the template gives it, greedy variables as plain ones."""
    handlers = {name: own["Handler"] for name, own in functions(TEMPLATE).items()}
    found = defaultdict(set)
    for route in routes(TEMPLATE):
        handler = handlers[route.function or ""]
        if handler.startswith(("admin.", "litellm.")) and route.path not in PAGES:
            found[handler].add(f"{route.method} {route.path.replace('+}', '}')}")
    return found


def documented(path: str, item: PathItem) -> set[str]:
    return {f"{method.upper()} {path}" for method in METHODS if getattr(item, method) is not None}


@pytest.mark.parametrize(
    ("handler", "expected"), wired().items(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_handler_answers_what_the_template_sends_it(handler: str, expected: set[str]) -> None:
    module = importlib.import_module(handler.removesuffix(".handler"))
    paths = module.app.get_openapi_schema().paths or {}
    assert {route for path, item in paths.items() for route in documented(path, item)} == expected
