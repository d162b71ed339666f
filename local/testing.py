"""The local cloud inside a test process.

    with local_cloud() as cloud, TestClient(cloud.gateway) as client:
        client.post("/api/organizations/create", headers=..., json=...)

`httpx.ASGITransport(cloud.gateway)` works too; streams arrive whole in both. `serving(cloud.gateway)`
gives a real server for clients that need sockets and streams as they come.
"""

from __future__ import annotations

import functools
import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest.mock import patch

import uvicorn

from local.cloud import Cloud, build_cloud
from local.engine import Engine, start_engine
from local.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.functions import AsgiApp

MASTER_KEY = Settings.master_key
_STARTUP_SECONDS = 20.0


@functools.cache
def process_engine(endpoint_url: str | None) -> Engine:
    """One engine per process: clients that handlers keep stay valid from test to test."""
    return start_engine(endpoint_url)


@contextmanager
def local_cloud(settings: Settings | None = None) -> Iterator[Cloud]:
    """The template on an empty table; the process's environment is put back afterwards.

    `DYNAMODB_ENDPOINT_URL` in the environment selects that engine. `cloud.reset()` empties the
    table between tests. Module caches of the code under test are its own affair.
    """
    settings = settings or Settings.from_environment(os.environ)
    with patch.dict(os.environ):
        cloud = build_cloud(settings, process_engine(settings.dynamodb_endpoint_url))
        cloud.reset()
        yield cloud


@contextmanager
def serving(app: AsgiApp) -> Iterator[str]:
    """Serve `app` on a free port of the loopback interface in a thread; gives the base URL."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="on", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="gateway", daemon=True)
    thread.start()
    deadline = time.monotonic() + _STARTUP_SECONDS
    while not server.started and thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.005)
    if not server.started:
        message = "the gateway did not start"
        raise RuntimeError(message)
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        thread.join(_STARTUP_SECONDS)
