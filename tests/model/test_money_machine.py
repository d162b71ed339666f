"""The invariants of the money path under whatever may happen, in any order (docs/data-model.md, section 3).

A machine of hypothesis drives the real code, request by request: calls of three keys over two teams, a user and an
organization, each with budgets, rates and credits of its own, faults of the network, killed processes, sweeps, changed
limits. What must hold is computed from records and holds alone, and compared after every request that was delivered.
``TOLLGATE_EXAMPLES`` says how many runs the long variant makes.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.model.money_world import Late, Pending, World
from tests.support.minidb import Fate, Item
from tollgate.core import ids
from tollgate.core.money import ZERO
from tollgate.limits.model import Limits, Scope, Unit, counter_name, window_of
from tollgate.metering.counters import amount_of, codes_of, number, number_in
from tollgate.metering.model import Amount, Meter
from tollgate.metering.records import recorded
from tollgate.table import keys
from tollgate.usage.layout import places_of

FATES = [Fate.DONE] * 5 + [fate for fate in Fate if fate is not Fate.DONE]
FAULTS = [fate for fate in Fate if fate is not Fate.DONE]
KEYS = ["key-a", "key-a-only", "key-b"]
DURATIONS = ["1d", "1w", "1mo", None]
# What may be limited anew, and the budgets that it may get.
LIMITED = {"key-a": 6, "user": 12, "team-a": 15, "team-b": 12, "org": 20}
SHARE = 10
OF_RECORD = {
    Scope.KEY: "key_id",
    Scope.USER: "user_id",
    Scope.TEAM: "team_id",
    Scope.ORGANIZATION: "organization_id",
}
which = st.integers(0, 1_000)


def _money(item: Item) -> Amount:
    return recorded(item).amount


class MoneyMachine(RuleBasedStateMachine):
    """Rules are what may happen; ``check`` is what must hold."""

    @initialize(shards=st.sampled_from([1, 1, 2]), seed=st.integers(0, 2**32))
    def begin(self, shards: int, seed: int) -> None:
        self.patch = pytest.MonkeyPatch()
        chance = random.Random(seed)
        self.patch.setattr(ids.secrets, "randbits", chance.getrandbits)
        self.patch.setattr(random, "uniform", lambda *_: 0)
        self.world = World()
        self.patch.setattr(time, "time", lambda: self.world.now)
        # Of each counter, what it came to when it was last looked at.
        self.before: dict[tuple[str, str], Decimal] = {}
        self.overtaken: set[str] = set()
        self._build(shards)
        self.check()

    def _build(self, shards: int) -> None:
        world = self.world
        shared = {"allocated_total": number(SHARE), "rollover": "next"}
        world.make("org", "organization", Limits(Decimal(LIMITED["org"]), budget_duration="1d", rpm_limit=40), **shared)
        share = {"allocated_budget": number(SHARE)}
        owned = {"organization_id": "org", "organization_uid": "UID-org", "credits_source": "team"}
        paid = {"budget_mode": "consumption_usd", "credits_per_dollar": number(2)}
        for name, limits, more in (
            ("team-a", Limits(Decimal(LIMITED["team-a"]), budget_duration="1w", tpm_limit=20_000), {**share, **paid}),
            ("team-b", Limits(Decimal(LIMITED["team-b"]), max_parallel_requests=3, rpm_limit=9), {}),
        ):
            world.make(name, "team", limits, **owned, **more)
            world.open_account(name, 30, shards)
        world.make("user", "user", Limits(Decimal(LIMITED["user"]), budget_duration="1d", tpd_limit=30_000))
        for name, team, limits in (
            ("key-a", "team-a", Limits(Decimal(LIMITED["key-a"]), budget_duration="1d")),
            ("key-a-only", "team-a", Limits(rpm_limit=6)),
            ("key-b", "team-b", Limits(tpm_limit=9_000)),
        ):
            user = {} if name == "key-a-only" else {"user_id": "user"}
            of_team = {"team_id": team, "team_uid": f"UID-{team}", "organization_id": "org"}
            world.make(name, "key", limits, **of_team, **user)

    # Calls.

    @rule(key=st.sampled_from(KEYS), output=st.integers(1, 6), process=st.integers(0, 1))
    def ask(self, key: str, output: int, process: int) -> None:
        self.world.ask(key, output, process)

    @rule(key=st.sampled_from(KEYS), output=st.integers(1, 6), process=st.integers(0, 1))
    def ask_and_be_heard(self, key: str, output: int, process: int) -> None:
        """So that much is admitted in a run."""
        self.world.ask(key, output, process)
        self._deliver_all(max(self.world.works, default=0))

    # Jobs.

    @rule(team=st.sampled_from(["team-a", "team-b"]))
    def open_job(self, team: str) -> None:
        self.world.open_job(team)

    @precondition(lambda self: self._open_jobs())
    @rule(index=which, output=st.integers(1, 6), process=st.integers(0, 1), heard=st.booleans())
    def ask_in_job(self, index: int, output: int, process: int, *, heard: bool) -> None:
        jobs = self._open_jobs()
        job_id = jobs[index % len(jobs)]
        self.world.ask("key-a" if self.world.jobs[job_id] == "team-a" else "key-b", output, process, job_id)
        if heard:
            self._deliver_all(max(self.world.works, default=0))

    @precondition(lambda self: self._open_jobs())
    @rule(index=which, charged=st.booleans())
    def close_job(self, index: int, *, charged: bool) -> None:
        jobs = self._open_jobs()
        self.world.close_job(jobs[index % len(jobs)], charged=charged)
        self.check()

    def _open_jobs(self) -> list[str]:
        return [job_id for job_id in self.world.jobs if "cl" not in self.world.counter_of(job_id)]

    @precondition(lambda self: self.world.admitted)
    @rule(index=which, used=st.integers(0, 6), failed=st.booleans())
    def end(self, index: int, used: int, *, failed: bool) -> None:
        process, admitted = self.world.admitted.pop(index % len(self.world.admitted))
        self.world.end(process, admitted, min(used, admitted.call.max_output_tokens), failed=failed)

    @precondition(lambda self: self.world.waiting)
    @rule(index=which, fate=st.sampled_from(FATES))
    def deliver(self, index: int, fate: Fate) -> None:
        self._deliver(self.world.waiting[index % len(self.world.waiting)], fate)

    @precondition(lambda self: self.world.works)
    @rule(index=which, fault=st.none() | st.sampled_from(FAULTS), at=st.integers(0, 12))
    def go_on(self, index: int, fault: Fate | None, at: int) -> None:
        """Everything that one work sends is delivered, with at most one fault."""
        works = sorted(self.world.works)
        self._deliver_all(works[index % len(works)], fault, at)

    def _deliver_all(self, work: int, fault: Fate | None = None, at: int = 0) -> None:
        """In an order of their own, as requests that are sent side by side arrive."""
        sent = 0
        while mine := [pending for pending in self.world.waiting if pending.task == work]:
            self._deliver(mine[at % len(mine)], fault if fault is not None and sent == at else Fate.DONE)
            sent += 1

    def _deliver(self, pending: Pending, fate: Fate) -> None:
        if pending.sent.operation == "Query":
            self._roll_up()
        self.world.deliver(pending, fate)
        if pending.sent.is_write:
            key = pending.sent.payload.get("Key")
            self.check(key["PK"]["S"] if key else None)

    # Faults.

    @rule(process=st.integers(0, 1), arriving=st.booleans())
    def kill(self, process: int, *, arriving: bool) -> None:
        self.world.kill_process(process, arriving=arriving)

    @precondition(lambda self: self.world.late)
    @rule(index=which)
    def arrive(self, index: int) -> None:
        self._arrive(self.world.late[index % len(self.world.late)])

    def _arrive(self, late: Late) -> None:
        """Once: a reservation is never sent twice."""
        self.world.table.do(late.sent)
        self.check()
        self.world.late.remove(late)

    @precondition(lambda self: self.world.written)
    @rule(index=which)
    def repeat(self, index: int) -> None:
        """A write arrives once more, however long ago it was done within its signature's time."""
        self.world.table.do(self.world.written[index % len(self.world.written)])
        self.check()

    @rule(process=st.integers(0, 1))
    def sweep(self, process: int) -> None:
        self.world.sweep(process)

    @rule(seconds=st.sampled_from([0.25, 5, 61, 61, 1_000, 86_400, 8 * 86_400]))
    def wait(self, seconds: float) -> None:
        self.world.pass_time(seconds)
        if seconds > 900:
            self.world.written.clear()
        self.check()

    # Administrators.

    @rule(name=st.sampled_from(list(LIMITED)), size=st.integers(0, 25))
    def limit(self, name: str, size: int) -> None:
        least = SHARE if name == "org" else 0
        self.world.limit(name, replace(self.world.limits_of(name), max_budget=Decimal(max(size, least))))
        self.check()

    @rule(name=st.sampled_from(["key-a", "user", "team-a", "team-b"]), duration=st.sampled_from(DURATIONS))
    def change_duration(self, name: str, duration: str | None) -> None:
        # Twice within a second it would be the same duration again.
        self.world.pass_time(1)
        limits = self.world.limits_of(name)
        if limits.budget_duration != duration:
            self.world.limit(name, replace(limits, budget_duration=duration, budget_since=int(self.world.now)))
        self.check()

    @rule(team=st.sampled_from(["team-a", "team-b"]), amount=st.integers(-10, 30))
    def grant(self, team: str, amount: int) -> None:
        """A top-up or a refund; or credits taken away."""
        self.world.grant(team, amount)
        self.check()

    # What must hold.

    def check(self, only: str | None = None) -> None:
        """All scopes, or only the one whose counter item has just been written."""
        self.is_right = False
        records = self.world.records()
        for uid, meters in self._alive().items():
            if only in {None, keys.account(uid)}:
                # The last is what counts now, the others are what calls on their way have read.
                self._check_counters(meters, records)
                self._check_totals(meters[-1], records)
        for job_id in self.world.jobs:
            if only in {None, keys.account(job_id)}:
                self._check_job(job_id, records)
        self.is_right = True

    def _check_job(self, job_id: str, records: list[Item]) -> None:
        """A job's figures are those of its settled calls; once it is closed, no call holds anything in it."""
        item = self.world.counter_of(job_id)
        holds = item["h"]["M"]
        assert not (holds and "cl" in item), "a call was admitted to a job that is over"
        settled = [
            record
            for record in records
            if record.get("job_id", {}).get("S") == job_id and _hold_id(record) not in holds
        ]
        assert number_in(item, "us") == sum((_money(record).usd for record in settled), ZERO)
        assert number_in(item, "tk") == sum(_money(record).tokens for record in settled)
        assert number_in(item, "cn") == len(settled)
        assert number_in(item, "jf") == sum(_money(record).failed for record in settled)
        assert number_in(item, "pr") >= ZERO

    def _check_counters(self, meters: list[Meter], records: list[Item]) -> None:
        """Every counter is the sum of what its calls have used or hold, and grows only up to its limit."""
        meter = meters[-1]
        items = self.world.items_of(meter.uid)
        for ceiling in meter.ceilings("fast", self.world.now):
            name = counter_name(ceiling.code, self.world.now)
            if not any(name in item for item in items):
                continue
            value = sum((number_in(item, name) for item in items), ZERO)
            self._note_overtaken(meter, items, ceiling.code, name)
            used = self._used(meter, items, records, name)
            overtaken = sum((amount for hold_id, amount in used.items() if hold_id in self.overtaken), ZERO)
            most = sum(used.values(), ZERO)
            assert most - overtaken <= value <= most, (meter.scope_id, name, f"counts {value}, calls used {used}")
            self._check_growth(meter, name, value, max(self._sizes(meters, name), default=ZERO))
        limits = [each.limits.max_parallel_requests for each in meters]
        running = Decimal(sum(len(item["h"]["M"]) for item in items))
        if None not in limits:
            self._check_growth(meter, "parallel", running, Decimal(max(each or 0 for each in limits)))

    def _check_growth(self, meter: Meter, name: str, value: Decimal, most: Decimal) -> None:
        before = self.before.get((meter.uid, name), value)
        assert value <= max(most, before), (meter.scope_id, name, f"{value} of {most}")
        self.before[meter.uid, name] = value

    def _note_overtaken(self, meter: Meter, items: list[Item], code: str, name: str) -> None:
        """A call that has read a duration, and holds only after the first call with the next one: it counts there only.

        So a budget whose duration changes may miss the calls that are between these two steps at that very moment.
        """
        if (meter.uid, name) in self.before:
            self.overtaken |= {
                hold_id
                for item in items
                for hold_id, hold in item["h"]["M"].items()
                if code not in codes_of(hold["M"]) and _counts_in(hold["M"], Unit(code[0]))
            }

    def _used(self, meter: Meter, items: list[Item], records: list[Item], name: str) -> dict[str, Decimal]:
        """By the records of settled calls in the counter's window, and by the calls in flight."""
        window, unit = window_of(name), Unit(name[0])
        holds = {hold_id: hold["M"] for item in items for hold_id, hold in item["h"]["M"].items()}
        used = {hold_id: amount_of(hold).of(unit) for hold_id, hold in holds.items() if _counts_in(hold, unit)}
        used |= {
            _hold_id(record): _money(record).of(unit)
            for record in records
            if _names(record, meter, unit) and _hold_id(record) not in holds
        }
        return {
            hold_id: amount
            for hold_id, amount in used.items()
            if window.start <= ids.time_of_hold(hold_id) < (window.end or self.world.now + 1)
        }

    def _alive(self) -> dict[str, list[Meter]]:
        """Each scope, as calls that still reserve have read it, and as it is."""
        found: dict[str, list[Meter]] = {}
        works = [*self.world.works.values(), *self.world.ended]
        read = {id(work.entitlement): work.entitlement for work in works if work.entitlement}
        for entitlement in (*read.values(), *map(self.world.entitlement, KEYS)):
            for meter in entitlement.meters:
                found.setdefault(meter.uid, []).append(meter)
        return found

    def _sizes(self, meters: list[Meter], name: str) -> Iterator[Decimal]:
        """What a counter may come to: by the limits that anybody on the way has read."""
        for meter in meters:
            for ceiling in meter.ceilings("fast", self.world.now):
                # What a window left over is at most a whole budget.
                if ceiling.unit == name[0]:
                    yield ceiling.size * (2 if ceiling.carries else 1)
        for late in (late for late in self.world.late if late.sent.is_reservation):
            yield from _size_of_late(late.sent.payload, name)

    def _check_totals(self, meter: Meter, records: list[Item]) -> None:
        """Settled figures are sums of the records, and an account's balance is explained by its ledger."""
        items = self.world.items_of(meter.uid)
        holds = {hold_id: hold["M"] for item in items for hold_id, hold in item["h"]["M"].items()}
        settled = [
            _money(record) for record in records if _names(record, meter, None) and _hold_id(record) not in holds
        ]
        totals = {name: sum((Decimal(item[name]["N"]) for item in items), ZERO) for name in ("us", "tk", "cn")}
        assert totals["us"] == (us := sum((amount.usd for amount in settled), ZERO)), (
            meter.scope_id,
            totals,
            us,
            len(settled),
        )
        assert totals["tk"] == sum(amount.tokens for amount in settled), meter.scope_id
        assert totals["cn"] == len(settled), meter.scope_id
        if meter.account is None:
            return
        available = [Decimal(item["av"]["N"]) for item in items]
        assert min(available) >= 0, "credits that are not there were spent"
        held = sum((amount_of(hold).credits for hold in holds.values()), ZERO)
        held += sum((number_in(item, "jh") for item in items), ZERO)
        charged = sum((amount.credits for amount in settled), ZERO)
        assert sum(available) + held == self.world.ledger[meter.uid] - charged

    def _roll_up(self) -> None:
        """Usage by the day of each scope, as late as its settlements are."""
        world = self.world
        for key in KEYS:
            for meter in world.entitlement(key).meters:
                items = world.items_of(meter.uid)
                holds = {hold_id for item in items for hold_id in item["h"]["M"]}
                days: dict[str, Decimal] = {}
                for record in world.records():
                    if _names(record, meter, Unit.USD) and _hold_id(record) not in holds:
                        day = record["started_at"]["S"][:10]
                        days[day] = days.get(day, ZERO) + _money(record).usd
                self._store_usage(meter, days)

    def _store_usage(self, meter: Meter, days: dict[str, Decimal]) -> None:
        ((partition, index),) = places_of(meter.scope, meter.usage_id)
        for day, usd in days.items():
            sort = {"S": keys.usage_day(day, "", "")}
            bucket: Item = {"kind": {"S": "usage"}, "model": {"S": "fast"}, "us": number(usd)}
            if index is None:
                bucket |= {"PK": {"S": partition}, "SK": sort}
            else:
                bucket |= {
                    "PK": {"S": f"OF#{partition}"},
                    "SK": sort,
                    f"{index}PK": {"S": partition},
                    f"{index}SK": sort,
                }
            self.world.table.put(bucket)

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            if self.is_right:
                self._finish()
        finally:
            self.world.close()
            self.patch.undo()

    def _finish(self) -> None:
        """Everybody is killed, what was late arrives, and sweeps later every call was made once or never."""
        world = self.world
        admitted = set(world.told)
        for process in (0, 1):
            world.kill_process(process, arriving=True)
        for late in world.late[::2]:
            self._arrive(late)
        for _ in range(2):
            world.now += 3_600
            self._sweep_all()
            for late in list(world.late):
                self._arrive(late)
        self._sweep_all()
        self.check()
        items = [item for (_, sk), item in world.table.items.items() if sk.startswith("HOT#")]
        assert [item["h"]["M"] for item in items if item["h"]["M"]] == []
        assert [item for item in items if "DUEPK" in item] == []
        self._check_promises()
        recorded_calls = {_hold_id(record) for record in world.records()}
        assert admitted <= recorded_calls, "an admitted call was lost"

    def _check_promises(self) -> None:
        """What accounts have set apart is what their open jobs were promised."""
        for team in ("team-a", "team-b"):
            kept = sum((number_in(item, "jh") for item in self.world.items_of(f"UID-{team}")), ZERO)
            jobs = [self.world.counter_of(job_id) for job_id in self._open_jobs() if self.world.jobs[job_id] == team]
            assert kept == sum((number_in(item, "pr") for item in jobs), ZERO)

    def _sweep_all(self) -> None:
        self.world.sweep(0)
        self._deliver_all(max(self.world.works, default=0))


def _hold_id(record: Item) -> str:
    hold_id: str = record["PK"]["S"].removeprefix(keys.call(""))
    return hold_id


def _names(record: Item, meter: Meter, unit: Unit | None) -> bool:
    """Whether a call counts in a scope; a team's share of a budget is not counted in the budget itself."""
    if record.get(OF_RECORD[meter.scope], {}).get("S") != meter.scope_id:
        return False
    return not (unit is Unit.USD and meter.scope is Scope.ORGANIZATION and record["team_id"]["S"] == "team-a")


def _counts_in(hold: Item, unit: Unit) -> bool:
    """Whether a call in flight counts, under whatever duration it was admitted."""
    return any(code[0] == unit for code in codes_of(hold))


def _size_of_late(payload: dict[str, Any], name: str) -> Iterator[Decimal]:
    """The limit that a reservation on its way asks for; of a shard, the one that it has a share of."""
    values = payload["ExpressionAttributeValues"]
    for placeholder, counted in payload["ExpressionAttributeNames"].items():
        number_of = placeholder.removeprefix("#c")
        if counted != name or number_of == placeholder:
            continue
        if f":z{number_of}" in values:
            yield Decimal(values[f":z{number_of}"]["S"].partition("/")[2])
        else:
            yield Decimal(values[f":m{number_of}"]["N"]) + Decimal(values[f":{name[0]}"]["N"])


def _run(examples: int, steps: int) -> None:
    how = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    run_state_machine_as_test(MoneyMachine, settings=how)


def test_the_books_are_right_whatever_happens() -> None:
    _run(80, 40)


@pytest.mark.engine
def test_the_books_are_right_in_thousands_of_runs() -> None:
    _run(int(os.environ.get("TOLLGATE_EXAMPLES", "400")), 60)
