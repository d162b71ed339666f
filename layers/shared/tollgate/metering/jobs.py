"""Calls in jobs: which job, the credits that are set apart for it, its start (contract 2.3, 2.4; Q-17).

The credits of a job are taken from the account with a call's hold there; when the call is settled, they are counted as
promised to jobs instead (``jh``). The job's own counter item knows how much of that is its. Closing a job is not the
money path's: that pays out of what is promised.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tollgate.aws.dynamodb import ConditionFailedError, DynamoDB, Item
from tollgate.core import clock
from tollgate.core.errors import ForbiddenError, NotFoundError, WrongStateError
from tollgate.core.money import ZERO
from tollgate.jobs.pricing import credits_of_job
from tollgate.metering.attributes import decimal, text, texts
from tollgate.metering.entitlement import Caller
from tollgate.metering.model import Account, Call, Job
from tollgate.table import keys

_OPEN = {"pending", "in_progress"}


def job_of(caller: Caller, purpose: str | None = None, call_metadata: str | None = None) -> Job:
    """The job that a caller's call is made in.

    Raises NotFoundError for one that is not there or of another organization, ForbiddenError for another team's,
    WrongStateError for one that is over.
    """
    item, team = caller.job, caller.team
    if item is None or caller.job_counter is None or _is_foreign(item, caller):
        raise NotFoundError("Job not found")
    if team is None or text(item, "team_uid") != text(team, "uid"):
        raise ForbiddenError("Job does not belong to your team")
    status = text(item, "status") or ""
    if status not in _OPEN:
        raise _over(status)
    job = Job(
        job_id=text(item, "job_id") or "",
        job_type=text(item, "job_type") or "",
        team_uid=text(team, "uid") or "",
        status=status,
        models=texts(item, "model_groups_used"),
        purpose=purpose,
        call_metadata=call_metadata,
    )
    return seen(job, caller.job_counter)


def seen(job: Job, item: Item | None) -> Job:
    """The job as its counter item says. Raises WrongStateError if that is closed, NotFoundError if it is gone."""
    if item is None:
        raise NotFoundError("Job not found")
    closed = text(item, "cl")
    if closed is not None:
        raise _over(closed)
    running = [hold["M"] for hold in item["h"]["M"].values()]
    return replace(
        job,
        promised=decimal(item, "pr") or ZERO,
        usd=(decimal(item, "us") or ZERO) + sum((Decimal(hold["u"]["N"]) for hold in running if "u" in hold), ZERO),
        tokens=int(decimal(item, "tk") or 0) + sum(int(hold["t"]["N"]) for hold in running if "t" in hold),
        calls=int(decimal(item, "cn") or 0),
        running=len(running),
        account_uid=text(item, "ac"),
    )


def to_promise(job: Job, account: Account | None, usd: Decimal, tokens: int) -> Decimal:
    """The credits that the account has to set apart, beyond what it has, for a call that takes so much at most.

    Nothing where the account is not bounded by its credits, and nothing from a second account: what a job comes to is
    charged to the one that its first call found.
    """
    if account is None or not (account.hard or account.floored) or job.account_uid not in {None, account.uid}:
        return ZERO
    due = credits_of_job(
        account.budget_mode, job.usd + usd, job.tokens + tokens, account.credits_per_dollar, account.tokens_per_credit
    )
    return max(ZERO, due - job.promised)


class Jobs:
    """Tells a job that it has begun."""

    def __init__(self, db: DynamoDB, table_name: str) -> None:
        self._db = db
        self._table = table_name

    async def begin(self, call: Call) -> None:
        """The first call starts its job; a model is noted with the first call that asks for it."""
        job = call.job
        if job is None or (job.status != "pending" and call.requested_model in job.models):
            return
        started = job.status != "pending" or not await self._write(_start(job, call))
        if started and call.requested_model not in job.models:
            await self._write(_note(job, call))

    async def _write(self, change: dict[str, Any]) -> bool:
        """Whether the change was made; if not, another call of the job has made it before."""
        try:
            await self._db.call("UpdateItem", {"TableName": self._table, **change})
        except ConditionFailedError:
            return False
        return True


def _start(job: Job, call: Call) -> dict[str, Any]:
    change = _change(job, call)
    values = change["ExpressionAttributeValues"]
    values |= {
        ":pending": {"S": "pending"},
        ":status": {"S": "in_progress"},
        ":list": {"S": keys.jobs_of(job.team_uid, "in_progress")},
        ":models": {"L": [{"S": call.requested_model}]},
    }
    changes = "#s = :status, started_at = :now, updated_at = :now, GSI2PK = :list, model_groups_used = :models"
    return change | {
        "UpdateExpression": f"SET {changes} ADD version :one",
        "ConditionExpression": "#s = :pending",
        "ExpressionAttributeNames": {"#s": "status"},
    }


def _note(job: Job, call: Call) -> dict[str, Any]:
    change = _change(job, call)
    change["ExpressionAttributeValues"] |= {
        ":model": {"S": call.requested_model},
        ":models": {"L": [{"S": call.requested_model}]},
    }
    return change | {
        "UpdateExpression": "SET model_groups_used = list_append(model_groups_used, :models), updated_at = :now "
        "ADD version :one",
        "ConditionExpression": "attribute_exists(PK) AND NOT contains(model_groups_used, :model)",
    }


def _change(job: Job, call: Call) -> dict[str, Any]:
    now = clock.to_stored(datetime.fromtimestamp(call.started_at, UTC))
    return {
        "Key": {"PK": {"S": keys.job(job.job_id)}, "SK": {"S": keys.ENTITY}},
        "ExpressionAttributeValues": {":now": {"S": now}, ":one": {"N": "1"}},
    }


def _is_foreign(item: Item, caller: Caller) -> bool:
    own = text(caller.organization, "uid")
    return caller.key is not None and text(item, "organization_uid") != own


def _over(status: str) -> WrongStateError:
    return WrongStateError(f"Job is {status}", code="job_closed")
