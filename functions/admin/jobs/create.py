"""POST /api/jobs/create: open a job; its calls are charged together when it is completed."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.jobs.model import CreateJob, JobCreated
from tollgate.jobs.service import job_service

app = admin_api(Action.JOB_WRITE)


@app.post("/api/jobs/create", summary="Create a job", tags=["Jobs"])
def create_job(body: CreateJob, caller: Caller) -> JobCreated:
    return job_service().create(caller, body)


handler = app.resolve
