"""Errors as LiteLLM's clients know them: four shapes, of which each endpoint has one (contract litellm 1.0, 1.1).

E1 is ``{"error": {"message", "type", "param", "code"}}``, E2 ``{"detail": …}``, E3 the list of what a body lacks, E4
the framework's own. Endpoints raise ``DialectError`` where the contract has a text of its own; every other domain error
is put into the endpoint's shape here, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Any

from tollgate.core import errors
from tollgate.http.openai_errors import message_of
from tollgate.settings import settings

_STATUSES: dict[type[errors.TollgateError], HTTPStatus] = {
    errors.TollgateError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.InvalidRequestError: HTTPStatus.BAD_REQUEST,
    errors.RequestTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.UnauthenticatedError: HTTPStatus.UNAUTHORIZED,
    errors.ForbiddenError: HTTPStatus.FORBIDDEN,
    errors.BlockedError: HTTPStatus.UNAUTHORIZED,
    errors.NotFoundError: HTTPStatus.NOT_FOUND,
    errors.AlreadyExistsError: HTTPStatus.BAD_REQUEST,
    errors.WrongStateError: HTTPStatus.CONFLICT,
    errors.PreconditionFailedError: HTTPStatus.PRECONDITION_FAILED,
    errors.RetryLaterError: HTTPStatus.TOO_MANY_REQUESTS,
    errors.StoreUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
}
AUTH = "auth_error"


class Shape(Enum):
    """How an endpoint shapes its errors: E1 with a type, and whether ``param`` is ``"None"`` or null; or E2."""

    INTERNAL = ("internal_server_error", None)
    LISTING = ("internal_server_error", "None")
    AUTH = (AUTH, "None")
    SPEND = ("internal_error", "None")
    DETAIL = (None, None)


class DialectError(errors.TollgateError):
    """An error in LiteLLM's own words.

    ``quoted``: the message is an object ``{'error': …}``, as text inside E1 and as an object inside E2. ``kind`` is
    the type in E1, else that of the endpoint's shape; ``shape`` where the endpoint's own is not the one.
    """

    code = "litellm"

    def __init__(  # noqa: PLR0913
        self,
        status: int,
        message: str,
        *,
        kind: str | None = None,
        param: str | None = None,
        quoted: bool = False,
        shape: Shape | None = None,
    ) -> None:
        super().__init__(message, code=kind, param=param)
        self.status = status
        self.kind = kind
        self.quoted = quoted
        self.shape = shape


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """Status, body and headers of an error."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]


def answer(error: errors.TollgateError, shape: Shape) -> ErrorAnswer:
    """The answer for an error of an endpoint with that shape."""
    if isinstance(error, DialectError):
        own = error.shape or shape
        return ErrorAnswer(
            error.status, _body(own, error.status, error.message, error.kind, error.param, quoted=error.quoted), {}
        )
    status = int(next(_STATUSES[kind] for kind in type(error).__mro__ if kind in _STATUSES))
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, errors.RetryLaterError) else {}
    return ErrorAnswer(status, _body(shape, status, error.message, None, error.param, quoted=True), headers)


def refused(error: errors.TollgateError) -> ErrorAnswer:
    """The answer to who may not come in at all: always E1 (contract 1.1)."""
    if isinstance(error, DialectError):
        return answer(error, Shape.AUTH)
    if isinstance(error, errors.KeyExpiredError):
        status = 400 if settings().litellm_compat == "1.80" else 401
        return ErrorAnswer(status, e1(status, f"Authentication Error - {error.message}", error.stable_code, "None"), {})
    if isinstance(error, errors.UnauthenticatedError):
        message = (
            error.message
            if error.message.startswith("Authentication Error")
            else f"Authentication Error, {error.message}"
        )
        return ErrorAnswer(401, e1(401, message, AUTH, "None"), {})
    if isinstance(error, errors.BlockedError):
        return ErrorAnswer(401, e1(401, message_of(error), AUTH, "None"), {})
    return answer(error, Shape.AUTH)


def invalid(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """E3: what is wrong with a body or a query; of an entry only these three members are told."""
    shown = [{name: entry[name] for name in ("type", "loc", "msg") if name in entry} for entry in entries]
    return {"detail": [entry | {"loc": _plain(entry["loc"])} for entry in shown]}


def _plain(loc: Sequence[str | int]) -> list[str | int]:
    """Where something is wrong; the name under which a handler has the query's model is nobody's business."""
    return [loc[0], *loc[2:]] if tuple(loc[:2]) == ("query", "query") else list(loc)


def unexpected() -> dict[str, Any]:
    """E4: whatever nobody foresaw."""
    return {"error": {"message": "Internal server error", "type": "internal_server_error"}}


def e1(status: int, message: str, kind: str, param: str | None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": str(status)}}


def _body(  # noqa: PLR0913
    shape: Shape, status: int, message: str, kind: str | None, param: str | None, *, quoted: bool
) -> dict[str, Any]:
    default_kind, default_param = shape.value
    if default_kind is None:
        return {"detail": {"error": message} if quoted else message}
    if param is None:
        param = default_param
        if shape is Shape.INTERNAL and settings().litellm_compat == "1.80":
            param = "None"
    text = f"{{'error': {message!r}}}" if quoted and shape is not Shape.AUTH else message
    return e1(status, text, kind or default_kind, param)
