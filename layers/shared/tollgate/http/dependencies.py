"""What handlers ask for by ``Annotated[..., Depends(...)]``."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler import Depends, Request
from aws_lambda_powertools.event_handler.openapi.params import Header, Query
from pydantic import BaseModel, Field

from tollgate.auth.principal import Origin, Principal
from tollgate.core.pagination import MAX_LIMIT, MAX_OFFSET, PageRequest
from tollgate.http import conditions
from tollgate.table.idempotency import Once


def caller(request: Request) -> Principal:
    """The authenticated caller, put there by the resolver before the route ran."""
    principal: Principal = request.context["caller"]
    return principal


def once(request: Request, who: Principal, key: str | None) -> Once | None:
    """The request as one that its caller may send again; scope is caller, method and path (Q-37)."""
    if key is None:
        return None
    return conditions.once(who, request.method, request.resolved_event.path, key, request.body)


def origin(request: Request) -> Origin:
    """Where a request comes from that has no caller yet."""
    context = request.resolved_event.raw_event.get("requestContext") or {}
    identity = context.get("identity") or {}
    return Origin(identity.get("sourceIp"), identity.get("userAgent"), context.get("requestId"))


class PageQuery(BaseModel):
    """``limit``, ``cursor`` and ``offset`` of a list (Q-27)."""

    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = MAX_LIMIT
    cursor: Annotated[str | None, Field(max_length=2048)] = None
    offset: Annotated[int, Field(ge=0, le=MAX_OFFSET)] = 0

    def request(self) -> PageRequest:
        return PageRequest(self.limit, self.cursor, self.offset)


IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="the same key and body within 24 hours get the same answer, and nothing is done twice",
    ),
]
AccountTeam = Annotated[
    str | None, Query(min_length=1, max_length=256, description="whose account; or organization_id")
]
AccountOrganization = Annotated[str | None, Query(min_length=1, max_length=256)]
Caller = Annotated[Principal, Depends(caller)]
Stranger = Annotated[Origin, Depends(origin)]
Paging = Annotated[PageQuery, Query()]
