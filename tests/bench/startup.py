"""Init of built functions against bare boto3, each in a fresh interpreter of its own."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.environment import ROOT

BUILT = ROOT / ".aws-sam" / "build"
_LAYER = BUILT / "SharedLayer" / "python"
_MEASURE = "import time; before = time.process_time()\n{code}\nprint(time.process_time() - before)"
_BARE = "import boto3; boto3.client('dynamodb', region_name='us-east-1')"


@dataclass(frozen=True)
class Subject:
    """A function whose init is measured: what its runtime imports before the first event."""

    name: str
    folder: str
    module: str


SUBJECTS = (
    Subject("authorizer", "AuthorizerFunction", "authorizer"),
    Subject("admin handler", "CreateOrganizationFunction", "admin.organizations.create"),
    Subject("proxy", "ProxyFunction", "proxy.app"),
)


class NotBuiltError(Exception):
    """There is nothing to measure; the text says why."""


def ratios(rounds: int) -> dict[str, float]:
    """Processor time of a function's imports divided by that of making boto3's client, medians over the rounds.

    Raises NotBuiltError without a build that this interpreter can run.
    """
    if not _LAYER.is_dir():
        raise NotBuiltError("not built: run `TOLLGATE_BUILD_ARCH=native make build` first")
    if not platform.python_version().startswith("3.13."):
        raise NotBuiltError("the layer is built for Python 3.13, this is another one")
    names = {subject.name: f"import {subject.module}" for subject in SUBJECTS}
    found: dict[str, list[float]] = {name: [] for name in names}
    # The first one of each only warms the file cache.
    for number in range(rounds + 1):
        bare = _cpu(_BARE, None)
        for subject in SUBJECTS:
            used = _cpu(names[subject.name], BUILT / subject.folder)
            if number:
                found[subject.name].append(used / bare)
    return {name: statistics.median(values) for name, values in found.items()}


def _cpu(code: str, folder: Path | None) -> float:
    path = os.pathsep.join([str(folder), str(_LAYER)]) if folder else ""
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", _MEASURE.format(code=code)]
    run = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, cwd=BUILT)
    if run.returncode:
        reason = run.stderr.strip().rpartition("\n")[2]
        raise NotBuiltError(f"the build does not run here (TOLLGATE_BUILD_ARCH=native?): {reason}")
    return float(run.stdout)
