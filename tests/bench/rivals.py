"""Other gateways beside ours, each from its registry, in a folder of its own under .cache: see the Makefile."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench import processes
from tests.bench.processes import Server
from tests.support.environment import ROOT

_LITELLM = ROOT / ".cache" / "bench" / "litellm"
_PORTKEY = ROOT / ".cache" / "bench" / "portkey"
_GATEWAY = _PORTKEY / "node_modules" / "@portkey-ai" / "gateway"
# It knows no option for the address, and this bench stays on the loopback interface.
_LOOPBACK = (
    'import net from "node:net"; const listen = net.Server.prototype.listen; net.Server.prototype.listen = '
    'function (port, host, ...rest) { return listen.call(this, port, "127.0.0.1", ...rest); };'
)


@dataclass(frozen=True)
class Rival:
    """Another gateway that runs: what is measured, and how it wants to be asked."""

    server: Server
    headers: dict[str, str]


@contextmanager
def litellm(alias: str, upstream: str, folder: Path) -> Iterator[Rival]:
    """LiteLLM's proxy without a database: one model, one master key, nothing limited, nothing kept."""
    key = f"sk-{secrets.token_urlsafe(32)}"
    model = {"model": "openai/gpt-4o-mini", "api_base": upstream, "api_key": "none"}
    settings = folder / "litellm.json"
    # JSON is YAML.
    settings.write_text(json.dumps({"model_list": [{"model_name": alias, "litellm_params": model}]}))
    port = processes.free_port()
    command = [_installed(_LITELLM, "bin/litellm"), "--config", str(settings), "--telemetry", "False"]
    environment = {"LITELLM_MASTER_KEY": key, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    with processes.foreign([*command, "--host", "127.0.0.1", "--port", str(port)], port, environment) as server:
        yield Rival(server, {"authorization": f"Bearer {key}"})


@contextmanager
def portkey(upstream: str) -> Iterator[Rival]:
    """Portkey's gateway: knows no keys of its own and counts nothing."""
    port = processes.free_port()
    start = _installed(_GATEWAY, "build/start-server.js")
    command = ["node", "--import", f"data:text/javascript,{_LOOPBACK}", start, "--headless", f"--port={port}"]
    headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": upstream, "authorization": "Bearer none"}
    with processes.foreign(command, port, {}) as server:
        yield Rival(server, headers)


def versions() -> str:
    """What was measured, for the page."""
    return ", ".join(filter(None, (_litellm_version(), _portkey_version()))) or "none could be installed"


def _litellm_version() -> str | None:
    found = sorted(_LITELLM.glob("lib/python3*/site-packages/litellm-*.dist-info"))
    return f"LiteLLM {found[0].name.split('-')[1].removesuffix('.dist')}" if found else None


def _portkey_version() -> str | None:
    package = _GATEWAY / "package.json"
    return f"Portkey's gateway {json.loads(package.read_text())['version']}" if package.is_file() else None


def _installed(folder: Path, program: str) -> str:
    if not (folder / program).is_file():
        raise processes.NotStartedError("could not be installed here")
    return str(folder / program)
