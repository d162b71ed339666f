"""`make invoke F=CreateOrganization E=events/CreateOrganization.json`: one function, one event.

Like `sam local invoke`, without docker: on the embedded engine with table and demo, or on the one
that DYNAMODB_ENDPOINT_URL names as it is. The response goes to stdout as JSON, logs to stderr. Exit
status: 0, 1 if the function failed, 2 for a wrong name, file or environment.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from local.asgi import Collector, http_scope
from local.cloud import Cloud, build_cloud
from local.engine import EngineError, start_engine
from local.events import Request
from local.functions import run_function
from local.seed import SeedError, seed_demo
from local.settings import SettingError, Settings

if TYPE_CHECKING:
    from local.template import Function


def main(arguments: list[str]) -> int:
    """Invoke and print; returns the exit status."""
    if len(arguments) != 2:
        print("usage: python -m local.invoke FUNCTION EVENT_FILE", file=sys.stderr)
        return 2
    try:
        event = json.loads(Path(arguments[1]).read_text())
        settings = Settings.from_environment(os.environ)
        with redirect_stdout(sys.stderr):
            engine = start_engine(settings.dynamodb_endpoint_url)
            response = asyncio.run(_invoke(build_cloud(settings, engine), arguments[0], event))
    except (OSError, ValueError, LookupError, SettingError, EngineError) as error:
        print(error, file=sys.stderr)
        return 2
    except SeedError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(response, indent=2))
    return 1 if isinstance(response, dict) and "errorType" in response else 0


def find_function(functions: dict[str, Function], name: str) -> Function:
    """The function by its logical id, with or without `Function`; LookupError names them all."""
    function = functions.get(name) or functions.get(f"{name}Function")
    if function is None:
        known = ", ".join(sorted(one.removesuffix("Function") for one in functions))
        raise LookupError(f"template.yaml has no function {name!r}; it has {known}")
    return function


async def _invoke(cloud: Cloud, name: str, event: Any) -> Any:
    function = find_function(cloud.gateway.functions, name)
    try:
        if cloud.engine.embedded:
            await seed_demo(cloud.gateway, cloud.settings.master_key)
        return await invoke(cloud, function, event)
    finally:
        await cloud.gateway.stop()


async def invoke(cloud: Cloud, function: Function, event: Any) -> Any:
    """The function's response to the event; an exception as Lambda reports it."""
    try:
        if function.logical_id in cloud.gateway.streaming:
            return await _stream(cloud, function, event)
        return await asyncio.to_thread(run_function, function, event)
    except Exception as error:  # noqa: BLE001 - whatever the function raises is its answer
        return {"errorType": type(error).__name__, "errorMessage": str(error)}


async def _stream(cloud: Cloud, function: Function, event: dict[str, Any]) -> dict[str, Any]:
    """What the web adapter and the app make of the event, put together as a proxy response."""
    query = urlencode(event.get("multiValueQueryStringParameters") or {}, doseq=True)
    headers: dict[str, str] = event.get("headers") or {}
    body = event.get("body") or ""
    request = Request(
        method=event["httpMethod"],
        path=event["path"],
        query=query,
        headers=list(headers.items()),
        source_ip="127.0.0.1",
        stage=event["requestContext"].get("stage", ""),
        body=base64.b64decode(body) if event.get("isBase64Encoded") else body.encode(),
    )
    collector = Collector()
    await collector.receive()
    scope = http_scope(request.method, request.path, headers, query)
    stream = cloud.gateway.streaming[function.logical_id]
    await stream.serve(scope, request, event, collector.send, collector.receive)
    answer = collector.answer
    return {
        "statusCode": answer.status,
        "headers": dict(answer.headers),
        "body": answer.body.decode(errors="replace"),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
