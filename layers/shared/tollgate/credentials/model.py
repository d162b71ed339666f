"""Provider credentials as requests, answers and domain objects (Q-42)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from tollgate.core.fields import Metadata, RequestModel, ResponseModel, Timestamp, Url
from tollgate.models.prices import Provider

# Below this length the last four characters would be too much of the secret.
_SHORTEST_SHOWN = 12
_MAX_SECRET = 4000  # KMS encrypts at most 4,096 bytes.


# ``local`` answers by itself and ``custom`` is any OpenAI-compatible API.
PROVIDERS = tuple(provider for provider in Provider if provider is not Provider.LOCAL)


@dataclass(frozen=True, slots=True)
class Credential:
    """A stored credential; the secret is only a ciphertext that opens with ``owner_uid`` and ``credential_id``.

    ``organization_id`` and ``organization_uid`` are None for the platform's.
    """

    credential_id: str
    organization_id: str | None
    organization_uid: str | None
    provider: Provider
    credential_name: str
    ciphertext: bytes
    last4: str
    api_base: str | None
    options: dict[str, str]
    is_active: bool
    created_at: datetime
    updated_at: datetime
    version: int
    metadata: dict[str, Any] = field(default_factory=dict)


def _sendable(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if not 1 <= len(text) <= _MAX_SECRET or not all("!" <= character <= "~" for character in text):
        message = f"must be 1 to {_MAX_SECRET} visible ASCII characters"
        raise ValueError(message)
    return secret


def last4_of(secret: SecretStr) -> str:
    """What may be shown of a secret: its end, or nothing if it is short."""
    text = secret.get_secret_value()
    return text[-4:] if len(text) >= _SHORTEST_SHOWN else ""


ApiKey = Annotated[
    SecretStr,
    AfterValidator(_sendable),
    Field(json_schema_extra={"writeOnly": True, "format": "password", "minLength": 1, "maxLength": _MAX_SECRET}),
]
CredentialName = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
_Option = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,128}$")]


class Options(RequestModel):
    """What a provider's address is made of; ``resource`` is Azure's name of the account."""

    region: _Option | None = None
    api_version: _Option | None = None
    deployment: _Option | None = None
    resource: _Option | None = None

    def given(self) -> dict[str, str]:
        plain: dict[str, str] = self.model_dump(exclude_none=True)
        return plain


class CreateProviderCredential(RequestModel):
    """``organization_id`` null or absent: the platform's own."""

    organization_id: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    provider: Annotated[str, Field(examples=["openai"], description=", ".join(PROVIDERS))]
    credential_name: CredentialName
    api_key: ApiKey
    api_base: Url | None = None
    options: Options = Options()
    metadata: Metadata = Field(default_factory=dict)


class UpdateProviderCredential(RequestModel):
    """Only the fields that are sent change; null clears ``api_base``, ``options`` and ``metadata`` (Q-25)."""

    credential_name: CredentialName | None = None
    api_key: ApiKey | None = None
    api_base: Url | None = None
    options: Options | None = None
    metadata: Metadata | None = None


class CredentialAnswer(ResponseModel):
    """A credential without its secret; ``last4`` is empty for a short one."""

    credential_id: str
    organization_id: str | None
    provider: Provider
    credential_name: str
    api_base: str | None
    options: dict[str, str]
    last4: str
    is_active: bool
    metadata: dict[str, Any]
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, credential: Credential) -> CredentialAnswer:
        return cls.model_validate(credential, from_attributes=True)


class CredentialList(ResponseModel):
    credentials: list[CredentialAnswer]
    next_cursor: str | None = None


class CredentialDeleted(ResponseModel):
    credential_id: str
    deleted: bool
