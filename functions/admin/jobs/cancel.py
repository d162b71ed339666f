"""POST /api/jobs/{job_id}/cancel: end a job that nobody wants any more; it is never charged."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.jobs.model import JobAnswer
from tollgate.jobs.service import job_service

app = admin_api(Action.JOB_WRITE)


@app.post("/api/jobs/<job_id>/cancel", summary="Cancel a job", tags=["Jobs"])
def cancel_job(job_id: str, caller: Caller) -> JobAnswer:
    return job_service().cancel(caller, job_id)


handler = app.resolve
