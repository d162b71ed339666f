"""GET /api/jobs/{job_id}/costs: what a job cost, call by call, paged."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller, Paging
from tollgate.jobs.model import JobCostsAnswer
from tollgate.jobs.service import job_service

app = admin_api(Action.JOB_READ)


@app.get("/api/jobs/<job_id>/costs", summary="Get a job's costs", tags=["Jobs"])
def get_job_costs(job_id: str, caller: Caller, paging: Paging) -> JobCostsAnswer:
    return job_service().costs(caller, job_id, paging.request())


handler = app.resolve
