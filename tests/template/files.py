"""Rules between the template and the files of `functions/` and `events/`, in both directions.

Each is a function from a template to its violations.
"""

from __future__ import annotations

import ast
import json
import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from tests.template.reading import DATA_PLANE_HANDLER, Template, functions, routes

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = ROOT / "functions"
EVENTS = ROOT / "events"
EXPECTED = EVENTS / "expected.json"
"""Event file → the status that its function answers."""


def handlers(template: Template) -> Iterator[str]:
    """Every handler is a file with that symbol, every module of an entry point is one function's handler."""
    declared = defaultdict(list)
    for name, own in functions(template).items():
        declared[own["Handler"]].append(name)
    for handler, users in declared.items():
        if len(users) > 1:
            yield f"{handler} is the handler of {sorted(users)}"
        if handler != DATA_PLANE_HANDLER and not _defines_handler(handler):
            yield f"{handler} of {users[0]} does not exist"
    if DATA_PLANE_HANDLER not in declared or not (FUNCTIONS / DATA_PLANE_HANDLER).is_file():
        yield f"{DATA_PLANE_HANDLER} is missing"
    for path in entry_points():
        handler = ".".join(path.relative_to(FUNCTIONS).with_suffix("").parts) + ".handler"
        if handler not in declared:
            yield f"{handler} is no function's handler"


def entry_points() -> Iterator[Path]:
    """Files that are handlers: every module of functions/ but the data plane's and private ones."""
    for path in sorted(FUNCTIONS.rglob("*.py")):
        if path.parent != FUNCTIONS / "proxy" and not path.name.startswith("_"):
            yield path


def _defines_handler(handler: str) -> bool:
    *parts, symbol = handler.split(".")
    path = FUNCTIONS.joinpath(*parts).with_suffix(".py")
    if not path.is_file():
        return False
    assigned = (node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Assign | ast.FunctionDef))
    return any(
        node.name == symbol
        if isinstance(node, ast.FunctionDef)
        else any(isinstance(target, ast.Name) and target.id == symbol for target in node.targets)
        for node in assigned
    )


def routed_functions(template: Template) -> Iterator[str]:
    """Every function has a route or is started by something else; the docstring begins with one."""
    by_function = defaultdict(set)
    for route in routes(template):
        by_function[route.function].add(str(route).replace("+}", "}"))
    for name, own in functions(template).items():
        handler = own["Handler"]
        if not handler.startswith(("admin.", "litellm.")):
            continue
        if not by_function[name]:
            yield f"{name} has no route"
        path = FUNCTIONS.joinpath(*handler.split(".")[:-1]).with_suffix(".py")
        first = (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n")[0] if path.is_file() else ""
        if path.is_file() and not any(re.match(rf"{re.escape(route)}[:,]", first) for route in by_function[name]):
            yield f"{handler} says {first!r}, the template {sorted(by_function[name])}"


def events(template: Template) -> Iterator[str]:
    """Every function has an event of its name, every event belongs to a function and is JSON."""
    known = {name.removesuffix("Function") for name in functions(template)}
    files = sorted(set(EVENTS.glob("*.json")) - {EXPECTED})
    for missing in sorted(known - {path.name.removesuffix(".json") for path in files}):
        yield f"events/{missing}.json is missing"
    for path in files:
        if path.name.split(".")[0] not in known:
            yield f"{path.name} belongs to no function"
        elif not isinstance(json.loads(path.read_text()), dict):
            yield f"{path.name} is no event"


ALL = (handlers, routed_functions, events)
