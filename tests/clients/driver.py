"""Runs LiteLLM's client and its command line for the tests, in the environment that has them; one import for all.

Reads one JSON object per line and answers with one: ``{"argv": [...], "input": "..."}`` is a command,
``{"client": "keys.list", "arguments": {...}}`` a method of ``Client``.
"""

import functools
import json
import os
import sys

from click.testing import CliRunner
from litellm.proxy.client import Client
from litellm.proxy.client.cli.main import cli

URL, KEY = os.environ["LITELLM_PROXY_URL"], os.environ["LITELLM_PROXY_API_KEY"]


def command(argv, text=None):
    found = CliRunner().invoke(cli, argv, input=text, env={"COLUMNS": "400", "NO_COLOR": "1"})
    return {"exit_code": found.exit_code, "output": found.output, "error": repr(found.exception)}


def method(path, arguments):
    try:
        return {"result": functools.reduce(getattr, path.split("."), Client(URL, KEY))(**arguments)}
    except Exception as error:  # noqa: BLE001 (whatever it raises is the answer)
        return {"error": type(error).__name__, "text": str(error)}


out = os.fdopen(os.dup(1), "w")
# Whatever the client prints is not an answer.
sys.stdout = sys.stderr
for line in sys.stdin:
    asked = json.loads(line)
    answer = (
        command(asked["argv"], asked.get("input")) if "argv" in asked else method(asked["client"], asked["arguments"])
    )
    print(json.dumps(answer, default=str), file=out, flush=True)
