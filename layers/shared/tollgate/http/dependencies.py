"""What handlers ask for by ``Annotated[..., Depends(...)]``."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler import Depends, Request
from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import BaseModel, Field

from tollgate.auth.principal import Principal
from tollgate.core.pagination import MAX_LIMIT, MAX_OFFSET, PageRequest


def caller(request: Request) -> Principal:
    """The authenticated caller, put there by the resolver before the route ran."""
    principal: Principal = request.context["caller"]
    return principal


class PageQuery(BaseModel):
    """``limit``, ``cursor`` and ``offset`` of a list (Q-27)."""

    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = MAX_LIMIT
    cursor: Annotated[str | None, Field(max_length=2048)] = None
    offset: Annotated[int, Field(ge=0, le=MAX_OFFSET)] = 0

    def request(self) -> PageRequest:
        return PageRequest(self.limit, self.cursor, self.offset)


Caller = Annotated[Principal, Depends(caller)]
Paging = Annotated[PageQuery, Query()]
