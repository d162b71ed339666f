"""Use cases of provider credentials. The secret goes in and never comes out: only the proxy opens it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from pydantic import SecretStr

from tollgate.audit.model import AuditEvent
from tollgate.auth.policy import Action, Owner, authorize
from tollgate.auth.principal import Principal
from tollgate.aws import kms
from tollgate.core import ids
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import InvalidRequestError, NotFoundError, RefusedRequestError, WrongStateError
from tollgate.core.pagination import Page, PageRequest
from tollgate.credentials import repository
from tollgate.credentials.model import (
    PROVIDERS,
    CreateProviderCredential,
    Credential,
    CredentialAnswer,
    CredentialDeleted,
    UpdateProviderCredential,
    last4_of,
)
from tollgate.models import repository as catalogue
from tollgate.models.prices import Provider
from tollgate.organizations import access as organizations
from tollgate.organizations.repository import find as find_organization
from tollgate.table import keys
from tollgate.table.transactions import retried


@dataclass(frozen=True, slots=True)
class CredentialService:
    """What can be done with provider credentials; every method checks the caller's right over their owner."""

    clock: Clock = utc_now

    def create(
        self, caller: Principal, request: CreateProviderCredential, *, replacing: bool = True
    ) -> CredentialAnswer:
        """A new credential, active at once: the owner's active one for that provider is deactivated with it.

        Not ``replacing``, it is active only where there is none yet.

        Raises RefusedRequestError for an unknown provider or organization, AlreadyExistsError for a name that its owner
        has already.
        """
        owner = Owner(request.organization_id)
        missing = organizations.missing(request.organization_id)
        authorize(caller, Action.CREDENTIAL_WRITE, owner, missing=missing)
        provider = _provider(request.provider)
        options = request.options.given()
        _check_address(provider, request.api_base, options)
        uid = _owner_uid(request.organization_id)
        now = self.clock()
        credential_id = ids.new_ulid()
        credential = Credential(
            credential_id=credential_id,
            organization_id=request.organization_id,
            organization_uid=uid,
            provider=provider,
            credential_name=request.credential_name,
            ciphertext=_encrypted(request.api_key, uid, credential_id),
            last4=last4_of(request.api_key),
            api_base=request.api_base,
            options=options,
            is_active=True,
            created_at=now,
            updated_at=now,
            version=1,
            metadata=request.metadata,
        )

        def attempt() -> CredentialAnswer:
            active = repository.find_active(uid, provider)
            made = replace(credential, is_active=replacing or active is None)
            replaced = active if made.is_active else None
            event = self._event(caller, made, "created", after=_shown(made))
            repository.create(made, replaced, [event, *self._deactivations(caller, replaced)])
            return CredentialAnswer.of(made)

        return retried(attempt)

    def list(self, caller: Principal, request: PageRequest) -> Page[Credential]:
        """Every owner's credentials, newest first."""
        authorize(caller, Action.CREDENTIAL_READ)
        return repository.list_all(request)

    def list_of(self, caller: Principal, organization_id: str, request: PageRequest) -> Page[Credential]:
        """An organization's credentials, newest first."""
        return repository.list_of(organizations.reachable(caller, organization_id, Action.CREDENTIAL_READ).uid, request)

    def get_active(self, caller: Principal, organization_id: str, provider: str) -> CredentialAnswer:
        """The credential that calls of the organization to a provider use. NotFoundError if it has none."""
        organization = organizations.reachable(caller, organization_id, Action.CREDENTIAL_READ)
        credential = repository.find_active(organization.uid, provider)
        if credential is None:
            raise NotFoundError(f"Organization '{organization_id}' has no active credential for '{provider}'")
        return CredentialAnswer.of(credential)

    def get(self, caller: Principal, credential_id: str, action: Action = Action.CREDENTIAL_READ) -> Credential:
        """The credential, if the caller may do ``action`` on it; else NotFoundError or ForbiddenError."""
        missing = f"Provider credential '{credential_id}' not found"
        credential = repository.find(credential_id)
        if credential is None:
            raise NotFoundError(missing)
        authorize(caller, action, Owner(credential.organization_id), missing=missing)
        return credential

    def update(self, caller: Principal, credential_id: str, request: UpdateProviderCredential) -> CredentialAnswer:
        """Changes the fields that were sent; a new secret takes the old one's place at once."""
        sent = request.model_fields_set
        for field in ("credential_name", "api_key"):
            if field in sent and getattr(request, field) is None:
                raise InvalidRequestError(f"{field} may not be null", param=field)

        def attempt() -> CredentialAnswer:
            current = self.get(caller, credential_id, Action.CREDENTIAL_WRITE)
            changed = replace(current, **_changes(current, request))
            _check_address(changed.provider, changed.api_base, changed.options)
            event = self._event(caller, changed, "updated", _shown(current), _shown(changed))
            changed = replace(changed, updated_at=event.at)
            repository.update(changed, current, event)
            return CredentialAnswer.of(changed)

        return retried(attempt)

    def activate(self, caller: Principal, credential_id: str) -> CredentialAnswer:
        """Makes it the active one of its owner and provider; the one that was is deactivated with it (Q-42)."""

        def attempt() -> CredentialAnswer:
            current = self.get(caller, credential_id, Action.CREDENTIAL_WRITE)
            if current.is_active:
                return CredentialAnswer.of(current)
            replaced = repository.find_active(current.organization_uid, current.provider)
            event = self._event(caller, current, "activated", {"is_active": False}, {"is_active": True})
            changed = replace(current, is_active=True, updated_at=event.at)
            repository.activate(changed, replaced, [event, *self._deactivations(caller, replaced)])
            return CredentialAnswer.of(changed)

        return retried(attempt)

    def deactivate(self, caller: Principal, credential_id: str) -> CredentialAnswer:
        """Its owner has no active credential for that provider from then on; without effect on an inactive one."""

        def attempt() -> CredentialAnswer:
            current = self.get(caller, credential_id, Action.CREDENTIAL_WRITE)
            if not current.is_active:
                return CredentialAnswer.of(current)
            event = self._event(caller, current, "deactivated", {"is_active": True}, {"is_active": False})
            changed = replace(current, is_active=False, updated_at=event.at)
            repository.deactivate(changed, event)
            return CredentialAnswer.of(changed)

        return retried(attempt)

    def delete(self, caller: Principal, credential_id: str) -> CredentialDeleted:
        """Removes it, its secret with it. WrongStateError while a model names it."""

        def attempt() -> None:
            version = catalogue.version()
            current = self.get(caller, credential_id, Action.CREDENTIAL_WRITE)
            _check_unused(current)
            event = self._event(caller, current, "deleted", before=_shown(current))
            repository.delete(current, event, version if current.organization_uid is None else None)

        retried(attempt)
        return CredentialDeleted(credential_id=credential_id, deleted=True)

    def delete_all_of(self, caller: Principal, organization_uid: str) -> None:
        """Removes every credential of an organization whose end the caller was allowed; calls notice at once."""
        for credential in repository.all_of(organization_uid):
            repository.delete(credential, self._event(caller, credential, "deleted", before=_shown(credential)))

    def _deactivations(self, caller: Principal, replaced: Credential | None) -> Sequence[AuditEvent]:
        if replaced is None:
            return []
        return [self._event(caller, replaced, "deactivated", {"is_active": True}, {"is_active": False})]

    def _event(
        self,
        caller: Principal,
        credential: Credential,
        verb: str,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
    ) -> AuditEvent:
        return AuditEvent(
            caller=caller,
            action=f"provider_credential.{verb}",
            resource_type="provider_credential",
            resource_id=credential.credential_id,
            at=self.clock(),
            organization_id=credential.organization_id,
            organization_uid=credential.organization_uid,
            before=before or {},
            after=after or {},
        )


def _provider(name: str) -> Provider:
    # What was sent is not repeated: somebody may have sent the secret in the wrong field.
    if name not in PROVIDERS:
        known = ", ".join(PROVIDERS)
        raise RefusedRequestError(f"provider: must be one of {known}", param="provider", code="unknown_provider")
    return Provider(name)


def _owner_uid(organization_id: str | None) -> str | None:
    """The uid under which an owner's credentials are kept; RefusedRequestError for an unknown organization."""
    if organization_id is None:
        return None
    organization = find_organization(organization_id)
    if organization is None or organization.deleting:
        missing = organizations.missing(organization_id)
        raise RefusedRequestError(missing, param="organization_id", code="unknown_organization")
    return organization.uid


def _check_address(provider: Provider, api_base: str | None, options: dict[str, str]) -> None:
    """Providers without an address of their own need one. Raises InvalidRequestError."""
    needs_address = provider is Provider.CUSTOM or (provider is Provider.AZURE and "resource" not in options)
    if needs_address and api_base is None:
        hint = " or options.resource" if provider is Provider.AZURE else ""
        raise InvalidRequestError(f"api_base: provider '{provider}' needs an api_base{hint}", param="api_base")


def _check_unused(credential: Credential) -> None:
    """Raises WrongStateError if a model's target names the credential; only the platform's can be."""
    models = catalogue.every() if credential.organization_uid is None else ()
    for model in models:
        if any(target.credential_id == credential.credential_id for target in model.targets):
            message = f"Provider credential '{credential.credential_name}' is used by model '{model.alias}'"
            raise WrongStateError(message, code="credential_in_use")


def _encrypted(secret: SecretStr, organization_uid: str | None, credential_id: str) -> bytes:
    owner = organization_uid or keys.PLATFORM
    return kms.encrypt(secret.get_secret_value(), owner_uid=owner, credential_id=credential_id)


def _changes(current: Credential, request: UpdateProviderCredential) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if request.credential_name is not None:
        changes["credential_name"] = request.credential_name
    if request.api_key is not None:
        changes["ciphertext"] = _encrypted(request.api_key, current.organization_uid, current.credential_id)
        changes["last4"] = last4_of(request.api_key)
    if "api_base" in request.model_fields_set:
        changes["api_base"] = request.api_base
    if "options" in request.model_fields_set:
        changes["options"] = request.options.given() if request.options else {}
    if "metadata" in request.model_fields_set:
        changes["metadata"] = request.metadata or {}
    return changes


def _shown(credential: Credential) -> dict[str, Any]:
    """What audit events tell of a credential."""
    return {
        "provider": credential.provider.value,
        "credential_name": credential.credential_name,
        "last4": credential.last4,
        "api_base": credential.api_base,
        "options": credential.options,
        "metadata": credential.metadata,
        "is_active": credential.is_active,
    }


@cache
def credential_service() -> CredentialService:
    return CredentialService()
