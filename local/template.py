"""What `template.yaml` declares, in the terms the local cloud runs on."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local.intrinsics import STAGE_NAME, Resolver, load_template

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
_ANY_METHOD = "x-amazon-apigateway-any-method"
_INTEGRATION = "x-amazon-apigateway-integration"
_FUNCTION_TYPES = ("AWS::Serverless::Function", "AWS::Lambda::Function")
_FUNCTION_IN_URI = re.compile(r":function:([A-Za-z0-9]+)")
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
_BUFFERED_TIMEOUT = 29.0


@dataclass(frozen=True)
class Function:
    """A Lambda function: `handler` is `module.symbol`, or a script under the web adapter."""

    logical_id: str
    handler: str
    timeout: int
    memory_mb: int
    environment: dict[str, str]


@dataclass(frozen=True)
class Route:
    """One method (or `ANY`) of one path template of the API, and what answers it."""

    method: str
    path: str
    function: str | None
    authorizer: str | None
    streaming: bool
    timeout: float
    mock: dict[str, Any] | None = None


@dataclass(frozen=True)
class Authorizer:
    """A REQUEST authorizer: `headers` are its identity sources, `ttl` is in seconds."""

    name: str
    function: str
    headers: tuple[str, ...]
    ttl: int


@dataclass(frozen=True)
class GatewayResponse:
    """An answer that API Gateway itself gives; a missing status means the type's default."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    templates: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Schedule:
    """A function that runs every `seconds`, and the input it is given (None: the default)."""

    name: str
    function: str
    seconds: int
    input: str | None


@dataclass(frozen=True)
class StreamSource:
    """A function that consumes the table's stream, with its event source mapping's settings."""

    name: str
    function: str
    batch_size: int
    window_seconds: int
    starting_position: str
    retries: int
    bisect: bool
    report_failures: bool
    patterns: tuple[dict[str, Any], ...]


class Template:
    """A SAM template under given parameter values; the others have their defaults."""

    def __init__(self, source: Mapping[str, Any], parameters: Mapping[str, str] | None = None) -> None:
        self.resolve = Resolver(source, parameters)
        self._globals: dict[str, Any] = source.get("Globals", {})
        self._resources = {
            name: resource for name, resource in source.get("Resources", {}).items() if self.resolve.exists(resource)
        }

    @classmethod
    def load(cls, path: Path, parameters: Mapping[str, str] | None = None) -> Template:
        """The template in the file at `path`."""
        return cls(load_template(path.read_text()), parameters)

    def of_type(self, *types: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Logical id and unresolved properties of every resource of the given types."""
        for name, resource in self._resources.items():
            if resource["Type"] in types:
                yield name, resource.get("Properties", {})

    def functions(self) -> dict[str, Function]:
        """Every function by logical id, with `Globals` merged in."""
        shared = self._globals.get("Function", {})
        shared_variables = shared.get("Environment", {}).get("Variables", {})
        found = {}
        for name, own in self.of_type(*_FUNCTION_TYPES):
            merged = {**shared, **own}
            variables = {**shared_variables, **own.get("Environment", {}).get("Variables", {})}
            found[name] = Function(
                logical_id=name,
                handler=str(self.resolve(merged["Handler"])),
                timeout=int(self.resolve(merged.get("Timeout", 3))),
                memory_mb=int(self.resolve(merged.get("MemorySize", 128))),
                environment={key: str(val) for key, val in self.resolve(variables).items()},
            )
        return found

    def _api(self) -> dict[str, Any]:
        properties = next((own for _, own in self.of_type("AWS::Serverless::Api")), {})
        return {**self._globals.get("Api", {}), **properties}

    def stage(self) -> str:
        """The name of the API's stage."""
        return str(self.resolve(self._api().get("StageName", STAGE_NAME)))

    def cors(self) -> dict[str, str] | None:
        """The API's `Cors` property (allow origin, methods, headers, as quoted strings)."""
        declared = self.resolve(self._api().get("Cors"))
        if isinstance(declared, str):
            declared = {"AllowOrigin": declared}
        return declared if isinstance(declared, dict) else None

    def routes(self) -> list[Route]:
        """Every route of the API's `DefinitionBody`."""
        body = self._api().get("DefinitionBody", {})
        routes = []
        for path, item in body.get("paths", {}).items():
            for key, operation in item.items():
                if key in _METHODS or key == _ANY_METHOD:
                    method = "ANY" if key == _ANY_METHOD else key.upper()
                    routes.append(self._route(method, path, self.resolve(operation)))
        return routes

    def _route(self, method: str, path: str, operation: dict[str, Any]) -> Route:
        integration = operation[_INTEGRATION]
        mock = integration["type"].lower() == "mock"
        default_timeout = _BUFFERED_TIMEOUT * 1000
        return Route(
            method=method,
            path=path,
            function=None if mock else _function_of(integration["uri"]),
            authorizer=self._authorizer_of(method, operation),
            streaming=integration.get("responseTransferMode") == "STREAM",
            timeout=float(integration.get("timeoutInMillis", default_timeout)) / 1000,
            mock=integration if mock else None,
        )

    def _authorizer_of(self, method: str, operation: Mapping[str, Any]) -> str | None:
        """As SAM decides: NONE wins, then a named authorizer, then the default one."""
        auth = self.resolve(self._api().get("Auth", {}))
        named = [name for entry in operation.get("security", []) for name in entry]
        known = self.authorizers()
        if "NONE" in named:
            return None
        chosen = next((name for name in named if name in known), None)
        if chosen is None:
            preflight = method == "OPTIONS" and not auth.get("AddDefaultAuthorizerToCorsPreflight", True)
            chosen = None if preflight else auth.get("DefaultAuthorizer")
        return None if chosen is None else str(chosen)

    def authorizers(self) -> dict[str, Authorizer]:
        """Every authorizer, of SAM's `Auth` property or of the body's security schemes."""
        api = self._api()
        declared = api.get("Auth", {}).get("Authorizers", {})
        schemes = api.get("DefinitionBody", {}).get("components", {}).get("securitySchemes", {})
        found = {name: _sam_authorizer(name, self.resolve(own)) for name, own in declared.items()}
        for name, scheme in schemes.items():
            if "x-amazon-apigateway-authorizer" in scheme:
                found[name] = _scheme_authorizer(name, self.resolve(scheme))
        return found

    def gateway_responses(self) -> dict[str, GatewayResponse]:
        """The declared gateway responses by type."""
        api = self._api()
        in_body = api.get("DefinitionBody", {}).get("x-amazon-apigateway-gateway-responses", {})
        found = {kind: _body_response(self.resolve(own)) for kind, own in in_body.items()}
        for kind, own in self.resolve(api.get("GatewayResponses", {})).items():
            status = own.get("StatusCode")
            found[kind] = GatewayResponse(
                status=None if status is None else int(status),
                headers=own.get("ResponseParameters", {}).get("Headers", {}),
                templates=own.get("ResponseTemplates", {}),
            )
        return found

    def _events(self, *types: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for function, own in self.of_type(*_FUNCTION_TYPES):
            for name, event in own.get("Events", {}).items():
                if event["Type"] in types:
                    yield f"{function}/{name}", function, self.resolve(event["Properties"])

    def schedules(self) -> list[Schedule]:
        """Every rate schedule; other expressions are refused with ValueError."""
        found = []
        for name, function, own in self._events("Schedule", "ScheduleV2"):
            expression = own.get("Schedule", own.get("ScheduleExpression", ""))
            if own.get("Enabled", True) is False or own.get("State") == "DISABLED":
                continue
            seconds = rate_seconds(expression)
            found.append(Schedule(name, function, seconds, own.get("Input")))
        return found

    def stream_sources(self) -> list[StreamSource]:
        """Every DynamoDB stream event of a function."""
        return [
            StreamSource(
                name=name,
                function=function,
                batch_size=int(own.get("BatchSize", 100)),
                window_seconds=int(own.get("MaximumBatchingWindowInSeconds", 0)),
                starting_position=str(own.get("StartingPosition", "TRIM_HORIZON")),
                retries=int(own.get("MaximumRetryAttempts", -1)),
                bisect=bool(own.get("BisectBatchOnFunctionError", False)),
                report_failures="ReportBatchItemFailures" in own.get("FunctionResponseTypes", ()),
                patterns=_patterns(own.get("FilterCriteria", {})),
            )
            for name, function, own in self._events("DynamoDB")
        ]

    def table(self) -> dict[str, Any]:
        """`create_table` arguments of the template's one table (TableName included).

        Raises LookupError if there is none.
        """
        for name, own in self.of_type("AWS::DynamoDB::Table"):
            return _create_table_arguments(self.resolve({"Ref": name}), self.resolve(own))
        message = "the template declares no AWS::DynamoDB::Table"
        raise LookupError(message)

    def ttl_attribute(self) -> str | None:
        """The table's time-to-live attribute, if it has one."""
        for _, own in self.of_type("AWS::DynamoDB::Table"):
            declared = self.resolve(own.get("TimeToLiveSpecification", {}))
            return declared.get("AttributeName") if declared.get("Enabled") else None
        return None


def rate_seconds(expression: str) -> int:
    """Seconds of a `rate(n unit)` expression; ValueError for anything else."""
    match = _RATE.fullmatch(expression)
    if match is None:
        message = f"only rate(...) schedules run locally, not {expression!r}"
        raise ValueError(message)
    return int(match[1]) * _SECONDS[match[2]]


def _function_of(uri: str) -> str:
    match = _FUNCTION_IN_URI.search(uri)
    if match is None:
        message = f"the integration names no function: {uri}"
        raise ValueError(message)
    return match[1]


def _sam_authorizer(name: str, own: Mapping[str, Any]) -> Authorizer:
    identity = own.get("Identity", {})
    return Authorizer(
        name=name,
        function=_function_of(own["FunctionArn"]),
        headers=tuple(identity.get("Headers", ())),
        ttl=int(identity.get("ReauthorizeEvery", 300)),
    )


def _scheme_authorizer(name: str, scheme: Mapping[str, Any]) -> Authorizer:
    own = scheme["x-amazon-apigateway-authorizer"]
    prefix = "method.request.header."
    sources = [part.strip() for part in str(own.get("identitySource", "")).split(",")]
    return Authorizer(
        name=name,
        function=_function_of(own["authorizerUri"]),
        headers=tuple(part.removeprefix(prefix) for part in sources if part.startswith(prefix)),
        ttl=int(own.get("authorizerResultTtlInSeconds", 300)),
    )


def _body_response(own: Mapping[str, Any]) -> GatewayResponse:
    prefix = "gatewayresponse.header."
    status = own.get("statusCode")
    return GatewayResponse(
        status=None if status is None else int(status),
        headers={
            key.removeprefix(prefix): value
            for key, value in own.get("responseParameters", {}).items()
            if key.startswith(prefix)
        },
        templates=own.get("responseTemplates", {}),
    )


def _patterns(criteria: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    return tuple(load_template(entry["Pattern"]) for entry in criteria.get("Filters", ()))


def _create_table_arguments(name: str, own: Mapping[str, Any]) -> dict[str, Any]:
    copied = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    arguments = {key: own[key] for key in copied if key in own}
    if "StreamSpecification" in own:
        view = own["StreamSpecification"]["StreamViewType"]
        arguments["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": view}
    return {"TableName": name, "BillingMode": "PAY_PER_REQUEST", **arguments}
