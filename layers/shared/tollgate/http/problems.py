"""Domain errors as RFC 9457 problem documents: the one place where the native API chooses a status (Q-10)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response

from tollgate.core import errors
from tollgate.core.json import dumps

CONTENT_TYPE = "application/problem+json"

STATUSES: dict[type[errors.TollgateError], HTTPStatus] = {
    errors.TollgateError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.InvalidRequestError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.InvalidCursorError: HTTPStatus.BAD_REQUEST,
    errors.RefusedRequestError: HTTPStatus.BAD_REQUEST,
    errors.RequestTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.UnauthenticatedError: HTTPStatus.UNAUTHORIZED,
    errors.ForbiddenError: HTTPStatus.FORBIDDEN,
    errors.NotFoundError: HTTPStatus.NOT_FOUND,
    errors.AlreadyExistsError: HTTPStatus.BAD_REQUEST,
    errors.WrongStateError: HTTPStatus.CONFLICT,
    errors.PreconditionFailedError: HTTPStatus.PRECONDITION_FAILED,
    errors.RetryLaterError: HTTPStatus.TOO_MANY_REQUESTS,
    errors.ProviderError: HTTPStatus.BAD_GATEWAY,
    errors.ProviderTimeoutError: HTTPStatus.GATEWAY_TIMEOUT,
    errors.StoreUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
}


def status_of(error: errors.TollgateError) -> HTTPStatus:
    """The status of an error's class or of its nearest mapped ancestor."""
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def problem(error: errors.TollgateError, instance: str) -> Response[str]:
    """The answer for a domain error. ``instance`` is the request id."""
    status = status_of(error)
    extra = dict(error.extra)
    if error.param is not None:
        extra.setdefault("errors", [{"field": error.param, "message": error.message}])
    if isinstance(error, errors.ModelAccessDeniedError):
        extra |= _denied(error.message)
    return document(status, error.message, error.stable_code, instance, extra, _headers(error))


def _denied(message: str) -> dict[str, str]:
    """A denied model is told in the words of the documentation's page on access, too (contract 1.5)."""
    what, _, why = message.partition(": ")
    return {"error": what, "message": why[:1].upper() + why[1:]}


def document(  # noqa: PLR0913, PLR0917
    status: HTTPStatus,
    detail: str,
    code: str,
    instance: str,
    extra: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> Response[str]:
    """A problem document from its parts."""
    body = {
        "type": f"urn:tollgate:error:{code}",
        "title": status.phrase,
        "status": int(status),
        "detail": detail,
        "code": code,
        "instance": instance,
        **(extra or {}),
    }
    return Response(
        status_code=int(status),
        content_type=CONTENT_TYPE,
        body=dumps(body),
        headers={"x-request-id": instance, **(headers or {})},
    )


def _headers(error: errors.TollgateError) -> dict[str, str]:
    if isinstance(error, errors.RetryLaterError):
        return {"Retry-After": str(error.retry_after)}
    if isinstance(error, errors.StoreUnavailableError):
        return {"Retry-After": "1"}
    return {}
