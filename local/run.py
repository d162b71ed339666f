"""`make run`: Tollgate on this machine, with a demo to call it with.

Environment: PORT, HOST, MASTER_KEY, UPSTREAM_BASE_URL, UPSTREAM_API_KEY, LITELLM_COMPAT,
DYNAMODB_ENDPOINT_URL, LOG_LEVEL (local/settings.py). Prints `ready` on a line of its own once it
serves; logs go to stderr.
Exit status: 0 after SIGTERM or SIGINT, 2 for an environment that cannot be used, 1 otherwise.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import urllib.request
from contextlib import redirect_stdout

import uvicorn
import uvloop

from local.cloud import Cloud, build_cloud
from local.engine import EngineError, start_engine
from local.schedules import Scheduler
from local.seed import CREDITS, ORGANIZATION_ID, TEAM_ID, SeedError, seed_demo
from local.settings import SettingError, Settings
from local.streams import StreamConsumer

ECHO_MODEL = "local/echo"
# Then streams still running are cut and settled, within the 10 s that supervisors usually wait.
_GRACE_SECONDS = 7
_UPSTREAM_SECONDS = 3.0


def main() -> int:
    """Run until told to stop; returns the exit status."""
    try:
        settings = Settings.from_environment(os.environ)
        listener = _listen(settings)
        engine = start_engine(settings.dynamodb_endpoint_url)
    except (SettingError, EngineError) as error:
        print(error, file=sys.stderr)
        return 2
    # Uvicorn raises the signal that stopped it once more when it is done; by then it means nothing.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    try:
        with redirect_stdout(sys.stderr):
            uvloop.run(_serve(build_cloud(settings, engine), listener))
    except SeedError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        engine.stop()
    return 0


def _listen(settings: Settings) -> socket.socket:
    """The bound socket; SettingError names the variable to change."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise SettingError(f"HOST: {settings.host!r} is not an address of this machine") from error
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise SettingError(f"HOST, PORT: cannot listen on {settings.url}: {error.strerror}") from error
    return listener


async def _serve(cloud: Cloud, listener: socket.socket) -> None:
    config = uvicorn.Config(
        cloud.gateway,
        log_level="warning",
        lifespan="on",
        ws="none",
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    workers: list[Scheduler | StreamConsumer] = []
    try:
        while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event
            await asyncio.sleep(0.01)
        if server.started:
            team_key = await seed_demo(cloud.gateway, cloud.settings.master_key)
            workers = _start_workers(cloud)
            await asyncio.to_thread(_announce, cloud.settings, team_key)
    finally:
        if sys.exc_info()[0] is not None:
            server.should_exit = True
        await serving
        for worker in workers:
            worker.stop()


def _start_workers(cloud: Cloud) -> list[Scheduler | StreamConsumer]:
    functions = cloud.gateway.functions
    table = cloud.template.table()["TableName"]
    workers: list[Scheduler | StreamConsumer] = [Scheduler(cloud.template.schedules(), functions)]
    workers += [
        StreamConsumer(source, functions[source.function], cloud.engine, table)
        for source in cloud.template.stream_sources()
    ]
    for worker in workers:
        worker.start()
    return workers


def _announce(settings: Settings, team_key: str) -> None:
    question = {
        "model": _first_upstream_model(settings) or ECHO_MODEL,
        "messages": [{"role": "user", "content": "Hello"}],
    }
    lines = [
        f"Tollgate   {settings.url}  (documentation: {settings.url}/docs)",
        f"admin key  {settings.master_key}",
        f"team key   {team_key}  ({ORGANIZATION_ID}, {TEAM_ID}, {CREDITS} credits at first)",
        "",
        f"curl {settings.url}/v1/chat/completions \\",
        f"  -H 'Authorization: Bearer {team_key}' -H 'Content-Type: application/json' \\",
        f"  -d '{json.dumps(question)}'",
        "",
        "ready",
    ]
    print("\n".join(lines), file=sys.__stdout__, flush=True)


def _first_upstream_model(settings: Settings) -> str | None:
    """The first model the upstream lists; None without an upstream or if it lists none."""
    if settings.upstream_base_url is None:
        return None
    url = f"{settings.upstream_base_url}/models"  # settings allow http and https only
    request = urllib.request.Request(url)  # noqa: S310
    if settings.upstream_api_key:
        request.add_header("Authorization", f"Bearer {settings.upstream_api_key}")
    try:
        with urllib.request.urlopen(request, timeout=_UPSTREAM_SECONDS) as answer:  # noqa: S310
            return str(json.load(answer)["data"][0]["id"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        print(f"UPSTREAM_BASE_URL lists no models: {error}", file=sys.stderr)
        return None


if __name__ == "__main__":
    sys.exit(main())
