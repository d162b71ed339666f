"""The ASGI app: routes of ``/v1`` and what they need, made once per process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

import aiohttp
import orjson
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from proxy.calls import CallRunner, StreamingCall
from proxy.headers import limits_of_key
from proxy.requests import (
    PATHS,
    PREFIXES,
    body_of,
    customer_of,
    inbound,
    inbound_of_api,
    inbound_of_azure,
    parsed,
    route_of,
    tags_of,
)
from proxy.upstream import Upstream
from tollgate.aws.dynamodb import DynamoDB
from tollgate.core import ids
from tollgate.core.errors import InvalidRequestError, NotFoundError, TollgateError
from tollgate.http import openai_errors
from tollgate.metering.admission import Admission
from tollgate.metering.catalogue import CatalogueCache, Model
from tollgate.metering.counters import Counters
from tollgate.metering.entitlement import EntitlementReader, check_route
from tollgate.metering.escrow import Escrow
from tollgate.metering.jobs import Jobs
from tollgate.metering.records import Records
from tollgate.metering.reservation import Reservations
from tollgate.metering.seeds import Seeds
from tollgate.metering.settlement import Settlement
from tollgate.settings import settings
from tollgate.telemetry import Event, logger

# OpenAI's own answer for models without a date; clients only need a number.
_CREATED = 1_677_610_602
# Of no use to a provider, and unpacking answers costs more than receiving them whole.
_NOT_SENT = ("User-Agent", "Accept", "Accept-Encoding")
T = TypeVar("T")


class Gateway:
    """The parts of the data plane, wired."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        config = settings()
        self._db = db = DynamoDB(config.region, config.dynamodb_endpoint_url)
        counters = Counters(db, config.table_name)
        records = Records(db, config.table_name)
        self.catalogues = CatalogueCache(db, config)
        seeds, escrow = Seeds(db, config.table_name, counters), Escrow(db, config.table_name)
        reservations = Reservations(counters, records, seeds, escrow)
        self.entitlements = EntitlementReader(db, config)
        self.admission = Admission(reservations, self.catalogues, Jobs(db, config.table_name))
        self.upstream = Upstream(session, self.catalogues)
        self.calls = CallRunner(self.upstream, Settlement(records, counters))
        self._running: set[asyncio.Task[Any]] = set()

    async def to_the_end(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs ``work`` even if whoever waits for it is cancelled: an admitted call is always settled."""
        task = self._kept(work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self._kept(_abandoned(task))
            raise

    def _kept(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def drain(self) -> None:
        """Waits for the calls that still run, then closes."""
        while self._running:
            await asyncio.wait(self._running)
        await self._db.aclose()


async def complete(request: Request) -> Response:
    """``POST /v1/chat/completions``, ``/v1/completions``, ``/v1/embeddings``, and their other paths."""
    gateway: Gateway = request.state.gateway
    named = request.path_params.get("model")
    path = route_of(request.url.path)
    arrived = (
        inbound(request.headers) if not request.url.path.startswith("/openai/") else inbound_of_azure(request.headers)
    )
    raw = await body_of(request)
    body, broken = _read(raw, path)
    if named is not None:
        body["model"] = named
    customer_id = customer_of(body)
    caller = await gateway.entitlements.read(arrived.credential, arrived.hint, customer_id)
    check_route(caller, request.url.path)
    if broken is not None:
        raise broken
    started_at = arrived.started_at
    entitlement, catalogue = await gateway.admission.entitlement(caller, started_at, customer_id, tags_of(body))
    request.state.meters = entitlement.meters

    async def call() -> StreamingCall | Response:
        admitted = await gateway.admission.admit(
            entitlement, catalogue, body, size=len(raw), route=path, started_at=started_at, deadline=arrived.deadline
        )
        if admitted.call.streamed:
            return await gateway.calls.open_stream(admitted, body, path, arrived.deadline)
        content, headers = await gateway.calls.whole(admitted, body, path, arrived.deadline)
        return Response(content, headers=headers, media_type="application/json")

    answer = await gateway.to_the_end(call())
    return _Kept(gateway, answer) if isinstance(answer, StreamingCall) else answer


async def call_in_job(request: Request) -> Response:
    """``POST /api/jobs/{job_id}/llm-call`` and ``…-stream``, ``/api/jobs/create-and-call`` and ``…-stream``."""
    # What creates and completes jobs comes with the first such request: ``/v1`` needs none of it.
    from proxy.jobs import job_calls  # noqa: PLC0415

    gateway: Gateway = request.state.gateway
    arrived = replace(inbound_of_api(request.headers), route=request.url.path)
    raw = await body_of(request)
    jobs, job_id = job_calls(request), request.path_params.get("job_id")
    streamed = request.url.path.endswith("-stream")
    work: Coroutine[Any, Any, Any]
    if job_id is not None:
        work = jobs.stream(arrived, job_id, raw) if streamed else jobs.call(arrived, job_id, raw)
    else:
        work = jobs.create_and_stream(arrived, raw) if streamed else jobs.create_and_call(arrived, raw)
    answer = await gateway.to_the_end(work)
    return _Kept(gateway, answer) if isinstance(answer, StreamingCall) else _native(answer)


def _read(raw: bytes, path: str) -> tuple[dict[str, Any], InvalidRequestError | None]:
    """The body, or what is wrong with it: that is told only to those who may call at all (Q-56)."""
    try:
        return parsed(raw, path), None
    except InvalidRequestError as error:
        return {}, error


async def export(request: Request) -> Response:
    """``GET /api/organizations/{organization_id}/usage/export``, ``/api/teams/{team_id}/usage/export``."""
    # ``/v1`` needs none of what reads the native API's storage.
    from proxy.exports import export_usage  # noqa: PLC0415

    return await export_usage(request)


async def health(request: Request) -> Response:
    """``GET /health``: the API is there; for the platform's admins also which of its models are."""
    # As above.
    from proxy.health import answer  # noqa: PLC0415

    gateway: Gateway = request.state.gateway
    return await answer(request, gateway.catalogues, gateway.upstream)


async def list_models(request: Request) -> Response:
    """``GET /v1/models``: the aliases that the caller may use, sorted (Q-23)."""
    names, catalogue = await _visible(request)
    return _json(200, {"object": "list", "data": [_shown(name, catalogue.get(name)) for name in names]})


async def get_model(request: Request) -> Response:
    """``GET /v1/models/{id}``."""
    wanted = request.path_params["model"]
    names, catalogue = await _visible(request)
    if wanted not in names:
        raise NotFoundError(f"The model `{wanted}` does not exist or is not accessible", param="model")
    return _json(200, _shown(wanted, catalogue.get(wanted)))


async def healthy(_: Request) -> Response:
    """What the Lambda Web Adapter asks before it sends the first request."""
    return Response("ok", media_type="text/plain")


async def _abandoned(task: asyncio.Task[Any]) -> None:
    """Settles the stream that nobody will send, because whoever waited for it was cancelled."""
    await asyncio.wait([task])
    if not task.cancelled() and task.exception() is None and isinstance(task.result(), StreamingCall):
        await task.result().abandon()


class _Kept(Response):
    """Sends a streamed call as a task of the gateway, so that a shutdown waits until it is settled."""

    def __init__(self, gateway: Gateway, stream: StreamingCall) -> None:
        super().__init__()
        self._gateway = gateway
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._gateway.to_the_end(self._stream(scope, receive, send))


async def _visible(request: Request) -> tuple[list[str], dict[str, Model]]:
    gateway: Gateway = request.state.gateway
    arrived = inbound(request.headers)
    caller = await gateway.entitlements.read(arrived.credential, arrived.hint)
    check_route(caller, request.url.path)
    entitlement, catalogue = await gateway.admission.entitlement(caller, arrived.started_at)
    return gateway.admission.available(entitlement, catalogue), catalogue.models


def _shown(name: str, model: Model | None) -> dict[str, Any]:
    created_at = model.created_at if model else None
    created = int(datetime.fromisoformat(created_at).timestamp()) if created_at else _CREATED
    return {"id": name, "object": "model", "created": created, "owned_by": "openai"}


def _json(status: int, body: Any, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body, default=_number), status, headers, media_type="application/json")


def _native(body: Any) -> Response:
    """Numbers as all of the native API writes them (Q-35)."""
    from tollgate.core.json import dumps  # noqa: PLC0415

    return Response(dumps(body), media_type="application/json")


def _number(value: Any) -> Any:
    return orjson.Fragment(format(value, "f"))


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, TollgateError)
    request_id = ids.new_call_id()
    if request.url.path.startswith("/api/"):
        return _problem(error, request_id)
    # Azure's clients have their key where management's have it.
    shown = openai_errors.answer(error, request.headers, admin=request.url.path.startswith("/openai/"))
    log = logger.error if shown.status >= 500 else logger.info
    log(Event.REFUSED, extra={"request_id": request_id, "code": error.stable_code, "status": shown.status})
    limited = limits_of_key(getattr(request.state, "meters", ())) if shown.status == 429 else {}
    return _json(shown.status, shown.body, {"x-request-id": request_id, **shown.headers, **limited})


def _problem(error: TollgateError, request_id: str) -> Response:
    """The native API's shape of an error, from its one place."""
    from tollgate.http import problems  # noqa: PLC0415

    shown = problems.problem(error, request_id)
    log = logger.error if shown.status_code >= 500 else logger.info
    log(Event.REFUSED, extra={"request_id": request_id, "code": error.stable_code, "status": shown.status_code})
    headers = {name: str(value) for name, value in (shown.headers or {}).items()}
    return Response(shown.body, shown.status_code, headers, media_type=problems.CONTENT_TYPE)


async def _unexpected(request: Request, error: Exception) -> Response:
    request_id = ids.new_call_id()
    logger.error(Event.UNEXPECTED, exc_info=error, extra={"request_id": request_id})
    if request.url.path.startswith("/api/"):
        return _problem(TollgateError("Internal server error"), request_id)
    body = openai_errors.body("Internal server error", "internal_server_error", 500)
    return _json(500, body, {"x-request-id": request_id})


async def _no_route(_: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    message = "Method Not Allowed" if status == 405 else "Not Found"
    return _json(status, openai_errors.body(message, "not_found_error", status))


@asynccontextmanager
async def _lifespan(_: Starlette) -> AsyncIterator[dict[str, Gateway]]:
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
    # No cookies: what one tenant's provider sets must not travel with another's call.
    cookies = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(connector=connector, cookie_jar=cookies, skip_auto_headers=_NOT_SENT) as session:
        gateway = Gateway(session)
        yield {"gateway": gateway}
        await gateway.drain()


def _cors() -> list[Middleware]:
    """Preflight is API Gateway's; this puts the header on answers to the pages of the stack's origins."""
    origins = settings().cors_origins
    shown = ["x-request-id", "x-tollgate-cost-usd", "x-tollgate-credits-remaining", "x-tollgate-max-tokens"]
    return [Middleware(CORSMiddleware, allow_origins=origins, expose_headers=shown)] if origins else []


def _models(prefix: str) -> list[Route]:
    return [
        Route(f"{prefix}/models", list_models, methods=["GET"]),
        Route(f"{prefix}/models/{{model:path}}", get_model, methods=["GET"]),
    ]


app = Starlette(
    routes=[
        *(Route(prefix + path, complete, methods=["POST"]) for prefix in PREFIXES for path in PATHS),
        *_models("/v1"),
        *_models(""),
        Route("/api/jobs/create-and-call", call_in_job, methods=["POST"]),
        Route("/api/jobs/create-and-call-stream", call_in_job, methods=["POST"]),
        Route("/api/jobs/{job_id}/llm-call", call_in_job, methods=["POST"]),
        Route("/api/jobs/{job_id}/llm-call-stream", call_in_job, methods=["POST"]),
        Route("/api/organizations/{organization_id}/usage/export", export, methods=["GET"]),
        Route("/api/teams/{team_id}/usage/export", export, methods=["GET"]),
        Route("/health", health, methods=["GET"]),
        Route("/healthz", healthy, methods=["GET"]),
    ],
    middleware=_cors(),
    lifespan=_lifespan,
    exception_handlers={TollgateError: _refused, 404: _no_route, 405: _no_route, Exception: _unexpected},
)
