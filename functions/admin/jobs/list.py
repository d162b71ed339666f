"""GET /api/jobs: jobs of a team or of an organization by their time of creation, filtered, paged."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller, Paging
from tollgate.jobs.lists import job_lists
from tollgate.jobs.model import JobList, JobQuery

app = admin_api(Action.JOB_READ)


@app.get("/api/jobs", summary="List jobs", tags=["Jobs"])
def list_jobs(
    caller: Caller,
    paging: Paging,
    query: Annotated[JobQuery, Query()],
    team_id: Annotated[
        str | None, Query(min_length=1, max_length=256, description="a team's key knows its own")
    ] = None,
    organization_id: Annotated[str | None, Query(min_length=1, max_length=256, description="all its teams")] = None,
) -> JobList:
    return job_lists().search(caller, query, paging.request(), team_id=team_id, organization_id=organization_id)


handler = app.resolve
