"""POST /api/jobs/{job_id}/complete: end a job as completed or failed, and charge for it."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.jobs.model import CompleteJob, JobAnswer
from tollgate.jobs.service import job_service

app = admin_api(Action.JOB_WRITE)


@app.post("/api/jobs/<job_id>/complete", summary="Complete a job", tags=["Jobs"])
def complete_job(job_id: str, body: CompleteJob, caller: Caller) -> JobAnswer:
    return job_service().complete(caller, job_id, body)


handler = app.resolve
