"""Counter items as DynamoDB expressions: reserve, settle, release, each one conditional write to one item.

A reservation is a hold in the counter item itself. Settle and release are conditional on the hold, so both may be sent
twice. A reservation may not, because its second copy could arrive after the call was settled (decision 8).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from tollgate.aws.dynamodb import ConditionFailedError, DynamoDB, Item, TransactionCancelledError
from tollgate.core import ids
from tollgate.core.errors import StoreUnavailableError
from tollgate.core.money import ZERO
from tollgate.limits.model import Unit, counter_name, is_counter, needs_seed, window_of
from tollgate.metering.model import Account, Amount, Counter, Hold, Job
from tollgate.table import keys

_ONE = {"N": "1"}
_NONE = {"N": "0"}
# A counter means nothing more once its window is over by this much: no call can still be written into it.
_STALE_SECONDS = 120
# How often the counters of one call may be changed by admins while it runs.
_TAKEN_ALONG = 4
# Beside the counters' names in ``z``: for which size ``px``, the calls in flight that a shard may have, is divided.
PARALLEL_MARK = "p"
# Numbers that say something of a shard and do not add up.
_OF_EACH = frozenset({"sn", "px"})


@dataclass(frozen=True, slots=True)
class Balance:
    """The credits of a counter item: available now, held, and ever allocated.

    ``promised`` is the part of ``held`` that is set apart for open jobs, by their calls in flight or by earlier ones.
    """

    available: Decimal
    held: Decimal
    allocated: Decimal
    promised: Decimal = ZERO

    @property
    def remaining(self) -> Decimal:
        """What the customer sees: holds are not subtracted (Q-17)."""
        return self.available + self.held

    @property
    def used(self) -> Decimal:
        return self.allocated - self.remaining


@dataclass(frozen=True, slots=True)
class Refused:
    """A reservation that did not take effect; ``item`` is what stands there instead, None if there is nothing."""

    item: Item | None


class Counters:
    """Writes to counter items; nothing else does on a call's path."""

    def __init__(self, db: DynamoDB, table_name: str) -> None:
        self._db = db
        self._table = table_name
        # Counter items whose stale names this process has looked for in this minute.
        self._looked: set[str] = set()
        self._minute = 0

    async def reserve(self, hold: Hold, hold_id: str, started_at: float, expires_at: int) -> Refused | None:
        """Holds ``hold.amount``. None when it is held; then ``hold.values`` has what its counters say now.

        Raises UncertainWriteError if nobody knows whether it took effect.
        """
        write = _Reserve(hold, hold_id, expires_at)
        payload = self._update(hold, write.names, write.values)
        payload["UpdateExpression"] = "SET " + ", ".join(write.changes)
        payload["ConditionExpression"] = " AND ".join(write.conditions)
        payload["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        look = self._look_for_stale(hold, started_at)
        if look or hold.rates():
            payload["ReturnValues"] = "ALL_NEW" if look else "UPDATED_NEW"
        try:
            answer = await self._db.call("UpdateItem", payload, resend=False)
        except ConditionFailedError as failed:
            return Refused(failed.item)
        attributes = answer.get("Attributes", {})
        hold.see(attributes)
        hold.stale = stale_names(attributes, started_at) if look else ()
        return None

    async def settle(self, hold: Hold, hold_id: str, started_at: float, actual: Amount) -> Item | None:
        """Turns the hold into what the call cost. Returns the item after it; None if the hold was settled before."""
        return await self._end(hold, hold_id, started_at, actual, settled=True)

    async def release(self, hold: Hold, hold_id: str, started_at: float) -> None:
        """Gives a hold back as if the call had never been asked for: not even a request is counted."""
        await self._end(hold, hold_id, started_at, None, settled=False)

    async def _end(
        self, hold: Hold, hold_id: str, started_at: float, actual: Amount | None, *, settled: bool
    ) -> Item | None:
        codes = hold.codes
        for _ in range(_TAKEN_ALONG):
            write = _End(hold, codes, started_at, actual, settled=settled)
            payload = self._update(hold, write.names | {"#id": hold_id}, write.values)
            sets = f"SET {', '.join(write.changes)} " if write.changes else ""
            payload["UpdateExpression"] = f"{sets}REMOVE {', '.join(write.removed)}"
            payload["ConditionExpression"] = write.condition
            payload["ReturnValues"] = "ALL_NEW"
            payload["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
            if not write.values:
                del payload["ExpressionAttributeValues"]
            try:
                answer = await self._db.call("UpdateItem", payload)
            except ConditionFailedError as failed:
                standing = stored_hold(failed.item, hold_id)
                if standing is None:
                    return None
                # Counting began anew while the call ran, and took its hold along: it ends in the new counter as well.
                codes = " ".join(codes_of(standing))
            else:
                item: Item = answer["Attributes"]
                return item
        raise StoreUnavailableError("The limits of this call change too fast; try again")

    async def read(self, uid: str, items: int = 1) -> list[Item | None] | None:
        """The counter items, all of one moment; None if too much is being written to them for that."""
        places = [(keys.account(uid), keys.counter(shard)) for shard in range(items)]
        if items == 1:
            return [(await self._db.batch_get(self._table, places)).get(places[0])]
        wanted = [{"Get": {"TableName": self._table, "Key": {"PK": {"S": pk}, "SK": {"S": sk}}}} for pk, sk in places]
        try:
            answer = await self._db.call("TransactGetItems", {"TransactItems": wanted})
        except TransactionCancelledError:
            return None
        return [one.get("Item") for one in answer["Responses"]]

    async def read_roughly(self, uid: str, items: int) -> list[Item | None]:
        """The counter items, each as it was at some moment: for what is only told."""
        places = [(keys.account(uid), keys.counter(shard)) for shard in range(items)]
        found = await self._db.batch_get(self._table, places)
        return [found.get(place) for place in places]

    def _update(self, hold: Hold, names: dict[str, str], values: dict[str, Any]) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "Key": {"PK": {"S": keys.account(hold.meter.uid)}, "SK": {"S": keys.counter(hold.shard)}},
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }

    def _look_for_stale(self, hold: Hold, moment: float) -> bool:
        """Once a minute and process: names of windows that are over have to go, or the item would grow for ever."""
        if not hold.counters:
            return False
        minute = int(moment) // 60
        if minute != self._minute:
            self._minute = minute
            self._looked.clear()
        place = f"{hold.meter.uid}/{hold.shard}"
        if place in self._looked:
            return False
        self._looked.add(place)
        return True


class _Reserve:
    """The parts of a reservation's expression."""

    def __init__(self, hold: Hold, hold_id: str, expires_at: int) -> None:
        amount = hold.amount
        self.names = {"#id": hold_id}
        self.values: dict[str, Any] = {
            ":hold": _stored(hold, expires_at),
            ":queue": {"S": queue_of(hold.meter.uid)},
            ":due": {"S": due(expires_at)},
        }
        self.changes = ["h.#id = :hold", "DUEPK = if_not_exists(DUEPK, :queue)", "DUESK = if_not_exists(DUESK, :due)"]
        self.conditions = ["attribute_exists(h)", "attribute_not_exists(h.#id)"]
        account = hold.meter.account
        if account is not None:
            self.values[":e"] = number(amount.credits)
            if account.floored and not account.hard:
                self.values[":zero"] = _NONE
            self.changes.append("av = av - :e")
            self.conditions.append(_enough(account))
        if hold.meter.is_job and hold.job is not None:
            self._promise(hold, hold.job)
        self._limit_parallel(hold)
        self.conditions += ["attribute_exists(z)"] if hold.meter.is_sharded else ["attribute_not_exists(sn)"]
        for index, counter in enumerate(hold.counters):
            self._count(index, counter, hold)

    def _promise(self, hold: Hold, job: Job) -> None:
        """A job that is open notes what is set apart for it; that was reckoned from what was seen of it."""
        self.conditions.append("attribute_not_exists(cl)")
        if hold.payer is None:
            return
        self.values |= {
            ":e": number(hold.amount.credits),
            ":ac": {"S": hold.payer.uid},
            ":zero": _NONE,
            ":pr": number(job.promised),
        }
        self.changes += ["pr = if_not_exists(pr, :zero) + :e", "ac = if_not_exists(ac, :ac)"]
        self.conditions.append("(attribute_not_exists(pr) OR pr = :pr)")
        if hold.payer.budget_mode != "job_based":
            self.values |= {":cn": number(job.calls), ":running": number(job.running)}
            self.conditions += ["cn = :cn", "size(h) = :running"]

    def _limit_parallel(self, hold: Hold) -> None:
        parallel = hold.meter.limits.max_parallel_requests
        if parallel is None:
            return
        if hold.meter.is_sharded:
            self.names["#p"] = PARALLEL_MARK
            self.values[":p"] = {"S": parallel_mark(hold)}
            self.conditions.append("size(h) < px AND z.#p = :p")
        else:
            self.values[":parallel"] = number(parallel)
            self.conditions.append("size(h) < :parallel")

    def _count(self, index: int, counter: Counter, hold: Hold) -> None:
        """A shard counts only under the very limit that the counter is divided for; then it is there (decision 18)."""
        name, most, unit = f"#c{index}", f":m{index}", counter.ceiling.unit
        by, amount = f":{unit.value}", hold.amount.of(unit)
        self.names[name] = counter.name
        self.values[by] = number(amount)
        self.values[most] = number(hold.share(counter) - amount)
        if hold.meter.is_sharded:
            self.values[f":z{index}"] = {"S": hold.mark(counter)}
            self.conditions.append(f"z.{name} = :z{index}")
        if hold.meter.is_sharded or needs_seed(counter.name):
            self.changes.append(f"{name} = {name} + {by}")
            self.conditions.append(f"{name} <= {most}")
        else:
            self.values[":zero"] = _NONE
            self.changes.append(f"{name} = if_not_exists({name}, :zero) + {by}")
            self.conditions.append(f"(attribute_not_exists({name}) OR {name} <= {most})")


def _enough(account: Account) -> str:
    if account.hard:
        return "av >= :e"
    return "av > :zero" if account.floored else "attribute_exists(av)"


class _End:
    """The parts of a settlement's or a release's expression. ``actual`` None: nothing was used, not even a request."""

    def __init__(self, hold: Hold, codes: str, started_at: float, actual: Amount | None, *, settled: bool) -> None:
        self.names: dict[str, str] = {}
        self.values: dict[str, Any] = {}
        self.changes: list[str] = []
        self.removed = ["h.#id"]
        self.condition = "attribute_exists(h.#id) AND attribute_not_exists(h.#id.w)"
        if codes:
            self.condition = "h.#id.w = :w"
            self.values[":w"] = {"S": codes}
        used = actual or Amount()
        if hold.job is not None:
            used = self._keep(hold, used, settled=settled)
            actual = used if settled else None
        if hold.pays:
            self.values[":unused"] = number(hold.amount.credits - used.credits)
            self.changes.append("av = av + :unused")
        for index, code in enumerate(codes.split()):
            self._correct(index, code, hold.amount, actual, started_at)
        if settled:
            self._total(used)
            for index, name in enumerate(hold.stale):
                self.names[f"#s{index}"] = name
                self.removed += [f"#s{index}", *([f"z.#s{index}"] if hold.meter.is_sharded else [])]

    def _keep(self, hold: Hold, used: Amount, *, settled: bool) -> Amount:
        """What the account has set apart for a job stays so when the call ends; its job sums up how calls ended."""
        held = hold.amount.credits
        if settled and hold.pays:
            self.values |= {":zero": _NONE, ":jh": number(held)}
            self.changes.append("jh = if_not_exists(jh, :zero) + :jh")
        elif settled and hold.meter.is_job:
            self.values |= {
                ":zero": _NONE,
                ":jf": number(int(used.failed)),
                ":lm": number(0 if used.failed else used.latency_ms),
            }
            self.changes += ["jf = if_not_exists(jf, :zero) + :jf", "lm = if_not_exists(lm, :zero) + :lm"]
        elif hold.meter.is_job and held:
            self.values[":pr"] = number(held)
            self.changes.append("pr = pr - :pr")
        return replace(used, credits=held if settled else ZERO)

    def _total(self, used: Amount) -> None:
        self.values |= {":usd": number(used.usd), ":tokens": number(used.tokens), ":one": _ONE}
        self.changes += ["us = us + :usd", "tk = tk + :tokens", "cn = cn + :one"]

    def _correct(self, index: int, code: str, held: Amount, actual: Amount | None, started_at: float) -> None:
        """A counter has what was held; from now on what was used. Requests are counted however a call ends."""
        unit = Unit(code[0])
        by = (actual.of(unit) if actual is not None else ZERO) - held.of(unit)
        if not by:
            return
        self.names[f"#c{index}"] = counter_name(code, started_at)
        self.values[f":d{index}"] = number(by)
        self.values[":zero"] = _NONE
        # Its window may be over for so long that the name is gone.
        self.changes.append(f"#c{index} = if_not_exists(#c{index}, :zero) + :d{index}")


def parallel_mark(hold: Hold) -> str:
    """Tells for which limit and how many shards the calls in flight are divided."""
    return f"{hold.meter.shards}/{hold.meter.limits.max_parallel_requests}"


def merged(items: Sequence[Item | None]) -> Item | None:
    """The counter items of all shards as if they were one; None if there is none."""
    there = [item for item in items if item is not None]
    if len(there) <= 1:
        return there[0] if there else None
    whole: Item = {**there[0], "h": {"M": {}}}
    for item in there:
        whole["h"]["M"] |= item["h"]["M"]
    for name in {name for item in there for name, value in item.items() if "N" in value} - _OF_EACH:
        whole[name] = number(sum((number_in(item, name) for item in there), ZERO))
    return whole


def _stored(hold: Hold, expires_at: int) -> dict[str, Any]:
    """A hold as stored: credits, USD if another number, tokens, expiry, counters, holds of the call."""
    amount = hold.amount
    entry: dict[str, Any] = {"x": number(expires_at), "t": number(amount.tokens)}
    if hold.pays or hold.meter.is_job:
        entry["a"] = number(amount.credits)
    if hold.job is not None:
        entry["j"] = {"BOOL": True}
    if "a" not in entry or hold.job is not None or amount.usd != amount.credits:
        entry["u"] = number(amount.usd)
    if hold.counters:
        entry["w"] = {"S": hold.codes}
    if hold.of > 1:
        entry["n"] = number(hold.of)
    return {"M": entry}


def stored_hold(item: Item | None, hold_id: str) -> Item | None:
    """The hold in a counter item, as its raw map."""
    found = item["h"]["M"].get(hold_id) if item is not None and "h" in item else None
    return found["M"] if found is not None else None


def amount_of(entry: Item) -> Amount:
    """What a stored hold holds."""
    credits_held = Decimal(entry["a"]["N"]) if "a" in entry else ZERO
    usd = Decimal(entry["u"]["N"]) if "u" in entry else credits_held
    return Amount(usd, credits_held, int(entry["t"]["N"]) if "t" in entry else 0)


def held_in(item: Item, code: str) -> Decimal:
    """What the calls in flight hold of a counter."""
    unit = Unit(code[0])
    entries = (hold["M"] for hold in item["h"]["M"].values())
    return sum((amount_of(entry).of(unit) for entry in entries if code in codes_of(entry)), ZERO)


def holds_of(entry: Item) -> int:
    """In how many counter items the call of a stored hold has one."""
    return int(entry["n"]["N"]) if "n" in entry else 1


def codes_of(entry: Item) -> list[str]:
    """The counters that a stored hold is counted in."""
    return str(entry["w"]["S"]).split() if "w" in entry else []


def balance(item: Item) -> Balance:
    """The credits of a counter item."""
    holds = [hold["M"] for hold in item["h"]["M"].values()]
    held = sum((amount_of(hold).credits for hold in holds), ZERO)
    kept = number_in(item, "jh")
    promised = sum((amount_of(hold).credits for hold in holds if "j" in hold), kept)
    return Balance(number_in(item, "av"), held + kept, number_in(item, "al"), promised)


def stale_names(item: Item, moment: float) -> tuple[str, ...]:
    """The counters of windows that are long over; of budgets the last window stays, because it may carry over."""
    used = {
        counter_name(code, ids.time_of_hold(hold_id))
        for hold_id, hold in item["h"]["M"].items()
        for code in codes_of(hold["M"])
    }
    return tuple(name for name in item if is_counter(name) and name not in used and _is_over(name, moment))


def _is_over(name: str, moment: float) -> bool:
    window = window_of(name)
    if window.end is None:
        return False
    kept = window.end - window.start if name[0] in {Unit.USD, Unit.SHARE} else 0
    return window.end + kept + _STALE_SECONDS < moment


def number(value: Decimal | int) -> dict[str, str]:
    """A DynamoDB number, in plain notation."""
    return {"N": format(value, "f") if isinstance(value, Decimal) else str(value)}


def number_in(item: Item, name: str) -> Decimal:
    return Decimal(item[name]["N"]) if name in item else ZERO


def queue_of(account_uid: str) -> str:
    """The sweeper's partition for an account, the same on every write."""
    return keys.sweep(zlib.crc32(account_uid.encode()) % keys.SWEEP_PARTITIONS)


def due(expires_at: int) -> str:
    """Epoch seconds as text of fixed width, so that text order is time order."""
    return f"{expires_at:012d}"
