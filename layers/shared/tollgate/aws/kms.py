"""KMS: encrypts provider secrets under a context that names their owner."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from tollgate.core.errors import ProviderAuthenticationError, StoreUnavailableError
from tollgate.settings import settings

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient


@cache
def _client() -> KMSClient:
    import boto3  # noqa: PLC0415 (only functions that touch secrets pay for it)
    from botocore.config import Config  # noqa: PLC0415

    # An admin call has 29 s in all; botocore's defaults wait 60 s for one answer.
    config = Config(connect_timeout=1, read_timeout=4, retries={"mode": "standard", "total_max_attempts": 3})
    return boto3.client("kms", region_name=settings().region, config=config)


def encrypt(secret: str, *, owner_uid: str, credential_id: str) -> bytes:
    """The ciphertext of ``secret``; it opens only with the same owner and credential id.

    Raises StoreUnavailableError if KMS does not take it.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        answer = _client().encrypt(
            KeyId=settings().kms_key_id,
            Plaintext=secret.encode(),
            EncryptionContext=_context(owner_uid, credential_id),
        )
    except (BotoCoreError, ClientError) as error:
        raise StoreUnavailableError("The key service did not answer; try again") from error
    return answer["CiphertextBlob"]


def decrypt(ciphertext: bytes, *, owner_uid: str, credential_id: str) -> str:
    """The inverse of :func:`encrypt`. Raises ProviderAuthenticationError if KMS does not open it."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        answer = _client().decrypt(
            CiphertextBlob=ciphertext, EncryptionContext=_context(owner_uid, credential_id), KeyId=settings().kms_key_id
        )
    except (BotoCoreError, ClientError) as error:
        raise ProviderAuthenticationError("The provider credential cannot be opened") from error
    return answer["Plaintext"].decode()


def _context(owner_uid: str, credential_id: str) -> dict[str, str]:
    return {"tollgate:owner": owner_uid, "tollgate:credential": credential_id}
