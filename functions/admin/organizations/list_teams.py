"""GET /api/organizations/{organization_id}/teams: the ids of an organization's teams, newest first, paged."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller, Paging
from tollgate.organizations.model import OrganizationTeams
from tollgate.tenants.teams import team_service

app = admin_api(Action.TEAM_LIST)


@app.get("/api/organizations/<organization_id>/teams", summary="List an organization's teams", tags=["Organizations"])
def list_organization_teams(organization_id: str, caller: Caller, paging: Paging) -> OrganizationTeams:
    organization, page = team_service().of_organization(caller, organization_id, paging.request())
    return OrganizationTeams(
        organization_id=organization_id,
        team_count=organization.team_count,
        teams=[team.team_id for team in page.entries],
        next_cursor=page.next_cursor,
    )


handler = app.resolve
