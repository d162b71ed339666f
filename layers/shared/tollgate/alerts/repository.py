"""Rules, alerts and what alerts look at in the table. Takes and gives domain objects; nobody else sees the items."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple
from datetime import timedelta
from decimal import Decimal
from typing import Any

from tollgate.alerts import outbox
from tollgate.alerts.items import AlertItem, AlertRuleItem
from tollgate.alerts.model import (
    RETENTION_DAYS,
    Alert,
    AlertEvent,
    AlertMessage,
    AlertRule,
    Channel,
    HistoryFilter,
)
from tollgate.audit import repository as audit
from tollgate.audit.model import AuditEvent
from tollgate.core import clock
from tollgate.core.pagination import Page, PageRequest
from tollgate.table import keys
from tollgate.table.base import GSI1, GSI2
from tollgate.table.transactions import Work


def find_rule(rule_id: str) -> AlertRule | None:
    item = AlertRuleItem.find(keys.alert_rule(rule_id), keys.ENTITY)
    return _rule(item) if item else None


def list_rules(request: PageRequest, *, everywhere: bool = False, owner_uid: str | None = None) -> Page[AlertRule]:
    """A page of an owner's rules (None: the platform's), or ``everywhere`` of all; newest first."""
    partition = keys.ALERT_RULES if everywhere else keys.alert_rules_of(owner_uid)
    index = GSI2 if everywhere else GSI1
    page = AlertRuleItem.page(partition, request, scope="alert_rules", index=index, newest_first=True)
    return Page([_rule(item) for item in page.entries], page.next_cursor)


def rules_of(owner_uid: str | None) -> list[AlertRule]:
    """Every rule of an owner; None: the platform's."""
    return [_rule(item) for item in AlertRuleItem.all_of(keys.alert_rules_of(owner_uid), index=GSI1)]


def create_rule(rule: AlertRule, event: AuditEvent) -> None:
    created_at = clock.to_stored(rule.created_at)
    position = keys.by_creation(created_at, rule.rule_id)
    work = Work()
    work.create(
        AlertRuleItem(
            PK=keys.alert_rule(rule.rule_id),
            SK=keys.ENTITY,
            GSI1PK=keys.alert_rules_of(rule.owner_uid),
            GSI1SK=position,
            GSI2PK=keys.ALERT_RULES,
            GSI2SK=position,
            kind="alert_rule",
            rule_id=rule.rule_id,
            organization_id=rule.organization_id,
            organization_uid=rule.organization_uid,
            team_id=rule.team_id,
            team_uid=rule.team_uid,
            channel=rule.channel.value,
            created_at=created_at,
            created_by=event.caller.actor,
            updated_at=created_at,
            updated_by=event.caller.actor,
            **_attributes(rule),
        )
    )
    audit.append(work, event)
    work.commit()


def update_rule(rule: AlertRule, event: AuditEvent) -> None:
    """Writes the rule as it is now; LostRaceError if it changed since it was read."""
    item = _handle(rule)
    stamp = {"updated_at": clock.to_stored(rule.updated_at), "updated_by": event.caller.actor}
    work = Work()
    work.update(item, item.changes(_attributes(rule) | stamp))
    audit.append(work, event)
    work.commit()


def delete_rule(rule: AlertRule, event: AuditEvent) -> None:
    work = Work()
    work.delete(_handle(rule), versioned=True)
    audit.append(work, event)
    work.commit()


def raise_tested(alert: Alert, event: AuditEvent) -> None:
    """Puts a test into the outbox, with its audit event."""
    work = Work()
    work.create(_alert_item(alert))
    audit.append(work, event)
    work.commit()


def raise_once(alert: Alert) -> bool:
    """Puts an alert into the outbox unless it is there: its id says what it is about and when. False: it was there."""
    return outbox.put_once(_alert_item(alert))


def find_alert(place: str) -> Alert | None:
    """The alert whose partition key this is."""
    item = AlertItem.find(place, keys.ENTITY)
    return _alert(item) if item else None


def history(request: PageRequest, wanted: HistoryFilter, organization_uid: str | None, *, all_of: bool) -> Page[Alert]:
    """A page of alerts, newest first: those of an organization (None: of none), or all."""
    page = AlertItem.page(
        keys.ALERTS if all_of else keys.alerts_of(organization_uid),
        request,
        scope=f"alerts|{wanted}",
        index=GSI2 if all_of else GSI1,
        newest_first=True,
        matches=(lambda item: _matches(item, wanted)) if any(astuple(wanted)) else None,
    )
    return Page([_alert(item) for item in page.entries], page.next_cursor, page.truncated)


def _handle(rule: AlertRule) -> AlertRuleItem:
    return AlertRuleItem(PK=keys.alert_rule(rule.rule_id), SK=keys.ENTITY, version=rule.version)


def _attributes(rule: AlertRule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "target": rule.target,
        "ciphertext": rule.ciphertext,
        "events": [event.value for event in rule.events],
        "thresholds": _list(rule.thresholds),
        "thresholds_left": _list(rule.thresholds_left),
        "error_rate_percent": rule.error_rate_percent,
        "error_rate_min_calls": rule.error_rate_min_calls,
        "is_active": rule.is_active,
    }


def _list(values: Iterable[Decimal] | None) -> list[Decimal] | None:
    return None if values is None else list(values)


def _tuple(values: Iterable[Decimal] | None) -> tuple[Decimal, ...] | None:
    return None if values is None else tuple(values)


def _rule(item: AlertRuleItem) -> AlertRule:
    return AlertRule(
        rule_id=item.rule_id,
        organization_id=item.organization_id,
        organization_uid=item.organization_uid,
        team_id=item.team_id,
        team_uid=item.team_uid,
        name=item.name,
        channel=Channel(item.channel),
        target=item.target,
        ciphertext=item.ciphertext,
        events=tuple(AlertEvent(event) for event in item.events),
        thresholds=_tuple(item.thresholds),
        thresholds_left=_tuple(item.thresholds_left),
        error_rate_percent=item.error_rate_percent,
        error_rate_min_calls=item.error_rate_min_calls,
        is_active=item.is_active,
        created_at=clock.from_stored(item.created_at),
        updated_at=clock.from_stored(item.updated_at),
        version=item.version,
    )


def _alert_item(alert: Alert) -> AlertItem:
    message = alert.message
    created_at = clock.to_stored(message.created_at)
    position = keys.by_creation(created_at, alert.alert_id)
    return AlertItem(
        PK=keys.alert(alert.alert_id),
        SK=keys.ENTITY,
        GSI1PK=keys.alerts_of(alert.organization_uid),
        GSI1SK=position,
        GSI2PK=keys.ALERTS,
        GSI2SK=position,
        kind="alert",
        alert_id=alert.alert_id,
        event=message.event.value,
        organization_uid=alert.organization_uid,
        team_uid=alert.team_uid,
        message=message.model_dump(mode="json", exclude_none=True),
        deliveries=outbox.stored(alert.deliveries),
        attempts=alert.attempts,
        created_at=created_at,
        ttl=int((message.created_at + timedelta(days=RETENTION_DAYS)).timestamp()),
        **outbox.due_keys(alert.deliveries, alert.due_at),
    )


def _alert(item: AlertItem) -> Alert:
    return Alert(
        message=AlertMessage.model_validate(item.message),
        organization_uid=item.organization_uid,
        team_uid=item.team_uid,
        deliveries=outbox.loaded(item.deliveries),
        attempts=item.attempts,
        due_at=clock.from_stored(item.DUESK) if item.DUESK else None,
    )


def _matches(item: AlertItem, wanted: HistoryFilter) -> bool:
    pairs = (
        (wanted.team_uid, item.team_uid),
        (wanted.event, item.event),
    )
    return all(value is None or value == actual for value, actual in pairs)
