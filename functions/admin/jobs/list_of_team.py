"""GET /api/teams/{team_id}/jobs: a team's jobs, newest first, paged."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller, Paging
from tollgate.jobs.lists import job_lists
from tollgate.jobs.model import JobStatus, TeamJobs

app = admin_api(Action.JOB_READ)


@app.get("/api/teams/<team_id>/jobs", summary="List a team's jobs", tags=["Jobs"])
def list_team_jobs(
    team_id: str, caller: Caller, paging: Paging, status: Annotated[JobStatus | None, Query()] = None
) -> TeamJobs:
    return job_lists().of_team(caller, team_id, paging.request(), status)


handler = app.resolve
