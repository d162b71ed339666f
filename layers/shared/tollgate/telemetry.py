"""Structured logs and metrics. Event names are fixed words, so that alarms can count on them; secrets never get here."""

from __future__ import annotations

from enum import StrEnum

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

logger = Logger(service="tollgate", log_uncaught_exceptions=False)
metrics = Metrics(namespace="Tollgate", service="tollgate")


class Event(StrEnum):
    """What is logged: one line per decision, not per step."""

    REQUEST = "request"
    REFUSED = "request_refused"
    UNEXPECTED = "unexpected_error"
    SWEPT = "holds_swept"
    OVERRUN = "call_overrun"


def count(name: str, value: float = 1) -> None:
    """Adds to a metric of this invocation."""
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)
