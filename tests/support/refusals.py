"""What is said of credentials that let nobody in, written by hand from the contract (litellm 1.1)."""

from __future__ import annotations

import hashlib
import re
from typing import Any

NO_KEY = ("Authentication Error, No api key passed in.", "auth_error", "None")
MALFORMED = (
    "Authentication Error, Malformed API Key passed in. Ensure Key has `Bearer ` prefix.",
    "auth_error",
    "None",
)
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{6})?\+00:00")


def no_virtual_key(veiled: str) -> tuple[str, str, str]:
    message = f"Authentication Error, LiteLLM Virtual Key expected. Received={veiled}, expected to start with 'sk-'."
    return message, "auth_error", "None"


def unknown(key: str, shown: str | None = None) -> tuple[str, str, str]:
    message = (
        "Authentication Error, Invalid proxy server token passed. "
        f"Received API Key = {shown or f'sk-...{key[-4:]}'}, "
        f"Key Hash (Token) ={hashlib.sha256(key.encode()).hexdigest()}. "
        "Unable to find token in cache or `LiteLLM_VerificationTokenTable`"
    )
    return message, "token_not_found_in_db", "key"


def expired(key: str, *, profile: str = "1.106") -> tuple[str, str, str]:
    """With its times as ``without_times`` leaves them."""
    name = f"sk-...{key[-4:]}" if profile == "1.106" else hashlib.sha256(key.encode()).hexdigest()
    return "Authentication Error - Expired Key. Key Expiry time <t> and current time <t>", "expired_key", name


def body(told: tuple[str, str, str], status: int = 401) -> dict[str, Any]:
    """The whole body of the answer."""
    message, kind, param = told
    return {"error": {"message": message, "type": kind, "param": param, "code": str(status)}}


def without_times(text: str) -> str:
    return _TIME.sub("<t>", text)
