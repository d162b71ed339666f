"""Processes of the bench: the servers that are measured, and the load generator that measures them. Linux only: /proc."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from tests.bench.load import Job, Result
from tests.support.environment import ROOT

_STARTUP_SECONDS = 30
_LOAD_SECONDS = 120
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Server:
    """A server in a process of its own, on a port of the loopback interface."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.port = port
        self._process = process

    def cpu_seconds(self) -> float:
        """Processor time that the process has used so far, its own and the kernel's for it."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND

    def resident_mb(self) -> float:
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


@contextmanager
def running(command: list[str], port: int, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Starts `python -m <command>`, waits until its port answers, and stops it in the end."""
    process = subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT, env={**os.environ, **(environment or {})})
    try:
        _wait_for(port, process)
        yield Server(process, port)
    finally:
        process.terminate()
        process.wait()


@contextmanager
def uvicorn(app: str, environment: Mapping[str, str]) -> Iterator[Server]:
    """An ASGI app, served with the options of functions/proxy/run.sh."""
    port = free_port()
    command = ["uvicorn", app, "--host", "127.0.0.1", "--port", str(port), "--no-access-log", "--log-level", "warning"]
    path = os.pathsep.join(str(ROOT / folder) for folder in ("functions", "layers/shared"))
    with running(command, port, {**environment, "PYTHONPATH": path}) as server:
        yield server


def load(job: Job) -> Result:
    """Runs the job to its end. Raises CalledProcessError, its reason on stderr, if a call failed."""
    command = [sys.executable, "-m", "tests.bench.load", json.dumps(asdict(job))]
    answer = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, timeout=_LOAD_SECONDS)
    return Result(**json.loads(answer.stdout))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _STARTUP_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"{process.args!r} did not start")
