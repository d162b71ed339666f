"""Every five minutes: refills accounts whose period has begun, and begins and ends grace periods (Q-06)."""

from typing import Any

from tollgate.credits.refill import refill_service
from tollgate.telemetry import Event, count, flush, logger


class RefillFailedError(RuntimeError):
    """Some accounts could not be looked after; the log names them."""


def handler(event: dict[str, Any], context: object) -> dict[str, int]:  # noqa: ARG001 (Lambda's signature)
    done = refill_service().run()
    if done.refills or done.graces:
        logger.info(Event.ACCOUNTS_TENDED, extra={"refills": done.refills, "graces": done.graces})
    count("AccountsRefilled", done.refills)
    flush()
    if done.failed:
        message = f"{done.failed} of {done.accounts} accounts"
        raise RefillFailedError(message)
    return {"accounts": done.accounts, "refills": done.refills, "graces": done.graces}
