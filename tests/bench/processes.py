"""Processes of the bench: the servers that are measured, and the load generator that measures them. Linux only: /proc."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from tests.bench.load import Job, Result
from tests.support.environment import ROOT

_STARTUP_SECONDS = 30
# LiteLLM imports for ten seconds on a quiet machine.
_FOREIGN_STARTUP_SECONDS = 90
_STOP_SECONDS = 10
_LOAD_SECONDS = 120
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class NotStartedError(Exception):
    """A server whose port did not open."""


class Server:
    """A server in a process of its own, on a port of the loopback interface; its children count as it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.port = port
        self._process = process

    def cpu_seconds(self) -> float:
        """Processor time that the processes have used so far, their own and the kernel's for them."""
        return sum(map(_ticks, _family(self._process.pid))) / _TICKS_PER_SECOND

    def resident_mb(self) -> float:
        return sum(map(_resident_kb, _family(self._process.pid))) / 1024


@contextmanager
def running(command: list[str], port: int, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Starts `python -m <command>`, waits until its port answers, and stops it in the end."""
    process = subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT, env={**os.environ, **(environment or {})})
    with _served(process, port, _STARTUP_SECONDS) as server:
        yield server


@contextmanager
def foreign(command: list[str], port: int, environment: Mapping[str, str]) -> Iterator[Server]:
    """Somebody else's server: it gets nothing of this environment, and what it says is not shown.

    Raises NotStartedError.
    """
    known = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=ROOT, env=known | environment, stdout=quiet, stderr=quiet)
    with _served(process, port, _FOREIGN_STARTUP_SECONDS) as server:
        yield server


@contextmanager
def _served(process: subprocess.Popen[bytes], port: int, seconds: float) -> Iterator[Server]:
    try:
        _wait_for(port, process, seconds)
        yield Server(process, port)
    finally:
        family = _family(process.pid)
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for child in family[1:]:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


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


def _wait_for(port: int, process: subprocess.Popen[bytes], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise NotStartedError(f"{process.args!r} did not start")


def _family(pid: int) -> list[int]:
    """The process and all its descendants that still run; one that has ended has none."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    except FileNotFoundError:
        return [pid]
    return [pid, *(one for child in children for one in _family(child))]


def _ticks(pid: int) -> int:
    """Clock ticks in user mode and in the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _resident_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
