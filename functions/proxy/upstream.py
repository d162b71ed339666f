"""Sending a call to its targets: in order, with fallback until one begins to answer (D-12, Q-58)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Protocol
from urllib.parse import urlsplit

import aiohttp
import orjson

from proxy.echo import EchoAnswer
from proxy.providers import Endpoint, endpoint
from tollgate.core.errors import (
    ProviderAuthenticationError,
    ProviderError,
    ProviderRequestError,
    ProviderTimeoutError,
    ProviderUnavailableError,
)
from tollgate.metering.admission import Admitted
from tollgate.metering.catalogue import Catalogue, CatalogueCache, Secret, Target

CONNECT_SECONDS = 5
# Longest silence before the first byte and between two.
SILENCE_SECONDS = 120
_AUTHENTICATION = {401, 403, 407}
_OTHER_TARGET = {408, 429}
_SERVER_ERROR = 500
_OK = 200
# How much of a refusal is read, and how long.
_ERROR_BYTES = 65_536
_ERROR_SECONDS = 5
_SHORTEST_KEY = 8
_LARGE_BYTES = 262_144
_WORD = re.compile(r"[\w.\[\]-]{1,100}", re.ASCII)


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
        call.region = target.region
        if target.provider == "local":
            call.credential_source = "platform"
            return EchoAnswer.to(request, path, admitted.model.context_window)
        secret = await self._catalogues.secret(admitted.catalogue, target, call.entitlement.organization_uid)
        call.credential_source = secret.source
        place = endpoint(target, secret, path)
        response = await self._post(place, target, request)
        call.provider_request_id = _printable(response.headers.get("x-request-id"))
        if response.status != _OK:
            await _refuse(response, _Disguise(target, secret, place.url, admitted.model.alias))
        return HttpAnswer(response)

    async def probe(self, target: Target, alias: str, catalogue: Catalogue, request: dict[str, Any], path: str) -> None:
        """One exchange for nobody, with the platform's secret. Raises the ProviderError that a call would get."""
        if target.provider == "local":
            return
        secret = await self._catalogues.secret(catalogue, target, None)
        place = endpoint(target, secret, path)
        response = await self._post(place, target, request)
        if response.status != _OK:
            await _refuse(response, _Disguise(target, secret, place.url, alias))
        response.close()

    async def _post(self, place: Endpoint, target: Target, request: dict[str, Any]) -> aiohttp.ClientResponse:
        body = orjson.dumps({**request, "model": target.upstream_model})
        try:
            return await self._session.post(
                place.url, data=_payload(body), headers=place.headers, timeout=_TIMEOUT, allow_redirects=False
            )
        except TimeoutError:
            raise ProviderTimeoutError("The provider did not answer in time") from None
        except (aiohttp.ClientError, ValueError):  # ValueError: a host name that cannot be one
            raise ProviderUnavailableError("The provider could not be reached") from None


_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS)


def _payload(body: bytes) -> bytes | BytesIO:
    """A large body is written in pieces, so that other calls get their turn in between."""
    return BytesIO(body) if len(body) > _LARGE_BYTES else body


async def _refuse(response: aiohttp.ClientResponse, disguise: _Disguise) -> None:
    """Raises what a provider's status means to the client (Q-58)."""
    error = _error(await _read(response))
    if response.status in _AUTHENTICATION:
        raise ProviderAuthenticationError(f"The provider refused Tollgate's credential for model '{disguise.alias}'")
    if response.status >= _SERVER_ERROR or response.status < 400:
        raise ProviderUnavailableError(f"The provider failed with status {response.status}")
    message = error.get("message") or error.get("detail")
    raise ProviderRequestError(
        disguise.hide(str(message)) if message else f"The provider answered {response.status}",
        code=_word(error.get("type")),
        status=response.status,
        param=_word(error.get("param")),
        retry_after=_printable(response.headers.get("retry-after")),
    )


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """What the provider says of its refusal, as far as it comes."""
    text = b""
    try:
        async with asyncio.timeout(_ERROR_SECONDS):
            async for part in response.content.iter_any():
                text += part
                if len(text) > _ERROR_BYTES:
                    break
    except (aiohttp.ClientError, TimeoutError):
        pass
    finally:
        response.close()
    return text


def _error(text: bytes) -> dict[str, Any]:
    """The provider's error object. A page of HTML says nothing to a client, and too much about the provider."""
    try:
        parsed = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    if isinstance(parsed, list) and parsed:  # Gemini wraps its error in a list
        parsed = parsed[0]
    error = parsed.get("error", parsed) if isinstance(parsed, dict) else parsed
    return error if isinstance(error, dict) else {"message": error}


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def _printable(value: str | None) -> str | None:
    """A header of the provider's, if it can be stored and passed on."""
    return value[:200] if value is not None and value.isascii() and value.isprintable() else None


@dataclass(frozen=True, slots=True)
class _Disguise:
    """What a virtual key never sees: the upstream's model name, address and secret."""

    target: Target
    secret: Secret
    url: str
    alias: str

    def hide(self, text: str) -> str:
        """A provider's text with the alias for its model, and stars for the rest; at most 1,000 characters."""
        parts = urlsplit(self.url)
        bases = [self.target.api_base, self.secret.api_base, f"{parts.scheme}://{parts.netloc}", parts.netloc]
        # A provider without a key of its own is sent a short word that may stand anywhere.
        keys = [self.secret.api_key] if len(self.secret.api_key) >= _SHORTEST_KEY else []
        hidden = _alternatives([*keys, *filter(None, bases), parts.hostname or parts.netloc])
        models = _alternatives([self.target.litellm_model, self.target.upstream_model])
        # A dated or tagged form of the name is the name, too.
        pattern = rf"(?P<hidden>{hidden})|(?<!\w)(?:{models})(?!\w)(?:[-:@.]\w+)*"
        shown = re.sub(pattern, lambda found: "***" if found["hidden"] else self.alias, text, flags=re.IGNORECASE)
        return shown[:1000]


def _alternatives(texts: list[str]) -> str:
    return "|".join(map(re.escape, sorted(texts, key=len, reverse=True)))
