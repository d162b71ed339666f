"""What can go wrong, told without HTTP. Each surface maps these classes to its own statuses and shapes, in one place.

TollgateError
├── InvalidRequestError        the request itself is wrong; names the field
│   ├── InvalidCursorError
│   ├── RefusedRequestError    well-formed, but the contract says 400: unknown provider, builtin group
│   └── RequestTooLargeError
├── UnauthenticatedError       no, malformed, unknown or revoked credential
│   └── KeyExpiredError
├── ForbiddenError             known, but may not
│   ├── BlockedError
│   ├── CustomerBlockedError
│   ├── RouteNotAllowedError
│   ├── RoleNotAllowedError
│   ├── OrganizationSuspendedError
│   ├── TeamSuspendedError
│   ├── TeamPausedError
│   ├── ModelAccessDeniedError
│   ├── InsufficientCreditsError
│   └── BudgetExceededError
├── NotFoundError
│   └── UnknownModelError
├── AlreadyExistsError         the id is taken
├── WrongStateError            not now: active teams, lost races
├── PreconditionFailedError    the resource is not the version that If-Match names
├── RetryLaterError            refused for the moment; carries seconds
│   ├── ReservedError          free, but reserved by calls in flight
│   └── RateLimitedError       requests, tokens or parallel calls
├── ProviderError              the upstream refused or failed
│   ├── ProviderRequestError   its 4xx, passed through
│   ├── ProviderUnavailableError
│   ├── ProviderAuthenticationError
│   └── ProviderTimeoutError
└── StoreUnavailableError      the table cannot answer; retryable
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar


class TollgateError(Exception):
    """The root. ``message`` is safe to show to the caller; ``extra`` are members shown beside it (Q-29)."""

    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str, *, code: str | None = None, param: str | None = None, **extra: Any) -> None:
        super().__init__(message)
        self.message = message
        self.stable_code = code or self.code
        self.param = param
        self.extra = extra


class InvalidRequestError(TollgateError):
    code = "invalid_request"


class InvalidCursorError(InvalidRequestError):
    code = "invalid_cursor"

    def __init__(self) -> None:
        super().__init__("The cursor is not valid for this list", param="cursor")


class RefusedRequestError(InvalidRequestError):
    """The fields are well-formed, yet their values mean nothing here (the contract's 400s that are no duplicates)."""

    code = "refused_request"


class RequestTooLargeError(InvalidRequestError):
    code = "request_too_large"


class UnauthenticatedError(TollgateError):
    code = "invalid_api_key"

    def __init__(self, message: str = "Invalid or missing API key", **extra: Any) -> None:
        super().__init__(message, **extra)


class KeyExpiredError(UnauthenticatedError):
    """The key was good until ``expires_at``; it is ``now``."""

    code = "expired_key"
    expires_at: datetime | None = None
    now: datetime | None = None

    def __init__(self, expires_at: datetime, now: datetime) -> None:
        super().__init__("API key has expired")
        self.expires_at = expires_at
        self.now = now


class ForbiddenError(TollgateError):
    code = "forbidden"


class BlockedError(ForbiddenError):
    """``entity`` is Key, Team or Organization; ``entity_id`` what may be shown of it."""

    code = "blocked"

    def __init__(self, entity: str, entity_id: str) -> None:
        super().__init__(f"{entity} is blocked", code=f"{entity.lower()}_blocked")
        self.entity = entity
        self.entity_id = entity_id


class CustomerBlockedError(ForbiddenError):
    """The end user whom a request names may call nothing, by nobody's key (contract litellm 1.1)."""

    code = "customer_blocked"

    def __init__(self, customer_id: str) -> None:
        super().__init__(f"User blocked from making LLM API Calls. User={customer_id}", param="user")


class RouteNotAllowedError(ForbiddenError):
    """A key that is limited to some routes; ``allowed`` are those, groups of them included."""

    code = "route_not_allowed"

    def __init__(self, allowed: Sequence[str], route: str) -> None:
        super().__init__(
            "Virtual key is not allowed to call this route. "
            f"Only allowed to call routes: {list(allowed)}. Tried to call route: {route}"
        )


class RoleNotAllowedError(ForbiddenError):
    """A key whose user only looks on calls no models."""

    code = "role_not_allowed"

    def __init__(self) -> None:
        super().__init__("user not allowed to access this OpenAI routes, role= proxy_admin_viewer")


class OrganizationSuspendedError(ForbiddenError):
    code = "organization_suspended"

    def __init__(self) -> None:
        super().__init__("Organization access suspended - contact support")


class TeamSuspendedError(ForbiddenError):
    code = "team_suspended"

    def __init__(self) -> None:
        super().__init__("Team access suspended - contact support")


class TeamPausedError(ForbiddenError):
    code = "team_paused"

    def __init__(self) -> None:
        super().__init__("Team access temporarily paused")


class ModelAccessDeniedError(ForbiddenError):
    """``level`` is whose list lacks the model: key, team, user …; ``entries`` is that list."""

    code = "model_access_denied"
    level: str = ""
    model: str = ""
    entries: Sequence[str] = ()

    def __init__(self, level: str, model: str, entries: Sequence[str], **extra: Any) -> None:
        super().__init__(
            f"Model access denied: {level} does not have access to model '{model}'",
            code=f"{level}_model_access_denied",
            param="model",
            **extra,
        )
        self.level = level
        self.model = model
        self.entries = entries


class InsufficientCreditsError(ForbiddenError):
    code = "insufficient_credits"


class BudgetExceededError(ForbiddenError):
    """A budget in USD is used up; ``extra`` says which, its size, what is spent and when it resets.

    ``message_80`` is what profile 1.80 says where that is something else.
    """

    code = "budget_exceeded"
    message_80: str | None = None


class NotFoundError(TollgateError):
    code = "not_found"


class UnknownModelError(NotFoundError):
    code = "model_not_found"


class AlreadyExistsError(TollgateError):
    code = "already_exists"


class WrongStateError(TollgateError):
    code = "wrong_state"


class PreconditionFailedError(TollgateError):
    code = "precondition_failed"

    def __init__(self) -> None:
        super().__init__("The resource is not the version that If-Match names; read it again", param="if-match")


class RetryLaterError(TollgateError):
    code = "rate_limited"

    def __init__(self, message: str, *, retry_after: int, **extra: Any) -> None:
        super().__init__(message, **extra)
        self.retry_after = retry_after


class ReservedError(RetryLaterError):
    code = "reserved"


class RateLimitedError(RetryLaterError):
    """``kind`` is what is limited: requests, tokens or max_parallel_requests; ``reset_at`` as the dialect writes it."""

    code = "rate_limited"
    kind: str = "requests"
    reset_at: str | None = None

    def __init__(self, message: str, *, retry_after: int, kind: str, reset_at: str | None, **extra: Any) -> None:
        super().__init__(message, retry_after=retry_after, **extra)
        self.kind = kind
        self.reset_at = reset_at


class ProviderError(TollgateError):
    code = "provider_error"


class ProviderRequestError(ProviderError):
    """The provider's own 4xx: ``status`` and message are passed on (Q-58)."""

    code = "provider_request_error"

    def __init__(self, message: str, *, status: int, retry_after: str | None = None, **extra: Any) -> None:
        super().__init__(message, **extra)
        self.status = status
        self.retry_after = retry_after


class ProviderUnavailableError(ProviderError):
    code = "provider_unavailable"


class ProviderAuthenticationError(ProviderError):
    code = "provider_authentication_error"


class ProviderTimeoutError(ProviderError):
    code = "provider_timeout"


class StoreUnavailableError(TollgateError):
    code = "store_unavailable"
