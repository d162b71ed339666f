"""`make bench`: prints the table; a full run also writes docs/performance.md.

--quick   one short round, a look whether all is well; writes nothing
--long    lists of up to 100,000 entries
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time

from tests.bench import capacity, lists, report, startup, traffic
from tests.support.environment import ROOT

_INIT_ROUNDS = 5


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench ARGS=…")
    parser.add_argument("--quick", action="store_true", help="one short round; writes nothing")
    parser.add_argument("--long", action="store_true", help="lists of up to 100,000 entries")
    options = parser.parse_args()
    if not os.environ.get("DYNAMODB_ENDPOINT_URL"):
        print("DYNAMODB_ENDPOINT_URL is not set; use make bench", file=sys.stderr)
        return 2
    scale = traffic.QUICK if options.quick else traffic.FULL
    machine = _machine()
    table = report.markdown(_rows(scale, lists.LONG_SIZES if options.long else lists.SIZES, quick=options.quick))
    print(machine, table, sep="\n\n")
    if not options.quick:
        page = report.PAGE.format(
            machine=machine,
            table=table,
            rounds=scale.rounds,
            burst=f"{scale.burst:,}",
            connections=traffic.CONNECTIONS,
            chunks=traffic.CHUNKS,
            streams=traffic.STREAMS,
        )
        (ROOT / "docs" / "performance.md").write_text(page)
    return 0


def _rows(scale: traffic.Scale, sizes: tuple[int, ...], *, quick: bool) -> list[report.Row]:
    rows = report.traffic_rows(traffic.measure(scale, _tell))
    _tell("units, round trips, sizes")
    rows += report.capacity_rows(capacity.per_call(), capacity.counters())
    _tell("init of built functions")
    try:
        rows += report.startup_rows(startup.ratios(1 if quick else _INIT_ROUNDS))
    except startup.NotBuiltError as error:
        rows.append(report.Row("init of functions ÷ bare boto3", "not measured", "≤ 0.6, ≤ 1.8", note=str(error)))
    _tell("lists")
    sizes = sizes[:1] if quick else sizes
    rows.append(report.list_row("organizations", lists.organizations(sizes)))
    rows.append(report.list_row("a team's transactions", lists.transactions(sizes)))
    rows.append(report.Row("proxy CPU per call at 4 limited scopes", "not there yet", "≤ 2.0 ms"))
    return rows


def _machine() -> str:
    load = os.getloadavg()[0]
    return (
        f"{time.strftime('%Y-%m-%d', time.gmtime())}, Python {platform.python_version()}, {platform.machine()}, "
        f"{os.cpu_count()} cores, load average before the run {load:.1f}."
    )


def _tell(step: str) -> None:
    print(f"bench: {step}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
