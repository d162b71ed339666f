"""Lambda authorizers: identity sources, the result cache, and the evaluation of policies."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local.events import Request, authorizer_event
from local.responses import GatewayError

if TYPE_CHECKING:
    from local.functions import Invoker
    from local.template import Authorizer, Function

_ACTION = "execute-api:Invoke"
_DENIED = "User is not authorized to access this resource with an explicit deny"


@dataclass
class AuthorizerGate:
    """Decides who passes, as API Gateway does; results are cached by their identity sources."""

    authorizers: Mapping[str, Authorizer]
    functions: Mapping[str, Function]
    invoker: Invoker
    _cache: dict[tuple[str, ...], tuple[float, dict[str, Any]]] = field(default_factory=dict)

    async def authorize(self, name: str, request: Request) -> dict[str, Any]:
        """The caller's context for the event. Raises GatewayError if the caller may not pass."""
        authorizer = self.authorizers[name]
        result = await self._result(authorizer, request)
        context = _context_of(result)
        effect = evaluate(result["policyDocument"], request.method_arn)
        if effect == "Allow":
            return context
        message = _DENIED if effect == "Deny" else None
        raise GatewayError("ACCESS_DENIED", message, authorizer=context)

    async def _result(self, authorizer: Authorizer, request: Request) -> dict[str, Any]:
        if authorizer.ttl <= 0:
            return await self._invoke(authorizer, request)
        sources = [request.header(name) for name in authorizer.headers]
        if not sources or not all(sources):
            raise GatewayError("UNAUTHORIZED")
        key = (authorizer.name, *map(str, sources))
        cached = self._cache.get(key)
        if cached is not None and cached[0] > time.monotonic():
            return cached[1]
        result = await self._invoke(authorizer, request)
        self._cache[key] = (time.monotonic() + authorizer.ttl, result)
        return result

    async def _invoke(self, authorizer: Authorizer, request: Request) -> dict[str, Any]:
        function = self.functions[authorizer.function]
        try:
            result = await self.invoker.invoke(function, authorizer_event(request))
        except Exception as error:
            kind = "UNAUTHORIZED" if str(error) == "Unauthorized" else "AUTHORIZER_FAILURE"
            raise GatewayError(kind) from error
        if not _well_formed(result):
            raise GatewayError("AUTHORIZER_CONFIGURATION_ERROR")
        return dict(result)

    def forget(self) -> None:
        """Drop every cached result."""
        self._cache.clear()


def _well_formed(result: object) -> bool:
    return (
        isinstance(result, Mapping)
        and isinstance(result.get("principalId"), str)
        and isinstance(result.get("policyDocument"), Mapping)
        and all(isinstance(value, str | int | float) for value in (result.get("context") or {}).values())
    )


def _context_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """API Gateway hands every value on as text."""
    texts = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in (result.get("context") or {}).items()
    }
    return {**texts, "principalId": result["principalId"], "integrationLatency": 0}


def evaluate(policy: Mapping[str, Any], method_arn: str) -> str | None:
    """`Deny`, `Allow`, or None if no statement is about the method."""
    effects = {
        statement.get("Effect")
        for statement in _listed(policy.get("Statement", []))
        if _matches(statement.get("Action", []), _ACTION) and _matches(statement.get("Resource", []), method_arn)
    }
    return "Deny" if "Deny" in effects else "Allow" if "Allow" in effects else None


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else [value]


def _matches(patterns: str | list[str], value: str) -> bool:
    return any(_wildcard(pattern).fullmatch(value) for pattern in _listed(patterns))


def _wildcard(pattern: str) -> re.Pattern[str]:
    """`*` stands for any text and `?` for any character, slashes and colons included."""
    escaped = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(escaped, re.DOTALL)
