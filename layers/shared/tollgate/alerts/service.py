"""Use cases of alert rules and of the history. Secrets go in and never come out: only the workers open them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from tollgate.alerts import repository
from tollgate.alerts.messages import Subject, message_of
from tollgate.alerts.model import (
    ERROR_MIN_CALLS,
    ERROR_PERCENT,
    EVENTS,
    FIRST_RETRY_SECONDS,
    MAX_RULES,
    Alert,
    AlertEntry,
    AlertEvent,
    AlertHistory,
    AlertRule,
    AlertRuleAnswer,
    AlertRuleCreated,
    AlertRuleDeleted,
    AlertRuleList,
    AlertTested,
    Channel,
    CreateAlertRule,
    Delivery,
    HistoryFilter,
    UpdateAlertRule,
)
from tollgate.audit.model import AuditEvent
from tollgate.auth.policy import Action, Owner, authorize
from tollgate.auth.principal import Principal
from tollgate.aws import kms
from tollgate.core import ids
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import InvalidRequestError, NotFoundError, WrongStateError
from tollgate.core.pagination import PageRequest
from tollgate.limits.model import Scope
from tollgate.organizations import access as organizations
from tollgate.table import keys
from tollgate.table.transactions import retried
from tollgate.teams import access as teams

_SECRET_PREFIX = "whsec_"  # noqa: S105 (what our secrets begin with)
_DEFAULTS: dict[str, Any] = {
    "name": None,
    "events": EVENTS,
    "thresholds": None,
    "thresholds_left": None,
    "error_rate_percent": ERROR_PERCENT,
    "error_rate_min_calls": ERROR_MIN_CALLS,
    "is_active": True,
}


@dataclass(frozen=True, slots=True)
class _Place:
    """An owner by its ids and uids; all None: the platform."""

    organization_id: str | None = None
    organization_uid: str | None = None
    team_id: str | None = None
    team_uid: str | None = None

    @property
    def uid(self) -> str | None:
        return self.team_uid or self.organization_uid


@dataclass(frozen=True, slots=True)
class AlertService:
    """What can be done with alert rules; every method checks the caller's right over their owner."""

    clock: Clock = utc_now

    def create(self, caller: Principal, request: CreateAlertRule) -> AlertRuleCreated:
        """A new rule, active unless it says otherwise. A webhook's secret that is made here is shown this once.

        Raises InvalidRequestError where channel and address do not fit, WrongStateError for more than ``MAX_RULES`` of
        one owner, as an index counts them.
        """
        place = _place(caller, Action.ALERT_WRITE, request.organization_id, request.team_id)
        _check_channel(caller, request.channel, request)
        if len(repository.rules_of(place.uid)) >= MAX_RULES:
            raise WrongStateError(f"There are {MAX_RULES} alert rules already", code="too_many_alert_rules")
        made = None
        if request.channel is Channel.WEBHOOK and request.secret is None:
            made = _SECRET_PREFIX + secrets.token_hex(24)
        now = self.clock()
        rule_id = ids.new_ulid()
        address = request.topic_arn if request.channel is Channel.SNS else request.url
        rule = AlertRule(
            rule_id=rule_id,
            organization_id=place.organization_id,
            organization_uid=place.organization_uid,
            team_id=place.team_id,
            team_uid=place.team_uid,
            name=request.name,
            channel=request.channel,
            target=_shown_address(request.channel, address or ""),
            ciphertext=None,
            events=tuple(request.events),
            thresholds=_tuple(request.thresholds),
            thresholds_left=_tuple(request.thresholds_left),
            error_rate_percent=request.error_rate_percent,
            error_rate_min_calls=request.error_rate_min_calls,
            is_active=request.is_active,
            created_at=now,
            updated_at=now,
        )
        given = request.secret.get_secret_value() if request.secret else made
        rule = replace(rule, ciphertext=_sealed(rule, request.url if request.channel is Channel.SLACK else given))
        repository.create_rule(rule, self._event(caller, rule, "created", after=_told(rule)))
        return AlertRuleCreated.model_validate(dict(AlertRuleAnswer.of(rule)) | {"secret": made})

    def get(self, caller: Principal, rule_id: str, action: Action = Action.ALERT_READ) -> AlertRule:
        """The rule, if the caller may do ``action`` on it; else NotFoundError or ForbiddenError."""
        missing = f"Alert rule '{rule_id}' not found"
        rule = repository.find_rule(rule_id)
        if rule is None:
            raise NotFoundError(missing)
        authorize(caller, action, Owner(rule.organization_id, rule.team_id), missing=missing)
        return rule

    def list(
        self, caller: Principal, request: PageRequest, organization_id: str | None, team_id: str | None
    ) -> AlertRuleList:
        """An owner's rules, newest first; without an owner those of everybody, for the platform's readers."""
        place = _place(caller, Action.ALERT_READ, organization_id, team_id)
        page = repository.list_rules(request, everywhere=place.uid is None, owner_uid=place.uid)
        return AlertRuleList(
            alert_rules=[AlertRuleAnswer.of(rule) for rule in page.entries], next_cursor=page.next_cursor
        )

    def update(self, caller: Principal, rule_id: str, request: UpdateAlertRule) -> AlertRuleAnswer:
        """Changes the fields that were sent; a new secret or address takes the old one's place at once."""

        def attempt() -> AlertRuleAnswer:
            current = self.get(caller, rule_id, Action.ALERT_WRITE)
            changed = replace(current, **_changes(caller, current, request), updated_at=self.clock())
            event = self._event(caller, changed, "updated", _told(current), _told(changed))
            repository.update_rule(changed, event)
            return AlertRuleAnswer.of(changed)

        return retried(attempt)

    def delete(self, caller: Principal, rule_id: str) -> AlertRuleDeleted:
        """Removes a rule, its secret with it; what it has not delivered yet is given up."""

        def attempt() -> None:
            current = self.get(caller, rule_id, Action.ALERT_WRITE)
            repository.delete_rule(current, self._event(caller, current, "deleted", before=_told(current)))

        retried(attempt)
        return AlertRuleDeleted(rule_id=rule_id, deleted=True)

    def delete_all_of(self, caller: Principal, owner_uid: str) -> None:
        """Removes every rule of a team or an organization whose end the caller was allowed."""
        for rule in repository.rules_of(owner_uid):
            repository.delete_rule(rule, self._event(caller, rule, "deleted", before=_told(rule)))

    def test(self, caller: Principal, rule_id: str) -> AlertTested:
        """Sends ``alert.test`` to one rule, by the way that every alert goes. WrongStateError if it is inactive."""
        rule = self.get(caller, rule_id, Action.ALERT_WRITE)
        if not rule.is_active:
            raise WrongStateError("The alert rule is not active", code="alert_rule_inactive")
        now = self.clock()
        identity = ids.new_ulid()
        message = message_of(AlertEvent.TEST, _subject(rule), "This is a test of an alert rule", now, identity=identity)
        alert = Alert(
            message,
            rule.organization_uid,
            rule.team_uid,
            {rule.rule_id: Delivery(rule.channel)},
            due_at=now + timedelta(seconds=FIRST_RETRY_SECONDS),
        )
        repository.raise_tested(alert, self._event(caller, rule, "tested", after={"alert_id": identity}))
        return AlertTested(rule_id=rule_id, alert_id=identity)

    def history(
        self,
        caller: Principal,
        request: PageRequest,
        organization_id: str | None,
        team_id: str | None,
        event: AlertEvent | None,
    ) -> AlertHistory:
        """Alerts about an organization or a team, newest first; without an owner all, for the platform's readers."""
        place = _place(caller, Action.ALERT_READ, organization_id, team_id)
        page = repository.history(
            request,
            HistoryFilter(place.team_uid, event),
            place.organization_uid,
            all_of=place.organization_uid is None,
        )
        return AlertHistory(
            alerts=[AlertEntry.from_alert(alert) for alert in page.entries],
            next_cursor=page.next_cursor,
            truncated=page.truncated,
        )

    def _event(
        self,
        caller: Principal,
        rule: AlertRule,
        verb: str,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
    ) -> AuditEvent:
        return AuditEvent(
            caller=caller,
            action=f"alert_rule.{verb}",
            resource_type="alert_rule",
            resource_id=rule.rule_id,
            at=self.clock(),
            organization_id=rule.organization_id,
            organization_uid=rule.organization_uid,
            before=before or {},
            after=after or {},
        )


def _place(caller: Principal, action: Action, organization_id: str | None, team_id: str | None) -> _Place:
    """The owner that was named, if the caller may do ``action`` there; neither: the platform."""
    if organization_id is not None and team_id is not None:
        raise InvalidRequestError("team_id and organization_id exclude each other", param="team_id")
    if team_id is not None:
        team = teams.reachable(caller, team_id, action)
        return _Place(team.organization_id, team.organization_uid, team.team_id, team.uid)
    if organization_id is not None:
        organization = organizations.reachable(caller, organization_id, action)
        return _Place(organization.organization_id, organization.uid)
    authorize(caller, action)
    return _Place()


def _check_channel(caller: Principal, channel: Channel, request: CreateAlertRule | UpdateAlertRule) -> None:
    """That the address is the channel's kind; and SNS, where the stack's own role publishes, is the platform's."""
    fitting = "topic_arn" if channel is Channel.SNS else "url"
    if isinstance(request, CreateAlertRule) and getattr(request, fitting) is None:
        raise InvalidRequestError(f"{fitting}: the channel '{channel}' needs one", param=fitting)
    allowed = {fitting, "secret"} if channel is Channel.WEBHOOK else {fitting}
    for name in ("url", "topic_arn", "secret"):
        if name in request.model_fields_set and name not in allowed and getattr(request, name) is not None:
            raise InvalidRequestError(f"{name}: the channel '{channel}' has none", param=name)
    if channel is Channel.SNS:
        authorize(caller, Action.ALERT_TOPIC)


def _changes(caller: Principal, current: AlertRule, request: UpdateAlertRule) -> dict[str, Any]:
    sent = request.model_fields_set
    for name in ("url", "topic_arn", "secret"):
        if name in sent and getattr(request, name) is None:
            raise InvalidRequestError(f"{name} may not be null", param=name)
    _check_channel(caller, current.channel, request)
    changes: dict[str, Any] = {}
    for name in sent & _DEFAULTS.keys():
        value = getattr(request, name)
        changes[name] = _DEFAULTS[name] if value is None else tuple(value) if isinstance(value, list) else value
    address = request.url or request.topic_arn
    if address is not None:
        changes["target"] = _shown_address(current.channel, address)
    if current.channel is Channel.SLACK and request.url is not None:
        changes["ciphertext"] = _sealed(current, request.url)
    elif request.secret is not None:
        changes["ciphertext"] = _sealed(current, request.secret.get_secret_value())
    return changes


def _sealed(rule: AlertRule, secret: str | None) -> bytes | None:
    if secret is None:
        return None
    return kms.encrypt(secret, owner_uid=rule.owner_uid or keys.PLATFORM, credential_id=rule.rule_id)


def _shown_address(channel: Channel, address: str) -> str:
    """Whoever knows the whole of a Slack URL may write there."""
    if channel is not Channel.SLACK:
        return address
    url = urlsplit(address)
    return f"{url.scheme}://{url.netloc}/..."


def _subject(rule: AlertRule) -> Subject:
    """The owner of a rule, as a message names it."""
    known = (rule.organization_id, rule.organization_uid, rule.team_id, rule.team_uid)
    if rule.team_id is not None and rule.team_uid is not None:
        return Subject(Scope.TEAM, rule.team_id, rule.team_uid, *known)
    if rule.organization_id is not None and rule.organization_uid is not None:
        return Subject(Scope.ORGANIZATION, rule.organization_id, rule.organization_uid, *known)
    return Subject(Scope.PLATFORM, keys.PLATFORM, keys.PLATFORM)


def _tuple(values: Any) -> Any:
    return None if values is None else tuple(values)


def _told(rule: AlertRule) -> dict[str, Any]:
    """What audit events tell of a rule."""
    return {
        "team_id": rule.team_id,
        "name": rule.name,
        "channel": rule.channel.value,
        "target": rule.target,
        "events": [event.value for event in rule.events],
        "thresholds": rule.thresholds,
        "thresholds_left": rule.thresholds_left,
        "error_rate_percent": rule.error_rate_percent,
        "error_rate_min_calls": rule.error_rate_min_calls,
        "is_active": rule.is_active,
    }


@cache
def alert_service() -> AlertService:
    return AlertService()
