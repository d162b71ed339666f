"""What requests and rows of the dialect have in common."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema

from tollgate.limits.fields import LimitFields


class DialectRequest(BaseModel):
    """A request body: what is not known is ignored (Q-25)."""

    model_config = ConfigDict(extra="ignore")


class DialectRow(BaseModel):
    """A row as LiteLLM shows it; nulls are shown."""

    model_config = ConfigDict(frozen=True)


class DialectLimits(LimitFields):
    """The Budget's fields, in a body whose other members are somebody else's."""

    model_config = ConfigDict(extra="ignore")


def moment(value: datetime) -> str:
    """A time as LiteLLM writes it: with microseconds and an offset (Q-34)."""
    return value.astimezone(UTC).isoformat(timespec="microseconds")


Moment = Annotated[
    datetime,
    PlainSerializer(moment, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-03-01T12:00:00.000000+00:00"]}),
]


def sent(request: BaseModel, *names: str) -> dict[str, Any]:
    """The named fields that the client sent, null or not: absent keeps, null clears (Q-25)."""
    return {name: getattr(request, name) for name in names if name in request.model_fields_set}


__all__ = ["DialectLimits", "DialectRequest", "DialectRow", "Moment", "moment", "sent"]
