"""The authorizer of every route: who is calling, and nothing else (design section 4, Q-33).

A known credential passes whatever its state; expiry, revocation and suspension are answered by the function behind,
which reads them itself on every request. This module is the first thing that a caller waits for, so it imports
neither botocore nor pydantic nor Powertools.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from tollgate.auth import credentials, refusals
from tollgate.aws.lean import LeanClient
from tollgate.core.errors import UnauthenticatedError
from tollgate.settings import settings
from tollgate.table import keys

# First segments of paths that call or list models, as OpenAI's clients know them.
_DATA_PLANE = {"v1", "chat", "completions", "embeddings", "models", "engines"}
# What LiteLLM's clients look models up by is management, whatever it begins with.
_MODEL_INFO = ["model", "info"]
_MASTER_PRINCIPAL = "master"
_OWNERS = ("team_id", "team_uid", "organization_id", "organization_uid", "user_id", "user_uid")


def handler(event: Mapping[str, Any], _: object) -> dict[str, Any]:
    """The policy for a REQUEST authorizer's event.

    Raises Exception("Unauthorized"), which API Gateway turns into a 401 that it does not cache, for ``/v1`` requests
    without a known credential. On management routes those get a Deny whose context fills the gateway response.
    """
    api_arn, stage, _method, *path = event["methodArn"].split("/")
    data_plane = path[0] in _DATA_PLANE and path[-2:] != _MODEL_INFO
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    identified = _identify(headers, admin=not data_plane)
    _log(event, identified)
    if identified is None and data_plane:
        raise Exception("Unauthorized")  # noqa: TRY002 (API Gateway's protocol: this very text)
    stage_arn = f"{api_arn}/{stage}/*/*"
    if identified is None:
        return _policy("anonymous", "Deny", stage_arn, _told(headers))
    principal = identified["key_id"] or identified.get("session_id") or _MASTER_PRINCIPAL
    return _policy(principal, "Allow", stage_arn, identified)


def _told(headers: Mapping[str, str]) -> dict[str, str]:
    """What the gateway response is filled with: the native API's words, and those that LiteLLM's clients know."""
    told = refusals.of_credential(headers, admin=True)
    return {
        "message": UnauthenticatedError().message,
        "error_message": told.message,
        "error_type": told.kind,
        "error_param": told.param,
    }


def _identify(headers: Mapping[str, str], *, admin: bool) -> dict[str, str] | None:
    """The context of a known credential (flat strings, empty for none), or None."""
    try:
        credential = credentials.presented(headers, admin=admin)
        if credentials.is_session_token(credential):
            return _session(credential)
    except UnauthenticatedError:
        return None
    if credentials.is_master_key(credential, settings().master_key_sha256):
        return {"kind": "master", "key_id": "", **dict.fromkeys(_OWNERS, "")}
    key_id = credentials.key_id_of(credential)
    item = _client().get_item(settings().table_name, {"PK": keys.key(key_id), "SK": keys.ENTITY})
    if item is None:
        return None
    return {"kind": "key", "key_id": key_id, **{name: item.get(name, {}).get("S", "") for name in _OWNERS}}


def _session(token: str) -> dict[str, str]:
    """A genuine token passes everywhere: the functions of the data plane refuse it themselves, as 403 (Q-09)."""
    # Only requests with a token pay for the library.
    from tollgate.auth import tokens  # noqa: PLC0415

    claims = tokens.identify(token, settings().session_secret)
    owners = dict.fromkeys(_OWNERS, "") | {"user_id": claims.user_id}
    return {"kind": "session", "key_id": "", "session_id": claims.session_id, **owners}


def _policy(principal: str, effect: str, resource: str, context: Mapping[str, str]) -> dict[str, Any]:
    """One answer for the whole stage: a cached one is used for every method."""
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}
    return {
        "principalId": principal,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": dict(context),
    }


def _log(event: Mapping[str, Any], identified: Mapping[str, str] | None) -> None:
    """One line of JSON; a key is told by its id, which is a hash, a refused credential not at all."""
    if settings().log_level not in {"DEBUG", "INFO"}:
        return
    entry = {
        "level": "INFO",
        "message": "authorized" if identified else "unauthorized",
        "service": "tollgate",
        "request_id": (event.get("requestContext") or {}).get("requestId", ""),
        "route": event.get("resource", ""),
        **(identified or {}),
    }
    print(json.dumps(entry))  # noqa: T201 (Lambda's log is the standard output)


@cache
def _client() -> LeanClient:
    return LeanClient(settings().region, settings().dynamodb_endpoint_url)
