"""From the table's stream to events: what a job, a team or a call's record says has happened, told once.

An event's id follows from what happened, so a record may come again, late, or to two consumers at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from tollgate.alerts.model import FIRST_RETRY_SECONDS, Channel, Delivery
from tollgate.core import clock as time_format
from tollgate.core.clock import Clock, utc_now
from tollgate.keys import repository as virtual_keys
from tollgate.teams import repository as teams
from tollgate.webhooks import repository
from tollgate.webhooks.model import Event, EventMessage, EventName, Webhook

Record = Mapping[str, Any]
Image = Mapping[str, Mapping[str, Any]]

_MOST_REMEMBERED = 10_000
_OF_STATUS = {"suspended": EventName.TEAM_SUSPENDED, "paused": EventName.TEAM_PAUSED, "active": EventName.TEAM_RESUMED}
_ENDS = {"completed": EventName.JOB_COMPLETED, "failed": EventName.JOB_FAILED, "cancelled": EventName.JOB_CANCELLED}
_FIGURES = ("total_calls", "successful_calls", "failed_calls", "total_tokens", "total_cost_usd")


@dataclass(slots=True)
class SeenEvents:
    """What became of a batch: events raised, events that came by and are to be sent, the first record that failed.

    ``inserted`` are partition keys. ``failed`` is a sequence number; everything from it on comes again.
    """

    raised: int = 0
    inserted: list[str] = field(default_factory=list)
    failed: str | None = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class _Happened:
    """What a record tells: whose team it is about, and ``parts`` that make it the only one of its kind."""

    event: EventName
    team_id: str
    team_uid: str
    organization_id: str | None
    organization_uid: str | None
    at: datetime
    parts: tuple[str, ...]
    job_id: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def event_id(self) -> str:
        text = "\n".join([self.event.value, self.team_uid, *self.parts])
        return hashlib.sha256(text.encode()).hexdigest()[:32]


class EventWatcher:
    """Looks at stream records."""

    def __init__(self, clock: Clock = utc_now) -> None:
        self.clock = clock
        # Teams and keys whose first call is written down; what is remembered only saves writes.
        self._called: set[str] = set()

    def see(self, records: Sequence[Record]) -> SeenEvents:
        """Handles a batch in order, up to the first record that fails."""
        seen = SeenEvents()
        webhooks: dict[str, list[Webhook]] = {}
        for record in records:
            try:
                self._see(record, seen, webhooks)
            except Exception as error:  # noqa: BLE001 (whatever it is, the record comes again)
                seen.failed, seen.error = record["dynamodb"]["SequenceNumber"], error
                break
        return seen

    def _see(self, record: Record, seen: SeenEvents, webhooks: dict[str, list[Webhook]]) -> None:
        new: Image = record["dynamodb"]["NewImage"]
        old: Image | None = record["dynamodb"].get("OldImage")
        kind = new["kind"]["S"]
        if kind == "call":
            self._called_by(new)
        elif kind == "event":
            seen.inserted.append(new["PK"]["S"])
        elif kind in _TELLING:
            seen.raised += sum(self._raise(one, webhooks) for one in _TELLING[kind](new, old))

    def _called_by(self, call: Image) -> None:
        """Writes down the first call of a team and of a key."""
        at = time_format.from_stored(call["started_at"]["S"])
        team_uid, key_id = _text(call, "team_uid"), _text(call, "key_id")
        team_id = _text(call, "team_id")
        if team_id is not None and team_uid is not None and team_uid not in self._called:
            teams.note_first_call(team_id, team_uid, at)
            self._remember(team_uid)
        if key_id is not None and key_id not in self._called:
            virtual_keys.note_first_call(key_id, at)
            self._remember(key_id)

    def _remember(self, who: str) -> None:
        if len(self._called) >= _MOST_REMEMBERED:
            self._called.clear()
        self._called.add(who)

    def _raise(self, happened: _Happened, webhooks: dict[str, list[Webhook]]) -> bool:
        wanted = [
            webhook
            for owner in (happened.team_uid, happened.organization_uid)
            if owner is not None
            for webhook in _of_owner(owner, webhooks)
            if webhook.is_active and happened.event in webhook.events
        ]
        wanted = [one for one in wanted if not one.ended or happened.event is EventName.TEAM_DELETED]
        if not wanted:
            return False
        message = EventMessage(
            event_id=happened.event_id,
            event=happened.event,
            job_id=happened.job_id,
            team_id=happened.team_id,
            organization_id=happened.organization_id,
            timestamp=happened.at,
            data=dict(happened.data),
        )
        deliveries = {webhook.webhook_id: Delivery(Channel.WEBHOOK) for webhook in wanted}
        due_at = self.clock() + timedelta(seconds=FIRST_RETRY_SECONDS)
        return repository.raise_once(Event(message, deliveries, due_at=due_at))


def _of_owner(owner_uid: str, webhooks: dict[str, list[Webhook]]) -> list[Webhook]:
    """An owner's webhooks, read once for a batch."""
    if owner_uid not in webhooks:
        webhooks[owner_uid] = repository.all_of(owner_uid)
    return webhooks[owner_uid]


def _of_job(new: Image, old: Image | None) -> Iterator[_Happened]:
    """A job is made, starts with its first call, and ends once."""
    status, before = new["status"]["S"], old["status"]["S"] if old is not None else None
    if before is None:
        yield _job_event(EventName.JOB_CREATED, new, "created_at")
    if before != status and status == "in_progress":
        yield _job_event(EventName.JOB_STARTED, new, "started_at")
    if before != status and status in _ENDS:
        yield _job_event(_ENDS[status], new, "completed_at")


def _job_event(event: EventName, job: Image, moment: str) -> _Happened:
    job_id = job["job_id"]["S"]
    data: dict[str, Any] = {"job_type": job["job_type"]["S"], "status": job["status"]["S"]}
    if event in _ENDS.values():
        data |= _result(job)
    at = time_format.from_stored(_text(job, moment) or job["created_at"]["S"])
    return _Happened(event, **_whose(job), at=at, parts=(job_id,), job_id=job_id, data=data)


def _result(job: Image) -> dict[str, Any]:
    """How a job ended."""
    costs = job["costs"]["M"] if "costs" in job else {}
    begun = time_format.from_stored(_text(job, "started_at") or job["created_at"]["S"])
    ended = time_format.from_stored(job["completed_at"]["S"])
    return {
        **{name: _number(costs[name]["N"]) for name in _FIGURES if name in costs},
        "duration_seconds": round((ended - begun).total_seconds(), 3),
        "credit_applied": job["credit_applied"]["BOOL"],
        "credits_charged": _number(job["credits_charged"]["N"]),
        "error_message": _text(job, "error_message"),
    }


def _of_team(new: Image, old: Image | None) -> Iterator[_Happened]:
    """A team's status is another one, or its first call is written down."""
    if old is None:
        return
    status = new["status"]["S"]
    if status != old["status"]["S"]:
        data = {"previous_status": old["status"]["S"], "reason": _text(new, "status_reason")}
        at = time_format.from_stored(new["updated_at"]["S"])
        yield _Happened(_OF_STATUS[status], **_whose(new), at=at, parts=(new["version"]["N"],), data=data)
    first = _text(new, "first_call_at")
    if first is not None and "first_call_at" not in old:
        yield _Happened(EventName.TEAM_FIRST_CALL, **_whose(new), at=time_format.from_stored(first), parts=())


def _of_deletion(new: Image, old: Image | None) -> Iterator[_Happened]:
    if old is None and _text(new, "team_id") is not None:
        at = time_format.from_stored(new["deleted_at"]["S"])
        yield _Happened(EventName.TEAM_DELETED, **_whose(new), at=at, parts=())


def _whose(image: Image) -> dict[str, Any]:
    return {
        "team_id": image["team_id"]["S"],
        "team_uid": _text(image, "team_uid") or image["uid"]["S"],
        "organization_id": _text(image, "organization_id"),
        "organization_uid": _text(image, "organization_uid"),
    }


_TELLING = {"job": _of_job, "team": _of_team, "deletion": _of_deletion}


def _text(image: Image, name: str) -> str | None:
    return image[name]["S"] if name in image else None


def _number(digits: str) -> int | float:
    number = Decimal(digits)
    return int(number) if number == number.to_integral_value() else float(number)


@cache
def event_watcher() -> EventWatcher:
    return EventWatcher()
