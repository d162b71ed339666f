"""The figures as a table against design's targets, printed and written to docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tests.bench.capacity import Counter, PerCall
from tests.bench.traffic import CHUNKS, CONNECTIONS, STREAMS, Figures

PAGE = """# Performance

Written by `make bench`; every figure is of one run on one machine, and a comparison holds within that run only.
{machine}

{table}

## How it was measured

- Everything runs on this machine, over the loopback interface: DynamoDB Local in memory, a fake provider, the load
  generator and the measured server are processes of their own. Whatever else the machine does slows all of them.
- Load: {rounds} rounds, each with every system (direct, pass-through, Tollgate), in alternating order; the figures are
  medians over the rounds, differences are taken within a round. Tollgate's proxy runs as `functions/proxy/run.sh` starts
  it. The pass-through has the same server, framework and HTTP client, and forwards only.
- Processor time is that of the measured process, its own and the kernel's for it; the database's is not in it. A burst is
  {burst} calls over {connections} connections by one team, whose credits are the one limit.
- A stream has {chunks} chunks, 4 ms apart, over {streams} connections. Time to the first token is taken one call at a time.
- Units are what DynamoDB Local reports for the writes and reads of a real call; a call is plain writes only, no
  transaction. Sizes follow DynamoDB's rule.
- Init is the processor time of a fresh interpreter's imports over the built folders, divided by that of
  `import boto3; boto3.client("dynamodb")` with the same interpreter.
- The rounds begin when DynamoDB Local has answered a few hundred calls; its virtual machine goes on warming up.
- Calls under four limited scopes are not measured: one account's credits are the only limit so far.

## Where the proxy's time goes

A call is five HTTP exchanges: one with the provider, four with the database (entitlement, reserve, record, settle).
Sending and receiving them is about half of the processor time, the larger part of it the kernel's; server and framework
are about a tenth, signing a twentieth, reading and building items, prices and exact numbers the rest. The database's
exchanges go over a small pool on httptools instead of aiohttp, which brought the whole to four fifths. One thing is known
to help further: fewer bytes per exchange, since the settlement's answer holds every hold in flight.
"""


@dataclass(frozen=True)
class Row:
    """A line of the table. ``met`` None: there is no target. ``note`` says what stands in the way, or what it is."""

    figure: str
    measured: str
    target: str = ""
    met: bool | None = None
    note: str = ""


def markdown(rows: Iterable[Row]) -> str:
    lines = ["| figure | target | measured | met | what stands in the way |", "|---|---|---|---|---|"]
    verdict = {True: "yes", False: "**no**", None: ""}
    lines += [f"| {r.figure} | {r.target} | {r.measured} | {verdict[r.met]} | {r.note} |" for r in rows]
    return "\n".join(lines)


def traffic_rows(found: Figures) -> list[Row]:
    """The figures under load."""
    cpu, passing = found["tollgate cpu"], found["passthrough cpu"]
    ours, theirs = found["tollgate stream cpu"], found["passthrough stream cpu"]
    chunk = (ours - theirs - (cpu - passing)) / CHUNKS * 1000
    return [
        _at_most(
            f"proxy CPU per call, {CONNECTIONS} connections, one limited scope",
            cpu,
            1.0,
            "ms",
            f"5 HTTP exchanges where the pass-through has one; that one costs {passing:.2f} ms in this run, "
            f"so Tollgate costs {cpu / passing:.1f} times that",
        ),
        Row("the same of an unmetered pass-through", f"{passing:.2f} ms"),
        _at_most("added p50, 1 connection", found["tollgate added p50"], 4, "ms", "4 round trips to DynamoDB Local"),
        Row("added p99, 1 connection", f"{found['tollgate added p99']:.1f} ms"),
        Row(
            "pass-through: added p50, p99",
            f"{found['passthrough added p50']:.2f}, {found['passthrough added p99']:.2f} ms",
        ),
        Row(
            f"calls/s, {CONNECTIONS} connections",
            f"{found['tollgate rate']:.0f}",
            note=f"pass-through {found['passthrough rate']:.0f}, direct {found['direct rate']:.0f}; "
            "DynamoDB Local takes most of the machine",
        ),
        Row(
            f"proxy CPU per stream of {CHUNKS} chunks, {STREAMS} connections",
            f"{ours:.2f} ms",
            note=f"pass-through {theirs:.2f} ms; without what any call costs, a chunk costs {chunk:.0f} µs more than there",
        ),
        Row(
            "time to first token added",
            f"{found['tollgate added first token']:.1f} ms",
            note=f"pass-through {found['passthrough added first token']:.1f} ms",
        ),
        _at_most("resident memory of the proxy after load", found["tollgate resident"], 100, "MB", "what it imports"),
    ]


def capacity_rows(call: PerCall, counters: list[Counter]) -> list[Row]:
    """Units, round trips and sizes of a call."""
    rows = [
        _at_most(
            f"write units per call, record of {call.record_bytes} bytes, {call.index_write_units:g} of them the index's",
            call.write_units,
            4,
            "",
            "",
        ),
        Row("read units per call", f"{call.read_units:g}", "3 to 8", 3 <= call.read_units <= 8),
        _at_most("round trips before the provider, right hint", call.trips_hinted, 2, "", ""),
        _at_most("round trips before the provider, no hint", call.trips_unhinted, 3, "", ""),
    ]
    rest = call.write_units - 2  # what is neither the reservation nor the settlement: the record
    idle, *busy = counters
    rows += [
        _at_most(
            f"write units per call at {counter.holds} in flight, counter item of {counter.size} bytes",
            counter.reserve_units + counter.settle_units + rest,
            4,
            "",
            "a write is paid by the KB, and every hold makes the counter item larger",
        )
        for counter in busy
    ]
    first = idle.reserve_units + idle.settle_units + rest
    rows.append(Row("write units of an idle account's first call", f"{first:g}", note="it enters the sweeper's index"))
    rows.append(Row("a round trip to DynamoDB Local, one call at a time", f"{call.trip_milliseconds:.1f} ms"))
    return rows


def startup_rows(ratios: dict[str, float]) -> list[Row]:
    """Init of built functions against bare boto3."""
    return [
        _at_most("init of the authorizer ÷ bare boto3", ratios["authorizer"], 0.6, "", "what it imports"),
        _at_most(
            "init of an admin handler ÷ bare boto3", ratios["admin handler"], 1.8, "", "pydantic, Powertools, PynamoDB"
        ),
        Row("init of the proxy ÷ bare boto3", f"{ratios['proxy']:.2f}"),
    ]


def list_row(name: str, units: dict[int, float]) -> Row:
    """Read units of a list's first page by the size of the collection."""
    sizes = " and ".join(f"{size:,}" for size in units)
    shown = " and ".join(f"{value:g}" for value in units.values())
    flat = max(units.values()) == min(units.values())
    return Row(
        f"read units of the first page of {name}, at {sizes}",
        shown,
        "flat",
        flat,
        "" if flat else "see the list's query",
    )


def _at_most(figure: str, value: float, limit: float, unit: str, obstacle: str) -> Row:
    met = value <= limit
    suffix = f" {unit}" if unit else ""
    return Row(figure, f"{value:.3g}{suffix}", f"≤ {limit:g}{suffix}", met, "" if met else obstacle)
