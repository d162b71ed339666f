"""`template.yaml` against its rules, and every rule against a template that breaks it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.intrinsics import load_template
from tests.template import files, rules
from tests.template.reading import Template, api, functions, of_type

ROOT = Path(__file__).resolve().parents[2]
Break = Callable[[Template], object]


@pytest.fixture(scope="module")
def template_json() -> str:
    return json.dumps(load_template((ROOT / "template.yaml").read_text()))


@pytest.fixture
def template(template_json: str) -> Template:
    """The template, without the sharing that YAML's aliases bring, so that a test may break one place of it."""
    loaded: Template = json.loads(template_json)
    return loaded


@pytest.mark.parametrize("rule", [*rules.ALL, *files.ALL], ids=lambda rule: rule.__name__)
def test_the_template_keeps_the_rule(template: Template, rule: Callable[[Template], Any]) -> None:
    assert list(rule(template)) == []


def paths(template: Template) -> dict[str, Any]:
    body: dict[str, Any] = api(template)["DefinitionBody"]["paths"]
    return body


def properties(template: Template, name: str) -> dict[str, Any]:
    own: dict[str, Any] = template["Resources"][name]["Properties"]
    return own


def proxy_route(template: Template) -> dict[str, Any]:
    route: dict[str, Any] = paths(template)["/v1/{proxy+}"]["x-amazon-apigateway-any-method"]
    return route


def get_team(template: Template) -> dict[str, Any]:
    route: dict[str, Any] = paths(template)["/api/teams/{team_id}"]["get"]
    return route


def add_stream_consumer(template: Template) -> None:
    source = {"Type": "DynamoDB", "Properties": {"StartingPosition": "LATEST"}}
    properties(template, "SweepFunction")["Events"]["Stream"] = source


def allow(template: Template, role: str, action: str) -> None:
    statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
    policy = {"PolicyName": "more", "PolicyDocument": {"Statement": [statement]}}
    properties(template, role).setdefault("Policies", []).append(policy)


def rename(template: Template, old: str, new: str) -> None:
    template["Resources"][new] = template["Resources"].pop(old)


BROKEN: list[tuple[Callable[[Template], Any], str, Break]] = [
    (rules.path_variables, "has variables", lambda t: paths(t).update({"/api/teams/{id}": {"get": get_team(t)}})),
    (rules.path_variables, "is not last", lambda t: paths(t).update({"/v1/{proxy+}/x": {"get": get_team(t)}})),
    (rules.authorizers, "is cached", lambda t: api(t)["Auth"]["Authorizers"]["Data"].pop("Identity")),
    (rules.authorizers, "is cached", lambda t: api(t)["Auth"]["Authorizers"]["Management"].pop("Identity")),
    (rules.authorizers, "one header", lambda t: api(t)["Auth"]["Authorizers"]["Data"].pop("FunctionPayloadType")),
    (rules.authorized_routes, "open", lambda t: get_team(t).update(security=[])),
    (rules.authorized_routes, "open", lambda t: paths(t).pop("/docs")),
    (rules.authorized_routes, "security None", lambda t: get_team(t).pop("security")),
    (rules.authorized_routes, "security", lambda t: get_team(t).update(security=[{"Data": []}])),
    (
        rules.integrations,
        "does not stream",
        lambda t: integration(proxy_route(t)).update(responseTransferMode="STREAMED"),
    ),
    (rules.integrations, "end together", lambda t: properties(t, "ProxyFunction").update(Timeout=600)),
    (rules.integrations, "longer than", lambda t: properties(t, "GetTeamFunction").update(Timeout=30)),
    (
        rules.integrations,
        "is not buffered",
        lambda t: integration(get_team(t)).update(uri=integration(proxy_route(t))["uri"]),
    ),
    (
        rules.integrations,
        "no function",
        lambda t: integration(get_team(t))["uri"].update({"Fn::Sub": "${GetTeam.Arn}"}),
    ),
    (
        rules.integrations,
        "ApiInvokeRole",
        lambda t: integration(get_team(t)).update(credentials="arn:aws:iam::*:user/*"),
    ),
    (rules.policies, "may scan", lambda t: allow(t, "ReadRole", "dynamodb:Scan")),
    (rules.policies, "allows dynamodb:", lambda t: allow(t, "ReadRole", "dynamodb:Get*")),
    (rules.policies, "of its own", lambda t: properties(t, "GetTeamFunction").update(Policies=["AdministratorAccess"])),
    (rules.sealed_secrets, "ReadRole allows", lambda t: allow(t, "ReadRole", "kms:Decrypt")),
    (rules.sealed_secrets, "without an encryption context", lambda t: allow(t, "ProxyRole", "kms:Decrypt")),
    (rules.roles_and_logs, "no shared role", lambda t: properties(t, "GetTeamFunction").pop("Role")),
    (rules.roles_and_logs, "no log group", lambda t: properties(t, "GetTeamFunction").pop("LoggingConfig")),
    (rules.roles_and_logs, "is unused", lambda t: rename(t, "TeamsLogs", "OtherLogs")),
    (rules.roles_and_logs, "for ever", lambda t: properties(t, "TeamsLogs").pop("RetentionInDays")),
    (rules.names, "does not end", lambda t: rename(t, "GetTeamFunction", "GetTeam")),
    (rules.stream_consumers, "no alarm on IteratorAge", add_stream_consumer),
    (rules.stream_consumers, "StartingPosition", add_stream_consumer),
    (rules.stream_consumers, "loses", add_stream_consumer),
    (rules.alarms, "watches Overruns", lambda t: t["Resources"].pop("OverrunsAlarm")),
    (rules.alarms, "tells nobody", lambda t: properties(t, "OverrunsAlarm").pop("AlarmActions")),
    (
        files.handlers,
        "is the handler of",
        lambda t: properties(t, "GetTeamFunction").update(Handler="authorizer.handler"),
    ),
    (
        files.handlers,
        "does not exist",
        lambda t: properties(t, "GetTeamFunction").update(Handler="admin.teams.got.handler"),
    ),
    (files.handlers, "is no function's handler", lambda t: t["Resources"].pop("AuthorizerFunction")),
    (files.routed_functions, "no route", lambda t: paths(t).pop("/api/teams/create")),
    (files.routed_functions, "the template", lambda t: rename_path(t, "/api/teams/create", "/api/teams/new")),
    (files.events, "belongs to no function", lambda t: t["Resources"].pop("AuthorizerFunction")),
    (files.events, "is missing", lambda t: rename(t, "GetTeamFunction", "FetchTeamFunction")),
]


def integration(route: dict[str, Any]) -> dict[str, Any]:
    own: dict[str, Any] = route["x-amazon-apigateway-integration"]
    return own


def rename_path(template: Template, old: str, new: str) -> None:
    paths(template)[new] = paths(template).pop(old)


@pytest.mark.parametrize(
    ("rule", "expected", "break_it"), BROKEN, ids=lambda value: getattr(value, "__name__", str(value))
)
def test_the_rule_notices(template: Template, rule: Callable[[Template], Any], expected: str, break_it: Break) -> None:
    break_it(template)
    assert any(expected in violation for violation in rule(template))


def test_gateway_responses_carry_both_shapes(template: Template) -> None:
    for kind, own in api(template)["GatewayResponses"].items():
        text = own["ResponseTemplates"]["application/json"]
        text = text.replace("$context.error.messageString", '"text"')
        body = json.loads(re.sub(r"\$context\.[\w.]+", "text", text))
        assert body.keys() == {"type", "title", "status", "detail", "code", "instance", "error"}, kind
        assert body["error"].keys() == {"message", "type", "param", "code"}, kind
        assert body["status"] == own["StatusCode"] == int(body["error"]["code"]), kind
        assert body["error"]["message"].endswith(body["detail"]), kind
        assert body["type"] == f"urn:tollgate:error:{body['code']}", kind


@pytest.mark.parametrize(
    ("kind", "status", "text"),
    [
        ("ACCESS_DENIED", 401, '"detail":"$context.authorizer.message"'),
        ("UNAUTHORIZED", 401, '"detail":"Invalid or missing API key"'),
        ("MISSING_AUTHENTICATION_TOKEN", 404, '"detail":"Not Found"'),
        ("DEFAULT_4XX", 400, '"detail":$context.error.messageString'),
        ("REQUEST_TOO_LARGE", 413, '"code":"request_too_large"'),
        ("THROTTLED", 429, '"type":"throttling_error"'),
        ("AUTHORIZER_FAILURE", 500, '"detail":"Internal error"'),
        ("DEFAULT_5XX", 500, '"detail":"Internal error"'),
        ("INTEGRATION_FAILURE", 502, '"detail":"No answer"'),
        ("INTEGRATION_TIMEOUT", 504, '"detail":"No answer in time"'),
    ],
)
def test_gateway_response(template: Template, kind: str, status: int, text: str) -> None:
    own = api(template)["GatewayResponses"][kind]
    assert own["StatusCode"] == status
    assert text in own["ResponseTemplates"]["application/json"]


def test_throttled_says_when_to_come_back(template: Template) -> None:
    assert api(template)["GatewayResponses"]["THROTTLED"]["ResponseParameters"]["Headers"]["Retry-After"] == "'1'"


def test_access_log_is_json_without_credentials(template: Template) -> None:
    line = api(template)["AccessLogSetting"]["Format"]
    logged = json.loads(re.sub(r"(?<=:)\$context\.[\w.]+", "0", line))
    assert {"request_id", "status", "latency_ms", "authorizer_kind", "authorizer_latency_ms"} <= logged.keys()
    assert logged["status"] == logged["latency_ms"] == 0
    # Paths and queries hold what callers put there, the rest what they sent as key.
    assert not re.search(
        r"\$context\.(path|identity\.(apiKey|userAgent)|authorizer\.(message|principalId|token))", line
    )


def test_table(template: Template) -> None:
    table = template["Resources"]["Table"]
    own = table["Properties"]
    assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain"
    assert own["DeletionProtectionEnabled"] is True
    assert own["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert own["SSESpecification"]["KMSMasterKeyId"] == {"Fn::GetAtt": ["Key", "Arn"]}
    assert own["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert own["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
    indexes = {index["IndexName"]: index["Projection"]["ProjectionType"] for index in own["GlobalSecondaryIndexes"]}
    assert indexes == {"GSI1": "ALL", "GSI2": "ALL", "DUE": "KEYS_ONLY"}


def test_what_holds_data_survives_the_stack(template: Template) -> None:
    holding = of_type(template, "AWS::DynamoDB::Table", "AWS::KMS::Key")
    assert all(template["Resources"][name]["DeletionPolicy"] == "Retain" for name in holding)


def test_settings_read_what_the_template_gives(template: Template) -> None:
    given = template["Globals"]["Function"]["Environment"]["Variables"].keys()
    code = "".join(path.read_text() for path in (ROOT / "layers/shared/tollgate").rglob("*.py"))
    required = set(re.findall(r'_required\("(\w+)"\)', code))
    assert required - {"AWS_REGION"} <= given
    # Powertools reads these by itself.
    by_powertools = {"LOG_LEVEL", "POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE"}
    assert {name for name in given - by_powertools if f'"{name}"' not in code} == set()


def test_secrets_are_no_plain_parameters(template: Template) -> None:
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    assert template["Parameters"]["MasterKeySha256"]["NoEcho"] is True
    assert "Default" not in template["Parameters"]["MasterKeySha256"]
    for name in ("CURSOR_SECRET", "SESSION_SECRET"):
        assert variables[name]["Fn::Sub"].startswith("{{resolve:secretsmanager:")
    # Locally anybody may make the first owner; a stack is never told to let them.
    assert "OPEN_SETUP" not in variables


def test_functions_run_where_the_layer_was_built_for(template: Template) -> None:
    layer = properties(template, "SharedLayer")
    for name, own in functions(template).items():
        assert [own["Runtime"]] == layer["CompatibleRuntimes"], name
        assert own["Architectures"] == layer["CompatibleArchitectures"], name
        assert template["Resources"][name]["Metadata"] == {"BuildMethod": "makefile"}, name


def test_packages_of_functions_hide_nothing() -> None:
    """A function's own folder precedes the layer on the path."""
    packages = {path.stem for path in (ROOT / "functions").iterdir() if path.is_dir() or path.suffix == ".py"}
    pinned = (ROOT / "layers/shared/requirements.txt").read_text()
    distributions = {name.replace("-", "_") for name in re.findall(r"^([a-z][\w.-]*)==", pinned, re.MULTILINE)}
    assert not packages & ({"tollgate"} | distributions | sys.stdlib_module_names)
