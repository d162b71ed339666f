"""Virtual keys and the master key: form, hash, mask, and how a request carries them."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping

from tollgate.core.errors import ForbiddenError, UnauthenticatedError

# Where management routes look for a credential before ``Authorization``, in this order.
_OWN_HEADERS = ("x-litellm-api-key", "x-admin-key", "api-key")
CREDENTIAL_HEADERS = (*_OWN_HEADERS, "authorization")
# Longest credential that is looked at; ours have 35 characters, a custom key may be longer.
_MAX_LENGTH = 1024
_BEARER = re.compile(r"bearer\s+(.+)", re.IGNORECASE | re.DOTALL)
# Header, payload and signature of a JSON web token; the header is a JSON object, whose Base64 begins so.
_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")


def new_key() -> str:
    """A virtual key: ``sk-`` and 32 hex characters, 128 random bits."""
    return f"sk-{secrets.token_hex(16)}"


def key_id_of(key: str) -> str:
    """The public id of a key, and the only form in which it is stored: the SHA-256 of the whole string, in hex."""
    return hashlib.sha256(key.encode()).hexdigest()


def masked(key: str) -> str:
    """``sk-...cdef``: what may be shown of a key after its creation."""
    return f"sk-...{key[-4:]}"


def is_master_key(key: str, master_key_sha256: str) -> bool:
    """Compares in constant time against the hash that the stack knows."""
    return hmac.compare_digest(key_id_of(key), master_key_sha256)


def is_session_token(credential: str) -> bool:
    """Whether a credential has the form of a session's token; no key of ours has a dot."""
    return _TOKEN.fullmatch(credential) is not None


def from_headers(headers: Mapping[str, str], *, admin: bool) -> str:
    """The credential of a request, which only on management routes may be a session's token (Q-09).

    Raises as ``presented`` does, and ForbiddenError for a token elsewhere.
    """
    credential = presented(headers, admin=admin)
    if not admin and is_session_token(credential):
        raise ForbiddenError("A session may not use this endpoint; use an API key")
    return credential


def presented(headers: Mapping[str, str], *, admin: bool) -> str:
    """Whatever credential a request came with; ``headers`` have lower-case names.

    Management routes (``admin``) also take ``X-Admin-Key``, ``x-litellm-api-key`` and Azure's ``api-key`` (Q-33).
    Surrounding blanks are trimmed. Raises UnauthenticatedError when there is none or it is malformed.
    """
    if admin:
        for name in _OWN_HEADERS:
            if headers.get(name, "").strip():
                return _checked(_without_scheme(headers[name].strip()))
    authorization = headers.get("authorization", "").strip()
    bearer = _BEARER.fullmatch(authorization)
    if bearer is None:
        raise UnauthenticatedError
    return _checked(bearer.group(1).strip())


def _without_scheme(value: str) -> str:
    bearer = _BEARER.fullmatch(value)
    return bearer.group(1).strip() if bearer else value


def _checked(credential: str) -> str:
    if not credential or len(credential) > _MAX_LENGTH:
        raise UnauthenticatedError
    return credential
