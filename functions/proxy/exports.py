"""Exports of usage, of any size: pages of buckets are read, written as rows and sent, one after the other (Q-59)."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import aclosing
from urllib.parse import quote

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tollgate.auth import tokens
from tollgate.auth.credentials import is_master_key, is_session_token, key_id_of, presented
from tollgate.auth.policy import Action, admit
from tollgate.auth.principal import Principal
from tollgate.aws.dynamodb import DynamoDB, Item
from tollgate.core.errors import InvalidRequestError
from tollgate.core.json import dumps
from tollgate.http.identity import principal_of
from tollgate.settings import settings
from tollgate.usage.exporting import COLUMNS, Export, ExportFormat, ExportQuery, cell, described, export_of, row_of

_TYPES = {ExportFormat.CSV: "text/csv; charset=utf-8", ExportFormat.JSON: "application/json"}
_ACTIONS = {"organization": Action.USAGE_READ_ORGANIZATION, "team": Action.USAGE_READ}


async def export_usage(request: Request) -> Response:
    """``GET /api/organizations/{organization_id}/usage/export`` and ``/api/teams/{team_id}/usage/export``."""
    ((variable, owner_id),) = request.path_params.items()
    kind = variable.removesuffix("_id")
    # The native API's storage is not asynchronous.
    export, wanted = await asyncio.to_thread(_authorized, request, kind, owner_id)
    pages = _pages(export)
    # What fails before the first byte gets an error of its own.
    first = await anext(pages)
    write = _csv if wanted is ExportFormat.CSV else _json
    name = f"usage-{quote(owner_id, safe='')}-{export.period}.{wanted.value}"
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return StreamingResponse(write(export, _all(first, pages)), headers=headers, media_type=_TYPES[wanted])


def _authorized(request: Request, kind: str, owner_id: str) -> tuple[Export, ExportFormat]:
    caller = caller_of(request.headers)
    admit(caller, _ACTIONS[kind])
    try:
        query = ExportQuery.model_validate(dict(request.query_params))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = str(first["loc"][0])
        raise InvalidRequestError(f"{field}: {first['msg']}", param=field) from None
    return export_of(caller, kind, owner_id, query), query.format


def caller_of(headers: Mapping[str, str]) -> Principal:
    """The caller by the credential itself; what the authorizer found is not believed."""
    credential = presented(headers, admin=True)
    if is_session_token(credential):
        session = tokens.identify(credential, settings().session_secret)
        identified = {"kind": "session", "session_id": session.session_id}
    elif is_master_key(credential, settings().master_key_sha256):
        identified = {"kind": "master"}
    else:
        identified = {"kind": "key", "key_id": key_id_of(credential)}
    return principal_of({"requestContext": {"authorizer": identified}})


async def _pages(export: Export) -> AsyncIterator[list[Item]]:
    """The buckets, page by page; at least one page."""
    config = settings()
    query = export.place.query(config.table_name)
    async with aclosing(DynamoDB(config.region, config.dynamodb_endpoint_url)) as db:
        while True:
            answer = await db.call("Query", query)
            yield answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            query |= {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


async def _all(first: list[Item], rest: AsyncIterator[list[Item]]) -> AsyncIterator[list[Item]]:
    yield first
    async for page in rest:
        yield page


async def _csv(export: Export, pages: AsyncIterator[list[Item]]) -> AsyncIterator[str]:
    yield _lines([COLUMNS])
    async for page in pages:
        rows = [row_of(bucket, inside=export.inside).values() for bucket in page]
        yield _lines([[cell(value) for value in row] for row in rows])


def _lines(rows: Iterable[Iterable[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


async def _json(export: Export, pages: AsyncIterator[list[Item]]) -> AsyncIterator[str]:
    yield dumps(described(export))[:-1] + ',"rows":['
    before = ""
    async for page in pages:
        rows = [dumps(row_of(bucket, inside=export.inside)) for bucket in page]
        if rows:
            yield before + ",".join(rows)
            before = ","
    yield "]}"
