"""Every minute: goes on with the deletions that a request or an earlier run has left (Q-21)."""

from typing import Any

from tollgate.telemetry import Event, count, flush, logger
from tollgate.tenants.teardown import teardown
from tollgate.tenants.users import user_removal_service

# Together less than the function's time; a page or a transaction may still be under way then.
_SECONDS = 180.0
_SECONDS_OF_USERS = 60.0


class DeletionsFailedError(RuntimeError):
    """Some deletions could not go on; the log names them."""


def handler(event: dict[str, Any], context: object) -> dict[str, int]:  # noqa: ARG001 (Lambda's signature)
    done = user_removal_service().run_due(_SECONDS_OF_USERS) + teardown().run_due(_SECONDS)
    if done.finished or done.left:
        logger.info(Event.DELETIONS_TENDED, extra={"finished": done.finished, "left": done.left})
    count("DeletionsFinished", done.finished)
    flush()
    if done.failed:
        message = f"{done.failed} deletions"
        raise DeletionsFailedError(message)
    return {"finished": done.finished, "left": done.left}
