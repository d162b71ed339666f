"""Calls as LiteLLM's spend logs (contract litellm 1.9, decisions section 7 "Call")."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from tollgate.auth.principal import Principal
from tollgate.core import clock
from tollgate.core.fields import Amount
from tollgate.keys import repository as virtual_keys
from tollgate.litellm.fields import DialectRow, Moment, moment
from tollgate.teams import repository as teams
from tollgate.usage.calls import LoggedCall

_FAILED, _INTERRUPTED = "failed", "interrupted"
# A row whose texts are short, names of owners included.
_PLAIN_BYTES = 2_000
_CALL_TYPES = {None: "acompletion", "/completions": "atext_completion", "/embeddings": "aembedding"}


class SpendMetadata(DialectRow):
    """Who called, by the names that keys and teams have now; and what there is to be said about the call itself."""

    user_api_key: str | None
    user_api_key_alias: str | None
    user_api_key_user_id: str | None
    user_api_key_team_id: str | None
    user_api_key_team_alias: str | None
    user_api_key_org_id: str | None
    user_api_key_end_user_id: str | None
    status: str
    outcome: str
    detail: str | None
    error_message: str | None
    estimated: bool
    streamed: bool
    cached_tokens: int
    reasoning_tokens: int
    job_id: str | None
    purpose: str | None
    call_metadata: Any


class SpendLog(DialectRow):
    """A call. ``spend`` is client cost in USD (Q-19); what Tollgate has not, such as a cache, is null.

    ``model`` is the provider's own name for the platform's people, for everybody else the alias that was asked for
    (Q-58).
    """

    request_id: str
    call_type: str | None
    api_key: str
    spend: Amount
    total_tokens: int
    prompt_tokens: int
    completion_tokens: int
    startTime: Moment  # noqa: N815
    endTime: Moment  # noqa: N815
    completionStartTime: Moment  # noqa: N815
    model: str
    model_id: str | None
    model_group: str | None
    custom_llm_provider: str | None
    api_base: str | None = None
    user: str | None
    metadata: SpendMetadata
    cache_hit: str = "False"
    cache_key: str | None = None
    request_tags: list[str]
    team_id: str | None
    organization_id: str | None
    end_user: str | None
    requester_ip_address: str | None = None
    session_id: str | None = None
    status: str


def headers(*, truncated: bool) -> dict[str, str]:
    """What an answer says besides its rows: of when it is (Q-47), and whether there is more."""
    as_of = {"x-tollgate-as-of": moment(clock.utc_now())}
    return as_of | ({"x-tollgate-truncated": "true"} if truncated else {})


def rows(caller: Principal, calls: Sequence[LoggedCall]) -> list[SpendLog]:
    """The calls as the caller sees them; names of keys and teams are read for all together."""
    inside = caller.platform_role is not None
    found = virtual_keys.find_all(dict.fromkeys(call.key_id for call in calls if call.key_id is not None))
    keys = {key.key_id: key.key_alias for key in found}
    known = teams.find_all(call.team_id for call in calls if call.team_id is not None)
    # An id may be another team's by now.
    names = {team.uid: team.team_alias for team in known.values()}
    return [_row(call, keys.get(call.key_id or ""), names.get(call.team_uid or ""), inside=inside) for call in calls]


def most_bytes(call: LoggedCall) -> int:
    """How many bytes the call's row has at most as JSON: everything but a few fields is short."""
    long = (call.error, call.call_metadata, call.customer_id, call.user_id, call.requested_model, *call.tags)
    return _PLAIN_BYTES + 2 * sum(len((value or "").encode()) for value in long)


def status_of(call: LoggedCall) -> str:
    return "failure" if call.outcome == _FAILED else "success"


def _row(call: LoggedCall, key_alias: str | None, team_alias: str | None, *, inside: bool) -> SpendLog:
    # Of an answer that came whole, LiteLLM says that it began when it ended.
    first_token = call.latency_ms if call.first_token_ms is None else call.first_token_ms
    return SpendLog(
        request_id=call.request_id,
        # Of a call whose process died nobody knows it.
        call_type=_CALL_TYPES.get(call.route) if call.outcome != _INTERRUPTED else None,
        api_key=call.key_id or "",
        spend=call.cost_usd,
        total_tokens=call.input_tokens + call.output_tokens,
        prompt_tokens=call.input_tokens,
        completion_tokens=call.output_tokens,
        startTime=call.started_at,
        endTime=call.started_at + timedelta(milliseconds=call.latency_ms),
        completionStartTime=call.started_at + timedelta(milliseconds=first_token),
        model=(call.model_used if inside else None) or call.requested_model or "",
        model_id=call.target_id,
        model_group=call.requested_model,
        custom_llm_provider=call.provider,
        user=call.user_id,
        metadata=_metadata(call, key_alias, team_alias),
        request_tags=list(call.tags),
        team_id=call.team_id,
        organization_id=call.organization_id,
        end_user=call.customer_id,
        status=status_of(call),
    )


def _metadata(call: LoggedCall, key_alias: str | None, team_alias: str | None) -> SpendMetadata:
    return SpendMetadata(
        user_api_key=call.key_id,
        user_api_key_alias=key_alias,
        user_api_key_user_id=call.user_id,
        user_api_key_team_id=call.team_id,
        user_api_key_team_alias=team_alias,
        user_api_key_org_id=call.organization_id,
        user_api_key_end_user_id=call.customer_id,
        status=status_of(call),
        outcome=call.outcome,
        detail=call.detail,
        error_message=call.error,
        estimated=call.estimated,
        streamed=call.streamed,
        cached_tokens=call.cached_tokens,
        reasoning_tokens=call.reasoning_tokens,
        job_id=call.job_id,
        purpose=call.purpose,
        call_metadata=json.loads(call.call_metadata) if call.call_metadata is not None else None,
    )
