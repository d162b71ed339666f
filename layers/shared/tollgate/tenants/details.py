"""An organization's own page: its settings, its teams, and what they used since they exist."""

from __future__ import annotations

from tollgate.auth.policy import Action
from tollgate.auth.principal import Principal
from tollgate.core.money import ZERO
from tollgate.credits import repository as credits
from tollgate.organizations import repository as organizations
from tollgate.organizations.access import reachable
from tollgate.organizations.model import OrganizationAnswer
from tollgate.organizations.service import organization_service
from tollgate.teams import repository as teams
from tollgate.tenants import spending
from tollgate.tenants.model import OrganizationDetails, OrganizationTeam, OrganizationUsage
from tollgate.usage import repository as usage

# How many teams the page shows; the rest are in the list of teams.
SHOWN = 100


def of_organization(caller: Principal, organization_id: str) -> OrganizationDetails:
    """The organization with its metadata, its first teams, and what all of them have used.

    Reads every team's counter: an organization has dozens of teams, not thousands.
    """
    organization = reachable(caller, organization_id, Action.ORGANIZATION_READ)
    present = [team for team in teams.all_of_organization(organization.uid) if not team.deleting]
    accounts = credits.find_all({team.uid: team.account_items for team in present})
    return OrganizationDetails(
        **OrganizationAnswer.of(organization, organizations.metadata_of(organization_id)).model_dump(),
        **spending.of_organization(organization, organization_service().clock()).model_dump(),
        allocations={team.team_id: team.allocated_budget for team in present if team.allocated_budget is not None},
        team_count=organization.team_count,
        total_credits_allocated=organization.total_credits_allocated,
        teams=[
            OrganizationTeam(
                team_id=team.team_id,
                team_alias=team.team_alias,
                credits_remaining=accounts[team.uid].remaining,
                status=team.status,
            )
            for team in present[:SHOWN]
        ],
        usage_summary=OrganizationUsage(
            total_jobs=usage.jobs_of_owners([team.uid for team in present]),
            total_cost_usd=sum((account.cost_usd for account in accounts.values()), ZERO),
            credits_used=sum((account.used for account in accounts.values()), ZERO),
        ),
    )
