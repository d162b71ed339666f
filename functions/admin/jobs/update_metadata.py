"""PATCH /api/jobs/{job_id}/metadata: merge fields into a job's metadata."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.jobs.model import JobMetadata, UpdateJobMetadata
from tollgate.jobs.service import job_service

app = admin_api(Action.JOB_WRITE)


@app.patch("/api/jobs/<job_id>/metadata", summary="Merge into a job's metadata", tags=["Jobs"])
def update_job_metadata(job_id: str, body: UpdateJobMetadata, caller: Caller) -> JobMetadata:
    return job_service().update_metadata(caller, job_id, body)


handler = app.resolve
