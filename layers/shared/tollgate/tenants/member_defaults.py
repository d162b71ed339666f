"""What a team's members are limited by who have no limits of their own: a shared row that the team names.

It is resolved whenever a limit is read, so it binds members who were there before it, too; what a member's own limits
say counts before it (Q-52).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from tollgate.audit import repository as audit
from tollgate.audit.model import AuditEvent
from tollgate.auth.principal import Principal
from tollgate.core import ids
from tollgate.limits import repository as limits
from tollgate.limits.fields import described
from tollgate.limits.model import NO_LIMITS
from tollgate.limits.repository import SHARED, Holder
from tollgate.limits.service import changed
from tollgate.table.transactions import Work
from tollgate.teams.model import NewTeam, Team, UpdateTeam

_FIELDS = ("max_budget", "budget_duration", "rpm_limit", "tpm_limit")


def applied(  # noqa: PLR0913
    work: Work, caller: Principal, team: Team, request: NewTeam | UpdateTeam, now: datetime, *, is_new: bool = False
) -> str | None:
    """The id of the team's row after the request, whose change joins the transaction; None: it has none.

    ``is_new``: the team is being made, and none of its members has spent anything.
    """
    if "member_limits" not in request.model_fields_set:
        return team.member_budget_id
    wanted = request.member_limits
    sent: dict[str, Any] = wanted.limits_sent() if wanted is not None else dict.fromkeys(_FIELDS)
    held = limits.find(SHARED, team.member_budget_id) if team.member_budget_id is not None else None
    if held is None and all(value is None for value in sent.values()):
        return team.member_budget_id
    row = held or Holder(SHARED, str(uuid4()), ids.new_ulid(), NO_LIMITS, now, now, uses=1)
    after = changed(row.limits, sent, None if is_new else now)
    event = AuditEvent(
        caller=caller,
        action="budget.updated",
        resource_type="budget",
        resource_id=f"{SHARED}/{row.scope_id}",
        at=now,
        organization_id=team.organization_id,
        organization_uid=team.organization_uid,
        before=described(row.limits, sent),
        after=described(after, sent),
    )
    limits.save(work, replace(row, limits=after), row.limits, event)
    audit.append(work, event)
    return row.scope_id
