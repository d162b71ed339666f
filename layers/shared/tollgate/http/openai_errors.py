"""Domain errors in OpenAI's shape: the one place where ``/v1`` chooses a status and a type (Q-10, Q-29, Q-58).

The shape is ``{"error": {"message", "type", "param", "code"}}``; ``code`` is the status as text, further members
(``available_models``, ``limit``, ``spent`` …) sit beside them. The SDK turns the status into its exception class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tollgate.core import errors
from tollgate.settings import settings


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """Status, body and headers of an error."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Row:
    """``kind`` None: the error's own stable code. ``status_80``: the status under profile 1.80 (Q-55)."""

    status: int
    kind: str | None = None
    status_80: int | None = None


_ROWS: dict[type[errors.TollgateError], _Row] = {
    errors.TollgateError: _Row(500, "internal_server_error"),
    errors.InvalidRequestError: _Row(400, "invalid_request_error"),
    errors.RequestTooLargeError: _Row(413, "request_too_large"),
    errors.UnauthenticatedError: _Row(401),
    errors.KeyExpiredError: _Row(401, "expired_key", 400),
    errors.ForbiddenError: _Row(403),
    errors.BlockedError: _Row(401, "auth_error"),
    errors.RouteNotAllowedError: _Row(403, "auth_error"),
    errors.BudgetExceededError: _Row(422, "budget_exceeded", 400),
    errors.ModelAccessDeniedError: _Row(403, None, 401),
    errors.NotFoundError: _Row(404, "not_found_error"),
    errors.UnknownModelError: _Row(400, "invalid_request_error"),
    errors.AlreadyExistsError: _Row(400, "bad_request_error"),
    errors.WrongStateError: _Row(409),
    errors.RetryLaterError: _Row(429, "throttling_error"),
    errors.ReservedError: _Row(429, "reserved"),
    errors.ProviderError: _Row(502),
    errors.ProviderTimeoutError: _Row(504),
    errors.StoreUnavailableError: _Row(503),
}


def answer(error: errors.TollgateError) -> ErrorAnswer:
    """The answer for a domain error, by the profile of this stack (Q-55)."""
    row = next(_ROWS[kind] for kind in type(error).__mro__ if kind in _ROWS)
    status = row.status_80 if row.status_80 and settings().litellm_compat == "1.80" else row.status
    headers: dict[str, str] = {}
    if isinstance(error, errors.RetryLaterError):
        headers["retry-after"] = str(error.retry_after)
        if isinstance(error, errors.RateLimitedError):
            headers["rate_limit_type"] = error.kind
            if error.reset_at is not None:
                headers["reset_at"] = error.reset_at
    elif isinstance(error, errors.StoreUnavailableError):
        headers["retry-after"] = "1"
    elif isinstance(error, errors.ProviderRequestError):
        status = error.status
        if error.retry_after:
            headers["retry-after"] = error.retry_after
    kind = row.kind or error.stable_code
    return ErrorAnswer(status, body(message_of(error), kind, status, error.param, error.extra), headers)


def body(
    message: str, kind: str, status: int, param: str | None = None, extra: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The error object in its envelope."""
    return {"error": {"message": message, "type": kind, "param": param, "code": str(status), **(extra or {})}}


def message_of(error: errors.TollgateError) -> str:
    """LiteLLM's words where clients look for them."""
    if isinstance(error, errors.BlockedError):
        who = "Key" if error.entity == "Key" else f"{error.entity}={error.entity_id}"
        route = f"/{error.entity.lower()}/unblock"
        return f"Authentication Error, {who} is blocked. Update via `{route}` if you're an admin."
    return error.message
