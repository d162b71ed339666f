"""KMS: encrypts provider secrets under a context that names their owner."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from tollgate.settings import settings

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient


@cache
def _client() -> KMSClient:
    import boto3  # noqa: PLC0415 (only functions that touch secrets pay for it)

    return boto3.client("kms", region_name=settings().region)


def encrypt(secret: str, *, owner_uid: str, credential_id: str) -> bytes:
    """The ciphertext of ``secret``; it opens only with the same owner and credential id."""
    answer = _client().encrypt(
        KeyId=settings().kms_key_id,
        Plaintext=secret.encode(),
        EncryptionContext=_context(owner_uid, credential_id),
    )
    return answer["CiphertextBlob"]


def decrypt(ciphertext: bytes, *, owner_uid: str, credential_id: str) -> str:
    """The inverse of :func:`encrypt`."""
    answer = _client().decrypt(
        CiphertextBlob=ciphertext, EncryptionContext=_context(owner_uid, credential_id), KeyId=settings().kms_key_id
    )
    return answer["Plaintext"].decode()


def _context(owner_uid: str, credential_id: str) -> dict[str, str]:
    return {"tollgate:owner": owner_uid, "tollgate:credential": credential_id}
