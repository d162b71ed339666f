"""Every ten minutes: fails the jobs of which nothing was heard for long (D-32)."""

from typing import Any

from tollgate.jobs.zombies import zombie_service
from tollgate.telemetry import Event, count, flush, logger


class JobsFailedError(RuntimeError):
    """Some jobs could not be looked after; the log names them."""


def handler(event: dict[str, Any], context: object) -> dict[str, int]:  # noqa: ARG001 (Lambda's signature)
    done = zombie_service().run()
    if done.ended:
        logger.warning(Event.JOBS_TENDED, extra={"jobs": done.jobs, "ended": done.ended})
    count("JobsSwept", done.ended)
    flush()
    if done.failed:
        message = f"{done.failed} of {done.jobs} jobs"
        raise JobsFailedError(message)
    return {"jobs": done.jobs, "ended": done.ended}
