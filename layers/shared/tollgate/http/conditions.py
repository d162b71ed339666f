"""What every endpoint of the native API does with ``If-None-Match``, ``If-Match`` and ``Idempotency-Key``.

An entity tag is ``"<version>-<body>"``: the version of the resource's own item, where it has one, and a digest of the
answer. ``If-None-Match`` compares all of it, because an answer also shows what changes without a write of the resource
(spend, credits). ``If-Match`` compares the version only, and the write itself depends on it (Q-37, RFC 9110).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response

from tollgate.auth.principal import Principal
from tollgate.core import json
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import InvalidRequestError
from tollgate.table import demands, keys
from tollgate.table.demands import Demands, Place
from tollgate.table.idempotency import Once, RequestClaim

MAX_KEY_LENGTH = 255
REPLAYED = "Idempotency-Replayed"
_CONDITIONAL = {"PUT", "PATCH", "DELETE"}
_TAG = re.compile(r'(?:W/)?"([^"]*)"')
_VERSION = re.compile(r"(v[0-9]+\.[0-9a-f]+)-[0-9a-f]+")
# Where the own item of a resource is, by the path variable that names it.
_PLACES: Mapping[str, Callable[[str], Place]] = {
    "organization_id": lambda name: (keys.organization(name), keys.ENTITY),
    "team_id": lambda name: (keys.team(name), keys.ENTITY),
    "key_id": lambda name: (keys.key(name), keys.ENTITY),
    "user_id": lambda name: (keys.user(name), keys.ENTITY),
    "job_id": lambda name: (keys.job(name), keys.ENTITY),
    "credential_id": lambda name: (keys.credential(name), keys.ENTITY),
    "rule_id": lambda name: (keys.alert_rule(name), keys.ENTITY),
    "webhook_id": lambda name: (keys.webhook(name), keys.ENTITY),
    "alias": lambda name: (keys.CATALOGUE, keys.model(name)),
    "group_name": lambda name: (keys.CATALOGUE, keys.access_group(name)),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as conditions see it: names are case-insensitive in ``headers``; ``status`` is that of its success."""

    method: str
    path: str
    body: str
    status: int
    headers: Mapping[str, Any]
    variables: Mapping[str, str]
    query: Mapping[str, Any]

    def header(self, name: str) -> str | None:
        value: str | None = self.headers.get(name)
        return value


@dataclass(frozen=True, slots=True)
class Desk:
    """Where requests come in and answers go out."""

    clock: Clock = utc_now

    def answer(self, asked: Asked, caller: Principal, run: Callable[[], Response[Any]]) -> Response[Any]:
        """What ``run`` answers under what the request demands; an earlier answer under the same Idempotency-Key.

        Raises what conditions refuse.
        """
        claim = self._claim(asked, caller)
        earlier = claim.take() if claim is not None else None
        if earlier is not None:
            return Response(asked.status, "application/json", earlier, headers={REPLAYED: "true"})
        demanded = Demands(_place(asked), _stamps(asked), claim)
        with demands.demanding(demanded), _finished(claim) as done:
            answer = run()
            if HTTPStatus.OK <= answer.status_code < HTTPStatus.MULTIPLE_CHOICES:
                demanded.check()
                answer.body = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
                done.append(answer.body)
                _tag(asked, demanded, answer, answer.body)
        return answer

    def _claim(self, asked: Asked, caller: Principal) -> RequestClaim | None:
        key = asked.header("idempotency-key")
        if key is None or asked.method != "POST":
            return None
        return RequestClaim(once(caller, asked.method, asked.path, key, asked.body), self.clock())


def once(caller: Principal, method: str, path: str, key: str, body: str | None) -> Once:
    """The request as one that its caller may send again; scope is caller, method and path (Q-37).

    Raises InvalidRequestError for a key of no or great length.
    """
    if not 0 < len(key) <= MAX_KEY_LENGTH:
        message = f"idempotency-key: must have 1 to {MAX_KEY_LENGTH} characters"
        raise InvalidRequestError(message, param="idempotency-key")
    return Once(_digest(f"{caller.kind}\n{caller.actor}\n{method}\n{path}\n{key}"), _digest(body or ""))


def _digest(text: str) -> str:
    return sha256(text.encode(errors="surrogatepass")).hexdigest()


@contextmanager
def _finished(claim: RequestClaim | None) -> Iterator[list[str]]:
    """Ends the claim with the answer that is put into the list; without one it was refused."""
    done: list[str] = []
    try:
        yield done
    finally:
        if claim is not None:
            claim.finish(done[0] if done else "", succeeded=bool(done))


def _place(asked: Asked) -> Place | None:
    """The resource's own item: of the last variable in the path, else of the account that the query names."""
    if asked.variables.keys() == {"scope", "id"}:
        name, value = f"{asked.variables['scope']}_id", asked.variables["id"]
    elif asked.variables:
        name, value = list(asked.variables.items())[-1]
    else:
        named = [(name, asked.query[name]) for name in ("team_id", "organization_id") if asked.query.get(name)]
        name, value = named[0] if named else ("", "")
    return _PLACES[name](value) if name in _PLACES else None


def _stamps(asked: Asked) -> frozenset[str] | None:
    """The versions that If-Match names; None without the header, and for ``*``: who is not there is 404 anyway."""
    sent = asked.header("if-match")
    if sent is None or sent.strip() == "*" or asked.method not in _CONDITIONAL:
        return None
    versions = (_VERSION.fullmatch(tag) for tag in _TAG.findall(sent))
    return frozenset(version.group(1) for version in versions if version is not None)


def _tag(asked: Asked, demanded: Demands, answer: Response[Any], body: str) -> None:
    """Names the version of what is answered; what its reader has already is not sent again."""
    digest = _digest(body)[:16]
    tag = f"{demanded.stamp}-{digest}" if demanded.stamp else digest
    if asked.method == "GET":
        answer.headers["ETag"] = f'"{tag}"'
        known = asked.header("if-none-match")
        if known is not None and (known.strip() == "*" or tag in _TAG.findall(known)):
            answer.status_code, answer.body = HTTPStatus.NOT_MODIFIED, ""
            answer.headers.pop("Content-Type", None)
    elif demanded.stamp and asked.method in _CONDITIONAL:
        answer.headers["ETag"] = f'"{tag}"'


@cache
def desk() -> Desk:
    return Desk()
