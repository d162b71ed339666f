"""The same amount for every team of an organization. Knows no HTTP and no storage.

Each team's is a transaction of its own, with a marker of the operation beside its ledger. So the operation may be cut
off anywhere and sent again: whoever has got his credits gets none a second time.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Annotated

from pydantic import Field

from tollgate.audit import repository as audit
from tollgate.auth.policy import Action
from tollgate.auth.principal import Principal
from tollgate.core import ids
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import TollgateError
from tollgate.core.fields import Amount, ResponseModel
from tollgate.core.pagination import PageRequest
from tollgate.credits import repository
from tollgate.credits.access import event_of
from tollgate.credits.booking import ATTEMPTS, booking, keep_owners
from tollgate.credits.model import AccountOwner, Cause, Grant, OwnerId, TransactionType
from tollgate.organizations import access as organization_access
from tollgate.table.demands import Demands, demanding
from tollgate.table.idempotency import Once
from tollgate.table.transactions import Work, retried
from tollgate.teams import repository as teams
from tollgate.teams.model import Team

TEAMS_AT_ONCE = 100


class GrantToTeams(Grant):
    """``cursor`` is the last answer's ``next_cursor``: an organization of many teams takes several requests."""

    organization_id: OwnerId
    cursor: Annotated[str, Field(max_length=2048)] | None = None


class TeamGranted(ResponseModel):
    """``transaction_id`` is null and ``error`` says why where a team got nothing; send the request again for those."""

    team_id: str
    credits_added: int
    credits_remaining: Amount | None
    transaction_id: str | None
    error: str | None


class GrantedToTeams(ResponseModel):
    """``next_cursor``: there are more teams."""

    organization_id: str
    amount: int
    teams: list[TeamGranted]
    succeeded: int
    failed: int
    total_added: int
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class GrantService:
    """Adding to many accounts in one request."""

    clock: Clock = utc_now

    def to_teams(self, caller: Principal, request: GrantToTeams, once: Once | None = None) -> GrantedToTeams:
        """Adds to the next hundred teams, newest first, in any state (D-9); under a key each gets it once."""
        organization = organization_access.reachable(caller, request.organization_id, Action.CREDITS_ADD)
        operation = once.digest if once is not None else ids.new_ulid()
        page = teams.search_organization(organization.uid, PageRequest(TEAMS_AT_ONCE, request.cursor))
        # Not one transaction, so none of them may say that the request under this key is done.
        with demanding(Demands()):
            granted = [self._to_team(caller, team, request, operation) for team in page.entries]
        succeeded = sum(team.error is None for team in granted)
        return GrantedToTeams(
            organization_id=request.organization_id,
            amount=request.amount,
            teams=granted,
            succeeded=succeeded,
            failed=len(granted) - succeeded,
            total_added=succeeded * request.amount,
            next_cursor=page.next_cursor,
        )

    def _to_team(self, caller: Principal, team: Team, request: GrantToTeams, operation: str) -> TeamGranted:
        """What refuses one team does not keep the others from theirs."""
        try:
            return retried(lambda: self._grant(caller, team, request, operation), attempts=ATTEMPTS)
        except TollgateError as error:
            return TeamGranted(
                team_id=team.team_id, credits_added=0, credits_remaining=None, transaction_id=None, error=error.message
            )

    def _grant(self, caller: Principal, team: Team, request: GrantToTeams, operation: str) -> TeamGranted:
        owner, now = AccountOwner(team=team), self.clock()
        cause = Cause("GRANT", operation)
        earlier = repository.booked(owner.uid, cause)
        if earlier is not None:
            return _granted(team, request, earlier, repository.find(owner.uid, owner.counter_items).remaining)
        amount = Decimal(request.amount)
        line = booking(
            owner, TransactionType.ALLOCATION, amount, reason=request.description, actor=caller.actor, at=now
        )
        work = Work()
        # Whoever was quicker under the same key did it: the next attempt finds that.
        repository.book(work, line, cause)
        keep_owners(work, [line])
        after = {"credits_added": request.amount, "transaction_id": line.entry.transaction_id}
        audit.append(work, event_of(caller, owner, "credits_added", now, after=after))
        work.commit()
        return _granted(team, request, line.entry.transaction_id, line.entry.after)


def _granted(team: Team, request: GrantToTeams, transaction_id: str, remaining: Amount) -> TeamGranted:
    return TeamGranted(
        team_id=team.team_id,
        credits_added=request.amount,
        credits_remaining=remaining,
        transaction_id=transaction_id,
        error=None,
    )


@cache
def grant_service() -> GrantService:
    return GrantService()
