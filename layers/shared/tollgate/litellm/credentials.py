"""Provider credentials in the dialect: the platform's own, by their names (contract litellm 6.1, Q-42)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tollgate.auth.policy import Action, Owner, admit, has_role
from tollgate.auth.principal import Principal
from tollgate.core.errors import AlreadyExistsError
from tollgate.core.fields import Metadata, Url
from tollgate.core.pagination import MAX_CANDIDATES, PageRequest
from tollgate.credentials import repository
from tollgate.credentials.model import (
    ApiKey,
    CreateProviderCredential,
    Credential,
    CredentialName,
    Options,
    UpdateProviderCredential,
)
from tollgate.credentials.service import credential_service
from tollgate.litellm.api import role_of
from tollgate.litellm.errors import DialectError
from tollgate.litellm.fields import DialectRequest, DialectRow
from tollgate.litellm.models_params import Option, provider_named, refused
from tollgate.models.prices import Provider

_PROVIDER = "credential_info.custom_llm_provider"
# Names of what a provider's address is made of, and ours.
_OPTIONS = {"api_version": "api_version", "region_name": "region", "aws_region_name": "region"}
_SHOWN = {"region": "region_name"}


class Values(BaseModel):
    """The secret, and where the provider is."""

    model_config = ConfigDict(extra="allow")

    api_key: ApiKey | None = None
    api_base: Url | None = None
    api_version: Option | None = None
    region_name: Option | None = None
    aws_region_name: Option | None = None


class NewCredential(DialectRequest):
    """``credential_info.custom_llm_provider`` says for which provider it is."""

    credential_name: CredentialName
    credential_info: Metadata = Field(default_factory=dict)
    credential_values: Values | None = None
    model_id: str | None = None


class PatchCredential(DialectRequest):
    """What is sent is merged into what there is; null takes a value away."""

    credential_name: CredentialName | None = None
    credential_info: Metadata | None = None
    credential_values: Values | None = None
    credential_values_to_delete: list[str] = Field(default_factory=list, max_length=10)


class CredentialRow(DialectRow):
    """Of the secret only the end is shown, of a short one nothing."""

    credential_name: str
    credential_info: dict[str, Any]
    credential_values: dict[str, str]


class CredentialRows(DialectRow):
    success: bool
    credentials: list[CredentialRow]


class Done(DialectRow):
    success: bool
    message: str


def listed(caller: Principal) -> CredentialRows:
    """All of the platform's, newest first."""
    _admitted(caller, Action.CREDENTIAL_READ)
    return CredentialRows(success=True, credentials=[_row(one) for one in islice(_all(), MAX_CANDIDATES)])


def by_name(caller: Principal, name: str) -> CredentialRow:
    _admitted(caller, Action.CREDENTIAL_READ)
    return _row(_found(name))


def new(caller: Principal, request: NewCredential) -> Done:
    """A credential for the models that name it; the provider's active one if there is none yet."""
    _admitted(caller, Action.CREDENTIAL_WRITE)
    values = request.credential_values
    if values is None:
        message = "Credential values are required. Unable to infer credential values from model ID."
        raise DialectError(400, message)
    _check_known(values)
    if values.api_key is None:
        raise refused("credential_values.api_key", "is required")
    wanted = CreateProviderCredential(
        provider=_provider(request.credential_info),
        credential_name=request.credential_name,
        api_key=values.api_key,
        api_base=values.api_base,
        options=_options(values, {}),
        metadata=request.credential_info,
    )
    try:
        credential_service().create(caller, wanted, replacing=False)
    except AlreadyExistsError as error:
        raise DialectError(409, error.message) from None
    return Done(success=True, message="Credential created successfully")


def patch(caller: Principal, name: str, request: PatchCredential) -> Done:
    """Changes what is sent; models that name it use it on the very next call."""
    _admitted(caller, Action.CREDENTIAL_WRITE)
    current = _found(name)
    changes: dict[str, Any] = {}
    if request.credential_name is not None:
        changes["credential_name"] = request.credential_name
    if request.credential_info is not None:
        changes["metadata"] = _merged_info(current, request.credential_info)
    changes |= _changed_values(current, request)
    try:
        credential_service().update(caller, current.credential_id, UpdateProviderCredential(**changes))
    except AlreadyExistsError as error:
        raise DialectError(409, error.message) from None
    return Done(success=True, message="Credential updated successfully")


def delete(caller: Principal, name: str) -> Done:
    """Removes it. WrongStateError while a model names it."""
    _admitted(caller, Action.CREDENTIAL_WRITE)
    credential_service().delete(caller, _found(name).credential_id)
    return Done(success=True, message="Credential deleted successfully")


def _admitted(caller: Principal, action: Action) -> None:
    """Organizations' own credentials are not the dialect's: only the platform's roles come in."""
    admit(caller, action)
    if not has_role(caller, action, Owner()):
        raise DialectError(403, f"Only proxy admins manage credentials. Your role={role_of(caller)}", quoted=True)


def _found(name: str) -> Credential:
    credential = repository.find_named(None, name)
    if credential is None:
        raise _missing(name)
    return credential


def _missing(name: str) -> DialectError:
    return DialectError(404, f"Credential not found. Got credential name: {name}")


def _all() -> Iterator[Credential]:
    request = PageRequest()
    while True:
        page = repository.list_of(None, request)
        yield from page.entries
        if page.next_cursor is None:
            return
        request = PageRequest(cursor=page.next_cursor)


def _row(credential: Credential) -> CredentialRow:
    values = {"api_key": f"****{credential.last4}"}
    if credential.api_base is not None:
        values["api_base"] = credential.api_base
    values |= {_SHOWN.get(option, option): value for option, value in credential.options.items()}
    return CredentialRow(
        credential_name=credential.credential_name,
        credential_info={"custom_llm_provider": credential.provider.value, **credential.metadata},
        credential_values=values,
    )


def _provider(info: Mapping[str, Any]) -> Provider:
    named = provider_named(str(info.get("custom_llm_provider") or ""))
    if named is None or named is Provider.LOCAL:
        known = ", ".join(one.value for one in Provider if one is not Provider.LOCAL)
        raise refused(_PROVIDER, f"must be one of {known}")
    return named


def _merged_info(current: Credential, sent: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**current.metadata, **sent}
    if "custom_llm_provider" in sent and _provider(sent) is not current.provider:
        raise refused(_PROVIDER, "cannot be changed: make another credential")
    return {name: value for name, value in merged.items() if value is not None}


def _changed_values(current: Credential, request: PatchCredential) -> dict[str, Any]:
    gone = set(request.credential_values_to_delete)
    values = request.credential_values or Values()
    both = sorted(gone & values.model_fields_set)
    if both:
        raise DialectError(400, f"credential_values_to_delete overlaps credential_values for key(s): {both}")
    values = Values.model_validate(values.model_dump(exclude_unset=True) | dict.fromkeys(gone))
    _check_known(values)
    sent = values.model_fields_set
    if "api_key" in sent and values.api_key is None:
        raise refused("credential_values.api_key", "cannot be taken away: delete the credential")
    changes: dict[str, Any] = {name: getattr(values, name) for name in ("api_key", "api_base") if name in sent}
    if sent & _OPTIONS.keys():
        changes["options"] = _options(values, current.options)
    return changes


def _options(values: Values, current: Mapping[str, str]) -> Options:
    merged: dict[str, Any] = dict(current)
    for name, option in _OPTIONS.items():
        if name in values.model_fields_set:
            merged[option] = getattr(values, name)
    return Options(**merged)


def _check_known(values: Values) -> None:
    """What opens a provider, or says where it is, is never ignored."""
    for name, value in (values.model_extra or {}).items():
        if value:
            raise refused(f"credential_values.{name}", "is not supported")
