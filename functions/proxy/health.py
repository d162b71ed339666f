"""Which models answer: each target is asked for one token, by the way that calls go (contract litellm 1.9).

Nobody pays for that and nothing is recorded, so only the platform's admins may ask; it is bounded in number and time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from proxy.exports import caller_of
from proxy.upstream import Upstream
from tollgate.auth.policy import Action, Owner, has_role
from tollgate.core.errors import ProviderError
from tollgate.core.json import dumps
from tollgate.metering.catalogue import Catalogue, CatalogueCache, Model, Target
from tollgate.models import repository as models

HERE = {"status": "healthy", "service": "saas-llm-api"}
# So many targets, at most so long each.
MOST = 200
SECONDS = 20
_AT_ONCE = 20
_CREDENTIALS = ("authorization", "x-litellm-api-key", "x-admin-key", "api-key")
_QUESTION = {"messages": [{"role": "user", "content": "ping"}], "max_tokens": 1}


async def answer(request: Request, catalogues: CatalogueCache, upstream: Upstream) -> Response:
    """``GET /health``: to everyone that the API is there (Q-32), to the platform's admins also which models are.

    ``model`` and ``model_id`` ask for some; 503 if then none is healthy.
    """
    if not any(name in request.headers for name in _CREDENTIALS):
        return _json(200, HERE)
    version = await asyncio.to_thread(_version_for, request.headers)
    if version is None:
        return _json(200, HERE)
    catalogue = await catalogues.at(version)
    checked = list(islice(_wanted(catalogue, request.query_params), MOST))
    turns = asyncio.Semaphore(_AT_ONCE)

    async def ask(model: Model, target: Target) -> str | None:
        async with turns:
            return await _failure(upstream, catalogue, model, target)

    failures = await asyncio.gather(*(ask(model, target) for model, target in checked))
    found = [(_row(model, target), failure) for (model, target), failure in zip(checked, failures, strict=True)]
    healthy = [row for row, failure in found if failure is None]
    unhealthy = [row | {"error": failure} for row, failure in found if failure is not None]
    told = {"healthy_endpoints": healthy, "unhealthy_endpoints": unhealthy}
    counts = {"healthy_count": len(healthy), "unhealthy_count": len(unhealthy)}
    return _json(503 if request.query_params and not healthy else 200, HERE | told | counts)


def _version_for(headers: Mapping[str, str]) -> int | None:
    """The catalogue's version, if the caller may have its models asked. Raises what refuses his credential."""
    caller = caller_of(headers)
    return models.version() if has_role(caller, Action.HEALTH_CHECK, Owner()) else None


def _wanted(catalogue: Catalogue, query: Mapping[str, str]) -> Iterator[tuple[Model, Target]]:
    name, model_id = query.get("model"), query.get("model_id")
    for model in sorted(catalogue.models.values(), key=lambda one: one.alias):
        for target in model.targets:
            if name in {None, model.alias, target.litellm_model} and model_id in {None, target.target_id}:
                yield model, target


async def _failure(upstream: Upstream, catalogue: Catalogue, model: Model, target: Target) -> str | None:
    """What is wrong with a target; None if it answers."""
    question, path = (_QUESTION, "/chat/completions") if not model.embeds else ({"input": "ping"}, "/embeddings")
    try:
        async with asyncio.timeout(SECONDS):
            await upstream.probe(target, model.alias, catalogue, question, path)
    except TimeoutError:
        return f"The provider did not answer within {SECONDS} s"
    except ProviderError as error:
        return error.message
    return None


def _row(model: Model, target: Target) -> dict[str, Any]:
    row = {"model": target.litellm_model, "model_name": model.alias, "model_id": target.target_id}
    return row | ({"api_base": target.api_base} if target.api_base else {})


def _json(status: int, body: Mapping[str, Any]) -> Response:
    return Response(dumps(body), status, media_type="application/json")
