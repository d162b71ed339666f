"""What ``sam build`` made: every function runs from the build folder, from compiled modules, without this source tree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from typing import Any

import pytest

from local.template import Template
from tests.template.files import ROOT

pytestmark = pytest.mark.build

BUILD = ROOT / ".aws-sam" / "build"
LAYER = BUILD / "SharedLayer" / "python"
EXPECTED: dict[str, Any] = json.loads((ROOT / "events" / "expected.json").read_text())
NAMES = sorted(name.split(".")[0] for name in EXPECTED)

# Runs one function's event from its own build folder, then tells the answer and where every module of ours came from.
_RUN = """
import asyncio, importlib.util, json, sys
from pathlib import Path
from local.cloud import build_cloud
from local.engine import start_engine
from local.invoke import find_function, invoke
from local.seed import seed_demo
from local.settings import Settings

code, layer, root, name = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
cloud = build_cloud(Settings(code=code, layer=layer), start_engine(None))

async def main():
    await seed_demo(cloud.gateway, cloud.settings.master_key)
    event = json.loads((root / "events" / f"{name}.json").read_text())
    answer = await invoke(cloud, find_function(cloud.gateway.functions, name), event)
    await cloud.gateway.stop()
    return answer

answer = asyncio.run(main())
ours = [module for key, module in sys.modules.items() if key.split(".")[0] in {"tollgate", "admin", "proxy", "workers",
        "authorizer", "pydantic", "aws_lambda_powertools", "pynamodb", "starlette", "uvicorn"} and module.__spec__.origin]
print(json.dumps({
    "answer": answer,
    "origins": sorted({module.__spec__.origin for module in ours}),
    "uncompiled": sorted(module.__name__ for module in ours if module.__spec__.origin.endswith(".py")
                         and not Path(importlib.util.cache_from_source(module.__spec__.origin)).exists()),
}))
"""


@cache
def _ran(name: str) -> dict[str, Any]:
    assert sys.version_info[:2] == (3, 13), "the build is for Python 3.13; set up .venv with it"
    folder = BUILD / f"{name}Function"
    assert folder.is_dir(), "make build comes first"
    command = [sys.executable, "-c", _RUN, str(folder), str(LAYER), str(ROOT), name]
    environment = {
        key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "DYNAMODB_ENDPOINT_URL"}
    }
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


@pytest.mark.parametrize(
    "name", ["Authorizer", "CreateOrganization", "CreateProviderCredential", "LiteLlmReadiness", "Proxy", "Sweep"]
)
def test_a_built_function_answers_its_event_from_compiled_modules(name: str) -> None:
    told = _ran(name)

    expected = EXPECTED[f"{name}.json"]
    if isinstance(expected, int):
        assert told["answer"]["statusCode"] == expected
    else:
        assert expected.items() <= told["answer"].items()
    assert [origin for origin in told["origins"] if not origin.startswith(str(BUILD))] == []
    assert told["uncompiled"] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_function_is_built_with_its_module(name: str) -> None:
    built = BUILD / f"{name}Function"
    handler = Template.load(ROOT / "template.yaml").functions()[f"{name}Function"].handler
    path = (
        built / handler if handler.endswith(".sh") else built / (handler.rpartition(".")[0].replace(".", "/") + ".py")
    )
    assert path.is_file()


def test_every_module_of_the_layer_is_compiled_for_the_runtime() -> None:
    sources = [path for path in LAYER.rglob("*.py") if "__pycache__" not in path.parts]
    assert len(sources) > 500
    missing = [path for path in sources if not (path.parent / "__pycache__" / f"{path.stem}.cpython-313.pyc").exists()]
    assert missing == []
