"""The factory of every handler of the dialect: the native one with other refusals (contract litellm 1.0, 1.1, 2.2)."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from tollgate.auth.policy import Action
from tollgate.auth.principal import Principal, Role
from tollgate.core.errors import ForbiddenError, TollgateError, UnauthenticatedError
from tollgate.core.json import dumps
from tollgate.http.api import AdminApi
from tollgate.litellm import errors
from tollgate.litellm.errors import DialectError, ErrorAnswer, Shape
from tollgate.telemetry import Event, count, logger

_JSON = "application/json"
# Where an error has been raised: nobody has been let in yet, or by the endpoint itself.
_DOOR = "at_the_door"
_MASTER_KEY_ONLY = frozenset({"/global/spend/reset"})


class LiteLlmApi(AdminApi):
    """A resolver for one endpoint of the dialect; ``shape`` is that of its own errors."""

    dialect = "LiteLlm"

    def __init__(self, action: Action | None, shape: Shape) -> None:
        super().__init__(action)
        self.shape = shape

    def _admit(self) -> Principal | None:
        try:
            return super()._admit()
        except (UnauthenticatedError, ForbiddenError):
            self.append_context(**{_DOOR: True})  # type: ignore[no-untyped-call]
            raise

    def _permit(self, caller: Principal, action: Action) -> None:
        try:
            super()._permit(caller, action)
        except ForbiddenError:
            raise not_allowed(caller, self.current_event.path) from None

    def _refused(self, error: TollgateError) -> Response[str]:
        caller: Principal | None = self.context.get("caller")
        if type(error) is ForbiddenError and caller is not None and caller.platform_role is Role.PLATFORM_VIEWER:
            error = not_allowed(caller, self.current_event.path)
        at_the_door = self.context.get(_DOOR)
        shown = errors.refused(error, self._headers) if at_the_door else errors.answer(error, self.shape)
        self._observe(error, shown.status)
        return _response(shown)

    @property
    def _headers(self) -> dict[str, str]:
        sent = self.current_event.raw_event.get("headers") or {}
        return {name.lower(): value for name, value in sent.items()}

    def _invalid(self, error: RequestValidationError) -> Response[str]:
        entries: list[dict[str, Any]] = [dict(entry) for entry in error.errors()]
        if (refused := errors.refused_value(entries)) is not None:
            return self._refused(refused)
        return _response(ErrorAnswer(422, errors.invalid(entries), {}))

    def _unsupported(self, _: Exception) -> Response[str]:
        entry = {
            "type": "content_type",
            "loc": ["header", "content-type"],
            "msg": "Content-Type must be application/json",
        }
        return _response(ErrorAnswer(422, errors.invalid([entry]), {}))

    def _unexpected(self, error: Exception) -> Response[str]:
        logger.exception(Event.UNEXPECTED, exc_info=error)
        count("UnexpectedErrors")
        return _response(ErrorAnswer(500, errors.unexpected(), {}))


def litellm_api(action: Action | None, shape: Shape = Shape.DETAIL) -> LiteLlmApi:
    """The resolver of an endpoint that performs ``action``; None for the few that are open to everyone."""
    return LiteLlmApi(action, shape)


def _response(shown: ErrorAnswer) -> Response[str]:
    return Response(shown.status, _JSON, dumps(shown.body), headers=dict(shown.headers))


def not_allowed(caller: Principal, route: str) -> DialectError:
    """What the contract says to a role that may not use a route, whatever shape its own errors have (1.1)."""
    if route in _MASTER_KEY_ONLY:
        return DialectError(401, f"Tried to access route={route}, which is only for MASTER KEY", shape=Shape.AUTH)
    if caller.platform_role is Role.PLATFORM_VIEWER:
        message = f"user not allowed to access this route, role= proxy_admin_viewer. Trying to access: {route}"
        return DialectError(403, message, shape=Shape.AUTH)
    message = (
        "Authentication Error, Only proxy admin can be used to generate, delete, update info for new keys/users/teams. "
        f"Route={route}. Your role={role_of(caller)}. Your user_id={_veiled(caller.user_id or 'None')}"
    )
    return DialectError(401, message, shape=Shape.AUTH)


def role_of(caller: Principal) -> str:
    """The global role in LiteLLM's words (decisions section 6)."""
    return _ROLES.get(caller.platform_role, "internal_user_viewer" if caller.only_looks else "internal_user")


_ROLES: dict[Role | None, str] = {
    Role.PLATFORM_OWNER: "proxy_admin",
    Role.PLATFORM_ADMIN: "proxy_admin",
    Role.PLATFORM_VIEWER: "proxy_admin_viewer",
}


def _veiled(name: str) -> str:
    """Enough to recognise oneself by."""
    return f"{name[:6]}***{name[-2:]}" if len(name) > 8 else name
