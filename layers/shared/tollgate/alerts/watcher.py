"""From the table's stream to alerts: what a counter or a call says is compared with thresholds, and raised once.

An alert's id follows from what it is about, so a record may come again, late, or to two consumers at once. What a
counter says is looked at as a level, not as an edge: a record that was missed is made up for by the next one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import cache
from typing import Any, Generic, TypeVar

from tollgate.alerts import measures, repository, watched_repository
from tollgate.alerts.measures import Measure
from tollgate.alerts.messages import Subject, alert_id, litellm_event, message_of, text_of
from tollgate.alerts.model import (
    ERROR_MIN_CALLS,
    ERROR_PERCENT,
    ERROR_SECONDS,
    FIRST_RETRY_SECONDS,
    Alert,
    AlertEvent,
    AlertMessage,
    AlertRule,
    Delivery,
)
from tollgate.alerts.watched_repository import Watched
from tollgate.core import clock as time_format
from tollgate.core import money
from tollgate.core.clock import Clock, utc_now
from tollgate.core.money import ZERO, plain
from tollgate.limits import repository as limits_repository
from tollgate.limits.model import Scope

_FRESH_SECONDS = 60
_MOST_REMEMBERED = 10_000
_COUNTERS = {"account", "counter"}

Record = Mapping[str, Any]
T = TypeVar("T")


@dataclass(slots=True)
class Seen:
    """What became of a batch: alerts raised, alerts that came by and are to be sent, and the first record that failed.

    ``inserted`` are partition keys. ``failed`` is its sequence number; everything from it on comes again.
    """

    raised: int = 0
    inserted: list[str] = field(default_factory=list)
    failed: str | None = None
    error: Exception | None = None


class _Kept(Generic[T]):
    """Values that are loaded again after a minute."""

    def __init__(self) -> None:
        self._values: dict[Hashable, tuple[float, T]] = {}

    def get(self, key: Hashable, load: Callable[[], T], *, fresh: bool) -> T:
        now = time.monotonic()
        kept = self._values.get(key)
        if kept is not None and not fresh and now - kept[0] < _FRESH_SECONDS:
            return kept[1]
        if len(self._values) >= _MOST_REMEMBERED:
            self._values.clear()
        value = load()
        self._values[key] = (now, value)
        return value


class Watcher:
    """Looks at stream records. What it remembers only saves reads: a candidate is decided by what is stored now."""

    def __init__(self, clock: Clock = utc_now) -> None:
        self.clock = clock
        self._entities: _Kept[Watched | None] = _Kept()
        self._rules: _Kept[list[AlertRule]] = _Kept()
        self._raised: set[str] = set()

    def see(self, records: Sequence[Record]) -> Seen:
        """Handles a batch in order, up to the first record that fails."""
        seen = Seen()
        last = _last_of_each(records)
        for record in records:
            number = record["dynamodb"]["SequenceNumber"]
            try:
                self._see(record, seen, is_last=number in last)
            except Exception as error:  # noqa: BLE001 (whatever it is, the record comes again)
                seen.failed, seen.error = number, error
                break
        return seen

    def _see(self, record: Record, seen: Seen, *, is_last: bool) -> None:
        image = record["dynamodb"]["NewImage"]
        kind = image["kind"]["S"]
        if kind in _COUNTERS:
            moment = float(record["dynamodb"].get("ApproximateCreationDateTime", time.time()))
            seen.raised += self._counted(image, moment, is_last=is_last)
        elif kind == "call":
            seen.raised += self._called(image, is_last=is_last)
        elif kind == "alert":
            seen.inserted.append(image["PK"]["S"])

    def _counted(self, image: Record, moment: float, *, is_last: bool) -> int:
        subject = Subject.of_counter(image)
        reached: list[tuple[Measure, Decimal, list[AlertRule]]] = []
        watched: Watched | None = None
        # What is remembered says whether there is a reason to ask; what is stored decides.
        for fresh in (False, True):
            watched = self._entity(subject.scope, subject.scope_id, fresh=fresh)
            if watched is None or watched.uid != subject.uid or (watched.shards > 1 and not is_last):
                return 0
            items = [image] if watched.shards == 1 else limits_repository.counters(subject.uid, watched.shards)
            rules = self._rules_for(subject, fresh=fresh)
            reached = [
                entry
                for measure in self._measures(items, watched, subject, moment)
                for entry in _reached(measure, watched, rules)
                if self._id(subject, entry[0], entry[1]) not in self._raised
            ]
            if not reached:
                return 0
        return sum(self._raise_measure(subject, watched, *entry) for entry in reached)

    def _measures(self, items: Sequence[Any], watched: Watched, subject: Subject, moment: float) -> Iterator[Measure]:
        yield from measures.measures(items, watched, moment)
        if watched.share is not None and subject.organization_id is not None:
            organization = self._entity(Scope.ORGANIZATION, subject.organization_id, fresh=False)
            if organization is not None:
                yield from measures.share(items, watched, organization.limits.budget_duration, moment)

    def _raise_measure(
        self, subject: Subject, watched: Watched | None, measure: Measure, threshold: Decimal, rules: list[AlertRule]
    ) -> bool:
        message = message_of(
            measure.event(threshold),
            subject,
            text_of(measure, subject, threshold),
            self.clock(),
            identity=self._id(subject, measure, threshold),
            watched=watched,
            litellm_event=litellm_event(measure, threshold),
            limit=measure.limit,
            model=measure.model,
            threshold=None if measure.once else threshold,
            percentage=measure.percentage,
            **measure.figures,
        )
        return self._raise(message, subject, rules)

    def _called(self, image: Record, *, is_last: bool) -> int:
        subject = Subject.of_call(image)
        raised = int(self._overrun(image, subject))
        if is_last and image["outcome"]["S"] == "failed":
            raised += self._error_rate(image, subject)
        return raised

    def _overrun(self, image: Record, subject: Subject) -> bool:
        """A provider billed beyond the bound; told once an hour for each account and model."""
        charged, reserved = _number(image, "credits_charged"), _number(image, "credits_reserved")
        if charged <= reserved:
            return False
        model, hour = image["requested_model"]["S"], _hour(image)
        identity = alert_id(AlertEvent.OVERRUN, subject.uid, model, hour)
        if identity in self._raised:
            return False
        text = (
            f"A call of {model} by {subject.label} was billed {plain(charged - reserved)} credits "
            "beyond what was reserved for it"
        )
        message = message_of(
            AlertEvent.OVERRUN,
            subject,
            text,
            self.clock(),
            identity=identity,
            model=model,
            call_id=image["call_id"]["S"],
            spend=_number(image, "cost_usd"),
            credits_charged=charged,
            credits_reserved=reserved,
        )
        rules = [rule for rule in self._rules_for(subject, fresh=True) if _wants(rule, AlertEvent.OVERRUN)]
        return self._raise(message, subject, rules)

    def _error_rate(self, image: Record, subject: Subject) -> int:
        """The rate among the newest calls up to this one; told once an hour for each account and threshold."""
        hour = _hour(image)
        wanted = self._error_thresholds(self._rules_for(subject, fresh=False))
        ids = {pair: alert_id(AlertEvent.ERROR_RATE, subject.uid, *pair, hour) for pair in wanted}
        if self._raised.issuperset(ids.values()):
            return 0
        since = time_format.from_stored(image["started_at"]["S"]) - timedelta(seconds=ERROR_SECONDS)
        outcomes = watched_repository.newest_outcomes(image["GSI1PK"]["S"], image["call_id"]["S"], since)
        failed = outcomes.count("failed")
        return sum(
            self._raise_error_rate(subject, identity, pair, len(outcomes), failed)
            for pair, identity in ids.items()
            if identity not in self._raised and len(outcomes) >= pair[1] and failed * 100 >= pair[0] * len(outcomes)
        )

    def _error_thresholds(self, rules: list[AlertRule]) -> set[tuple[Decimal, int]]:
        own = {_error_threshold(rule) for rule in rules if _wants(rule, AlertEvent.ERROR_RATE)}
        return own | {(ERROR_PERCENT, ERROR_MIN_CALLS)}

    def _raise_error_rate(
        self, subject: Subject, identity: str, pair: tuple[Decimal, int], calls: int, failed: int
    ) -> bool:
        rules = [
            rule
            for rule in self._rules_for(subject, fresh=True)
            if _wants(rule, AlertEvent.ERROR_RATE) and _error_threshold(rule) == pair
        ]
        message = message_of(
            AlertEvent.ERROR_RATE,
            subject,
            f"{failed} of the last {calls} calls of {subject.label} failed",
            self.clock(),
            identity=identity,
            threshold=pair[0],
            percentage=money.ratio(Decimal(failed) * 100, Decimal(calls)),
            calls=calls,
            failed_calls=failed,
        )
        return self._raise(message, subject, rules)

    def _raise(self, message: AlertMessage, subject: Subject, rules: Sequence[AlertRule]) -> bool:
        now = message.created_at
        alert = Alert(
            message,
            subject.organization_uid,
            subject.team_uid,
            {rule.rule_id: Delivery(rule.channel) for rule in rules},
            due_at=now + timedelta(seconds=FIRST_RETRY_SECONDS),
        )
        raised = repository.raise_once(alert)
        if len(self._raised) >= _MOST_REMEMBERED:
            self._raised.clear()
        self._raised.add(message.alert_id)
        return raised

    def _entity(self, scope: Scope, scope_id: str, *, fresh: bool) -> Watched | None:
        return self._entities.get((scope, scope_id), lambda: watched_repository.find(scope, scope_id), fresh=fresh)

    def _rules_for(self, subject: Subject, *, fresh: bool) -> list[AlertRule]:
        """The active rules that hear of the subject."""
        found = [
            self._rules.get(owner, lambda owner=owner: repository.rules_of(owner), fresh=fresh)  # type: ignore[misc]
            for owner in subject.owners
        ]
        return [rule for rules in found for rule in rules if rule.is_active]

    def _id(self, subject: Subject, measure: Measure, threshold: Decimal) -> str:
        return alert_id(measure.event(threshold), subject.uid, measure.subject, plain(threshold), measure.period)


def _reached(
    measure: Measure, watched: Watched, rules: Sequence[AlertRule]
) -> Iterator[tuple[Measure, Decimal, list[AlertRule]]]:
    """The thresholds that are reached, each with the rules that want to hear of it."""
    defaults = measure.defaults(watched.settings.alert_at_percentage)
    wanted = {rule.rule_id: _thresholds(measure, rule) or defaults for rule in rules}
    for threshold in sorted({*defaults, *(one for own in wanted.values() for one in own)}):
        if measure.reached(threshold):
            event = measure.event(threshold)
            yield (
                measure,
                threshold,
                [rule for rule in rules if _wants(rule, event) and threshold in wanted[rule.rule_id]],
            )


def _thresholds(measure: Measure, rule: AlertRule) -> tuple[Decimal, ...] | None:
    if measure.once:
        return None
    return rule.thresholds_left if measure.prepaid else rule.thresholds


def _wants(rule: AlertRule, event: AlertEvent) -> bool:
    return event in rule.events


def _error_threshold(rule: AlertRule) -> tuple[Decimal, int]:
    return rule.error_rate_percent, rule.error_rate_min_calls


def _last_of_each(records: Sequence[Record]) -> set[str]:
    """The last counter record of every account, and the last failed call of every list: their numbers.

    What costs a query is asked once in a batch, and the last one knows all that the others do.
    """
    last: dict[str, str] = {}
    for record in records:
        image = record["dynamodb"]["NewImage"]
        kind = image["kind"]["S"]
        if kind in _COUNTERS:
            last[image["PK"]["S"]] = record["dynamodb"]["SequenceNumber"]
        elif kind == "call" and image["outcome"]["S"] == "failed":
            last[image["GSI1PK"]["S"]] = record["dynamodb"]["SequenceNumber"]
    return set(last.values())


def _hour(image: Record) -> str:
    return str(image["started_at"]["S"])[:13]


def _number(image: Record, name: str) -> Decimal:
    return Decimal(image[name]["N"]) if name in image else ZERO


@cache
def watcher() -> Watcher:
    return Watcher()
