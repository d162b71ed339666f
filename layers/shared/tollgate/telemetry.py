"""Structured logs and metrics. Event names are fixed words that alarms can count on; secrets never get here."""

from __future__ import annotations

from enum import StrEnum

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit, single_metric

NAMESPACE = "Tollgate"
SERVICE = "tollgate"

logger = Logger(service=SERVICE)
metrics = Metrics(namespace=NAMESPACE, service=SERVICE)


class Event(StrEnum):
    """What is logged: one line per decision, not per step."""

    REQUEST = "request"
    REFUSED = "request_refused"
    UNEXPECTED = "unexpected_error"
    SWEPT = "holds_swept"
    OVERRUN = "call_overrun"
    UNSETTLED = "call_unsettled"
    RELEASE_FAILED = "release_failed"
    ACCOUNT_UNTENDED = "account_untended"
    ACCOUNTS_TENDED = "accounts_tended"
    JOB_UNTENDED = "job_untended"
    JOBS_TENDED = "jobs_tended"
    DELETIONS_TENDED = "deletions_tended"
    DELETION_FAILED = "deletion_failed"
    UNCOUNTED = "calls_uncounted"
    DAYS_CLOSED = "days_closed"


def count(name: str, value: float = 1) -> None:
    """Adds to a metric of this invocation."""
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)


def flush() -> None:
    """Writes the metrics of this invocation, if there are any: they may be switched off."""
    if metrics.metric_set:
        metrics.flush_metrics()


def count_now(name: str, value: float = 1) -> None:
    """The same where there is no invocation that would flush it: written at once."""
    with single_metric(name=name, unit=MetricUnit.Count, value=value, namespace=NAMESPACE) as metric:
        metric.add_dimension(name="service", value=SERVICE)
