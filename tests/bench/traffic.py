"""Figures under load: the proxy against the provider itself, an unmetered pass-through, and other gateways."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.bench import processes, rivals
from tests.bench.load import Job
from tests.bench.processes import NotStartedError, Server
from tests.support import build
from tests.support.environment import empty_table
from tests.support.items import raw_items
from tollgate.auth.credentials import key_id_of
from tollgate.metering.entitlement import Hint
from tollgate.table import keys

CONNECTIONS = 32
STREAMS = 16
CHUNKS = 50
ALIAS = "bench"
_ORGANIZATION = "org_acme"
TEAM = "acme-dev"
# Nothing that a run comes to.
_LIMITS = {"rpm_limit": 10**7, "tpm_limit": 10**10, "max_budget": 10**6, "budget_duration": "1mo"}
OTHERS = ("LiteLLM", "Portkey")
_CHAT = "/v1/chat/completions"
_MESSAGES = [
    {"role": "system", "content": "You are a helpful assistant. Answer briefly and to the point, in plain words."},
    {"role": "user", "content": "Why is the sky blue, and why is it red when the sun goes down? " * 3},
]


@dataclass(frozen=True)
class Scale:
    """How much is measured: calls of a burst, one after another, streamed, and streamed for the first token."""

    rounds: int
    burst: int
    single: int
    streamed: int
    first: int


FULL = Scale(rounds=5, burst=600, single=150, streamed=200, first=50)
QUICK = Scale(rounds=1, burst=400, single=50, streamed=40, first=10)


@dataclass(frozen=True)
class System:
    """Somewhere to send calls. `server` is what is measured; None for the provider, which is not."""

    name: str
    port: int
    server: Server | None = None
    headers: dict[str, str] = field(default_factory=dict)
    streams: bool = True


@dataclass(frozen=True)
class Traffic:
    """Medians over the rounds by ``<system> <figure>``; why a gateway is not among them; which versions were."""

    figures: Figures
    missing: dict[str, str]
    versions: str


Figures = dict[str, float]


@contextmanager
def provider() -> Iterator[Server]:
    """The fake provider."""
    port = processes.free_port()
    with processes.running(["tests.bench.upstream", str(port)], port) as server:
        yield server


def base_url(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}/v1"


def team_key() -> str:
    """An empty table with one team, whose credits are the one limit, and one alias of a priced model; its key."""
    empty_table()
    build.organization(_ORGANIZATION)
    build.alias(ALIAS, "openai/gpt-4o-mini")
    build.access_group("bench-models", model_aliases=[ALIAS])
    return _team(TEAM, _ORGANIZATION)


def limited_key() -> str:
    """A key under four limited scopes: its own, its user's, its organization's, and its team's, which pays."""
    build.organization("org_limited")
    _team("limited", "org_limited")
    build.user("ana")
    key: str = build.issued_key("limited", user_id="ana")["virtual_key"]
    scopes = {"key": key_id_of(key), "user": "ana", "team": "limited", "organization": "org_limited"}
    for scope, scope_id in scopes.items():
        build.budget(scope, scope_id, **_LIMITS)
    return key


def _team(team_id: str, organization_id: str) -> str:
    made = build.team(team_id, organization_id, access_groups=["bench-models"], credits_allocated=10**6)
    key: str = made["virtual_key"]
    return key


def headers(key: str, *, hinted: bool = True) -> dict[str, str]:
    """What reaches the proxy behind the authorizer: the credential and, as the adapter passes it on, the context."""
    item = next(item for item in raw_items() if item["PK"]["S"] == keys.key(key_id_of(key)))
    context = {name: item[name]["S"] for name in Hint.__slots__ if name in item}
    hint = {"x-amzn-request-context": json.dumps({"authorizer": context})} if hinted else {}
    return {"authorization": f"Bearer {key}", **hint}


def chat(*, chunks: int | None = None) -> dict[str, Any]:
    """A chat completion; streamed in so many chunks if they are given."""
    streamed = {"stream": True, "max_tokens": chunks} if chunks else {"max_tokens": 100}
    return {"model": ALIAS, "messages": _MESSAGES, **streamed}


def measure(scale: Scale, told: Callable[[str], None]) -> Traffic:
    """Medians over the rounds, each of which measures every system, in alternating order."""
    rounds: dict[str, list[float]] = defaultdict(list)
    with provider() as upstream, ExitStack() as running:
        systems, missing = _systems(upstream, running)
        job = Job(0, _CHAT, {})
        # Once for nothing: caches fill, and node compiles what is called often.
        for system in systems:
            _burst(system, job, scale)
        for number in range(scale.rounds):
            told(f"load, round {number + 1} of {scale.rounds}")
            measured: Figures = {}
            for system in systems if number % 2 == 0 else reversed(systems):
                found = _one(system, job, scale)
                measured |= {f"{system.name} {name}": value for name, value in found.items()}
            for name, value in (measured | _added(measured)).items():
                rounds[name].append(value)
        medians = {name: statistics.median(values) for name, values in rounds.items()}
        resident = {f"{system.name} resident": system.server.resident_mb() for system in systems if system.server}
        return Traffic(medians | resident, missing, rivals.versions())


def _systems(upstream: Server, running: ExitStack) -> tuple[list[System], dict[str, str]]:
    """Everything that can be started, and why the rest cannot."""
    one, four = headers(team_key()), headers(limited_key())
    environment = {"UPSTREAM_BASE_URL": base_url(upstream)}
    tollgate = running.enter_context(processes.uvicorn("proxy.app:app", environment))
    passing = running.enter_context(processes.uvicorn("tests.bench.passthrough:app", environment))
    systems = [
        System("direct", upstream.port),
        System("passthrough", passing.port, passing, {"authorization": "Bearer none"}),
        System("tollgate", tollgate.port, tollgate, one),
        System("limited", tollgate.port, tollgate, four, streams=False),
    ]
    folder = Path(running.enter_context(TemporaryDirectory()))
    starts = (lambda: rivals.litellm(ALIAS, base_url(upstream), folder), lambda: rivals.portkey(base_url(upstream)))
    missing = {}
    for name, start in zip(OTHERS, starts, strict=True):
        try:
            rival = running.enter_context(start())
        except NotStartedError as error:
            missing[name] = str(error)
        else:
            systems.append(System(name, rival.server.port, rival.server, rival.headers, streams=False))
    return systems, missing


def _one(system: System, job: Job, scale: Scale) -> Figures:
    job = replace(job, port=system.port, headers=system.headers)
    single = processes.load(replace(job, body=chat(), calls=scale.single))
    measured = {"p50": single.p50, "p99": single.p99} | _burst(system, job, scale)
    if not system.streams:
        return measured
    streamed = replace(job, body=chat(chunks=CHUNKS), calls=scale.streamed, connections=STREAMS)
    stream_cpu, _ = _loaded(system, streamed)
    first = replace(streamed, body=chat(chunks=1), calls=scale.first, connections=1)
    measured["first token"] = processes.load(first).first or 0.0
    return measured | ({"stream cpu": stream_cpu} if system.server else {})


def _burst(system: System, job: Job, scale: Scale) -> Figures:
    burst = replace(
        job, port=system.port, headers=system.headers, body=chat(), calls=scale.burst, connections=CONNECTIONS
    )
    cpu, rate = _loaded(system, burst)
    return {"rate": rate} | ({"cpu": cpu} if system.server else {})


def _loaded(system: System, job: Job) -> tuple[float, float]:
    """Milliseconds of the server's processor time per call, and calls per second."""
    before = system.server.cpu_seconds() if system.server else 0.0
    result = processes.load(job)
    used = system.server.cpu_seconds() - before if system.server else 0.0
    return used / job.calls * 1000, job.calls / result.seconds


def _added(measured: Figures) -> Figures:
    """What a system adds to the direct call of the same round."""
    added: Figures = {}
    for key, value in measured.items():
        name, figure = key.split(" ", 1)
        if name != "direct" and figure in {"p50", "p99", "first token"}:
            added[f"{name} added {figure}"] = value - measured[f"direct {figure}"]
    return added
