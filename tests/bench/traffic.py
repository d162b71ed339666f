"""Figures under load: the proxy against an unmetered pass-through and against the provider itself."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from tests.bench import processes
from tests.bench.load import Job
from tests.bench.processes import Server
from tests.support import build
from tests.support.environment import empty_table
from tollgate.auth.credentials import key_id_of

CONNECTIONS = 32
STREAMS = 16
CHUNKS = 50
ALIAS = "bench"
_ORGANIZATION = "org_acme"
TEAM = "acme-dev"
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


FULL = Scale(rounds=5, burst=1000, single=200, streamed=200, first=50)
QUICK = Scale(rounds=1, burst=400, single=50, streamed=40, first=10)


@dataclass(frozen=True)
class System:
    """Somewhere to send calls. `server` is what is measured; None for the provider, which is not."""

    name: str
    port: int
    server: Server | None = None


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
    key: str = build.team(TEAM, _ORGANIZATION, access_groups=["bench-models"], credits_allocated=10**6)["virtual_key"]
    return key


def headers(key: str, *, hinted: bool = True) -> dict[str, str]:
    """What reaches the proxy behind the authorizer: the credential and, as the adapter passes it on, the context."""
    context = {"key_id": key_id_of(key), "team_id": TEAM, "organization_id": _ORGANIZATION}
    hint = {"x-amzn-request-context": json.dumps({"authorizer": context})} if hinted else {}
    return {"authorization": f"Bearer {key}", **hint}


def chat(*, chunks: int | None = None) -> dict[str, Any]:
    """A chat completion; streamed in so many chunks if they are given."""
    streamed = {"stream": True, "max_tokens": chunks} if chunks else {"max_tokens": 100}
    return {"model": ALIAS, "messages": _MESSAGES, **streamed}


def measure(scale: Scale, told: Callable[[str], None]) -> Figures:
    """Medians over the rounds, each of which measures every system, in alternating order."""
    rounds: dict[str, list[float]] = defaultdict(list)
    key = team_key()
    with provider() as upstream, ExitStack() as servers:
        environment = {"UPSTREAM_BASE_URL": base_url(upstream)}
        tollgate = servers.enter_context(processes.uvicorn("proxy.app:app", environment))
        passing = servers.enter_context(processes.uvicorn("tests.bench.passthrough:app", environment))
        systems = [
            System("direct", upstream.port),
            System("passthrough", passing.port, passing),
            System("tollgate", tollgate.port, tollgate),
        ]
        job = Job(0, _CHAT, headers(key))
        for system in systems:
            _burst(system, job, replace(scale, burst=scale.burst // 4))
        for number in range(scale.rounds):
            told(f"load, round {number + 1} of {scale.rounds}")
            measured: Figures = {}
            for system in systems if number % 2 == 0 else reversed(systems):
                found = _one(system, job, scale)
                measured |= {f"{system.name} {name}": value for name, value in found.items()}
            for name, value in (measured | _added(measured)).items():
                rounds[name].append(value)
        medians = {name: statistics.median(values) for name, values in rounds.items()}
        return medians | {"tollgate resident": tollgate.resident_mb(), "passthrough resident": passing.resident_mb()}


def _one(system: System, job: Job, scale: Scale) -> Figures:
    streamed = replace(job, port=system.port, body=chat(chunks=CHUNKS), calls=scale.streamed, connections=STREAMS)
    first = replace(streamed, body=chat(chunks=1), calls=scale.first, connections=1)
    single = processes.load(replace(job, port=system.port, body=chat(), calls=scale.single))
    measured = {"p50": single.p50, "p99": single.p99} | _burst(system, job, scale)
    stream_cpu, _ = _loaded(system, streamed)
    measured["first token"] = processes.load(first).first or 0.0
    return measured | ({"stream cpu": stream_cpu} if system.server else {})


def _burst(system: System, job: Job, scale: Scale) -> Figures:
    burst = replace(job, port=system.port, body=chat(), calls=scale.burst, connections=CONNECTIONS)
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
    return {
        f"{name} added {figure}": measured[f"{name} {figure}"] - measured[f"direct {figure}"]
        for name in ("passthrough", "tollgate")
        for figure in ("p50", "p99", "first token")
    }
