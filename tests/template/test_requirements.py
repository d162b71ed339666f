"""The pinned requirements: what is tested is what ships, and no file knows where it was made."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAYER = ROOT / "layers/shared/requirements.txt"
FILES = [LAYER, *sorted((ROOT / "requirements").glob("*.txt"))]
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)")


def pins(path: Path) -> dict[str, str]:
    matches = (_PIN.match(line) for line in path.read_text().splitlines())
    return {match[1].lower(): match[2] for match in matches if match}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_line_is_a_hashed_pin(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if line and not line.lstrip().startswith("#")]
    assert all(_PIN.match(line) or line.startswith("    --hash=sha256:") for line in lines)
    blocks = re.split(r"^(?=[A-Za-z0-9])", "\n".join(lines), flags=re.MULTILINE)
    assert all("--hash=sha256:" in block for block in blocks if block)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_direct_requirement_is_pinned(path: Path) -> None:
    wanted = re.findall(r"^[A-Za-z0-9][A-Za-z0-9._-]*", path.with_suffix(".in").read_text(), re.MULTILINE)
    assert {name.lower() for name in wanted} <= pins(path).keys()


def test_tests_run_what_ships() -> None:
    tested = pins(ROOT / "requirements/dev.txt")
    assert {name: tested.get(name) for name in pins(LAYER)} == pins(LAYER)


def test_the_layer_leaves_out_what_the_runtime_brings() -> None:
    assert pins(LAYER).keys() & {"boto3", "botocore", "s3transfer"} == set()
