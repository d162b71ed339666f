"""Use cases of webhooks. Secrets go in and never come out: only the workers open them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import cache
from typing import Any

from tollgate.audit.model import AuditEvent
from tollgate.auth.policy import Action, Owner, authorize
from tollgate.auth.principal import Principal
from tollgate.aws import kms
from tollgate.core import ids, json
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import InvalidRequestError, NotFoundError, WrongStateError
from tollgate.core.pagination import PageRequest
from tollgate.organizations import access as organizations
from tollgate.table.transactions import retried
from tollgate.teams import access as teams
from tollgate.webhooks import repository
from tollgate.webhooks.model import (
    MAX_WEBHOOKS,
    RegisterWebhook,
    Webhook,
    WebhookAnswer,
    WebhookDeleted,
    WebhookList,
    WebhookRegistered,
)

_SECRET_PREFIX = "whsec_"  # noqa: S105 (what our secrets begin with)


@dataclass(frozen=True, slots=True)
class _Place:
    """An owner by its ids and uids."""

    organization_id: str | None
    organization_uid: str | None
    team_id: str | None = None
    team_uid: str | None = None

    @property
    def uid(self) -> str | None:
        return self.team_uid or self.organization_uid


@dataclass(frozen=True, slots=True)
class WebhookService:
    """What can be done with webhooks; every method checks the caller's right over their owner."""

    clock: Clock = utc_now

    def register(self, caller: Principal, request: RegisterWebhook) -> WebhookRegistered:
        """A new, active webhook; its signing secret is shown this once.

        Raises InvalidRequestError unless exactly one owner is named, WrongStateError for more than ``MAX_WEBHOOKS`` of
        one owner, as an index counts them.
        """
        place = _place(caller, Action.WEBHOOK_WRITE, request.team_id, request.organization_id)
        if place is None or place.uid is None:
            raise InvalidRequestError("team_id or organization_id is required", param="team_id")
        if len(repository.all_of(place.uid)) >= MAX_WEBHOOKS:
            raise WrongStateError(f"There are {MAX_WEBHOOKS} webhooks already", code="too_many_webhooks")
        secret = _SECRET_PREFIX + secrets.token_hex(24)
        header = request.auth_header.get_secret_value() if request.auth_header else None
        webhook_id = ids.new_ulid()
        webhook = Webhook(
            webhook_id=webhook_id,
            organization_id=place.organization_id,
            organization_uid=place.organization_uid,
            team_id=place.team_id,
            team_uid=place.team_uid,
            url=request.webhook_url,
            ciphertext=_sealed(secret, header, owner_uid=place.uid, webhook_id=webhook_id),
            has_auth_header=header is not None,
            events=tuple(request.events),
            is_active=True,
            created_at=self.clock(),
        )
        repository.create(webhook, self._event(caller, webhook, "registered", after=_told(webhook)))
        return WebhookRegistered.model_validate(dict(WebhookAnswer.of(webhook)) | {"secret": secret})

    def list(
        self, caller: Principal, request: PageRequest, team_id: str | None, organization_id: str | None
    ) -> WebhookList:
        """An owner's webhooks, newest first; without an owner those of everybody, for the platform's readers."""
        place = _place(caller, Action.WEBHOOK_READ, team_id, organization_id)
        page = repository.search(request, place.uid if place is not None else None)
        return WebhookList(webhooks=[WebhookAnswer.of(one) for one in page.entries], next_cursor=page.next_cursor)

    def delete(self, caller: Principal, webhook_id: str) -> WebhookDeleted:
        """Removes a webhook, its secrets with it; what has not arrived yet is given up."""

        def attempt() -> None:
            missing = f"Webhook '{webhook_id}' not found"
            webhook = repository.find(webhook_id)
            if webhook is None or webhook.ended:
                raise NotFoundError(missing)
            authorize(caller, Action.WEBHOOK_WRITE, Owner(webhook.organization_id, webhook.team_id), missing=missing)
            repository.delete(webhook, self._event(caller, webhook, "deleted", before=_told(webhook)))

        retried(attempt)
        return WebhookDeleted(webhook_id=webhook_id, deleted=True)

    def end_all_of(self, caller: Principal, owner_uid: str) -> None:
        """Hides every webhook of a team or an organization that is gone; they may hear of that for a day."""
        for webhook in repository.all_of(owner_uid):
            if not webhook.ended:
                repository.end(webhook, self._event(caller, webhook, "deleted", before=_told(webhook)))

    def _event(self, caller: Principal, webhook: Webhook, verb: str, **states: Any) -> AuditEvent:
        return AuditEvent(
            caller=caller,
            action=f"webhook.{verb}",
            resource_type="webhook",
            resource_id=webhook.webhook_id,
            at=self.clock(),
            organization_id=webhook.organization_id,
            organization_uid=webhook.organization_uid,
            **states,
        )


def _place(caller: Principal, action: Action, team_id: str | None, organization_id: str | None) -> _Place | None:
    """The owner that was named, if the caller may do ``action`` there; None: nobody was, and he may everywhere."""
    if organization_id is not None and team_id is not None:
        raise InvalidRequestError("team_id and organization_id exclude each other", param="team_id")
    if team_id is not None:
        team = teams.reachable(caller, team_id, action)
        return _Place(team.organization_id, team.organization_uid, team.team_id, team.uid)
    if organization_id is not None:
        organization = organizations.reachable(caller, organization_id, action)
        return _Place(organization.organization_id, organization.uid)
    authorize(caller, action)
    return None


def _sealed(secret: str, header: str | None, *, owner_uid: str, webhook_id: str) -> bytes:
    return kms.encrypt(
        json.dumps({"secret": secret, "auth_header": header}), owner_uid=owner_uid, credential_id=webhook_id
    )


def opened(webhook: Webhook) -> tuple[str, str | None]:
    """The signing secret and the ``auth_header``. Raises ProviderAuthenticationError if KMS does not open them."""
    text = kms.decrypt(webhook.ciphertext, owner_uid=webhook.owner_uid, credential_id=webhook.webhook_id)
    sealed = json.loads(text)
    return sealed["secret"], sealed["auth_header"]


def _told(webhook: Webhook) -> dict[str, Any]:
    """What audit events tell of a webhook."""
    return {"team_id": webhook.team_id, "webhook_url": webhook.url, "events": [name.value for name in webhook.events]}


@cache
def webhook_service() -> WebhookService:
    return WebhookService()
