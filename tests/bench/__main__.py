"""`make bench`: prints the table; a full run also writes docs/performance.md.

--quick   one short round, a look whether all is well; writes nothing
--long    lists of up to 100,000 entries, usage of a million calls
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time

from tests.bench import capacity, costs, lists, report, rollups, shards, startup, traffic, usage
from tests.support.environment import ROOT

_INIT_ROUNDS = 5


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench ARGS=…")
    parser.add_argument("--quick", action="store_true", help="one short round; writes nothing")
    parser.add_argument("--long", action="store_true", help="lists of up to 100,000 entries, usage of a million calls")
    options = parser.parse_args()
    if not os.environ.get("DYNAMODB_ENDPOINT_URL"):
        print("DYNAMODB_ENDPOINT_URL is not set; use make bench", file=sys.stderr)
        return 2
    scale = traffic.QUICK if options.quick else traffic.FULL
    machine = _machine()
    sizes, calls = (lists.LONG_SIZES, usage.LONG_SIZES) if options.long else (lists.SIZES, usage.SIZES)
    load = traffic.measure(scale, _tell)
    rows, paid = _call_rows(load.figures)
    rows = [*report.traffic_rows(load), *rows, *_rows(sizes, calls, quick=options.quick)]
    table, cost = report.markdown(rows), report.cost_table(paid)
    print(machine, table, cost, sep="\n\n")
    if not options.quick:
        page = report.PAGE.format(
            machine=machine,
            table=table,
            cost=cost,
            second=costs.of_a_second(),
            source=costs.SOURCE,
            versions=load.versions,
            rounds=scale.rounds,
            burst=f"{scale.burst:,}",
            connections=traffic.CONNECTIONS,
            chunks=traffic.CHUNKS,
            streams=traffic.STREAMS,
        )
        (ROOT / "docs" / "performance.md").write_text(page)
    return 0


def _call_rows(load: traffic.Figures) -> tuple[list[report.Row], dict[str, list[costs.Cost]]]:
    """Units of a call, and what a million of them cost."""
    _tell("units, round trips, sizes")
    one, four = capacity.per_call(traffic.team_key()), capacity.per_call(traffic.limited_key())
    rows = report.unit_rows(one, four) + report.capacity_rows(one, capacity.counters())
    _tell("hot accounts")
    rows += report.shard_rows(shards.measured())
    _tell("rollups")
    rolled = rollups.per_call()
    paid = {}
    for scopes, call, name in (("one limited scope", one, "tollgate"), ("four limited scopes", four, "limited")):
        batched = rolled[max(rolled)]
        measured = costs.Measured(
            write_units=call.write_units,
            read_units=call.read_units,
            rollup_units=batched.write_units,
            milliseconds=load[f"{name} added p50"],
            rollup_milliseconds=batched.milliseconds,
        )
        paid[scopes] = costs.of_a_million(measured)
    return rows + report.rollup_rows(rolled), paid


def _rows(sizes: tuple[int, ...], calls: tuple[int, ...], *, quick: bool) -> list[report.Row]:
    rows = []
    _tell("init of built functions")
    try:
        rows += report.startup_rows(startup.ratios(1 if quick else _INIT_ROUNDS))
    except startup.NotBuiltError as error:
        rows.append(report.Row("init of functions ÷ bare boto3", "not measured", "≤ 0.6, ≤ 1.8", note=str(error)))
    _tell("lists")
    sizes = sizes[:1] if quick else sizes
    rows.append(report.list_row("organizations", lists.organizations(sizes)))
    rows.append(report.list_row("a team's transactions", lists.transactions(sizes)))
    _tell("usage")
    months = usage.months(calls[:1] if quick else calls)
    rows += [row for question, readings in months.items() for row in report.usage_rows(question, readings)]
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
