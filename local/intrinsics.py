"""CloudFormation's intrinsic functions, resolved as far as a local process needs them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

try:  # ten times as quick, where PyYAML was built with it
    from yaml import CSafeLoader as SafeLoader
except ImportError:
    from yaml import SafeLoader  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ACCOUNT_ID = "123456789012"
REGION = "us-east-1"
STACK_NAME = "tollgate"
STAGE_NAME = "prod"
NO_VALUE = object()

_PLACEHOLDER = re.compile(r"\$\{(!?)([^}]+)\}")


class _TemplateLoader(SafeLoader):
    """YAML with CloudFormation's short tags, read into their long form."""


def _construct_tag(loader: _TemplateLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_TemplateLoader.add_multi_constructor("!", _construct_tag)


def load_template(text: str) -> dict[str, Any]:
    """Read a template's YAML; short intrinsic tags come back in their long form."""
    loaded: dict[str, Any] = yaml.load(text, Loader=_TemplateLoader)  # noqa: S506 - a safe loader
    return loaded


class Resolver:
    """Resolves intrinsic functions of one template under one set of parameter values.

    A reference to a resource becomes its physical name or ARN as the local cloud has it: functions
    go by their logical ids, the rest by a name property, else by stack name and logical id.
    """

    def __init__(
        self,
        template: Mapping[str, Any],
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        self._resources: Mapping[str, Any] = template.get("Resources", {})
        self._conditions: Mapping[str, Any] = template.get("Conditions", {})
        self._mappings: Mapping[str, Any] = template.get("Mappings", {})
        self._values = {
            name: declared.get("Default", "") for name, declared in template.get("Parameters", {}).items()
        } | dict(parameters or {})
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Condition": self._condition,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::Select": lambda body: self(body[1])[int(self(body[0]))],
            "Fn::Split": lambda body: self(body[1]).split(self(body[0])),
            "Fn::FindInMap": self._find_in_map,
            "Fn::If": lambda body: self(body[1] if self._condition(body[0]) else body[2]),
            "Fn::Equals": lambda body: str(self(body[0])) == str(self(body[1])),
            "Fn::Not": lambda body: not self(body[0]),
            "Fn::And": lambda body: all(self(part) for part in body),
            "Fn::Or": lambda body: any(self(part) for part in body),
        }

    def __call__(self, node: Any) -> Any:
        """`node` with every intrinsic function replaced by its value; NoValue entries are gone."""
        if isinstance(node, dict):
            if len(node) == 1:
                name, body = next(iter(node.items()))
                if name in self._functions:
                    return self._functions[name](body)
            resolved = {key: self(value) for key, value in node.items()}
            return {key: value for key, value in resolved.items() if value is not NO_VALUE}
        if isinstance(node, list):
            return [item for item in map(self, node) if item is not NO_VALUE]
        return node

    def _ref(self, name: str) -> Any:
        pseudo = {
            "AWS::AccountId": ACCOUNT_ID,
            "AWS::NoValue": NO_VALUE,
            "AWS::Partition": "aws",
            "AWS::Region": REGION,
            "AWS::StackName": STACK_NAME,
            "AWS::URLSuffix": "amazonaws.com",
        }
        if name in pseudo:
            return pseudo[name]
        if name in self._values:
            return self._values[name]
        properties = self._resources.get(name, {}).get("Properties", {})
        unnamed = f"{STACK_NAME}-{name}"
        return self(next((properties[key] for key in _NAME_PROPERTIES if key in properties), unnamed))

    def _get_att(self, body: list[str]) -> str:
        name, attribute = body[0], str(self(body[1]))
        kind = self._resources.get(name, {}).get("Type", "")
        if kind in ("AWS::Serverless::Function", "AWS::Lambda::Function") and attribute == "Arn":
            return function_arn(name)
        service = kind.split("::")[1].lower() if kind.count("::") else "cloudformation"
        arn = f"arn:aws:{service}:{REGION}:{ACCOUNT_ID}:{self._ref(name)}"
        return arn if attribute.endswith("Arn") else f"{arn}/{attribute}"

    def _sub(self, body: Any) -> str:
        text, local = (body, {}) if isinstance(body, str) else (body[0], self(body[1]))

        def replace(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return f"${{{name}}}"
            if name in local:
                return str(local[name])
            if "." in name:
                return self._get_att(name.split(".", 1))
            return str(self._ref(name))

        return _PLACEHOLDER.sub(replace, text)

    def _join(self, body: list[Any]) -> str:
        return str(body[0]).join(str(part) for part in self(body[1]))

    def _find_in_map(self, body: list[Any]) -> Any:
        name, first, second = (self(part) for part in body[:3])
        return self._mappings[name][first][second]

    def _condition(self, name: str) -> bool:
        return bool(self(self._conditions[name]))

    def exists(self, resource: Mapping[str, Any]) -> bool:
        """Whether the resource's `Condition`, if it has one, holds."""
        return "Condition" not in resource or self._condition(resource["Condition"])


_NAME_PROPERTIES = ("TableName", "QueueName", "TopicName", "StageName", "RoleName", "LogGroupName")


def function_arn(logical_id: str) -> str:
    """The ARN by which the local cloud knows a function."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{logical_id}"
