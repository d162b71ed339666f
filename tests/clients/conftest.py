"""LiteLLM's own client against `make run`: the client in an environment of its own, Tollgate in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from local.settings import ROOT
from tests.support.ports import free_port

MASTER_KEY = "sk-1234"
_DRIVER = Path(__file__).with_name("driver.py")


@dataclass(frozen=True)
class LiteLlm:
    """What is installed from the package index, at work."""

    url: str
    requests: IO[str]
    answers: IO[str]

    def run(self, *argv: str, text: str | None = None) -> str:
        """What a command prints. It has to succeed."""
        found = self.attempt(*argv, text=text)
        assert found["exit_code"] == 0, found
        return str(found["output"])

    def json(self, *argv: str) -> Any:
        """The JSON that a command prints."""
        output = self.run(*argv)
        start = min(place for sign in "[{" if (place := output.find(sign)) >= 0)
        return json.loads(output[start:])

    def attempt(self, *argv: str, text: str | None = None) -> dict[str, Any]:
        """Exit code and output of a command."""
        return self._ask({"argv": argv, "input": text})

    def call(self, method: str, /, **arguments: Any) -> Any:
        """What a method of ``Client`` gives back."""
        answer = self.refused(method, **arguments)
        assert "result" in answer, answer
        return answer["result"]

    def refused(self, method: str, /, **arguments: Any) -> dict[str, Any]:
        """The error that a method of ``Client`` raises: its type and text."""
        return self._ask({"client": method, "arguments": arguments})

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        print(json.dumps(question), file=self.requests, flush=True)
        answer: dict[str, Any] = json.loads(self.answers.readline())
        return answer


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """`PORT=… MASTER_KEY=sk-1234 make run`, without the make."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    environment = os.environ | {"PORT": str(port), "MASTER_KEY": MASTER_KEY}
    environment.pop("UPSTREAM_BASE_URL", None)
    command = [sys.executable, "-m", "local.run"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            assert any(line == "ready\n" for line in process.stdout), "Tollgate did not start"
            yield base
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def litellm(url: str) -> Iterator[LiteLlm]:
    python = os.environ.get("TOLLGATE_CLIENTS_PYTHON")
    assert python, "make test-clients sets TOLLGATE_CLIENTS_PYTHON"
    environment = os.environ | {"LITELLM_PROXY_URL": url, "LITELLM_PROXY_API_KEY": MASTER_KEY}
    # Its list of prices would be fetched, and another client's settings be found.
    environment |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "HOME": str(ROOT / ".cache")}
    with subprocess.Popen(
        [python, str(_DRIVER)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        # It ends when there is nothing more to read.
        yield LiteLlm(url, process.stdin, process.stdout)
