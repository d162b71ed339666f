"""Mutations that a caller may send again under the same Idempotency-Key (Q-37).

The key's item is written in the mutation's own transaction and keeps its answer: so either both exist or neither does,
and nobody has to wait for a request that is still running.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from pydantic import BaseModel
from pynamodb.attributes import UnicodeAttribute

from tollgate.core.errors import InvalidRequestError
from tollgate.table import keys
from tollgate.table.attributes import IntegerAttribute
from tollgate.table.base import Item
from tollgate.table.transactions import Work

_KEPT = timedelta(hours=24)

Answer = TypeVar("Answer", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Once:
    """A request under an Idempotency-Key: ``digest`` of caller, method, path and key, ``fingerprint`` of the body."""

    digest: str
    fingerprint: str


class IdempotentItem(Item):
    """What was answered, for a day."""

    fingerprint = UnicodeAttribute()
    answer = UnicodeAttribute()
    ttl = IntegerAttribute()


def replayed(once: Once | None, kind: type[Answer], now: datetime) -> Answer | None:
    """The answer that was given to the same request before, None if there was none.

    Raises InvalidRequestError if the key was used for another body.
    """
    if once is None:
        return None
    found = IdempotentItem.find(keys.idempotent(once.digest), keys.ENTITY)
    if found is None or found.ttl <= now.timestamp():
        return None
    if found.fingerprint != once.fingerprint:
        message = "This Idempotency-Key was used for another body"
        raise InvalidRequestError(message, code="idempotency_key_reused", param="idempotency-key")
    return kind.model_validate_json(found.answer)


def remember(work: Work, once: Once | None, answer: BaseModel, now: datetime) -> None:
    """Keeps the answer in the mutation's transaction, which loses the race if the key was used meanwhile."""
    if once is None:
        return
    unused = IdempotentItem.PK.does_not_exist() | (IdempotentItem.ttl <= int(now.timestamp()))
    work.put(
        IdempotentItem(
            PK=keys.idempotent(once.digest),
            SK=keys.ENTITY,
            kind="idempotent",
            fingerprint=once.fingerprint,
            answer=answer.model_dump_json(),
            ttl=int((now + _KEPT).timestamp()),
        ),
        unused,
    )
