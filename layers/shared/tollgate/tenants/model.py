"""Answers that show an organization together with its teams."""

from __future__ import annotations

from tollgate.core.fields import Amount, ResponseModel
from tollgate.limits.fields import SpendAnswer
from tollgate.organizations.model import OrganizationAnswer
from tollgate.teams.model import TeamStatus


class OrganizationTeam(ResponseModel):
    """A team as its organization's page shows it (contract 1.1)."""

    team_id: str
    team_alias: str | None
    credits_remaining: Amount
    status: TeamStatus


class OrganizationUsage(ResponseModel):
    """Of all teams that the organization has, since they exist. ``total_cost_usd`` is client cost."""

    total_jobs: int
    total_cost_usd: Amount
    credits_used: Amount


class OrganizationDetails(OrganizationAnswer, SpendAnswer):
    """``teams`` are the first hundred, oldest first. ``allocations`` are the shares of ``max_budget`` by team (USD)."""

    team_count: int
    total_credits_allocated: Amount
    allocations: dict[str, Amount]
    teams: list[OrganizationTeam]
    usage_summary: OrganizationUsage
