"""Whom an alert is about, and how it is said: the ids, names and words of a message."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from tollgate.alerts.measures import Measure
from tollgate.alerts.model import AlertEvent, AlertMessage
from tollgate.alerts.watched_repository import Watched
from tollgate.core.money import plain
from tollgate.limits.model import Scope
from tollgate.table import keys

RawItem = Mapping[str, Any]

# LiteLLM's words for scopes, where they are others.
_GROUPS = {
    Scope.PLATFORM: "proxy",
    Scope.CUSTOMER: "end_user",
    Scope.TEAM_MEMBER: "team_member",
    Scope.ORGANIZATION_MEMBER: "organization_member",
}
_FULL = Decimal(100)


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom an alert is about; ``uid`` owns the counters. None where it is not known or there is none."""

    scope: Scope
    scope_id: str
    uid: str
    organization_id: str | None = None
    organization_uid: str | None = None
    team_id: str | None = None
    team_uid: str | None = None
    user_id: str | None = None
    key_id: str | None = None
    customer_id: str | None = None

    @classmethod
    def of_counter(cls, image: RawItem) -> Subject:
        """By what a counter item says of itself; an account that does not say its scope is its team's, else its
        organization's.
        """
        known = _texts(image)
        uid = str(image["PK"]["S"]).removeprefix(keys.account(""))
        scope = Scope(image["scope"]["S"]) if "scope" in image else _holder_of(known)
        own = {Scope.TEAM: "team_id", Scope.ORGANIZATION: "organization_id"}.get(scope, "")
        scope_id = image["scope_id"]["S"] if "scope_id" in image else known.get(own, uid)
        if scope in {Scope.TEAM, Scope.ORGANIZATION}:
            known.setdefault(f"{scope.value}_uid", uid)
        return cls(scope, scope_id, uid, **known)

    @classmethod
    def of_call(cls, image: RawItem) -> Subject:
        """The team of a call, without one its organization, else the platform."""
        known = _texts(image)
        known.pop("key_id", None)
        known.pop("customer_id", None)
        known.pop("user_id", None)
        scope = _holder_of(known)
        if scope is Scope.PLATFORM:
            return cls(scope, keys.PLATFORM, keys.PLATFORM)
        uid = known.get(f"{scope.value}_uid", "")
        return cls(scope, known[f"{scope.value}_id"], uid, **known)

    @property
    def owners(self) -> list[str | None]:
        """Whose rules hear of it: the platform's (None), the organization's, the team's."""
        return [None, *(uid for uid in (self.organization_uid, self.team_uid) if uid is not None)]

    @property
    def label(self) -> str:
        """As messages name it."""
        if self.scope is Scope.PLATFORM:
            return "The platform"
        return f"{self.scope.value.replace('-', ' ').capitalize()} '{self.scope_id}'"


def alert_id(event: AlertEvent, uid: str, *parts: object) -> str:
    """The same for the same event, account, limit, threshold and period: that is what makes an alert happen once."""
    text = "\n".join([event.value, uid, *(str(part) for part in parts)])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def message_of(  # noqa: PLR0913
    event: AlertEvent,
    subject: Subject,
    text: str,
    at: datetime,
    *,
    identity: str,
    watched: Watched | None = None,
    **figures: Any,
) -> AlertMessage:
    """A message with the ids and names of its subject; ``identity`` is the alert's id."""
    names = {"litellm_event": event.value} | figures
    if watched is not None:
        names |= {"team_alias": watched.team_alias, "key_alias": watched.key_alias, "user_email": watched.email}
    return AlertMessage(
        alert_id=identity,
        event=event,
        event_group=_GROUPS.get(subject.scope, subject.scope.value),
        event_message=text,
        created_at=at,
        scope=subject.scope.value,
        scope_id=subject.scope_id,
        organization_id=subject.organization_id,
        team_id=subject.team_id,
        user_id=subject.scope_id if subject.scope is Scope.USER else subject.user_id,
        customer_id=subject.customer_id,
        token=subject.key_id,
        tag=subject.scope_id if subject.scope is Scope.TAG else None,
        **names,
    )


def text_of(measure: Measure, subject: Subject, threshold: Decimal) -> str:
    """What happened, in a sentence."""
    unit = "credits" if measure.credits else "USD"
    model = f" for {measure.model}" if measure.model else ""
    if measure.prepaid:
        left = plain(measure.size - measure.used)
        return f"{subject.label} has at most {plain(threshold)} % of its credits left: {left} of {plain(measure.size)}"
    share = "" if measure.once else f"{plain(threshold)} % of "
    return (
        f"{subject.label} has used {share}its {measure.limit}{model}: "
        f"{plain(measure.used)} of {plain(measure.size)} {unit}"
    )


def litellm_event(measure: Measure, threshold: Decimal) -> str:
    """LiteLLM's word for a budget's alert; for credits, which it does not have, ours."""
    if measure.credits:
        return measure.event(threshold).value
    if measure.once:
        return "soft_budget_crossed"
    return "budget_crossed" if threshold >= _FULL else "threshold_crossed"


def _holder_of(known: Mapping[str, str]) -> Scope:
    if "team_id" in known:
        return Scope.TEAM
    return Scope.ORGANIZATION if "organization_id" in known else Scope.PLATFORM


def _texts(image: RawItem) -> dict[str, str]:
    names = (
        "organization_id",
        "organization_uid",
        "team_id",
        "team_uid",
        "user_id",
        "key_id",
        "customer_id",
    )
    return {name: image[name]["S"] for name in names if name in image}
