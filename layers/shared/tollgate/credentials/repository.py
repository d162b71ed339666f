"""Provider credentials in the table. Takes and gives domain objects; no other module sees the items.

Two pointers beside an owner's credentials keep the rules: ``NAME#<name>`` that a name is taken once,
``ACTIVE#<provider>`` which credential is the one that counts. Every write changes credential, pointers, the catalogue's
version and the audit log in one transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tollgate.audit import repository as audit
from tollgate.audit.model import AuditEvent
from tollgate.core import clock
from tollgate.core.errors import AlreadyExistsError, RefusedRequestError, TollgateError
from tollgate.core.pagination import Page, PageRequest
from tollgate.credentials.items import CredentialItem, CredentialPointerItem
from tollgate.credentials.model import Credential
from tollgate.models import repository as catalogue
from tollgate.models.prices import Provider
from tollgate.organizations import repository as organizations
from tollgate.table import keys
from tollgate.table.base import GSI1, GSI2
from tollgate.table.transactions import Work


def find(credential_id: str) -> Credential | None:
    item = CredentialItem.find(keys.credential(credential_id), keys.ENTITY)
    return _credential(item) if item else None


def find_active(organization_uid: str | None, provider: str) -> Credential | None:
    """The one that counts for an owner and a provider; strongly consistent."""
    pointer = CredentialPointerItem.find(keys.credentials_of(organization_uid), keys.active_credential(provider))
    return find(pointer.credential_id) if pointer else None


def find_named(organization_uid: str | None, name: str) -> Credential | None:
    """The owner's credential of that name; strongly consistent."""
    guard = CredentialPointerItem.find(keys.credentials_of(organization_uid), keys.credential_name(name))
    return find(guard.credential_id) if guard else None


def require(work: Work, credential: Credential, otherwise: TollgateError) -> None:
    """Adds to a transaction that the credential is still there."""
    work.check(_handle(credential), CredentialItem.PK.exists(), otherwise=otherwise)


def list_all(request: PageRequest) -> Page[Credential]:
    """A page over every owner's credentials, newest first."""
    return _page(keys.CREDENTIALS, request, GSI2)


def list_of(organization_uid: str | None, request: PageRequest) -> Page[Credential]:
    """A page of an owner's credentials, newest first."""
    return _page(keys.credentials_of(organization_uid), request, GSI1)


def all_of(organization_uid: str) -> Iterator[Credential]:
    """Every credential of an organization, found by the guards of their names: strongly consistent."""
    guards = CredentialPointerItem.all_of(
        keys.credentials_of(organization_uid), prefix=CredentialPointerItem.SK.startswith(keys.credential_name())
    )
    for guard in guards:
        credential = find(guard.credential_id)
        if credential is not None:
            yield credential


def create(credential: Credential, replaced: Credential | None, events: list[AuditEvent]) -> None:
    """Stores a new credential; an active one in place of the owner's active one for that provider, if there is one."""
    created_at = clock.to_stored(credential.created_at)
    actor = events[0].caller.actor
    work = Work()
    if credential.organization_id is not None:
        organizations.require(
            work,
            credential.organization_id,
            credential.organization_uid,
            otherwise=RefusedRequestError(
                f"Organization '{credential.organization_id}' is being deleted", param="organization_id"
            ),
        )
    owner = keys.credentials_of(credential.organization_uid)
    work.create(
        CredentialItem(
            PK=keys.credential(credential.credential_id),
            SK=keys.ENTITY,
            GSI1PK=owner,
            GSI1SK=keys.by_creation(created_at, credential.credential_id),
            GSI2PK=keys.CREDENTIALS,
            GSI2SK=keys.by_creation(created_at, credential.credential_id),
            kind="provider_credential",
            credential_id=credential.credential_id,
            organization_id=credential.organization_id,
            organization_uid=credential.organization_uid,
            provider=credential.provider.value,
            created_at=created_at,
            created_by=actor,
            updated_at=created_at,
            updated_by=actor,
            **_attributes(credential),
        )
    )
    _take_name(work, credential)
    if credential.is_active:
        _replace_active(work, credential, replaced, events[0])
    _finish(work, events)


def update(credential: Credential, before: Credential, event: AuditEvent) -> None:
    """Writes the credential as it is now; LostRaceError if it changed since it was read."""
    work = Work()
    _write(work, credential, event)
    if credential.credential_name != before.credential_name:
        work.delete(_name(before), CredentialPointerItem.credential_id == before.credential_id)
        _take_name(work, credential)
    _finish(work, [event])


def activate(credential: Credential, replaced: Credential | None, events: list[AuditEvent]) -> None:
    """Makes the credential the owner's active one in place of ``replaced``, which was that when it was read."""
    work = Work()
    _write(work, credential, events[0])
    _replace_active(work, credential, replaced, events[0])
    _finish(work, events)


def deactivate(credential: Credential, event: AuditEvent) -> None:
    """The owner has no active credential for the provider from then on."""
    work = Work()
    _write(work, credential, event)
    work.delete(_active(credential), CredentialPointerItem.credential_id == credential.credential_id)
    _finish(work, [event])


def delete(credential: Credential, event: AuditEvent, catalogue_version: int | None = None) -> None:
    """Removes it; with ``catalogue_version`` LostRaceError if the catalogue has changed since."""
    work = Work()
    work.delete(_handle(credential), versioned=True)
    work.delete(_name(credential))
    if credential.is_active:
        work.delete(_active(credential), CredentialPointerItem.credential_id == credential.credential_id)
    _finish(work, [event], catalogue_version)


def _finish(work: Work, events: list[AuditEvent], catalogue_version: int | None = None) -> None:
    catalogue.bump(work, catalogue_version)
    for event in events:
        audit.append(work, event)
    work.commit()


def _replace_active(work: Work, credential: Credential, replaced: Credential | None, event: AuditEvent) -> None:
    pointer = _active(credential)
    if replaced is None:
        work.create(pointer)
    else:
        work.put(pointer, CredentialPointerItem.credential_id == replaced.credential_id)
        _write(work, replace(replaced, is_active=False), event)


def _take_name(work: Work, credential: Credential) -> None:
    work.create(
        _name(credential),
        otherwise=AlreadyExistsError(
            f"Credential name already exists: '{credential.credential_name}'", code="credential_exists"
        ),
    )


def _write(work: Work, credential: Credential, event: AuditEvent) -> None:
    item = _handle(credential)
    stamp = {"updated_at": clock.to_stored(event.at), "updated_by": event.caller.actor}
    work.update(item, item.changes(_attributes(credential) | stamp))


def _handle(credential: Credential) -> CredentialItem:
    return CredentialItem(PK=keys.credential(credential.credential_id), SK=keys.ENTITY, version=credential.version)


def _active(credential: Credential) -> CredentialPointerItem:
    return _pointer(credential, keys.active_credential(credential.provider))


def _name(credential: Credential) -> CredentialPointerItem:
    return _pointer(credential, keys.credential_name(credential.credential_name))


def _pointer(credential: Credential, sk: str) -> CredentialPointerItem:
    pk = keys.credentials_of(credential.organization_uid)
    return CredentialPointerItem(PK=pk, SK=sk, kind="credential_pointer", credential_id=credential.credential_id)


def _attributes(credential: Credential) -> dict[str, Any]:
    return {
        "credential_name": credential.credential_name,
        "ciphertext": credential.ciphertext,
        "last4": credential.last4,
        "api_base": credential.api_base,
        "options": credential.options,
        "metadata": credential.metadata,
        "is_active": credential.is_active,
    }


def _page(partition: str, request: PageRequest, index: str) -> Page[Credential]:
    page = CredentialItem.page(partition, request, scope="credentials", index=index, newest_first=True)
    return Page([_credential(item) for item in page.entries], page.next_cursor)


def _credential(item: CredentialItem) -> Credential:
    return Credential(
        credential_id=item.credential_id,
        organization_id=item.organization_id,
        organization_uid=item.organization_uid,
        provider=Provider(item.provider),
        credential_name=item.credential_name,
        ciphertext=item.ciphertext,
        last4=item.last4,
        api_base=item.api_base,
        options=item.options,
        is_active=item.is_active,
        created_at=clock.from_stored(item.created_at),
        updated_at=clock.from_stored(item.updated_at),
        version=item.version,
        metadata=item.metadata or {},
    )
