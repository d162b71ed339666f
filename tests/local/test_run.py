"""`python -m local.run` and `python -m local.invoke` as commands."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import pytest

from local.asgi import call
from local.invoke import find_function, invoke
from local.seed import SeedError, seed_demo
from local.settings import ROOT, SettingError, Settings
from tests.support.ports import free_port

if TYPE_CHECKING:
    from local.cloud import Cloud
    from local.functions import Message, Receive, Send


# What `make run` reads from the environment, and a local cloud in this process may have set.
READ = (
    "PORT",
    "HOST",
    "MASTER_KEY",
    "UPSTREAM_BASE_URL",
    "UPSTREAM_API_KEY",
    "LITELLM_COMPAT",
    "DYNAMODB_ENDPOINT_URL",
)


def environment(**changes: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in READ} | changes


def command(module: str, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_the_environment_is_read() -> None:
    settings = Settings.from_environment({"PORT": "9000", "HOST": "0.0.0.0", "UPSTREAM_BASE_URL": "http://x/v1/"})
    assert settings.url == "http://127.0.0.1:9000"
    assert settings.function_environment()["UPSTREAM_BASE_URL"] == "http://x/v1"
    assert "UPSTREAM_API_KEY" not in settings.function_environment()
    defaults = Settings.from_environment({"PORT": ""})
    assert (defaults.url, defaults.master_key) == ("http://127.0.0.1:8003", "sk-local-master")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("MASTER_KEY", "master"),
        ("LITELLM_COMPAT", "2"),
        ("UPSTREAM_BASE_URL", "localhost:1234"),
        ("DYNAMODB_ENDPOINT_URL", "8000"),
    ],
)
def test_a_wrong_value_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingError, match=f"^{name} "):
        Settings.from_environment({name: value})


def test_a_wrong_environment_is_one_line_and_status_2() -> None:
    done = command("local.run", PORT="many")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "PORT must be a number from 1 to 65535, not 'many'\n"


def test_a_port_in_use_is_one_line_and_status_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = command("local.run", PORT=port)
    assert done.returncode == 2
    assert done.stderr == f"HOST, PORT: cannot listen on http://127.0.0.1:{port}: Address already in use\n"


def test_it_serves_a_call_and_stops_on_sigterm() -> None:
    """The first call of somebody who types `make run` and pastes the printed curl."""
    own = environment(PORT=str(free_port()), MASTER_KEY="sk-of-this-test")
    process = subprocess.Popen(
        [sys.executable, "-m", "local.run"], cwd=ROOT, env=own, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        printed = "".join(takewhile(lambda line: line != "ready\n", process.stdout))
        curl = printed[printed.index("curl ") :]
        called = subprocess.run(["sh", "-c", curl], capture_output=True, text=True, timeout=30, check=True)
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.communicate()
    assert "admin key  sk-of-this-test\n" in printed
    answer = json.loads(called.stdout)
    assert answer["object"] == "chat.completion"
    assert answer["usage"]["total_tokens"] > 0


def test_an_unknown_function_is_one_line_and_status_2(tmp_path: Any) -> None:
    event = tmp_path / "event.json"
    event.write_text("{}")
    done = command("local.invoke", "Nothing", str(event))
    assert done.returncode == 2
    assert done.stderr.startswith("template.yaml has no function 'Nothing'; it has ")


def test_functions_go_by_short_and_long_names(cloud: Cloud) -> None:
    functions = cloud.template.functions()
    assert find_function(functions, "Echo") is find_function(functions, "EchoFunction")


def event(**changes: Any) -> dict[str, Any]:
    return {
        "httpMethod": "POST",
        "path": "/v1/thing",
        "headers": {"X-One": "1"},
        "multiValueQueryStringParameters": {"a": ["1", "2"]},
        "requestContext": {"stage": "demo", "authorizer": {"kind": "master"}},
        "body": "hello",
        **changes,
    }


async def invoked(cloud: Cloud, name: str, given: Any) -> Any:
    response = await invoke(cloud, find_function(cloud.gateway.functions, name), given)
    await cloud.gateway.stop()
    return response


def run(coroutine: Any) -> Any:
    import asyncio

    return asyncio.run(coroutine)


def test_invoking_a_handler(cloud: Cloud) -> None:
    shown = run(invoked(cloud, "Echo", {"anything": 1}))
    assert json.loads(shown["body"])["event"] == {"anything": 1}


def test_invoking_a_streaming_function(cloud: Cloud) -> None:
    response = run(invoked(cloud, "Stream", event()))
    shown = json.loads(response["body"])
    assert response["statusCode"] == 200
    assert (shown["path"], shown["query"], shown["body"]) == ("/v1/thing", "a=1&a=2", "hello")
    assert shown["context"]["authorizer"] == {"kind": "master"}


def test_invoking_a_function_that_fails(cloud: Cloud) -> None:
    response = run(invoked(cloud, "Answer", {"body": '"raise"'}))
    assert response == {"errorType": "RuntimeError", "errorMessage": "asked to fail"}


class Api:
    """An API that answers as it is told, and keeps what it was asked."""

    def __init__(self, **answers: tuple[int, dict[str, Any]]) -> None:
        self._answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        message = await receive()
        self.asked.append((scope["path"], json.loads(message["body"])))
        status, body = self._answers[scope["path"].rpartition("/")[2].replace("-", "_")]
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})


def test_the_demo_is_made_once_and_has_a_fresh_key_later() -> None:
    new = Api(create=(200, {"virtual_key": "sk-new"}))
    assert run(seed_demo(new, "sk-m")) == "sk-new"
    assert [path for path, _ in new.asked] == ["/api/organizations/create", "/api/teams/create"]
    assert new.asked[1][1]["credits_allocated"] == 1000
    old = Api(create=(400, {"code": "team_exists"}), rotate_key=(200, {"virtual_key": "sk-rotated"}))
    assert run(seed_demo(old, "sk-m")) == "sk-rotated"


def test_a_demo_that_cannot_be_made_says_why() -> None:
    with pytest.raises(SeedError, match="POST /api/organizations/create answered 500"):
        run(seed_demo(Api(create=(500, {"code": "internal_error"})), "sk-m"))


def test_calls_in_process_reach_the_gateway(cloud: Cloud) -> None:
    answer = run(call(cloud.gateway, "GET", "/open", {"host": "x"}))
    assert answer.status == 200
