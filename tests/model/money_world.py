"""A small world of the money path: entities, processes and a table, whose network and clock a test holds in its hands.

Nothing happens by itself. A request waits until it is delivered, in any order and with any fate; what was cut off may
arrive later; a process may be killed between any two requests, and then simply never goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from tests.support.minidb import Fate, Item, MiniDB, Sent, Table
from tollgate.core import ids
from tollgate.core.errors import TollgateError
from tollgate.jobs.pricing import credits_of_job
from tollgate.limits.model import Limits
from tollgate.limits.stored import from_map, to_map
from tollgate.metering.admission import Admission, Admitted
from tollgate.metering.catalogue import Catalogue, CatalogueCache, Model, Target
from tollgate.metering.counters import Counters, number
from tollgate.metering.entitlement import Caller
from tollgate.metering.escrow import Escrow
from tollgate.metering.jobs import Jobs, seen
from tollgate.metering.meters import entitlement_of
from tollgate.metering.model import Entitlement, Job, Usage
from tollgate.metering.records import Records
from tollgate.metering.reservation import Reservations
from tollgate.metering.seeds import Seeds
from tollgate.metering.settlement import Settlement
from tollgate.metering.sweeper import Sweeper
from tollgate.models.prices import resolve
from tollgate.table import keys

TABLE = "world"
# A Tuesday.
BEGINNING = 1_773_136_800
CREATED = "2026-01-01T00:00:00.000000Z"
SECONDS_OF_A_CALL = 900
# AWS refuses a request whose signature is older.
SECONDS_OF_A_SIGNATURE = 900
# A dollar for every token of an answer, nothing for the question.
PRICE = {"pricing_input": "0", "pricing_output": "1000000"}
QUESTION_TOKENS = 512
_TASK: ContextVar[int] = ContextVar("task")


@dataclass
class Pending:
    """A request of a process that nobody has delivered yet."""

    sent: Sent
    task: int
    process: int
    fate: asyncio.Future[Fate]


@dataclass
class Late:
    """A write that was cut off: it may arrive until its signature is too old."""

    sent: Sent
    until: float


@dataclass
class Work:
    """Something that a process does: ``call``, ``settle`` or ``sweep``. ``deadline``: when the process is frozen."""

    kind: str
    process: int
    deadline: float
    task: asyncio.Task[Any]
    entitlement: Entitlement | None = None


@dataclass
class Process:
    """One environment of the data plane, with all that it keeps in memory."""

    db: MiniDB
    admission: Admission
    settlement: Settlement
    sweeper: Sweeper


@dataclass
class World:
    """Everything that exists. ``entities`` are raw items by name; ``ledger`` is what was granted by account uid, less what jobs were charged."""

    now: float = BEGINNING
    table: Table = field(default_factory=Table)
    entities: dict[str, Item] = field(default_factory=dict)
    ledger: dict[str, Decimal] = field(default_factory=dict)
    # Team of each job.
    jobs: dict[str, str] = field(default_factory=dict)
    waiting: list[Pending] = field(default_factory=list)
    late: list[Late] = field(default_factory=list)
    # Writes that took effect and are safe to repeat: whatever is not a reservation.
    written: list[Sent] = field(default_factory=list)
    works: dict[int, Work] = field(default_factory=dict)
    # What the last request that was delivered has brought to its end.
    ended: list[Work] = field(default_factory=list)
    killed: list[asyncio.Task[Any]] = field(default_factory=list)
    admitted: list[tuple[int, Admitted]] = field(default_factory=list)
    # Hold ids of every call that its caller was told of: admitted, refused.
    told: set[str] = field(default_factory=set)
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _numbers: int = 0
    _entitlements: dict[tuple[float, int, int, int, int], tuple[Caller, Entitlement]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.processes = [self._process(each) for each in range(2)]
        self.catalogue = Catalogue(1, {"fast": _model()}, {})

    def _process(self, number: int) -> Process:
        async def network(sent: Sent) -> Fate:
            fate: asyncio.Future[Fate] = self.loop.create_future()
            self.waiting.append(Pending(sent, _TASK.get(), number, fate))
            return await fate

        db = MiniDB(self.table, network)
        counters, records = Counters(db, TABLE), Records(db, TABLE)
        reservations = Reservations(counters, records, Seeds(db, TABLE, counters), Escrow(db, TABLE))
        catalogues = CatalogueCache(db, SimpleNamespace(upstream_base_url=None))  # type: ignore[arg-type]
        admission = Admission(reservations, catalogues, Jobs(db, TABLE))
        return Process(db, admission, Settlement(records, counters), Sweeper(db, TABLE))

    # What processes do.

    def ask(self, key: str, output: int, process: int, job_id: str | None = None) -> None:
        """A call with an answer of at most that many tokens, which is that many dollars."""
        entitlement, started_at = self.entitlement(key), self.now
        job = self._job(job_id) if job_id is not None else None
        deadline = started_at + SECONDS_OF_A_CALL

        async def call() -> None:
            request = {"model": "fast", "max_tokens": output}
            try:
                admitted = await self.processes[process].admission.admit(
                    entitlement,
                    self.catalogue,
                    request,
                    size=0,
                    route="/chat/completions",
                    started_at=started_at,
                    deadline=deadline,
                    job=job,
                )
            except TollgateError:
                return
            self.admitted.append((process, admitted))
            self.told.add(admitted.call.hold_id)

        self._start("call", call(), process, deadline, entitlement)

    def end(self, process: int, admitted: Admitted, used: int, *, failed: bool) -> None:
        """The provider has answered with that many tokens, or failed."""
        settlement, price = self.processes[process].settlement, admitted.model.targets[0].price
        if failed:
            ending = settlement.fail(admitted.call, "The provider failed")
        else:
            ending = settlement.succeed(admitted.call, Usage(QUESTION_TOKENS, used), price)
        self._start("settle", ending, process, admitted.call.started_at + SECONDS_OF_A_CALL)

    def sweep(self, process: int) -> None:
        self._start("sweep", self.processes[process].sweeper.sweep(self.now), process, self.now + SECONDS_OF_A_CALL)

    def _start(
        self,
        kind: str,
        work: Coroutine[Any, Any, Any],
        process: int,
        deadline: float,
        entitlement: Entitlement | None = None,
    ) -> None:
        self._numbers += 1
        token = _TASK.set(self._numbers)
        self.works[self._numbers] = Work(kind, process, deadline, self.loop.create_task(work), entitlement)
        _TASK.reset(token)
        self.pump()

    # What the network does.

    def pump(self) -> None:
        """Lets everybody go on who can: until all of them wait for the table."""
        while self.loop._ready:  # type: ignore[attr-defined]
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()
        for done in [each for each, work in self.works.items() if work.task.done()]:
            self.ended.append(self.works.pop(done))
            self.ended[-1].task.result()

    def deliver(self, pending: Pending, fate: Fate = Fate.DONE) -> None:
        self.waiting.remove(pending)
        self.ended.clear()
        if fate in {Fate.DONE, Fate.LOST} and pending.sent.is_write and not pending.sent.is_reservation:
            self.written.append(pending.sent)
        db = self.processes[pending.process].db
        pending.fate.set_result(fate)
        self.pump()
        self._cut_off(db.late)
        db.late.clear()

    def _cut_off(self, sent: list[Sent]) -> None:
        self.late += [Late(one, self.now + SECONDS_OF_A_SIGNATURE) for one in sent]

    def kill(self, wanted: set[int], *, arriving: bool) -> None:
        """These works never go on. What they have sent may still arrive, or not."""
        for pending in [pending for pending in self.waiting if pending.task in wanted]:
            self.waiting.remove(pending)
            if arriving and pending.sent.is_write:
                self._cut_off([pending.sent])
        # Kept, because a task that is thrown away is told, and would go on.
        self.killed += [self.works.pop(each).task for each in wanted]

    def kill_process(self, number: int, *, arriving: bool) -> None:
        self.kill({each for each, work in self.works.items() if work.process == number}, arriving=arriving)
        self.admitted = [entry for entry in self.admitted if entry[0] != number]
        self.processes[number] = self._process(number)

    def pass_time(self, seconds: float) -> None:
        """Whoever is beyond his deadline is frozen by then; what was signed too long ago is refused."""
        self.now += seconds
        self.kill({each for each, work in self.works.items() if work.deadline < self.now}, arriving=True)
        self.admitted = [entry for entry in self.admitted if entry[1].call.started_at + SECONDS_OF_A_CALL >= self.now]
        self.late = [late for late in self.late if late.until >= self.now]

    def close(self) -> None:
        """Ends the loop without letting anybody go on."""
        for task in asyncio.all_tasks(self.loop):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
        self.loop.set_exception_handler(lambda loop, context: None)
        self.loop.close()

    # What administrators do.

    def make(self, name: str, kind: str, limits: Limits, **attributes: Any) -> None:
        """An entity with its counter item, if it has an account."""
        item: Item = {"uid": {"S": f"UID-{name}"}, f"{kind}_id": {"S": name}, "created_at": {"S": CREATED}}
        item |= {key: value if isinstance(value, dict) else {"S": value} for key, value in attributes.items()}
        self.entities[name] = item | {"limits": {"M": to_map(limits)}}

    def open_account(self, name: str, credits: int, shards: int) -> None:
        uid = self.entities[name]["uid"]["S"]
        self.ledger[uid] = Decimal(credits)
        sharded = {"account_shards": number(shards), "account_items": number(shards)}
        self.entities[name] = self.entities[name] | sharded
        for shard in range(shards):
            item: Item = {
                "PK": {"S": keys.account(uid)},
                "SK": {"S": keys.counter(shard)},
                "kind": {"S": "account"},
                "scope": {"S": "team"},
                "scope_id": {"S": name},
                "team_id": {"S": name},
                "team_uid": {"S": uid},
                "organization_id": {"S": "org"},
                "h": {"M": {}},
                "av": number(0 if shard else credits),
                **{one: number(0) for one in ("al", "sq", "us", "tk", "cn")},
            }
            self.table.put(item | ({"z": {"M": {}}, "sn": number(shards)} if shards > 1 else {}))

    def grant(self, name: str, credits: int) -> None:
        """Added, or taken away as far as they are there."""
        uid = self.entities[name]["uid"]["S"]
        item = self.table.items[keys.account(uid), keys.counter()]
        credits = max(credits, -int(Decimal(item["av"]["N"])))
        self.table.put({**item, "av": number(Decimal(item["av"]["N"]) + credits)})
        self.ledger[uid] += credits

    def open_job(self, team: str) -> str:
        """A job that has been started, with its counter item."""
        job_id = ids.new_call_id(int(self.now * 1000))
        self.jobs[job_id] = team
        item: Item = {
            "PK": {"S": keys.account(job_id)},
            "SK": {"S": keys.counter()},
            "kind": {"S": "job_counter"},
            "scope": {"S": "job"},
            "job_id": {"S": job_id},
            "job_type": {"S": "chat"},
            "team_id": {"S": team},
            "team_uid": {"S": f"UID-{team}"},
            "h": {"M": {}},
            **{one: number(0) for one in ("us", "tk", "cn", "jf", "lm", "pr")},
        }
        self.table.put(item)
        return job_id

    def _job(self, job_id: str) -> Job:
        job = Job(job_id, "chat", f"UID-{self.jobs[job_id]}", "in_progress", ("fast",))
        return seen(job, self.counter_of(job_id))

    def counter_of(self, job_id: str) -> Item:
        return self.table.items[keys.account(job_id), keys.counter()]

    def close_job(self, job_id: str, *, charged: bool) -> None:
        """What the closing transaction does, if no call of the job is running: credits.promises in short."""
        item = self.counter_of(job_id)
        if item["h"]["M"] or "cl" in item:
            return
        self.table.put({**item, "cl": {"S": "completed"}})
        if "ac" not in item:
            return
        uid, promised = item["ac"]["S"], Decimal(item["pr"]["N"])
        account = self.table.items[keys.account(uid), keys.counter()]
        due = min(self._due(item), promised) if charged and item["jf"] == number(0) else Decimal(0)
        kept = Decimal(account["jh"]["N"]) if "jh" in account else Decimal(0)
        av = Decimal(account["av"]["N"]) + promised - due
        self.table.put({**account, "av": number(av), "jh": number(kept - promised)})
        self.ledger[uid] -= due

    def _due(self, item: Item) -> Decimal:
        team = self.entities[item["team_id"]["S"]]
        mode = team["budget_mode"]["S"] if "budget_mode" in team else "job_based"
        per_dollar = Decimal(team["credits_per_dollar"]["N"]) if "credits_per_dollar" in team else Decimal(10)
        return credits_of_job(mode, Decimal(item["us"]["N"]), int(item["tk"]["N"]), per_dollar, 10_000)

    def limits_of(self, name: str) -> Limits:
        return from_map(self.entities[name]["limits"]["M"])

    def limit(self, name: str, limits: Limits) -> None:
        """A new item, because calls on their way keep the one that they have read."""
        self.entities[name] = {**self.entities[name], "limits": {"M": to_map(limits)}}

    def _caller(self, key: str) -> Caller:
        item = self.entities[key]
        user = self.entities[item["user_id"]["S"]] if "user_id" in item else None
        return Caller(1, item, self.entities[item["team_id"]["S"]], self.entities["org"], user)

    def entitlement(self, key: str) -> Entitlement:
        """What a call would be counted in now. Entities are never changed in place, so they tell what is known."""
        caller = self._caller(key)
        parts = (self.now, id(caller.key), id(caller.team), id(caller.organization), id(caller.user))
        if parts not in self._entitlements:
            self._entitlements[parts] = caller, entitlement_of(caller, self.now)
        return self._entitlements[parts][1]

    # What can be seen.

    def items_of(self, uid: str) -> list[Item]:
        """The counter items of a scope."""
        return [item for item in self.table.under(keys.account(uid)) if item["SK"]["S"].startswith("HOT#")]

    def records(self) -> list[Item]:
        return [item for item in self.table.items.values() if item["kind"]["S"] == "call"]


def _model() -> Model:
    return Model("fast", (Target("t", "local/echo", 0, 1, resolve("local/echo", PRICE)),))
