"""From what the authorizer says about a request to the caller that the handlers see.

The authorizer only identifies. Whether a key still counts, its team and organization included, is read here, strongly
consistent, on every request (design section 4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tollgate.auth import credentials
from tollgate.auth.principal import ActorKind, Principal, Role
from tollgate.core.errors import UnauthenticatedError
from tollgate.settings import settings

MASTER_ACTOR = "default_user_id"


def principal_of(event: Mapping[str, Any]) -> Principal:
    """The caller of an API Gateway proxy event. Raises the row of Q-10 that his credential is in."""
    context = event.get("requestContext") or {}
    identified = context.get("authorizer") or {}
    principal = _principal(identified, str(event.get("path") or ""), str(event.get("httpMethod") or ""))
    return replace(
        principal,
        ip_address=(context.get("identity") or {}).get("sourceIp"),
        request_id=context.get("requestId"),
    )


def admit_setup(event: Mapping[str, Any]) -> None:
    """Raises UnauthenticatedError unless the request may make the first owner: with the master key, or locally (Q-32).

    No authorizer stands before that route, so the key is looked for here.
    """
    if settings().open_setup:
        return
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    credential = credentials.from_headers(headers, admin=True)
    if not credentials.is_master_key(credential, settings().master_key_sha256):
        raise UnauthenticatedError


def _principal(identified: Mapping[str, Any], route: str, method: str) -> Principal:
    match identified.get("kind"):
        case "master":
            return Principal(actor=MASTER_ACTOR, kind=ActorKind.PLATFORM, platform_role=Role.PLATFORM_OWNER)
        case "key":
            # Only requests with a key pay for the key's storage code.
            from tollgate.keys.service import key_service  # noqa: PLC0415

            # What is suspended may still be looked at by LiteLLM's API.
            looks_on = method == "GET" and not route.startswith("/api/")
            return key_service().principal(str(identified.get("key_id", "")), route, looks_on=looks_on)
        case "session":
            from tollgate.sessions.service import session_service  # noqa: PLC0415

            return session_service().principal(str(identified.get("session_id", "")))
        case _:
            raise UnauthenticatedError
