"""Reading `template.yaml` as the rules do.

Templates are as `local.intrinsics.load_template` reads them: short intrinsic tags in their long form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_URI = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/"
BUFFERED_URI = re.compile(re.escape(f"{_URI}2015-03-31/functions/") + r"\$\{(\w+)\.Arn\}/invocations")
STREAMED_URI = re.compile(
    re.escape(f"{_URI}2021-11-15/functions/") + r"\$\{(\w+)\.Arn\}/response-streaming-invocations"
)

Template = dict[str, Any]

DATA_PLANE_HANDLER = "proxy/run.sh"


@dataclass(frozen=True)
class Route:
    """One method of one path, and the function that answers it (None where the URI is of no known form)."""

    method: str
    path: str
    operation: dict[str, Any]

    @property
    def integration(self) -> dict[str, Any]:
        integration: dict[str, Any] = self.operation["x-amazon-apigateway-integration"]
        return integration

    @property
    def function(self) -> str | None:
        uri = self.integration["uri"]["Fn::Sub"]
        match = BUFFERED_URI.fullmatch(uri) or STREAMED_URI.fullmatch(uri)
        return match[1] if match else None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def of_type(template: Template, *types: str) -> dict[str, dict[str, Any]]:
    """Properties by logical id of every resource of the types."""
    resources = template["Resources"].items()
    return {name: own.get("Properties", {}) for name, own in resources if own["Type"] in types}


def functions(template: Template) -> dict[str, dict[str, Any]]:
    """Properties by logical id of every function, `Globals` merged in."""
    shared = template["Globals"]["Function"]
    found = of_type(template, "AWS::Serverless::Function")
    return {name: {**shared, **own} for name, own in found.items()}


def api(template: Template) -> dict[str, Any]:
    """Properties of the API."""
    return next(iter(of_type(template, "AWS::Serverless::Api").values()))


def routes(template: Template) -> Iterator[Route]:
    """Every route of the API's body."""
    for path, item in api(template)["DefinitionBody"]["paths"].items():
        for method, operation in item.items():
            yield Route("ANY" if method.startswith("x-") else method.upper(), path, operation)


def statements(template: Template) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every policy statement anywhere, with the resource it stands in."""

    def walk(node: object) -> Iterator[dict[str, Any]]:
        if isinstance(node, dict):
            if "Effect" in node:
                yield node
            for value in node.values():
                yield from walk(value)
        elif isinstance(node, list):
            for value in node:
                yield from walk(value)

    for name, resource in template["Resources"].items():
        for statement in walk(resource):
            yield name, statement
