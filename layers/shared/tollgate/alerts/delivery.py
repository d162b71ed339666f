"""Delivery of alerts: the alert item is the outbox, and whoever takes an attempt puts the next one off first.

So two processes never make the same attempt, and one that dies costs an attempt but no alert.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache

from tollgate.alerts import repository
from tollgate.alerts.channels import Parcel, Sender, UndeliveredError
from tollgate.alerts.model import FIRST_RETRY_SECONDS, Alert, AlertRule, Delivery, DeliveryState
from tollgate.aws import kms
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import ProviderAuthenticationError
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


@dataclass(slots=True)
class Delivered:
    """Deliveries that arrived, and those that were given up."""

    delivered: int = 0
    given_up: int = 0


class Deliverer:
    """Sends what is in the outbox."""

    def __init__(self, clock: Clock = utc_now) -> None:
        self.clock = clock
        # Rules whose receiver failed lately, by when they may be tried from the stream again.
        self._unwell: dict[str, float] = {}

    def deliver_due(self) -> Delivered:
        """Makes every attempt that is due."""
        return self._deliver(repository.due_alerts(self.clock(), _MOST_AT_ONCE), quick=False)

    def deliver_new(self, alert_ids: Iterable[str]) -> Delivered:
        """Makes the first attempt for new alerts, in little time; whatever does not arrive is left to the schedule."""
        return self._deliver(alert_ids, quick=True)

    def _deliver(self, alert_ids: Iterable[str], *, quick: bool) -> Delivered:
        claimed = [alert for alert in (self._claim(one, quick=quick) for one in alert_ids) if alert is not None]
        total = Delivered()
        if claimed:
            outcomes: dict[tuple[str, str], _Outcome] = {}
            parcels = [parcel for alert in claimed for parcel in _parcels(alert, outcomes)]
            outcomes |= asyncio.run(_send(parcels, _QUICK_SECONDS if quick else _SECONDS))
            for alert in claimed:
                self._finish(alert, outcomes, total)
        return total

    def _claim(self, alert_id: str, *, quick: bool) -> Alert | None:
        alert = repository.find_alert(alert_id)
        now = self.clock()
        if alert is None or alert.due_at is None:
            return None
        if quick:
            if alert.attempts or any(self._is_unwell(rule_id) for rule_id in alert.pending):
                return None
        elif alert.due_at > now:
            return None
        # An attempt beyond the last one only writes that it is over.
        wait = BACKOFF_SECONDS[min(alert.attempts, len(BACKOFF_SECONDS) - 1)]
        return repository.claim(alert, now + timedelta(seconds=wait))

    def _finish(self, alert: Alert, outcomes: Mapping[tuple[str, str], _Outcome], total: Delivered) -> None:
        deliveries = dict(alert.deliveries)
        for rule_id in alert.pending:
            before = deliveries[rule_id]
            after = self._after(before, alert, outcomes, rule_id)
            deliveries[rule_id] = after
            total.delivered += after.state is DeliveryState.DELIVERED
            total.given_up += after.state is DeliveryState.FAILED
        repository.finish(replace(alert, deliveries=deliveries))

    def _after(
        self, before: Delivery, alert: Alert, outcomes: Mapping[tuple[str, str], _Outcome], rule_id: str
    ) -> Delivery:
        if alert.attempts > ATTEMPTS:
            return replace(before, state=DeliveryState.FAILED)
        now = self.clock()
        if (alert.alert_id, rule_id) not in outcomes:
            return replace(before, state=DeliveryState.FAILED, error="the rule is gone or inactive", at=now)
        error = outcomes[alert.alert_id, rule_id]
        if error is None:
            self._unwell.pop(rule_id, None)
            return replace(before, state=DeliveryState.DELIVERED, error=None, at=now)
        self._unwell[rule_id] = time.monotonic() + _UNWELL_SECONDS
        state = DeliveryState.FAILED if alert.attempts >= ATTEMPTS else DeliveryState.PENDING
        return replace(before, state=state, error=error, at=now)

    def _is_unwell(self, rule_id: str) -> bool:
        return self._unwell.get(rule_id, 0) > time.monotonic()


def _parcels(alert: Alert, outcomes: dict[tuple[str, str], _Outcome]) -> Iterator[Parcel]:
    """What is to be sent of an alert; ``outcomes`` gets what cannot be sent for now."""
    if alert.attempts > ATTEMPTS:
        return
    for rule_id in alert.pending:
        rule = repository.find_rule(rule_id)
        if rule is None or not rule.is_active:
            continue
        try:
            yield Parcel(rule, alert.message, _secret(rule))
        except ProviderAuthenticationError:
            outcomes[alert.alert_id, rule_id] = "the rule's secret could not be opened"


async def _send(parcels: list[Parcel], seconds: float) -> dict[tuple[str, str], _Outcome]:
    """How each parcel fared, by alert and rule."""
    async with Sender(seconds, local=_is_local()) as sender:

        async def one(parcel: Parcel) -> _Outcome:
            try:
                await sender.send(parcel)
            except UndeliveredError as error:
                return str(error)
            return None

        outcomes = await asyncio.gather(*(one(parcel) for parcel in parcels))
    return {
        (parcel.message.alert_id, parcel.rule.rule_id): outcome
        for parcel, outcome in zip(parcels, outcomes, strict=True)
    }


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
