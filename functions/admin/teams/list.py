"""GET /api/teams: teams, newest first; of one organization, searched by id or alias, filtered by status, paged."""

from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.deletions.model import DeletedTeamList
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller, Paging
from tollgate.teams.model import TeamList, TeamStatus
from tollgate.tenants.offboarding import offboarding_service
from tollgate.tenants.teams import team_service

app = admin_api(Action.TEAM_LIST)


@app.get("/api/teams", summary="List teams", tags=["Teams"])
def list_teams(
    caller: Caller,
    paging: Paging,
    organization_id: Annotated[
        str | None, Query(max_length=256, description="only this organization's; `none`: those without one")
    ] = None,
    search: Annotated[str | None, Query(max_length=200)] = None,
    status: Annotated[TeamStatus | Literal["deleted"] | None, Query()] = None,
) -> TeamList | DeletedTeamList:
    if status == "deleted":
        return offboarding_service().deleted_teams(caller, paging.request(), organization_id, search)
    return team_service().list(caller, paging.request(), organization_id, search, status)


handler = app.resolve
