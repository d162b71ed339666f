"""Errors as LiteLLM's clients know them: four shapes, of which each endpoint has one (contract litellm 1.0, 1.1).

E1 is ``{"error": {"message", "type", "param", "code"}}``, E2 ``{"detail": …}``, E3 the list of what a body lacks, E4
the framework's own. Endpoints raise ``DialectError`` where the contract has a text of its own; every other domain error
is put into the endpoint's shape here, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Any

from tollgate.core import errors
from tollgate.http.openai_errors import is_80, message_of, refusal_of

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
# What has the same type everywhere, whatever an endpoint calls its own errors.
_NAMED = (
    errors.OrganizationSuspendedError,
    errors.TeamSuspendedError,
    errors.TeamPausedError,
    errors.StoreUnavailableError,
)
AUTH = "auth_error"
_MONEY = frozenset(
    {
        "max_budget",
        "soft_budget",
        "temp_budget_increase",
        "budget_limit",
        "spend",
        "max_budget_in_team",
        "max_budget_in_organization",
        "team_member_budget",
    }
)


class Shape(Enum):
    """How an endpoint shapes its errors: E1 with a type, and whether ``param`` is ``"None"`` or null; or E2."""

    INTERNAL = ("internal_server_error", None)
    LISTING = ("internal_server_error", "None")
    AUTH = (AUTH, "None")
    SPEND = ("internal_error", "None")
    DETAIL = (None, None)


class DialectError(errors.TollgateError):
    """An error in LiteLLM's own words.

    ``quoted``: the message is an object ``{'error': …}`` (or another ``member``), as text inside E1 and as an object
    inside E2. ``kind`` is the type in E1, else that of the endpoint's shape; ``shape`` where the endpoint's own is not
    the one.
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
        member: str = "error",
        shape: Shape | None = None,
    ) -> None:
        super().__init__(message, code=kind, param=param)
        self.status = status
        self.kind = kind
        self.quoted = quoted
        self.member = member
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
        member = error.member if error.quoted else None
        return ErrorAnswer(
            error.status, _body(own, error.status, error.message, error.kind, error.param, member=member), {}
        )
    status = int(next(_STATUSES[kind] for kind in type(error).__mro__ if kind in _STATUSES))
    kind = error.stable_code if isinstance(error, _NAMED) else None
    return ErrorAnswer(status, _body(shape, status, error.message, kind, error.param, member="error"), _headers(error))


def refused(error: errors.TollgateError, headers: Mapping[str, str]) -> ErrorAnswer:
    """The answer to who may not come in at all: always E1 (contract 1.1). ``headers`` have lower-case names."""
    if isinstance(error, errors.UnauthenticatedError):
        told = refusal_of(error, headers, admin=True)
        status = 400 if isinstance(error, errors.KeyExpiredError) and is_80() else 401
        return ErrorAnswer(status, e1(status, told.message, told.kind, told.param), {})
    if isinstance(error, errors.BlockedError):
        return ErrorAnswer(401, e1(401, message_of(error), AUTH, "None"), {})
    return answer(error, Shape.AUTH)


def refused_value(entries: Sequence[Mapping[str, Any]]) -> DialectError | None:
    """The contract's 400 for a body in which nothing is wrong but a duration or a negative amount of money (1.1)."""
    told = [_value_error(entry) for entry in entries] or [None]
    first = told[0] if all(told) else None
    return DialectError(400, first, quoted=True) if first is not None else None


def _value_error(entry: Mapping[str, Any]) -> str | None:
    name = entry["loc"][-1]
    if entry["type"] == "budget_duration":
        return str(entry["msg"])
    if entry["type"] == "greater_than_equal" and name in _MONEY:
        return f"{name} must be a non-negative finite number. Received: {float(entry['input'])}"
    return None


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


def _headers(error: errors.TollgateError) -> dict[str, str]:
    if isinstance(error, errors.RetryLaterError):
        return {"Retry-After": str(error.retry_after)}
    return {"Retry-After": "1"} if isinstance(error, errors.StoreUnavailableError) else {}


def _body(  # noqa: PLR0913
    shape: Shape, status: int, message: str, kind: str | None, param: str | None, *, member: str | None
) -> dict[str, Any]:
    default_kind, default_param = shape.value
    if default_kind is None:
        return {"detail": {member: message} if member else message}
    if param is None:
        param = default_param
        if shape is Shape.INTERNAL and is_80():
            param = "None"
    text = f"{{{member!r}: {message!r}}}" if member and shape is not Shape.AUTH else message
    return e1(status, text, kind or default_kind, param)
