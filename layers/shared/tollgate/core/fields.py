"""Types of request and response fields that several resources share."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from ipaddress import ip_address
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)

from tollgate.core import clock, money
from tollgate.core.errors import InvalidRequestError
from tollgate.core.json import dumps

METADATA_BYTES = 10_240


class RequestModel(BaseModel):
    """A request body of the native API: an unknown field is an error (Q-25)."""

    model_config = ConfigDict(extra="forbid")


class ResponseModel(BaseModel):
    """An answer of the native API."""

    model_config = ConfigDict(frozen=True)


def not_a_bool(value: Any) -> Any:
    if isinstance(value, bool):
        message = "Input should be a number"
        raise ValueError(message)  # noqa: TRY004 (pydantic turns ValueError into a field error)
    return value


def _not_zero(value: Decimal) -> Decimal:
    if not value:
        message = "Input should not be 0"
        raise ValueError(message)
    return value


def _small(value: dict[str, Any]) -> dict[str, Any]:
    text = dumps(value)
    if len(text.encode()) > METADATA_BYTES:
        message = f"metadata may have at most {METADATA_BYTES} bytes as JSON"
        raise ValueError(message)
    # Through JSON once: what is kept and shown has JSON's own numbers.
    plain: dict[str, Any] = json.loads(text)
    return plain


def merged_metadata(metadata: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """A shallow merge (Q-25). Raises InvalidRequestError if it comes to more than 10 KB."""
    whole = metadata | change
    if change and len(dumps(whole).encode()) > METADATA_BYTES:
        message = f"metadata may have at most {METADATA_BYTES} bytes as JSON, merged with what there is"
        raise InvalidRequestError(message, param="metadata")
    return whole


def _an_http_url(value: str) -> str:
    """Of a provider's API: nothing that would carry a secret, and no address that only means this very machine."""
    try:
        url = urlsplit(value)
        valid = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        valid = False
    if not valid:
        message = "must be an http or https URL"
        raise ValueError(message)
    if url.username or url.password or url.query or url.fragment:
        message = "may not have credentials, a query or a fragment"
        raise ValueError(message)
    if _is_link_local(url.hostname or ""):
        message = "may not be a link-local address"
        raise ValueError(message)
    return value.rstrip("/")


def _is_link_local(host: str) -> bool:
    try:
        return ip_address(host.partition("%")[0]).is_link_local
    except ValueError:
        return False


# Q-02, D-23.
ExternalId = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9_-]{1,63}$"),
    Field(examples=["org_acme"], description="lower-case letter, then letters, digits, `_` or `-`; 2 to 64 in all"),
]
Alias = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9._:@/*+-]{1,255}$"),
    Field(description="1 to 255 of letters, digits and `._:@/*+-`"),
]
Url = Annotated[
    str,
    StringConstraints(max_length=2000, pattern=r"^[!-~]+$"),
    AfterValidator(_an_http_url),
    Field(description="http or https URL", examples=["https://llm.example.com/v1"]),
]
Name = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]
Reason = Annotated[str, StringConstraints(max_length=500)]
Metadata = Annotated[dict[str, Any], AfterValidator(_small)]
# USD or credits in an answer: a JSON number.
Amount = Annotated[
    Decimal,
    PlainSerializer(money.to_json, return_type=float, when_used="json"),
    WithJsonSchema({"type": "number"}),
]
# Credits in a request: whole and positive (contract 1.3).
PositiveCredits = Annotated[int, BeforeValidator(not_a_bool), Field(strict=True, gt=0, le=10**15)]
Credits = Annotated[int, BeforeValidator(not_a_bool), Field(strict=True, ge=0, le=10**15)]
# The same with fractions, because calls use fractions; at most what a ledger entry shows exactly.
CreditAmount = Annotated[
    Decimal,
    BeforeValidator(not_a_bool),
    Field(gt=0, le=10**15, decimal_places=12),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 10**15}),
]
CreditChange = Annotated[
    Decimal,
    BeforeValidator(not_a_bool),
    AfterValidator(_not_zero),
    Field(ge=-(10**15), le=10**15, decimal_places=12),
    WithJsonSchema({"type": "number", "minimum": -(10**15), "maximum": 10**15, "not": {"const": 0}}),
]
CreditCeiling = Annotated[
    Decimal,
    BeforeValidator(not_a_bool),
    Field(ge=0, le=10**15, decimal_places=12),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 10**15}),
]
Percentage = Annotated[
    Decimal,
    BeforeValidator(not_a_bool),
    Field(ge=0, le=1000, decimal_places=2),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1000}),
]
# A price in USD per million tokens.
Price = Annotated[
    Decimal,
    BeforeValidator(not_a_bool),
    Field(ge=0, le=1_000_000, max_digits=18, decimal_places=12),
    WithJsonSchema({"type": "number", "minimum": 0}),
]
Timestamp = Annotated[
    datetime,
    PlainSerializer(clock.to_wire, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
