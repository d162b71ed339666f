"""The figures as a table against design's targets, printed and written to docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tests.bench import costs
from tests.bench.capacity import Counter, PerCall
from tests.bench.rollups import Rolled
from tests.bench.shards import Hot
from tests.bench.traffic import CHUNKS, CONNECTIONS, OTHERS, STREAMS, Figures, Traffic
from tests.bench.usage import ALL_OPEN, Reading

PAGE = """# Performance

Written by `make bench`; every figure is of one run on one machine, and a comparison holds within that run only.
{machine}

{table}

## How it was measured

- Everything runs on this machine, over the loopback interface: DynamoDB Local in memory, a fake provider, the load
  generator and the measured server are processes of their own. Whatever else the machine does slows all of them.
- Load: {rounds} rounds, each with every system (direct, pass-through, Tollgate under one and under four limited scopes, the
  other gateways), in alternating order; the figures are medians over the rounds, differences are taken within a round.
  Tollgate's proxy runs as `functions/proxy/run.sh` starts it. The pass-through has the same server, framework and HTTP
  client, and forwards only. The other gateways ({versions}) stand before the same provider and are asked by the same
  client; LiteLLM has one model and a master key, no database and no limits, Portkey's knows no keys and counts nothing.
- Processor time is that of the measured process and its children, their own and the kernel's for them; the database's is
  not in it. A burst is {burst} calls over {connections} connections by one key. With one limited scope that is the credits
  of the paying team; with four, the key, its user and the organization have a budget, requests and tokens a minute, too,
  and the team has them beside its credits.
- A stream has {chunks} chunks, 4 ms apart, over {streams} connections. Time to the first token is taken one call at a time.
- Units are what DynamoDB Local reports for the writes and reads of a real call; a call is plain writes only, no
  transaction. Sizes follow DynamoDB's rule.
- Init is the processor time of a fresh interpreter's imports over the built folders, divided by that of
  `import boto3; boto3.client("dynamodb")` with the same interpreter.
- Usage is that of a month of 28 days, 4 teams, 3 models, with and without a job. All but its last two days are closed, as
  the worker leaves them; beside it, what it would be if none were: 672 buckets, which nobody reads unless closing stands
  still.
  Records of calls are written to the table and counted by the stream consumer's own code; the first thousand make all the
  buckets there are. Handler time is the median of nine answers, the event's making included.
- The rounds begin when DynamoDB Local has answered a few hundred calls; its virtual machine goes on warming up.
- Rollups: batches of one team's calls by 5 keys, 3 users, 2 models. A write in a transaction is counted by rule, 2 units
  and 1 for each index per started KB, because DynamoDB Local tells the same for every transaction.

## What a million calls cost

In USD, from the units of this run and the prices of: {source}.

{cost}

The time that Tollgate adds is the added p50 at 1 connection, which here holds round trips to DynamoDB Local; the rollups'
is the consumer's processor time. A Lambda function waits while the provider answers: every second of that is
{second:.2f} more. Not in it: traffic out, logs, the authorizer (its answer is cached), what the provider charges.

## Where the proxy's time goes

A call under one limited scope is five HTTP exchanges: one with the provider, four with the database (entitlement, reserve,
record, settle); under four scopes it is eleven. A profile of the processor time, sampled every 4 ms over 2,700 calls at 32
connections, in shares of the whole:

| part | share |
|---|---|
| the provider's exchange, over aiohttp | 18 % |
| reading the entitlement and what it means | 19 % |
| reserving: bounds, prices, expression, exchange | 16 % |
| record and settlement, with their exchanges | 17 % |
| server and framework: receiving, routing, answering | 11 % |
| event loop, tasks, receiving from the database | 8 % |
| request and answer: headers, JSON, limits | 11 % |

Across these parts the sockets of the database's exchanges take 12 %, signing 6 %, JSON 7 %, exact numbers and prices 4 %,
making frozen dataclasses 6 %. What was tried, each side by side with the proxy as it is in alternating rounds; medians of
seven or eight rounds, which scatter by 10 to 20 %:

| what is different | processor time per call |
|---|---|
| the database's answers are replayed, so that its virtual machine leaves the processor alone | 27 % less |
| the same, and Debian's CPython 3.11, an optimised build, which the interpreter of this page is not | 11 to 18 % less again |
| the same, and the provider's exchange over the database's pool instead of aiohttp | 11 to 27 % less again |
| the same, and the dataclasses of the path not frozen | 4 % less: within the scatter |
| the garbage collector frozen after the start, thresholds raised | 1 % less: within the scatter |
| uvicorn without proxy headers, date and server headers | no less |

So a quarter of the figure above is the machine's: two cores carry the database beside the proxy. The provider's exchange is
the one cheap thing left. It is still aiohttp's, because it also streams, holds back a provider that is faster than its
client, and speaks TLS to anybody; the database's pool does none of the first two.
"""

_SHOWN = {
    "limited": "four limited scopes",
    "passthrough": "pass-through",
    "direct": "direct",
    "LiteLLM": "LiteLLM's proxy without a database",
    "Portkey": "Portkey's gateway",
}


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


def traffic_rows(traffic: Traffic) -> list[Row]:
    """The figures under load."""
    found = traffic.figures
    cpu, passing = found["tollgate cpu"], found["passthrough cpu"]
    ours, theirs = found["tollgate stream cpu"], found["passthrough stream cpu"]
    chunk = (ours - theirs - (cpu - passing)) / CHUNKS * 1000
    four = found["limited cpu"]
    return [
        _at_most(
            f"proxy CPU per call, {CONNECTIONS} connections, one limited scope",
            cpu,
            1.0,
            "ms",
            f"5 HTTP exchanges where the pass-through has one; that one costs {passing:.2f} ms in this run, "
            f"so Tollgate costs {cpu / passing:.1f} times that",
        ),
        _at_most(
            "the same, four limited scopes", four, 2.0, "ms", f"11 exchanges; {four / cpu:.2f} times that of one scope"
        ),
        Row("the same of an unmetered pass-through", f"{passing:.2f} ms"),
        *(_rival_row(name, traffic) for name in OTHERS),
        _at_most("added p50, 1 connection", found["tollgate added p50"], 4, "ms", "4 round trips to DynamoDB Local"),
        Row("added p99, 1 connection", f"{found['tollgate added p99']:.1f} ms"),
        Row(
            "added p50, p99, four limited scopes",
            f"{found['limited added p50']:.1f}, {found['limited added p99']:.1f} ms",
        ),
        *(
            Row(
                f"{_SHOWN[name]}: added p50, p99",
                f"{found[f'{name} added p50']:.2f}, {found[f'{name} added p99']:.2f} ms",
            )
            for name in ("passthrough", *OTHERS)
            if f"{name} added p50" in found
        ),
        Row(
            f"calls/s, {CONNECTIONS} connections",
            f"{found['tollgate rate']:.0f}",
            note=f"{_rates(found)}; DynamoDB Local takes most of the machine",
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
        *(
            Row(f"the same of {_SHOWN[name]}", f"{found[f'{name} resident']:.0f} MB")
            for name in OTHERS
            if f"{name} resident" in found
        ),
    ]


def _rival_row(name: str, traffic: Traffic) -> Row:
    figure = f"the same of {_SHOWN[name]}"
    if name in traffic.missing:
        return Row(figure, "not measured", note=traffic.missing[name])
    theirs, ours = traffic.figures[f"{name} cpu"], traffic.figures["tollgate cpu"]
    return Row(figure, f"{theirs:.2f} ms", note=f"{theirs / ours:.2g} times Tollgate's")


def _rates(found: Figures) -> str:
    names = ("limited", "passthrough", *OTHERS, "direct")
    return ", ".join(f"{_SHOWN[name]} {found[f'{name} rate']:.0f}" for name in names if f"{name} rate" in found)


def unit_rows(one: PerCall, four: PerCall) -> list[Row]:
    """Units and round trips of a call under one limited scope and under four."""
    rows = []
    for call, scopes, most in ((one, "one limited scope", 4), (four, "four limited scopes", 10)):
        rows += [
            _at_most(
                f"write units per call, {scopes}, record of {call.record_bytes} bytes, "
                f"{call.index_write_units:g} of them the index's",
                call.write_units,
                most,
                "",
                "names of windows and holds make counter items longer than 1 KB",
            ),
            Row(f"read units per call, {scopes}", f"{call.read_units:g}", "3 to 8", 3 <= call.read_units <= 8),
            _at_most(f"round trips before the provider, {scopes}, right hint", call.trips_hinted, 2, "", ""),
            _at_most(f"round trips before the provider, {scopes}, no hint", call.trips_unhinted, 3, "", ""),
        ]
    rows.append(Row("a round trip to DynamoDB Local, one call at a time", f"{one.trip_milliseconds:.1f} ms"))
    return rows


def rollup_rows(rolled: dict[int, Rolled]) -> list[Row]:
    """What counting a call into usage consumes, by size of the batch."""
    return [
        Row(
            f"write units per call of the rollups, batches of {batch}",
            f"{one.write_units:.3g}",
            note=f"{one.milliseconds:.2f} ms of the consumer's processor time",
        )
        for batch, one in rolled.items()
    ]


def cost_table(scopes: dict[str, list[costs.Cost]]) -> str:
    """What a million calls cost in USD, by the number of scopes."""
    lines = [f"| part | {' | '.join(scopes)} |", "|---" * (len(scopes) + 1) + "|"]
    columns = list(scopes.values())
    lines += [
        f"| {row[0].part} | {' | '.join(f'{cost.usd:.2f}' for cost in row)} |" for row in zip(*columns, strict=True)
    ]
    total = " | ".join(f"**{sum(cost.usd for cost in column):.2f}**" for column in columns)
    return "\n".join([*lines, f"| all | {total} |"])


def capacity_rows(call: PerCall, counters: list[Counter]) -> list[Row]:
    """Units of a call as its counter item grows."""
    rest = call.write_units - 2  # what is neither the reservation nor the settlement: the record
    idle, *busy = counters
    rows = [
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
    return rows


def shard_rows(hot: list[Hot]) -> list[Row]:
    """What one account carries, spread over so many counter items."""
    return [
        Row(
            f"calls/s that an account of {one.shards} counter item{'s' * (one.shards > 1)} carries, by its units",
            f"{one.calls_a_second:.0f}",
            note=f"{one.divided} divisions among the items",
        )
        for one in hot
    ]


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


def usage_rows(question: str, readings: dict[int, Reading]) -> list[Row]:
    """Read units and time of a month's usage by the number of calls in the month."""
    sizes = " and ".join(f"{size:,}" for size in readings)
    units = [reading.units for reading in readings.values()]
    slowest = max(reading.milliseconds for reading in readings.values())
    flat = max(units) == min(units)
    note = "" if flat else "figures of more digits make items longer"
    shown = " and ".join(f"{value:g}" for value in units)
    return [
        Row(f"read units of a month's usage {question}, at {sizes} calls", shown, "flat", flat, note),
        Row(f"handler time of a month's usage {question}", f"{slowest:.3g} ms")
        if question.endswith(ALL_OPEN)
        else _at_most(f"handler time of a month's usage {question}", slowest, 50, "ms", "the answer's size"),
    ]


def _at_most(figure: str, value: float, limit: float, unit: str, obstacle: str) -> Row:
    met = value <= limit
    suffix = f" {unit}" if unit else ""
    return Row(figure, f"{value:.3g}{suffix}", f"≤ {limit:g}{suffix}", met, "" if met else obstacle)
