"""DELETE /api/teams/{team_id}: a team with its keys and its account."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.teams.model import TeamDeleted
from tollgate.tenants.offboarding import offboarding_service

app = admin_api(Action.TEAM_DELETE)


@app.delete("/api/teams/<team_id>", summary="Delete a team", tags=["Teams"])
def delete_team(
    team_id: str,
    caller: Caller,
    *,
    force: Annotated[bool, Query(description="delete it even while active, or with open jobs")] = False,
    purge: Annotated[bool, Query(description="its calls, jobs and usage go, too, instead of into the archive")] = False,
) -> TeamDeleted:
    return offboarding_service().delete_team(caller, team_id, force=force, purge=purge)


handler = app.resolve
