"""Runs a command beside a DynamoDB Local of its own.

    python -m tests.support.dynamodb_local <folder of the npm package> -- <command>

The command finds the engine in ``DYNAMODB_ENDPOINT_URL``. One that is set already is used instead.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.ports import free_port

_EMULATOR = Path("node_modules/amplify-dynamodb-simulator/emulator")
_STARTUP_SECONDS = 60


@contextmanager
def dynamodb_local(folder: Path) -> Iterator[str]:
    """The URL of an engine in memory, on a free port of the loopback interface."""
    emulator = (folder / _EMULATOR).resolve()
    port = free_port()
    command = ["java", "-Djava.library.path=DynamoDBLocal_lib", "-jar", "DynamoDBLocal.jar"]
    process = subprocess.Popen(
        [*command, "-inMemory", "-sharedDb", "-port", str(port)],
        cwd=emulator,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def main() -> int:
    folder, separator, *command = sys.argv[1:]
    if separator != "--" or not command:
        print(__doc__, file=sys.stderr)
        return 2
    if os.environ.get("DYNAMODB_ENDPOINT_URL"):
        return subprocess.call(command)
    with dynamodb_local(Path(folder)) as url:
        return subprocess.call(command, env={**os.environ, "DYNAMODB_ENDPOINT_URL": url})


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _STARTUP_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("DynamoDB Local did not start; it needs java")


if __name__ == "__main__":
    sys.exit(main())
