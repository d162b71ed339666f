"""GET /api/jobs/{job_id}: a job with what it cost so far and its first calls."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.jobs.model import JobAnswer
from tollgate.jobs.service import job_service

app = admin_api(Action.JOB_READ)


@app.get("/api/jobs/<job_id>", summary="Get a job", tags=["Jobs"])
def get_job(job_id: str, caller: Caller) -> JobAnswer:
    return job_service().details(caller, job_id)


handler = app.resolve
