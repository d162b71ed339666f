"""The factory of every admin handler: one resolver, one caller, one error shape.

A handler file says ``app = admin_api(Action.X)``, one route, ``handler = app.resolve``. Identity and the right to the
action are settled before the body is looked at, so that a broken body never tells a stranger more than 401 or 403
(Q-10).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from json import JSONDecodeError
from typing import Any
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, CORSConfig, Response
from aws_lambda_powertools.event_handler.api_gateway import ResponseBuilder, Route
from aws_lambda_powertools.event_handler.exceptions import NotFoundError as RouteNotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import (
    RequestUnsupportedContentType,
    RequestValidationError,
    ResponseValidationError,
)
from aws_lambda_powertools.utilities.typing import LambdaContext

from tollgate.auth.policy import Action, admit
from tollgate.auth.principal import Principal
from tollgate.core import json
from tollgate.core.errors import InvalidRequestError, NotFoundError, RequestTooLargeError, TollgateError
from tollgate.http import problems
from tollgate.http.conditions import REPLAYED, Asked, desk
from tollgate.http.identity import principal_of
from tollgate.settings import settings
from tollgate.telemetry import Event, count, flush, logger

MAX_BODY_BYTES = 5 * 1024 * 1024
_GREEDY = "+>"


class AdminApi(APIGatewayRestResolver):
    """A Powertools resolver for one endpoint. ``action`` None: the endpoint asks for no credential (Q-32)."""

    # Of what surface that is not the native API it is.
    dialect = ""

    def __init__(self, action: Action | None) -> None:
        super().__init__(
            enable_validation=True,
            serializer=json.dumps,
            json_body_deserializer=_body_of,
            response_validation_error_http_code=HTTPStatus.INTERNAL_SERVER_ERROR,
            cors=_cors(settings().cors_origins),
        )
        self.action = action
        self.exception_handler(TollgateError)(self._refused)
        self.exception_handler(RequestValidationError)(self._invalid)
        self.exception_handler(RequestUnsupportedContentType)(self._unsupported)
        self.exception_handler(ResponseValidationError)(self._unexpected)
        self.exception_handler(Exception)(self._unexpected)
        self.exception_handler(RouteNotFoundError)(lambda _: self._refused(NotFoundError("Not Found")))

    def resolve(self, event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Answers one API Gateway proxy event."""
        logger.append_keys(request_id=_request_id(event), route=event.get("resource"))
        try:
            return super().resolve(event, context)
        finally:
            count("Requests")
            flush()
            logger.remove_keys(["actor"])

    def _call_route(self, route: Route, route_arguments: dict[str, str]) -> ResponseBuilder[Any]:
        # Powertools validates the body before any middleware of ours runs; identity comes before that.
        try:
            caller = self._admit()
            if caller is None:
                return super()._call_route(route, route_arguments)
            asked = _asked(self.current_event.raw_event, route, route_arguments)
            answer = desk().answer(asked, caller, lambda: self._answer(route, route_arguments))
        except TollgateError as error:
            answer = self._refused(error)
        return ResponseBuilder(response=answer, serializer=self._serializer, route=route)

    def _answer(self, route: Route, route_arguments: dict[str, str]) -> Response[Any]:
        return super()._call_route(route, route_arguments).response

    def _admit(self) -> Principal | None:
        """The caller, who may do that somewhere; None where nobody is asked who he is."""
        event = self.current_event.raw_event
        _check_size(event)
        if self.action is None:
            return None
        caller = principal_of(event)
        self._permit(caller, self.action)
        self.append_context(caller=caller)  # type: ignore[no-untyped-call]
        logger.append_keys(actor=caller.actor)
        return caller

    def _permit(self, caller: Principal, action: Action) -> None:
        """Raises ForbiddenError if the caller may do that nowhere."""
        admit(caller, action)

    def route(self, *args: Any, **kwargs: Any) -> Any:
        """As Powertools' own, except that a greedy variable is known to the validation by its plain name."""
        register = super().route(*args, **kwargs)

        def decorator(handler: Any) -> Any:
            registered = register(handler)
            for route in (*self._static_routes, *self._dynamic_routes):
                route.openapi_path = route.openapi_path.replace("+}", "}")
            return registered

        return decorator

    def _refused(self, error: TollgateError) -> Response[str]:
        answer = problems.problem(error, self._instance)
        self._observe(error, answer.status_code)
        return answer

    def _invalid(self, error: RequestValidationError) -> Response[str]:
        fields = [{"field": _field(entry["loc"]), "message": entry["msg"]} for entry in error.errors()]
        first = fields[0] if fields else {"field": "body", "message": "invalid"}
        return problems.document(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"{first['field']}: {first['message']}",
            InvalidRequestError.code,
            self._instance,
            {"errors": fields},
        )

    def _unsupported(self, _: RequestUnsupportedContentType) -> Response[str]:
        return problems.problem(
            InvalidRequestError("Content-Type must be application/json", param="Content-Type"), self._instance
        )

    def _unexpected(self, error: Exception) -> Response[str]:
        """Whatever nobody foresaw: logged with its stack, told only by its request id."""
        logger.exception(Event.UNEXPECTED, exc_info=error)
        count("UnexpectedErrors")
        return problems.document(
            HTTPStatus.INTERNAL_SERVER_ERROR, "Internal server error", TollgateError.code, self._instance
        )

    def _observe(self, error: TollgateError, status: int) -> None:
        log = logger.error if status >= HTTPStatus.INTERNAL_SERVER_ERROR else logger.info
        log(Event.REFUSED, extra={"code": error.stable_code, "status": status})

    @property
    def _instance(self) -> str:
        return _request_id(self.current_event.raw_event)

    def _convert_matches_into_route_keys(self, match: Any) -> dict[str, str]:
        # Path parameters are percent-decoded once; the query string comes decoded.
        return {name: unquote(value) for name, value in match.groupdict().items()}

    @staticmethod
    def _compile_regex(rule: str, base_regex: str = "") -> Any:  # noqa: ARG004 (the resolver calls it with both)
        """Knows ``<alias+>``, API Gateway's greedy variable, which takes the rest of the path."""
        if not rule.endswith(_GREEDY):
            return APIGatewayRestResolver._compile_regex(rule)  # noqa: SLF001 (the one that this overrides)
        head, name = rule[: -len(_GREEDY)].rsplit("<", 1)
        return re.compile(f"^{re.escape(head)}(?P<{name}>.+)$")


def admin_api(action: Action | None) -> AdminApi:
    """The resolver of an endpoint that performs ``action``; None for the few that are open to everyone."""
    return AdminApi(action)


def _cors(origins: tuple[str, ...]) -> CORSConfig | None:
    """Preflight is API Gateway's; this puts the header on answers to the pages of the stack's origins."""
    if not origins:
        return None
    return CORSConfig(
        allow_origin=origins[0], extra_origins=list(origins[1:]), expose_headers=["x-request-id", "ETag", REPLAYED]
    )


def _body_of(text: str) -> Any:
    """The body's JSON. An array is refused here: Powertools would take its first element for the body."""
    value = json.loads(text)
    if isinstance(value, list):
        raise JSONDecodeError("a JSON object is expected", "", 0)
    return value


def _field(location: tuple[str | int, ...]) -> str:
    """``("body", "models", 0)`` as ``models.0``; the bare part where there is no field."""
    parts = [str(part) for part in location]
    if parts[0] != "body":
        return parts[-1]
    return ".".join(parts[1:]) if len(parts) > 1 and not parts[1].isdigit() else parts[0]


def _check_size(event: Mapping[str, Any]) -> None:
    body = event.get("body") or ""
    if len(body) > MAX_BODY_BYTES or len(body.encode(errors="surrogatepass")) > MAX_BODY_BYTES:
        raise RequestTooLargeError(f"The request body may have at most {MAX_BODY_BYTES} bytes")


def _asked(event: Mapping[str, Any], route: Route, variables: Mapping[str, str]) -> Asked:
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    query = event.get("queryStringParameters") or {}
    return Asked(route.method, event["path"], event.get("body") or "", route.status_code, headers, variables, query)


def _request_id(event: Mapping[str, Any]) -> str:
    return str((event.get("requestContext") or {}).get("requestId") or "")
