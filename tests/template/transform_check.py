"""Transform `template.yaml` as `sam deploy` will and hold it to CloudFormation's and API Gateway's quotas.

Run by the Python of the SAM environment, which the tests' own cannot hold: `python tests/template/transform_check.py`.
Exits with 1 and one line per violation where a count is too high or the transformation lost something.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform

if TYPE_CHECKING:
    from collections.abc import Iterator

TEMPLATE = Path(__file__).resolve().parents[2] / "template.yaml"
MAX_RESOURCES = 450  # CloudFormation refuses 501
MAX_PATH_NODES = 300  # a REST API's default quota
MAX_BYTES = 1_000_000  # of a template that comes from S3

Json = dict[str, Any]


class _ManagedPolicies:
    """No function names a managed policy, so none has to be looked up."""

    def load(self) -> dict[str, str]:
        return {}


def transformed() -> Json:
    """The CloudFormation template, with code locations as if `sam build` had packaged them."""
    template = yaml_parse(TEMPLATE.read_text())
    template["Globals"]["Function"]["CodeUri"] = "s3://bucket/functions"
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::LayerVersion":
            resource["Properties"]["ContentUri"] = "s3://bucket/layer"
    parameters = {"MasterKeySha256": "0" * 64}
    result: Json = transform(template, parameters, _ManagedPolicies())
    return result


def path_nodes(paths: Json) -> set[str]:
    """Every prefix of every path, the root included: API Gateway counts each as a resource."""
    nodes = {"/"}
    for path in paths:
        parts = path.strip("/").split("/")
        nodes |= {"/".join(parts[:depth]) for depth in range(1, len(parts) + 1)}
    return nodes


def violations(resources: Json, body: Json, size: int) -> Iterator[str]:
    """What would fail on deployment, or silently not be what the template says."""
    nodes = path_nodes(body["paths"])
    for what, count, limit in (
        ("resources", len(resources), MAX_RESOURCES),
        ("path nodes", len(nodes), MAX_PATH_NODES),
        ("bytes", size, MAX_BYTES),
    ):
        print(f"{what}: {count} (< {limit})")
        if count >= limit:
            yield f"{count} {what} are too many"
    for path, item in body["paths"].items():
        if item["options"].get("security"):
            yield f"OPTIONS {path} asks a browser's preflight for a key"
        for method, operation in item.items():
            if method != "options" and "security" not in operation:
                yield f"{method} {path} lost its security"
    schemes = body["components"]["securitySchemes"]
    ttl = {name: own["x-amazon-apigateway-authorizer"]["authorizerResultTtlInSeconds"] for name, own in schemes.items()}
    if ttl != {"Management": 0, "Data": 300}:
        yield f"authorizers are cached for {ttl}"


def main() -> int:
    logging.disable(logging.WARNING)
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    template = transformed()
    resources = template["Resources"]
    body = next(own["Properties"]["Body"] for own in resources.values() if own["Type"] == "AWS::ApiGateway::RestApi")
    found = list(violations(resources, body, len(json.dumps(template))))
    for violation in found:
        print(violation, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
