"""The tokens that sessions come with: JWT, HS256, for 24 hours, under a secret of their own (D-20).

A token says whose session it is and which. Whether the session still counts is in the table, and read on every request.
The authorizer imports this only when such a token comes, so that nobody else waits for it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

import jwt
from jwt.types import Options

from tollgate.core.errors import UnauthenticatedError

LIFETIME = timedelta(hours=24)
_ALGORITHM = "HS256"
_ISSUER = "tollgate"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a genuine token says. ``session_id`` is the SHA-256 of the token's id, in hex: all that is stored of it."""

    user_id: str
    session_id: str


def issue(user_id: str, token_id: str, at: datetime, secret: str) -> str:
    """A token of ``user_id`` that ends ``LIFETIME`` after ``at``; ``token_id`` is random and never stored."""
    claims = {"iss": _ISSUER, "sub": user_id, "jti": token_id, "iat": at, "exp": at + LIFETIME}
    return jwt.encode(claims, secret, algorithm=_ALGORITHM)


def identify(token: str, secret: str) -> Claims:
    """Raises UnauthenticatedError for a token that is not ours, was changed, or is past its end."""
    # Not by its time of issue: the machine that issued it may be a moment ahead of this one.
    options: Options = {"require": ["iss", "sub", "jti", "exp"], "verify_iat": False}
    try:
        claims = jwt.decode(token, secret, algorithms=[_ALGORITHM], issuer=_ISSUER, options=options)
    except jwt.InvalidTokenError:
        raise UnauthenticatedError from None
    return Claims(claims["sub"], session_id_of(claims["jti"]))


def session_id_of(token_id: str) -> str:
    return hashlib.sha256(token_id.encode()).hexdigest()
