"""Calls in jobs: the same admission and money path as ``/v1``, another request and answer (contract 1.5, 1.6).

Creating and completing a job is the control plane's; a thread does it here, with the same service as its own endpoints.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.requests import Request

from proxy.calls import CallRunner, JobStream, StreamingCall
from proxy.job_requests import CallInJob, CreateAndCall, read
from proxy.requests import Inbound
from tollgate.auth.credentials import is_master_key, key_id_of
from tollgate.auth.principal import Principal
from tollgate.core.errors import ForbiddenError, InvalidRequestError, TollgateError
from tollgate.core.json import dumps
from tollgate.http.identity import principal_of
from tollgate.jobs.model import CompleteJob, CreateJob, JobStatus
from tollgate.jobs.service import job_service
from tollgate.metering.admission import Admission, Admitted
from tollgate.metering.entitlement import Caller, EntitlementReader, check_route
from tollgate.metering.jobs import job_of
from tollgate.metering.model import Call, Outcome
from tollgate.settings import settings
from tollgate.telemetry import Event, logger

_ROUTE = "/chat/completions"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class JobCalls:
    """Runs calls in jobs."""

    entitlements: EntitlementReader
    admission: Admission
    calls: CallRunner

    async def call(self, arrived: Inbound, job_id: str, raw: bytes) -> dict[str, Any]:
        """``llm-call``: the answer of a call in a job that stays open."""
        admitted, body = await self._admit(arrived, job_id, raw, None, streamed=False)
        return await self._answer(admitted, body, arrived)

    async def stream(self, arrived: Inbound, job_id: str, raw: bytes) -> StreamingCall:
        """``llm-call-stream``: does not complete the job."""
        admitted, body = await self._admit(arrived, job_id, raw, None, streamed=True)
        return await self.calls.open_stream(admitted, body, _ROUTE, arrived.deadline, JobStream())

    async def create_and_call(self, arrived: Inbound, raw: bytes) -> dict[str, Any]:
        """A job, its one call, and its end: completed and charged, or failed and not charged."""
        asked, job_id = await self._create(arrived, raw)

        async def run() -> tuple[Call, dict[str, Any]]:
            admitted, body = await self._admit(arrived, job_id, raw, asked, streamed=False)
            return admitted.call, await self._answer(admitted, body, arrived)

        call, answer = await self._failing(arrived, job_id, run)
        completed = await self._complete(arrived, job_id, call)
        answer.pop("call_id")
        return {"job_id": job_id, **answer, **completed}

    async def create_and_stream(self, arrived: Inbound, raw: bytes) -> StreamingCall:
        """The same, streamed; the job ends with the stream."""
        asked, job_id = await self._create(arrived, raw)

        async def ended(call: Call) -> None:
            await self._complete(arrived, job_id, call)

        async def run() -> StreamingCall:
            admitted, body = await self._admit(arrived, job_id, raw, asked, streamed=True)
            return await self.calls.open_stream(admitted, body, _ROUTE, arrived.deadline, JobStream(job_id, ended))

        return await self._failing(arrived, job_id, run)

    async def _admit(
        self, arrived: Inbound, job_id: str, raw: bytes, asked: CallInJob | None, *, streamed: bool
    ) -> tuple[Admitted, dict[str, Any]]:
        body, broken = (asked, None) if asked is not None else _read(raw)
        caller = await self.entitlements.read(
            arrived.credential, arrived.hint, body.user if body is not None else None, job_id
        )
        check_route(caller, arrived.route)
        _check_team(caller)
        metadata = dumps(body.call_metadata) if body is not None and body.call_metadata is not None else None
        job = job_of(caller, body.purpose if body is not None else None, metadata)
        if body is None:
            raise broken or AssertionError
        now = arrived.started_at if asked is None else time.time()
        entitlement, catalogue = await self.admission.entitlement(caller, now, body.user)
        request = body.outgoing(entitlement.customers_model or entitlement.default_model, streamed=streamed)
        admitted = await self.admission.admit(
            entitlement,
            catalogue,
            request,
            size=len(raw),
            route=_ROUTE,
            started_at=now,
            deadline=arrived.deadline,
            job=job,
        )
        return admitted, request

    async def _answer(self, admitted: Admitted, request: dict[str, Any], arrived: Inbound) -> dict[str, Any]:
        body, _ = await self.calls.answer(admitted, request, _ROUTE, arrived.deadline)
        call = admitted.call
        choices = body.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
        message = choice.get("message")
        told = message if isinstance(message, dict) else {}
        tools = {"tool_calls": told["tool_calls"]} if told.get("tool_calls") else {}
        return {
            "call_id": call.call_id,
            "response": {
                "role": told.get("role", "assistant"),
                "content": told.get("content"),
                "finish_reason": choice.get("finish_reason"),
                **tools,
            },
            "metadata": {
                "tokens_used": call.usage.total,
                "latency_ms": int((time.time() - call.started_at) * 1000),
                "model": call.requested_model,
                "model_group": call.requested_model,
            },
        }

    async def _create(self, arrived: Inbound, raw: bytes) -> tuple[CreateAndCall, str]:
        """The job, made once it is known that its call may be made."""
        caller = await self.entitlements.read(arrived.credential, arrived.hint)
        check_route(caller, arrived.route)
        asked = read(CreateAndCall, raw)
        if caller.team is not None or caller.key is not None:
            _check_team(caller, asked.team_id)
            entitlement, catalogue = await self.admission.entitlement(caller, arrived.started_at)
            self.admission.model(
                entitlement, catalogue, asked.outgoing(entitlement.default_model, streamed=False), _ROUTE
            )
        wanted = CreateJob(
            team_id=asked.team_id,
            job_type=asked.job_type,
            user_id=asked.user_id,
            metadata=asked.job_metadata or asked.metadata or {},
        )
        made = await asyncio.to_thread(lambda: job_service().create(_principal(arrived), wanted))
        return asked, made.job_id

    async def _failing(self, arrived: Inbound, job_id: str, work: Callable[[], Awaitable[T]]) -> T:
        """Whatever keeps the one call of a job from being answered fails the job."""
        try:
            return await work()
        except Exception as failure:
            told = failure.message if isinstance(failure, TollgateError) else "Internal server error"
            ending = CompleteJob(status="failed", error_message=told[:1000])
            await self._end(arrived, job_id, ending)
            raise

    async def _complete(self, arrived: Inbound, job_id: str, call: Call) -> dict[str, Any]:
        failed = call.outcome is Outcome.FAILED
        told = call.error[:1000] if call.error and failed else None
        ending = CompleteJob(status="failed" if failed else "completed", error_message=told)
        return await self._end(arrived, job_id, ending)

    async def _end(self, arrived: Inbound, job_id: str, ending: CompleteJob) -> dict[str, Any]:
        """What the answer says of the job's end. An end that fails keeps nobody from the answer that he pays for:
        the job stays open, and the schedule ends it.
        """
        try:
            ended = await asyncio.to_thread(lambda: job_service().complete(_principal(arrived), job_id, ending))
        except TollgateError as error:
            logger.error(Event.UNSETTLED, extra={"job_id": job_id, "reason": error.message})
            return {"status": JobStatus.IN_PROGRESS.value, "costs": None, "completed_at": None}
        shown = ended.model_dump(mode="json")
        return {name: shown[name] for name in ("status", "costs", "completed_at")}


def _read(raw: bytes) -> tuple[CallInJob | None, InvalidRequestError | None]:
    """The body, or what is wrong with it: that is told only to those who may call at all (Q-56)."""
    try:
        return read(CallInJob, raw), None
    except InvalidRequestError as error:
        return None, error


def _check_team(caller: Caller, team_id: str | None = None) -> None:
    """Raises ForbiddenError for a key without a team (Q-05), or of another team than the one that is named."""
    if caller.key is None:
        return
    if caller.team is None:
        raise ForbiddenError("Key has no team")
    if team_id is not None and caller.team["team_id"]["S"] != team_id:
        raise ForbiddenError(f"API key does not belong to team '{team_id}'")


def _principal(arrived: Inbound) -> Principal:
    """The caller as the control plane sees him, read anew."""
    if is_master_key(arrived.credential, settings().master_key_sha256):
        identified = {"kind": "master", "key_id": ""}
    else:
        identified = {"kind": "key", "key_id": key_id_of(arrived.credential)}
    return principal_of({"requestContext": {"authorizer": identified}})


def job_calls(request: Request) -> JobCalls:
    """By the parts of the running data plane."""
    gateway = request.state.gateway
    return JobCalls(gateway.entitlements, gateway.admission, gateway.calls)
