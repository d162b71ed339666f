"""What must hold for `template.yaml` and no linter knows, each rule a function from a template to its violations."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tests.template.reading import (
    BUFFERED_URI,
    DATA_PLANE_HANDLER,
    STREAMED_URI,
    Route,
    Template,
    api,
    functions,
    of_type,
    routes,
    statements,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOGIN = {f"/api/admin-users/{step}" for step in ("setup/status", "setup", "login")}
_HEALTH = {"/health", "/health/liveliness", "/health/liveness", "/health/readiness"}
UNAUTHENTICATED = {*_HEALTH, "/routes", "/test", "/openapi.json", "/docs", "/redoc", *_LOGIN}
"""Q-32."""

BUFFERED_SECONDS = 29
STREAMED_SECONDS = 900

# What calls a model or may take long or be large.
_MODELS = re.compile(r"/(v1(?!/model/)|chat|completions|embeddings|models|engines)(/|$)")
_DATA_PLANE = re.compile(rf"{_MODELS.pattern}|/openai/|.*/(llm-call|create-and-call)(-stream)?$|.*/export$|/health$")
_SUFFIXES = {
    "AWS::Serverless::Function": "Function",
    "AWS::Serverless::LayerVersion": "Layer",
    "AWS::IAM::Role": "Role",
    "AWS::IAM::ManagedPolicy": "Policy",
    "AWS::Logs::LogGroup": "Logs",
    "AWS::Logs::MetricFilter": "Filter",
    "AWS::CloudWatch::Alarm": "Alarm",
}


def path_variables(template: Template) -> Iterator[str]:
    """API Gateway knows one variable name below a path, and a greedy one only at the end."""
    children = defaultdict(set)
    for route in routes(template):
        parts = route.path.strip("/").split("/")
        for depth, part in enumerate(parts):
            if part.startswith("{"):
                children["/".join(parts[:depth])].add(part)
            if part.endswith("+}") and depth < len(parts) - 1:
                yield f"{route}: {part} is not last"
    for parent, names in children.items():
        if len(names) > 1:
            yield f"/{parent} has variables {sorted(names)}"


def authorizers(template: Template) -> Iterator[str]:
    """A cached authorizer has an identity source; one without is never cached; both ask one function."""
    declared = api(template)["Auth"]["Authorizers"]
    if len({json.dumps(own["FunctionArn"]) for own in declared.values()}) != 1:
        yield "the authorizers ask different functions"
    for name, own in declared.items():
        identity = own.get("Identity", {})
        sources = identity.get("Headers", [])
        if identity.get("ReauthorizeEvery") != 0 and sources != ["Authorization"]:
            yield f"{name} is cached under {sources}"
        if own.get("FunctionPayloadType") != "REQUEST":
            yield f"{name} sees one header only"


def authorized_routes(template: Template) -> Iterator[str]:
    """Every route has the authorizer of its plane but those of Q-32, and those exist."""
    opened = set()
    for route in routes(template):
        security = route.operation.get("security")
        plane = "Data" if _MODELS.match(route.path) else "Management"
        if security == []:
            opened.add(route.path)
        elif security != [{plane: []}]:
            yield f"{route} has security {security}"
    if opened != UNAUTHENTICATED:
        yield f"open: {sorted(opened)}"


def integrations(template: Template) -> Iterator[str]:
    """The data plane streams, everything else is buffered and ends before API Gateway gives up (Q-59)."""
    known = functions(template)
    for route in routes(template):
        own = known.get(route.function or "")
        if own is None:
            yield f"{route} names no function of this template"
            continue
        streams = bool(_DATA_PLANE.match(route.path))
        if (own["Handler"] == DATA_PLANE_HANDLER) != streams:
            yield f"{route} is on the wrong plane"
        yield from (_streamed if streams else _buffered)(route, own["Timeout"])
        if route.integration["type"] != "aws_proxy" or route.integration["httpMethod"] != "POST":
            yield f"{route} is no Lambda proxy integration"
        if route.integration["credentials"] != {"Fn::GetAtt": ["ApiInvokeRole", "Arn"]}:
            yield f"{route} is not invoked by ApiInvokeRole"


def _streamed(route: Route, timeout: int) -> Iterator[str]:
    integration = route.integration
    if not STREAMED_URI.fullmatch(integration["uri"]["Fn::Sub"]) or integration.get("responseTransferMode") != "STREAM":
        yield f"{route} does not stream"
    if not integration.get("timeoutInMillis") == timeout * 1000 == STREAMED_SECONDS * 1000:
        yield f"{route} and its function do not end together after {STREAMED_SECONDS} s"


def _buffered(route: Route, timeout: int) -> Iterator[str]:
    integration = route.integration
    if not BUFFERED_URI.fullmatch(integration["uri"]["Fn::Sub"]) or "responseTransferMode" in integration:
        yield f"{route} is not buffered"
    if max(timeout, integration.get("timeoutInMillis", 0) / 1000) > BUFFERED_SECONDS:
        yield f"{route} may take longer than {BUFFERED_SECONDS} s"


def policies(template: Template) -> Iterator[str]:
    """No Scan, no wildcard in an action but the key policy's root statement, no policy of SAM's making."""
    root = {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}
    for name, statement in statements(template):
        actions = statement["Action"]
        for action in [actions] if isinstance(actions, str) else actions:
            if action.lower() in {"dynamodb:scan", "dynamodb:partiqlselect"}:
                yield f"{name} may scan"
            if "*" in action and (name, action, statement.get("Principal")) != ("Key", "kms:*", root):
                yield f"{name} allows {action}"
        if "NotAction" in statement:
            yield f"{name} allows by exclusion"
    for name, own in functions(template).items():
        if "Policies" in own:
            yield f"{name} has policies of its own"


def sealed_secrets(template: Template) -> Iterator[str]:
    """CredentialsRole encrypts, and only proxy and alerts decrypt; nobody without a context."""
    allowed = {"kms:Encrypt": {"CredentialsRole"}, "kms:Decrypt": {"ProxyRole", "AlertsRole"}}
    seen = set()
    for name, statement in statements({"Resources": _resources(template, "AWS::IAM::Role", "AWS::IAM::ManagedPolicy")}):
        actions = statement["Action"]
        for action in [actions] if isinstance(actions, str) else actions:
            if not action.startswith("kms:"):
                continue
            seen.add(action)
            if name not in allowed.get(action, set()):
                yield f"{name} allows {action}"
            if statement.get("Condition") != {"Null": {"kms:EncryptionContextKeys": "false"}}:
                yield f"{name} allows {action} without an encryption context"
    if seen != set(allowed):
        yield f"provider secrets are handled by {sorted(seen)} only"


def _resources(template: Template, *types: str) -> dict[str, Any]:
    return {name: own for name, own in template["Resources"].items() if own["Type"] in types}


def roles_and_logs(template: Template) -> Iterator[str]:
    """Every function has a shared role and its domain's log group; nothing of either is unused."""
    roles, groups = of_type(template, "AWS::IAM::Role"), of_type(template, "AWS::Logs::LogGroup")
    used = {api(template)["AccessLogSetting"]["DestinationArn"]["Fn::GetAtt"][0], "ApiInvokeRole", "ApiLogsRole"}
    for name, own in functions(template).items():
        role = own.get("Role", {}).get("Fn::GetAtt", [""])[0]
        group = own.get("LoggingConfig", {}).get("LogGroup", {}).get("Ref")
        if role not in roles:
            yield f"{name} has no shared role"
        if group not in groups:
            yield f"{name} has no log group"
        used |= {role, group}
    for name in (roles | groups).keys() - used:
        yield f"{name} is unused"
    for name, own in groups.items():
        if not {"RetentionInDays", "KmsKeyId"} <= own.keys():
            yield f"{name} is kept for ever or in the clear"


def names(template: Template) -> Iterator[str]:
    """A logical id ends in what it is; an admin function answers one route of one resource."""
    for name, resource in template["Resources"].items():
        suffix = _SUFFIXES.get(resource["Type"])
        if suffix and not re.fullmatch(rf"([A-Z][a-z0-9]*)+{suffix}", name):
            yield f"{name} does not end in {suffix}"


def stream_consumers(template: Template) -> Iterator[str]:
    """A stream's consumer starts at the oldest record, isolates the bad one, keeps it, and is watched for lag."""
    wanted = {
        "StartingPosition": "TRIM_HORIZON",
        "BisectBatchOnFunctionError": True,
        "MaximumRetryAttempts": 10,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    }
    watched = {
        dimension["Value"].get("Ref")
        for alarm in of_type(template, "AWS::CloudWatch::Alarm").values()
        if alarm.get("MetricName") == "IteratorAge"
        for dimension in alarm.get("Dimensions", [])
        if dimension["Name"] == "FunctionName"
    }
    for name, own in functions(template).items():
        for event, source in own.get("Events", {}).items():
            if source["Type"] != "DynamoDB":
                continue
            if name not in watched:
                yield f"{name} has no alarm on IteratorAge"
            settings = source["Properties"]
            for key, value in wanted.items():
                if settings.get(key) != value:
                    yield f"{name}.{event}: {key} is not {value}"
            if "OnFailure" not in settings.get("DestinationConfig", {}):
                yield f"{name}.{event} loses what it cannot process"


def alarms(template: Template) -> Iterator[str]:
    """Every alarm notifies and says what silence means; what the operators need is watched."""
    watched = set()
    for name, own in of_type(template, "AWS::CloudWatch::Alarm").items():
        if "AlarmActions" not in own or not own.get("AlarmDescription"):
            yield f"{name} tells nobody"
        if "TreatMissingData" not in own:
            yield f"{name} does not say what silence means"
        watched.add(own.get("MetricName"))
        for metric in own.get("Metrics", []):
            watched.add(metric.get("MetricStat", {}).get("Metric", {}).get("MetricName"))
    wanted = {"5XXError", "ManagementLatency", "AuthorizerErrors", "ApiThrottles", "Throttles", "Overruns"}
    wanted |= {"ReadThrottleEvents", "WriteThrottleEvents", "ApproximateNumberOfMessagesVisible"}
    for missing in sorted(wanted - watched):
        yield f"nothing watches {missing}"


ALL = (
    path_variables,
    authorizers,
    authorized_routes,
    integrations,
    policies,
    sealed_secrets,
    roles_and_logs,
    names,
    stream_consumers,
    alarms,
)
