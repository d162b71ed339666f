"""Delivery: an item is its own outbox, and whoever takes an attempt puts the next one off first.

So two processes never make the same attempt, and one that dies costs an attempt but no alert. What kinds of items there
are, and who receives them, is told by outboxes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from types import MappingProxyType
from typing import Any, Protocol

from tollgate.alerts import outbox, repository
from tollgate.alerts.channels import Parcel, Sender, UndeliveredError
from tollgate.alerts.model import FIRST_RETRY_SECONDS, Alert, AlertRule, Channel, Delivery, DeliveryState
from tollgate.aws import kms
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import ProviderAuthenticationError
from tollgate.core.json import dumps
from tollgate.settings import settings
from tollgate.table import keys

# Waiting times after the first attempt, the second … After the last attempt it is given up.
BACKOFF_SECONDS = (FIRST_RETRY_SECONDS, 300, 1800, 7200, 28_800)
ATTEMPTS = len(BACKOFF_SECONDS) + 1
_SECONDS = 5.0
# On the stream a dead receiver may not hold up a shard.
_QUICK_SECONDS = 2.0
_UNWELL_SECONDS = 600
_MOST_AT_ONCE = 500

# What went wrong with a parcel; None: it arrived.
_Outcome = str | None


class Letter(Protocol):
    """Something in the outbox: ``deliveries`` by receiver, ``attempts`` made, ``due_at`` None if nothing is pending."""

    @property
    def deliveries(self) -> Mapping[str, Delivery]: ...
    @property
    def attempts(self) -> int: ...
    @property
    def due_at(self) -> datetime | None: ...


class Outbox(Protocol):
    """One kind of letters."""

    def find(self, place: str) -> Letter | None:
        """The letter whose partition key this is."""

    def parcel(self, letter: Any, receiver_id: str) -> Parcel | None:
        """What one receiver gets of a letter that ``find`` gave; None if it is gone or inactive.

        Raises ProviderAuthenticationError if the receiver's secret cannot be opened.
        """

    def report(self, receiver_id: str, error: str | None, at: datetime) -> None:
        """How an attempt at a receiver ended; None: it arrived."""


Outboxes = Mapping[str, Outbox]


class AlertOutbox:
    """Alerts, which rules receive."""

    def find(self, place: str) -> Alert | None:
        return repository.find_alert(place)

    def parcel(self, letter: Alert, receiver_id: str) -> Parcel | None:
        rule = repository.find_rule(receiver_id)
        if rule is None or not rule.is_active:
            return None
        message, secret = letter.message, _secret(rule) or ""
        return Parcel(
            channel=rule.channel,
            # The whole of a Slack URL is the secret.
            target=secret if rule.channel is Channel.SLACK else rule.target,
            title=message.event.value,
            text=message.event_message,
            body=dumps(message.model_dump(mode="json")),
            headers={"X-Tollgate-Alert-Id": message.alert_id, "X-Tollgate-Event": message.event.value},
            secret=secret,
        )

    def report(self, receiver_id: str, error: str | None, at: datetime) -> None:
        """The history has it."""


ALERTS: Outboxes = MappingProxyType({keys.alert(""): AlertOutbox()})


@dataclass(slots=True)
class Delivered:
    """Deliveries that arrived, and those that were given up."""

    delivered: int = 0
    given_up: int = 0


@dataclass(frozen=True, slots=True)
class _Claimed:
    """A letter with the attempt that this process makes, and how each receiver fared."""

    place: str
    outbox: Outbox
    letter: Letter
    attempt: int
    outcomes: dict[str, _Outcome] = field(default_factory=dict)


class Deliverer:
    """Sends what is in the outbox."""

    def __init__(self, clock: Clock = utc_now) -> None:
        self.clock = clock
        # Receivers that failed lately, by when they may be tried from the stream again.
        self._unwell: dict[str, float] = {}

    def deliver_due(self, outboxes: Outboxes = ALERTS) -> Delivered:
        """Makes every attempt that is due."""
        return self._deliver(outbox.due(self.clock(), _MOST_AT_ONCE), outboxes, quick=False)

    def deliver_new(self, places: Iterable[str], outboxes: Outboxes = ALERTS) -> Delivered:
        """Makes the first attempt for new letters, in little time; what does not arrive is left to the schedule."""
        return self._deliver(places, outboxes, quick=True)

    def _deliver(self, places: Iterable[str], outboxes: Outboxes, *, quick: bool) -> Delivered:
        claimed = [one for one in (self._claim(place, outboxes, quick=quick) for place in places) if one is not None]
        total = Delivered()
        if claimed:
            parcels = [(one.outcomes, *parcel) for one in claimed for parcel in _parcels(one)]
            asyncio.run(_send(parcels, _QUICK_SECONDS if quick else _SECONDS))
            for one in claimed:
                self._finish(one, total)
        return total

    def _claim(self, place: str, outboxes: Outboxes, *, quick: bool) -> _Claimed | None:
        own = next((one for prefix, one in outboxes.items() if place.startswith(prefix)), None)
        letter = own.find(place) if own is not None else None
        now = self.clock()
        if own is None or letter is None or letter.due_at is None:
            return None
        if quick:
            if letter.attempts or any(self._is_unwell(one) for one in outbox.pending(letter.deliveries)):
                return None
        elif letter.due_at > now:
            return None
        # An attempt beyond the last one only writes that it is over.
        wait = BACKOFF_SECONDS[min(letter.attempts, len(BACKOFF_SECONDS) - 1)]
        if not outbox.claim(place, letter.attempts, now + timedelta(seconds=wait)):
            return None
        return _Claimed(place, own, letter, letter.attempts + 1)

    def _finish(self, claimed: _Claimed, total: Delivered) -> None:
        deliveries = dict(claimed.letter.deliveries)
        for receiver_id in outbox.pending(claimed.letter.deliveries):
            after = self._after(claimed, receiver_id)
            deliveries[receiver_id] = after
            total.delivered += after.state is DeliveryState.DELIVERED
            total.given_up += after.state is DeliveryState.FAILED
        outbox.finish(claimed.place, claimed.attempt, deliveries)

    def _after(self, claimed: _Claimed, receiver_id: str) -> Delivery:
        before = claimed.letter.deliveries[receiver_id]
        if claimed.attempt > ATTEMPTS:
            return replace(before, state=DeliveryState.FAILED)
        now = self.clock()
        if receiver_id not in claimed.outcomes:
            return replace(before, state=DeliveryState.FAILED, error="the rule is gone or inactive", at=now)
        error = claimed.outcomes[receiver_id]
        claimed.outbox.report(receiver_id, error, now)
        if error is None:
            self._unwell.pop(receiver_id, None)
            return replace(before, state=DeliveryState.DELIVERED, error=None, at=now)
        self._unwell[receiver_id] = time.monotonic() + _UNWELL_SECONDS
        state = DeliveryState.FAILED if claimed.attempt >= ATTEMPTS else DeliveryState.PENDING
        return replace(before, state=state, error=error, at=now)

    def _is_unwell(self, receiver_id: str) -> bool:
        return self._unwell.get(receiver_id, 0) > time.monotonic()


def _parcels(claimed: _Claimed) -> Iterator[tuple[str, Parcel]]:
    """What is to be sent of a letter, by receiver; ``outcomes`` gets what cannot be sent for now."""
    if claimed.attempt > ATTEMPTS:
        return
    for receiver_id in outbox.pending(claimed.letter.deliveries):
        try:
            parcel = claimed.outbox.parcel(claimed.letter, receiver_id)
        except ProviderAuthenticationError:
            claimed.outcomes[receiver_id] = "the rule's secret could not be opened"
            continue
        if parcel is not None:
            yield receiver_id, parcel


async def _send(parcels: list[tuple[dict[str, _Outcome], str, Parcel]], seconds: float) -> None:
    """Sends all of them side by side, and writes down how each receiver fared."""
    async with Sender(seconds, local=_is_local()) as sender:

        async def one(outcomes: dict[str, _Outcome], receiver_id: str, parcel: Parcel) -> None:
            try:
                await sender.send(parcel)
            except UndeliveredError as error:
                outcomes[receiver_id] = str(error)
            else:
                outcomes[receiver_id] = None

        await asyncio.gather(*(one(*parcel) for parcel in parcels))


def _is_local() -> bool:
    """Whether this is no deployed stack: then receivers may be on this machine."""
    return settings().dynamodb_endpoint_url is not None


def _secret(rule: AlertRule) -> str | None:
    if rule.ciphertext is None:
        return None
    owner = rule.owner_uid or keys.PLATFORM
    return kms.decrypt(rule.ciphertext, owner_uid=owner, credential_id=rule.rule_id)


@cache
def deliverer() -> Deliverer:
    return Deliverer()
