"""Sending a call to its targets: in order, with fallback until one begins to answer (D-12, Q-58)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol

import aiohttp
import orjson

from proxy.echo import EchoAnswer
from proxy.providers import endpoint
from tollgate.core.errors import (
    ProviderAuthenticationError,
    ProviderError,
    ProviderRequestError,
    ProviderTimeoutError,
    ProviderUnavailableError,
)
from tollgate.metering.admission import Admitted
from tollgate.metering.catalogue import CatalogueCache, Secret, Target

CONNECT_SECONDS = 5
# Longest silence before the first byte and between two.
SILENCE_SECONDS = 120
_AUTHENTICATION = {401, 403, 407}
_OTHER_TARGET = {408, 429}
_SERVER_ERROR = 500
_OK = 200


class Answer(Protocol):
    """A provider that has begun to answer with 200."""

    async def read(self) -> bytes: ...

    def chunks(self) -> AsyncIterator[bytes]: ...

    def close(self) -> None: ...


class HttpAnswer:
    """An answer over HTTP."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def read(self) -> bytes:
        return await self._response.read()

    def chunks(self) -> AsyncIterator[bytes]:
        return self._response.content.iter_any()

    def close(self) -> None:
        self._response.close()


class Upstream:
    """Calls providers."""

    def __init__(self, session: aiohttp.ClientSession, catalogues: CatalogueCache) -> None:
        self._session = session
        self._catalogues = catalogues

    async def open(self, admitted: Admitted, request: dict[str, Any], path: str) -> tuple[Answer, Target]:
        """The first target that begins to answer.

        Raises the last target's ProviderError when none does. A 4xx that is the request's own fault is not tried
        elsewhere.
        """
        failure: ProviderError = ProviderUnavailableError("The model has no target")
        for target in admitted.model.in_order():
            try:
                return await self._try(target, admitted, request, path), target
            except ProviderRequestError as error:
                failure = error
                if error.status not in _OTHER_TARGET:
                    break
            except ProviderError as error:
                failure = error
        raise failure

    async def _try(self, target: Target, admitted: Admitted, request: dict[str, Any], path: str) -> Answer:
        call = admitted.call
        call.provider, call.target_id, call.model_used = target.provider, target.target_id, target.upstream_model
        if target.provider == "local":
            call.credential_source = "platform"
            return EchoAnswer.to(request, path, admitted.model.context_window)
        secret = await self._catalogues.secret(admitted.catalogue, target, call.entitlement.organization_uid)
        call.credential_source = secret.source
        place = endpoint(target, secret, path)
        body = orjson.dumps({**request, "model": target.upstream_model})
        try:
            response = await self._session.post(
                place.url, data=body, headers=place.headers, timeout=_TIMEOUT, allow_redirects=False
            )
        except TimeoutError:
            raise ProviderTimeoutError("The provider did not answer in time") from None
        except aiohttp.ClientError:
            raise ProviderUnavailableError("The provider could not be reached") from None
        call.provider_request_id = response.headers.get("x-request-id")
        if response.status != _OK:
            await _refuse(response, target, secret, admitted.model.alias)
        return HttpAnswer(response)


_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS)


async def _refuse(response: aiohttp.ClientResponse, target: Target, secret: Secret, alias: str) -> None:
    """Raises what a provider's status means to the client (Q-58)."""
    try:
        text = (await response.content.read(65_536)).decode(errors="replace")
    except (aiohttp.ClientError, TimeoutError):
        text = ""
    finally:
        response.close()
    if response.status in _AUTHENTICATION:
        raise ProviderAuthenticationError(f"The provider refused Tollgate's credential for model '{alias}'")
    if response.status >= _SERVER_ERROR or response.status < 400:
        raise ProviderUnavailableError(f"The provider failed with status {response.status}")
    raise ProviderRequestError(
        hidden(_message(text), target, secret, alias) or f"The provider answered {response.status}",
        code=_type(text),
        status=response.status,
        param=_member(text, "param"),
        retry_after=response.headers.get("retry-after"),
    )


def hidden(text: str, target: Target, secret: Secret, alias: str) -> str:
    """A provider's text without upstream model name, address and secret: a virtual key never sees them."""
    for secret_text, shown in (
        (secret.api_key, "***"),
        (target.litellm_model, alias),
        (target.upstream_model, alias),
        (target.api_base or "", "***"),
        (secret.api_base or "", "***"),
    ):
        if len(secret_text) > 2:
            text = text.replace(secret_text, shown)
    return text[:1000]


def _error(text: str) -> dict[str, Any]:
    try:
        parsed = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {"message": text}
    if isinstance(parsed, list) and parsed:  # Gemini wraps its error in a list
        parsed = parsed[0]
    error = parsed.get("error", parsed) if isinstance(parsed, dict) else text
    return error if isinstance(error, dict) else {"message": str(error)}


def _message(text: str) -> str:
    error = _error(text)
    return str(error.get("message") or error.get("detail") or text)


def _type(text: str) -> str | None:
    return _member(text, "type")


def _member(text: str, name: str) -> str | None:
    value = _error(text).get(name)
    return value if isinstance(value, str) else None
