"""Requests that a caller may send again under the same Idempotency-Key (Q-37).

A request claims its key first, so that a copy which arrives meanwhile is told to wait. That it is done is written in
its own transaction, only if the claim is still its own: so nothing is done twice, whoever dies when. The answer is kept
in that transaction where the use case has it by then, else right after it; without the secrets that are shown once. A
claim whose process died before its transaction is free again after a minute.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from pydantic import BaseModel
from pynamodb.attributes import BinaryAttribute, BooleanAttribute, UnicodeAttribute
from pynamodb.exceptions import DeleteError, PutError, UpdateError

from tollgate.core import ids, json
from tollgate.core.errors import InvalidRequestError, WrongStateError
from tollgate.table import demands, keys
from tollgate.table.attributes import IntegerAttribute
from tollgate.table.base import CONDITION_FAILED, Item
from tollgate.table.transactions import Work

_KEPT = timedelta(hours=24)
# Longer than any management request may take.
_CLAIMED = timedelta(seconds=60)
# Members of answers that are shown once; of them only the mask is kept.
_SHOWN_ONCE = {"secret", "virtual_key"}
# Longer answers are compressed; an item has at most 400 KB.
_PLAIN_BYTES = 50_000
_PACKED_BYTES = 390_000
_NAMING_KEYS = {"key", "keys", "deleted_keys"}

Answer = TypeVar("Answer", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Once:
    """A request under an Idempotency-Key: ``digest`` of caller, method, path and key, ``fingerprint`` of the body."""

    digest: str
    fingerprint: str


class IdempotentItem(Item):
    """What was answered, for a day. ``token`` and ``claimed_until`` are of whoever works on it, epoch seconds."""

    fingerprint = UnicodeAttribute()
    token = UnicodeAttribute(null=True)
    claimed_until = IntegerAttribute(null=True)
    done = BooleanAttribute(null=True)
    answer = UnicodeAttribute(null=True)
    # In the place of ``answer``, compressed, where that is long.
    packed = BinaryAttribute(null=True, legacy_encoding=False)
    ttl = IntegerAttribute()


class RequestClaim:
    """A key that this request holds."""

    def __init__(self, once: Once, now: datetime) -> None:
        self.once = once
        self._now = now
        self._token = ids.new_ulid()
        self._answer: str | None = None
        self._joined = False

    def take(self) -> str | None:
        """Claims the key. The body of the answer, as JSON, if the request is done already.

        Raises InvalidRequestError if the key was used for another body, WrongStateError while the first request is
        still at work, or if its answer was lost.
        """
        item = self._item()
        item.fingerprint, item.token = self.once.fingerprint, self._token
        item.claimed_until = int((self._now + _CLAIMED).timestamp())
        item.ttl = int((self._now + _KEPT).timestamp())
        now = int(self._now.timestamp())
        abandoned = IdempotentItem.done.does_not_exist() & (IdempotentItem.claimed_until < now)
        same = IdempotentItem.fingerprint == self.once.fingerprint
        free = IdempotentItem.PK.does_not_exist() | (IdempotentItem.ttl <= now) | (abandoned & same)
        try:
            item.save(free)
        except PutError as error:
            if error.cause_response_code != CONDITION_FAILED:
                raise
            return self._earlier()
        return None

    def _earlier(self) -> str:
        found = IdempotentItem.find(keys.idempotent(self.once.digest), keys.ENTITY)
        if found is not None and found.fingerprint != self.once.fingerprint:
            raise _reused()
        if found is None or not found.done:
            message = "The first request under this Idempotency-Key is still running"
            raise WrongStateError(message, code="idempotency_key_in_use", param="idempotency-key")
        answer = zlib.decompress(found.packed).decode() if found.packed else found.answer
        if not answer:
            message = "The request under this Idempotency-Key was done, but its answer was lost; look at the resource"
            raise WrongStateError(message, code="idempotency_answer_lost", param="idempotency-key")
        return answer

    def remember(self, answer: BaseModel) -> None:
        """The answer, known before the transaction that it tells of."""
        self._answer = _kept(json.dumps(answer.model_dump(mode="json")))

    def join(self, work: Work, *, whole: bool = True) -> None:
        """Adds to a transaction that the request is done; it fails if somebody else has taken the key over.

        Where it is only a part (not ``whole``), a request that dies in the middle may be repeated.
        """
        lost = WrongStateError("Another request took this Idempotency-Key over", code="idempotency_key_in_use")
        if not whole:
            work.check(self._item(), self._own(), otherwise=lost)
            return
        actions: list[Any] = [IdempotentItem.done.set(True)]
        if self._answer is not None:
            actions.append(IdempotentItem.answer.set(self._answer))
        work.update(self._item(), actions, self._own(), otherwise=lost, versioned=False)
        self._joined = True

    def finish(self, body: str, *, succeeded: bool) -> None:
        """The request is over: its answer is kept, or, if it was refused, its key is free again."""
        try:
            if succeeded and self._answer is None:
                self._item().update([IdempotentItem.done.set(True), *_answer_actions(_kept(body))], self._own())
            elif not succeeded:
                # What was written stays done, whatever the answer was.
                self._item().delete(self._own() & IdempotentItem.done.does_not_exist())
        except (DeleteError, UpdateError) as error:
            if error.cause_response_code != CONDITION_FAILED:
                raise

    def _item(self) -> IdempotentItem:
        return IdempotentItem(PK=keys.idempotent(self.once.digest), SK=keys.ENTITY, kind="idempotent")

    def _own(self) -> Any:
        return IdempotentItem.token == self._token


def replayed(once: Once | None, kind: type[Answer], now: datetime) -> Answer | None:
    """The answer that was given to the same request before, None if there was none.

    For use cases that are called without a request of the native API, which has looked before. Raises
    InvalidRequestError if the key was used for another body.
    """
    if once is None or _claim_of(once) is not None:
        return None
    found = IdempotentItem.find(keys.idempotent(once.digest), keys.ENTITY)
    if found is None or found.ttl <= now.timestamp() or found.answer is None:
        return None
    if found.fingerprint != once.fingerprint:
        raise _reused()
    return kind.model_validate_json(found.answer)


def remember(work: Work, once: Once | None, answer: BaseModel, now: datetime) -> None:
    """Keeps the answer in the mutation's transaction, which loses the race if the key was used meanwhile."""
    if once is None:
        return
    claim = _claim_of(once)
    if claim is not None:
        claim.remember(answer)
        return
    unused = IdempotentItem.PK.does_not_exist() | (IdempotentItem.ttl <= int(now.timestamp()))
    work.put(
        IdempotentItem(
            PK=keys.idempotent(once.digest),
            SK=keys.ENTITY,
            kind="idempotent",
            fingerprint=once.fingerprint,
            done=True,
            answer=_kept(json.dumps(answer.model_dump(mode="json"))),
            ttl=int((now + _KEPT).timestamp()),
        ),
        unused,
    )


def _claim_of(once: Once) -> RequestClaim | None:
    """The claim of the present request, if it is under that very key."""
    demanded = demands.current()
    claim = demanded.claim if demanded is not None else None
    return claim if isinstance(claim, RequestClaim) and claim.once == once else None


def _reused() -> InvalidRequestError:
    message = "This Idempotency-Key was used for another body"
    return InvalidRequestError(message, code="idempotency_key_reused", param="idempotency-key")


def _answer_actions(text: str) -> list[Any]:
    """Keeps an answer; one that is too long for an item even when it is compressed is lost."""
    if len(text.encode()) <= _PLAIN_BYTES:
        return [IdempotentItem.answer.set(text)]
    packed = zlib.compress(text.encode())
    return [IdempotentItem.packed.set(packed)] if len(packed) <= _PACKED_BYTES else []


def _kept(text: str) -> str:
    """An answer without what is shown once: a key or a secret is masked as everywhere else."""
    return json.dumps(_without_secrets(json.loads(text)))


def _without_secrets(value: Any, name: str = "") -> Any:
    if isinstance(value, list):
        return [_without_secrets(entry, name) for entry in value]
    if isinstance(value, dict):
        return {member: _without_secrets(entry, member) for member, entry in value.items()}
    return _mask(value) if isinstance(value, str) and _is_secret(value, name) else value


def _is_secret(value: str, name: str) -> bool:
    """What a member is called, or in the other dialect, which says back whatever names a key, a key itself."""
    return name in _SHOWN_ONCE or (name in _NAMING_KEYS and value.startswith("sk-"))


def _mask(secret: str) -> str:
    return f"{secret[:3]}...{secret[-4:]}"
