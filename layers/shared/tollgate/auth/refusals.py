"""What LiteLLM's clients are told who come with a credential that does not let them in (contract litellm 1.1).

The authorizer uses it, too, so nothing is imported here that costs time. No text has a character that would have to be
escaped in JSON: API Gateway puts them into its answers as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tollgate.auth.credentials import CREDENTIAL_HEADERS, key_id_of, presented
from tollgate.core.errors import UnauthenticatedError

_PREFIX = "sk-"
# What may be said of a credential: what else it has is veiled.
_UNSPEAKABLE = re.compile(r"[^A-Za-z0-9._~+/=-]")
_SHORTEST_TO_SHOW = 12


@dataclass(frozen=True, slots=True)
class Refusal:
    """Message, type and ``param`` of an error in OpenAI's shape."""

    message: str
    kind: str = "auth_error"
    param: str = "None"


NO_KEY = Refusal("Authentication Error, No api key passed in.")
MALFORMED = Refusal("Authentication Error, Malformed API Key passed in. Ensure Key has `Bearer ` prefix.")


def of_credential(headers: Mapping[str, str], *, admin: bool) -> Refusal:
    """Why the credential of a request is none; ``headers`` have lower-case names, ``admin`` is as in ``presented``."""
    try:
        credential = presented(headers, admin=admin)
    except UnauthenticatedError:
        return MALFORMED if any(headers.get(name, "").strip() for name in CREDENTIAL_HEADERS) else NO_KEY
    if not credential.startswith(_PREFIX):
        return Refusal(
            f"Authentication Error, LiteLLM Virtual Key expected. Received={_veiled(credential)}, "
            "expected to start with 'sk-'."
        )
    return Refusal(
        f"Authentication Error, Invalid proxy server token passed. Received API Key = {_shown(credential)}, "
        f"Key Hash (Token) ={key_id_of(credential)}. "
        "Unable to find token in cache or `LiteLLM_VerificationTokenTable`",
        "token_not_found_in_db",
        "key",
    )


def of_expired(expires_at: object, now: object, headers: Mapping[str, str], *, admin: bool, hashed: bool) -> Refusal:
    """What is said of a key that was good until ``expires_at``; ``hashed`` names it by its hash, else by its end."""
    try:
        credential = presented(headers, admin=admin)
    except UnauthenticatedError:
        param = "None"
    else:
        param = key_id_of(credential) if hashed else _shown(credential)
    message = f"Authentication Error - Expired Key. Key Expiry time {expires_at} and current time {now}"
    return Refusal(message, "expired_key", param)


def _shown(key: str) -> str:
    """A key by its end, as it is shown everywhere."""
    return f"sk-...{_UNSPEAKABLE.sub('*', key[-4:])}"


def _veiled(credential: str) -> str:
    """Enough to recognise it by, if that leaves enough that is not said."""
    if len(credential) < _SHORTEST_TO_SHOW:
        return "****"
    return f"{_UNSPEAKABLE.sub('*', credential[:4])}****{_UNSPEAKABLE.sub('*', credential[-4:])}"
