"""Domain errors in OpenAI's shape: the one place where ``/v1`` chooses a status and a type (Q-10, Q-29, Q-58).

The shape is ``{"error": {"message", "type", "param", "code"}}``; ``code`` is the status as text, further members
(``available_models``, ``limit``, ``spent`` …) sit beside them. The SDK turns the status into its exception class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tollgate.auth import refusals
from tollgate.auth.refusals import Refusal
from tollgate.core import errors
from tollgate.models.access import NOTHING
from tollgate.settings import settings


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """Status, body and headers of an error."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Row:
    """``kind`` None: the error's own stable code. ``status_80``: the status under profile 1.80 (Q-55).

    ``param`` where the error has none of its own: clients know the text "None" as well as null (contract 1.1).
    """

    status: int
    kind: str | None = None
    status_80: int | None = None
    param: str | None = None


_ROWS: dict[type[errors.TollgateError], _Row] = {
    errors.TollgateError: _Row(500, "internal_server_error"),
    errors.InvalidRequestError: _Row(400, "invalid_request_error"),
    errors.RequestTooLargeError: _Row(413, "request_too_large"),
    errors.UnauthenticatedError: _Row(401),
    errors.KeyExpiredError: _Row(401, "expired_key", 400),
    errors.ForbiddenError: _Row(403),
    errors.BlockedError: _Row(401, "auth_error", param="None"),
    errors.CustomerBlockedError: _Row(403, None, 400),
    errors.RouteNotAllowedError: _Row(403, "auth_error", param="None"),
    errors.RoleNotAllowedError: _Row(403, "auth_error", param="None"),
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


def is_80() -> bool:
    """Whether the stack's profile is 1.80 (Q-55)."""
    return settings().litellm_compat == "1.80"


def answer(
    error: errors.TollgateError, headers: Mapping[str, str] | None = None, *, admin: bool = False
) -> ErrorAnswer:
    """The answer for a domain error, by the profile of this stack (Q-55).

    ``headers`` (with lower-case names) and ``admin`` are the request's, as ``auth.credentials.presented`` has them:
    what is said of a credential that lets nobody in shows a part of it.
    """
    row = next(_ROWS[kind] for kind in type(error).__mro__ if kind in _ROWS)
    status = row.status_80 if row.status_80 and is_80() else row.status
    if isinstance(error, errors.ProviderRequestError):
        status = error.status
    if isinstance(error, errors.UnauthenticatedError) and headers is not None:
        told = refusal_of(error, headers, admin=admin)
        return ErrorAnswer(status, body(told.message, told.kind, status, told.param), {})
    kind, extra = row.kind or _kind_of(error), dict(error.extra)
    if isinstance(error, errors.UnknownModelError):
        extra["provider_specific_fields"] = {"error": error.message}
    shown = body(message_of(error), kind, status, error.param or row.param, extra)
    return ErrorAnswer(status, shown, _headers(error))


def body(
    message: str, kind: str, status: int, param: str | None = None, extra: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The error object in its envelope."""
    return {"error": {"message": message, "type": kind, "param": param, "code": str(status), **(extra or {})}}


def refusal_of(error: errors.UnauthenticatedError, headers: Mapping[str, str], *, admin: bool) -> Refusal:
    """What is said of the credential of a request that was refused because of it (contract litellm 1.1)."""
    if isinstance(error, errors.KeyExpiredError):
        return refusals.of_expired(error.expires_at, error.now, headers, admin=admin, hashed=is_80())
    return refusals.of_credential(headers, admin=admin)


def message_of(error: errors.TollgateError) -> str:
    """LiteLLM's words where clients look for them."""
    if isinstance(error, errors.BlockedError):
        who = "Key" if error.entity == "Key" else f"{error.entity}={error.entity_id}"
        route = f"/{error.entity.lower()}/{'update' if error.entity == 'User' else 'unblock'}"
        return f"Authentication Error, {who} is blocked. Update via `{route}` if you're an admin."
    if isinstance(error, errors.ModelAccessDeniedError):
        return _denied_80(error) if is_80() else _DENIED.format(model=error.model)
    if isinstance(error, errors.BudgetExceededError) and is_80():
        return error.message_80 or error.message
    return error.message


_DENIED = (
    "The requested model '{model}' is not available for this API key, or the model name is invalid. "
    "Check the models available to you and try again."
)


def _denied_80(error: errors.ModelAccessDeniedError) -> str:
    return (
        f"{error.level} not allowed to access model. This {error.level} can only access "
        f"models={list(error.entries)}. Tried to access {error.model}"
    )


def _kind_of(error: errors.TollgateError) -> str:
    if isinstance(error, errors.ModelAccessDeniedError) and list(error.entries) == [NOTHING]:
        # A user who may call nothing by himself is told as if it were his key's list (contract 1.1).
        return "key_model_access_denied"
    return error.stable_code


def _headers(error: errors.TollgateError) -> dict[str, str]:
    if isinstance(error, errors.RateLimitedError):
        reset_at = {"reset_at": error.reset_at} if error.reset_at is not None else {}
        return {"retry-after": str(error.retry_after), "rate_limit_type": error.kind, **reset_at}
    if isinstance(error, errors.RetryLaterError):
        return {"retry-after": str(error.retry_after)}
    if isinstance(error, errors.StoreUnavailableError):
        return {"retry-after": "1"}
    if isinstance(error, errors.ProviderRequestError) and error.retry_after:
        return {"retry-after": error.retry_after}
    return {}
